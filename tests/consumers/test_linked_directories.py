"""On a base whose `/bin` is a link to `usr/bin`, what goes to `/bin` joins what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.archives import Piece, docker_save, folder, sample, tar_of
from tests.support.builds import expression, nix_build
from tests.support.consumers.adapters import RUNNERS, Consumer
from tests.support.recipes import archive_of, base, recipe, root_layer, save, tar_layer
from tests.support.trees import Program, make_tree


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two programs on the base: from a tree, and from a script, which leaves a tar."""
    directory = tmp_path_factory.mktemp("linked")
    busybox = (nix_build(*expression("pkgs.busybox")) / "bin/busybox").read_bytes()
    shell = Piece("usr/bin/sh", busybox, mode=0o755)
    tmp = Piece("tmp", directory=True, mode=0o1777)
    below = tar_of([folder("usr"), folder("usr/bin"), shell, Piece("bin", link="usr/bin"), tmp])
    tree = make_tree(directory / "tree", {"bin/app": Program(b"#!/bin/sh\necho app\n"), "tmp/mine": b""})
    made = directory / "made.tar"
    made.write_bytes(tar_of([folder("bin"), Piece("bin/tool", b"#!/usr/bin/sh\necho tool\n", mode=0o755)]))
    base_files = base(save(docker_save([sample(layers=(below,))]), directory / "base.tar"))
    names = [{"name": "linked", "tag": "1"}]
    fields = recipe(root_layer(tree), tar_layer(made), base=base_files, names=names, config={"Cmd": ["/bin/app"]})
    return archive_of(fields, directory / "linked.tar")


@pytest.mark.parametrize("kind", RUNNERS)
def test_the_base_s_programs_and_the_user_s(kind: str, request: pytest.FixtureRequest, archive: Path) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    [name] = consumer.load(archive)
    assert consumer.run(name).stdout == "app\n"
    script = "/bin/tool; /usr/bin/app; echo /bin/*; [ -L /bin ]; [ -k /tmp ]; echo kept"
    done = consumer.run(name, ["/bin/sh", "-euc", script])
    assert done.stdout.splitlines() == ["tool", "app", "/bin/app /bin/sh /bin/tool", "kept"], done.stderr
