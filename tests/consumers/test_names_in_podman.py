"""What podman calls an image whose name has no registry; docs/use/from-dockertools.md says how this differs."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from tests.support.builds import expression, nix_builds
from tests.support.consumers import images
from tests.support.consumers.podman import Podman
from tests.support.once import Once
from tests.support.selection import quick

NAMES = {
    "names-in-podman": "docker.io/library/names-in-podman:1",
    "localhost/names-in-podman": "localhost/names-in-podman:1",
}
"""Names of images as a user writes them, and as they are in the archive and in podman."""

kinds = pytest.mark.parametrize("kind", quick(("podman", "podman_trixie", "podman_forky"), "podman"))


@pytest.fixture
def podman(request: pytest.FixtureRequest, kind: str) -> Podman:
    found: Podman = request.getfixturevalue(kind)
    return found


@pytest.fixture(scope="session")
def archives(once: Once) -> list[str]:
    """An image of each name, built with dockerTools' arguments."""
    arguments = 'inherit name; tag = "1"; copyToRoot = pkgs.hello; config.Cmd = [ "/bin/hello" ];'
    names = " ".join(f'"{name}"' for name in NAMES)
    text = f"map (name: lamina.dockerTools.buildImage {{ {arguments} }}) [ {names} ]"
    built: list[str] = once("names-in-podman", lambda: [str(path) for path in nix_builds(*expression(text))])
    return built


def repo_tags(archive: Path) -> list[str]:
    with tarfile.open(archive) as members:
        manifest = members.extractfile("manifest.json")
        assert manifest
        [image] = json.load(manifest)
    tags: list[str] = image["RepoTags"]
    return tags


@kinds
def test_an_archive_has_the_names_that_podman_lists(podman: Podman, archives: list[str]) -> None:
    """A name without a registry is one of docker.io. It is found without it, but not below localhost."""
    for archive, whole in zip(map(Path, archives), NAMES.values(), strict=True):
        assert repo_tags(archive) == podman.load(archive) == [whole]
        for name in (whole, "names-in-podman:1"):
            assert podman.run(name).stdout == "Hello, world!\n"
        others = set(NAMES.values()) - {whole}
        assert [podman.call("image", "exists", other).returncode for other in others] == [1]
        podman.remove(whole)


@kinds
def test_a_name_as_dockertools_writes_it(podman: Podman, tmp_path: Path) -> None:
    """dockerTools writes the name as the user does, and podman puts it below localhost."""
    archive = images.archive(tmp_path / "image.tar", "names-of-dockertools:1")
    assert repo_tags(archive) == ["names-of-dockertools:1"]
    assert podman.load(archive) == ["localhost/names-of-dockertools:1"]
    podman.remove("localhost/names-of-dockertools:1")
