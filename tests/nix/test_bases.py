"""Bases that others wrote: a real Alpine, and one of several images in an archive."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.builds import COMMAND, expression, nix_build, nix_error
from tests.support.consumers.docker import Docker
from tests.support.consumers.podman import Podman


def test_alpine(alpine: Path, dockerd: Docker) -> None:
    """The base's own program, on musl, and the added one, on glibc, in one image."""
    arguments = f'{{ name = "on-alpine"; tag = "1"; fromImage = {alpine}; config.Env = [ "ADDED=${{pkgs.hello}}" ]; }}'
    [name] = dockerd.load(nix_build(*expression(f"lamina.buildImage {arguments}")))
    assert dockerd.run(name, ["apk", "--version"]).stdout.startswith("apk-tools")
    assert "Hello, world!" in dockerd.run(name, ["sh", "-c", "$ADDED/bin/hello"]).stdout


@pytest.fixture(scope="module")
def several(dockerd: Docker, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images in one archive, as docker saves them: in any order (moby, image/tarexport/save.go: a Go map)."""
    for attribute in ("busybox", "onImage"):
        dockerd.load(nix_build("-A", f"examples.{attribute}"))
    archive = tmp_path_factory.mktemp("several") / "several.tar"
    words = dockerd.docker("save", "--output", archive, "busybox:latest", "on-image:latest")
    subprocess.run([str(word) for word in words], check=True, timeout=120)
    return archive


def listed(several: Path) -> str:
    """Their names in the archive's order."""
    with tarfile.open(several) as archive:
        manifest = archive.extractfile("manifest.json")
        assert manifest
        names = [name for image in json.load(manifest) for name in image["RepoTags"]]
    assert sorted(names) == ["busybox:latest", "on-image:latest"]
    return "; ".join(names)


def based_on(several: Path, selector: str) -> tuple[str, ...]:
    return expression(f'lamina.buildImage {{ name = "chosen"; tag = "1"; fromImage = {several}; {selector} }}')


@pytest.mark.parametrize("spelling", ["on-image", "docker.io/library/on-image"])
def test_chosen_by_name(several: Path, spelling: str) -> None:
    """Layers, config and all are those of the chosen image."""
    built = nix_build(*based_on(several, f'fromImageName = "{spelling}"; fromImageTag = "latest";'))
    [inspected] = json.loads(subprocess.check_output([COMMAND, "inspect", "--json", built], timeout=60))
    [own] = json.loads(
        subprocess.check_output([COMMAND, "inspect", "--json", nix_build("-A", "examples.onImage")], timeout=60)
    )
    assert inspected["config"]["config"]["Labels"] == {"second": "yes"}
    assert [layer["diffId"] for layer in inspected["layers"]] == [layer["diffId"] for layer in own["layers"]]


def test_not_chosen(several: Path) -> None:
    said = nix_error(*based_on(several, ""))
    assert f"contains 2 images that match: {listed(several)}; choose one by its name and tag" in said


def test_chosen_but_not_there(several: Path) -> None:
    said = nix_error(*based_on(several, 'fromImageName = "other"; fromImageTag = "1";'))
    assert f"contains no image other:1; it contains: {listed(several)}" in said


def test_podman_saved(podman: Podman, tmp_path: Path) -> None:
    """What podman saves, compressed as a whole by another program, under a name that says nothing."""
    podman.load(nix_build("-A", "examples.busybox"))
    podman.check("save", "--output", tmp_path / "saved.tar", "docker.io/library/busybox:latest")
    subprocess.run(["xz", "-0", tmp_path / "saved.tar"], check=True, timeout=120)
    (tmp_path / "saved.tar.xz").rename(tmp_path / "base")
    built = nix_build(*based_on(tmp_path / "base", 'config.Cmd = [ "${pkgs.hello}/bin/hello" ];'))
    [name] = podman.load(built)
    assert "Hello, world!" in podman.run(name).stdout
