"""An archive without the layers of an older image, in the daemons that have that image and in those that lack it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.builds import COMMAND, environment, expression, nix_builds
from tests.support.consumers.base import Consumer
from tests.support.consumers.loading import KINDS, loader_for
from tests.support.once import Once
from tests.support.selection import quick

SMALL = 256 << 10


@pytest.fixture(scope="session")
def recipes(once: Once) -> list[str]:
    """Two images of hello and an application of one's own, which alone says something else."""
    application = '(pkgs.writeShellScriptBin "app" "echo ${greeting}")'
    bottom = '(pkgs.writeTextDir "share/against" "of no other test")'
    contents = f"contents = [ {bottom} {application} pkgs.hello ]; volatile = [ {application} ];"
    arguments = f'{{ name = "against"; tag = greeting; {contents} config.Cmd = [ "/bin/app" ]; }}'
    image = f"greeting: (lamina.streamLayeredImage {arguments}).recipe"
    words = expression(f'map ({image}) [ "old" "new" ]')
    built: list[str] = once("against", lambda: [str(path) for path in nix_builds(*words)])
    return built


def build(recipe: str, output: Path, *options: str | Path) -> Path:
    words: list[str | Path] = [COMMAND, "build", recipe, "-o", output, *options]
    subprocess.run(words, env=environment(), check=True, timeout=120, stdout=subprocess.DEVNULL)
    return output


@pytest.mark.parametrize("kind", quick(KINDS, "dockerd"))
def test_it_loads_where_the_older_image_is(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, recipes: list[str]
) -> None:
    """With the daemon's own client, and with `lamina load` although that did not load the older image."""
    consumer: Consumer = request.getfixturevalue(kind)
    loader = loader_for(consumer, tmp_path)
    old = build(recipes[0], tmp_path / "old.tar")
    whole = build(recipes[1], tmp_path / "whole.tar")
    update = build(recipes[1], tmp_path / "update.tar", "--against", old)
    assert update.stat().st_size < SMALL < whole.stat().st_size
    name = loader.spelling("against:new")

    done = loader.run(update)
    assert done.returncode == 1
    lacking = f"leaves out \\d+ layers? that {loader.to} does not have"
    remedy = "first load against:old with lamina load, or build the whole image"
    assert re.fullmatch(f"lamina: {re.escape(str(update))}: {lacking}; {remedy}\n", done.stderr), done.stderr
    assert name not in consumer.names()

    consumer.load(old)
    assert loader.sent(update) <= update.stat().st_size
    assert consumer.run(name).stdout.strip() == "new"
    digest = consumer.config_digest(name)

    consumer.remove(name)
    assert name not in consumer.names()
    consumer.load(update)
    assert consumer.run(name).stdout.strip() == "new"
    assert consumer.config_digest(name) == digest
