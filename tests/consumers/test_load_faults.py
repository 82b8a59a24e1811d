"""`lamina load` with real daemons when the image cannot be used, or the daemon cannot be reached."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.builds import COMMAND, environment
from tests.support.consumers.base import call, check
from tests.support.consumers.containerd import Containerd
from tests.support.consumers.docker import Docker
from tests.support.consumers.images import SIZE, archive, archive_of_several
from tests.support.consumers.loading import Loader, loader_for
from tests.support.consumers.podman import Podman
from tests.support.needs import need

CONTAINERD_STORES = ["dockerd_trixie_containerd", "dockerd_forky_containerd"]


@pytest.fixture
def loader(request: pytest.FixtureRequest, tmp_path: Path) -> Loader:
    return loader_for(request.getfixturevalue(request.param), tmp_path)


@pytest.fixture
def name(tmp_path: Path) -> str:
    return f"faults-{tmp_path.parent.name}-{tmp_path.name}".replace("_", "-").lower() + ":1"


def result(loader: Loader, image: Path, *words: str) -> dict[str, Any]:
    done = loader.run(image, *words)
    assert done.returncode == 0, done.stderr
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why a load failed."""
    assert done.returncode == 1 and not done.stdout, done
    [line] = done.stderr.splitlines()
    return line


@pytest.mark.parametrize("loader", CONTAINERD_STORES, indirect=True)
def test_an_image_that_cannot_be_unpacked_is_not_loaded(loader: Loader, name: str, tmp_path: Path) -> None:
    """The second load finds the image in the store, where the first one left it."""
    too_long = "/".join(["a" * 250] * 17)
    image = archive(tmp_path / "image.tar", name, files={too_long: b"x"})
    for _ in range(2):
        line = refusal(loader.run(image))
        assert line.startswith("lamina: docker: refused the image: ") and "file name too long" in line


@pytest.mark.parametrize("loader", CONTAINERD_STORES, indirect=True)
def test_a_blob_that_is_missing_is_sent_again(loader: Loader, name: str, tmp_path: Path) -> None:
    """Docker lists such an image, and runs it, but cannot push or save it."""
    image = archive(tmp_path / "image.tar", name)
    result(loader, image)
    contents = loader.consumer.contents  # type: ignore[attr-defined]
    layers = [row.split()[0] for row in check(contents.ctr("content", "ls")).splitlines() if "307.2kB" in row]
    check(contents.ctr("content", "rm", *layers))
    assert result(loader, image)["sent"] > SIZE
    assert check(contents.ctr("images", "check", f"name==docker.io/library/{name}")).split()[-1] == "true"
    assert result(loader, image)["sent"] == 0


@pytest.mark.parametrize("loader", CONTAINERD_STORES, indirect=True)
def test_the_layers_of_an_image_that_docker_load_loaded_are_known(loader: Loader, name: str, tmp_path: Path) -> None:
    """With an empty cache, from the moment when `lamina load` finds that image."""
    one = archive(tmp_path / "one.tar", name)
    universal = tmp_path / "universal.tar"
    subprocess.run([COMMAND, "merge", one, "-o", universal], check=True, timeout=60)
    loader.consumer.load(universal)
    assert result(loader, universal)["sent"] == 0
    two = archive(tmp_path / "two.tar", name, config={"Cmd": ["/a"], "User": "7"})
    assert result(loader, two)["sent"] < SIZE


@pytest.mark.parametrize("loader", ["containerd", "containerd_trixie", "containerd_forky"], indirect=True)
def test_an_image_that_is_not_unpacked_is_not_ready(loader: Loader, name: str, tmp_path: Path) -> None:
    """`ctr run` fails for it."""
    image = archive(tmp_path / "image.tar", name)
    universal = tmp_path / "universal.tar"
    subprocess.run([COMMAND, "merge", image, "-o", universal], check=True, timeout=60)
    assert isinstance(loader.consumer, Containerd)
    check(loader.consumer.ctr("images", "import", "--no-unpack", universal))
    status = loader.consumer.ctr("images", "check", f"name==docker.io/library/{name}")
    assert check(status).split()[-1] == "false"
    assert 0 < result(loader, universal)["sent"] < SIZE, "all blobs are there"
    assert check(status).split()[-1] == "true"


@pytest.mark.parametrize("loader", ["podman", "podman_trixie", "podman_forky"], indirect=True)
def test_an_image_that_podman_cannot_inspect_does_not_cost_the_reuse(loader: Loader, name: str, tmp_path: Path) -> None:
    result(loader, archive(tmp_path / "one.tar", name))
    assert isinstance(loader.consumer, Podman)
    loader.consumer.check("manifest", "create", f"list-{name}")
    try:
        two = archive(tmp_path / "two.tar", name, config={"Cmd": ["/a"], "User": "7"})
        assert result(loader, two)["sent"] < SIZE
    finally:
        loader.consumer.check("rmi", f"list-{name}")


@pytest.mark.parametrize("loader", ["podman", "podman_trixie", "podman_forky"], indirect=True)
def test_the_reason_is_that_for_our_format(loader: Loader, name: str, tmp_path: Path) -> None:
    """podman prints a reason for each format that it tries, the last one always for a directory."""
    line = refusal(loader.run(archive(tmp_path / "image.tar", name, config={"ExposedPorts": {"80": True}})))
    assert "cannot unmarshal bool" in line and "ExposedPorts" in line
    assert "not a directory" not in line and "the daemon's log" not in line


@pytest.mark.parametrize("loader", ["dockerd", *CONTAINERD_STORES, "podman", "containerd"], indirect=True)
def test_one_of_several_images_by_name_and_tag(loader: Loader, name: str, tmp_path: Path) -> None:
    repository = name.partition(":")[0]
    images = {f"{repository}:{tag}": ({"a": tag.encode()}, {"Cmd": [f"/{tag}"]}) for tag in ("1", "2")}
    several = archive_of_several(tmp_path / "several.tar", images)
    assert "2 images that match" in refusal(loader.run(several))
    assert result(loader, several, "--tag", "2")["names"] == [f"{repository}:2"]
    assert result(loader, several, "--name", repository, "--tag", "1")["names"] == [f"{repository}:1"]
    assert "contains no image" in refusal(loader.run(several, "--name", "another"))


@pytest.mark.parametrize(
    ("client", "package", "to", "settings"),
    [
        ("docker", "docker.io", "docker", {"DOCKER_HOST": "unix:///nonexistent/socket"}),
        ("docker", "docker.io", "docker", {"DOCKER_CONTEXT": "nonexistent"}),
        ("docker", "docker.io", "docker", {"DOCKER_HOST": "ssh://nonexistent.invalid"}),
        ("ctr", "containerd", "containerd", {"CONTAINERD_ADDRESS": "/nonexistent/socket"}),
    ],
)
def test_a_daemon_that_cannot_be_reached_refuses_nothing(
    client: str, package: str, to: str, settings: dict[str, str], name: str, tmp_path: Path
) -> None:
    need(client, package)
    image = archive(tmp_path / "image.tar", name)
    surroundings = environment(**settings, XDG_CACHE_HOME=str(tmp_path))
    words: list[str | Path] = [COMMAND, "load", image, "--to", to]
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=120, check=False)
    line = refusal(done)
    assert line.startswith(f"lamina: {to}: the daemon does not answer: ") and "nonexistent" in line
    assert "refused" not in line and "check that it is running" in line


def docker_words(docker: Docker) -> list[str]:
    return [str(word) for word in docker.docker()]


def test_a_daemon_that_ends_refuses_nothing(dockerd: Docker, name: str, tmp_path: Path) -> None:
    """The daemon ends while the image is sent; `test_load.py` has it with a real one that is killed."""
    loader = loader_for(dockerd, tmp_path)
    program = tmp_path / "bin/docker"
    text = program.read_text()
    gone = 'version*) echo "Cannot connect" >&2; exit 1 ;;\n  load*) echo EOF >&2; exit 1 ;;\n  load*|'
    program.write_text(text.replace("  load*|", f"  {gone}"))
    line = refusal(loader.run(archive(tmp_path / "image.tar", name)))
    assert line.startswith("lamina: docker: the daemon does not answer: Cannot connect; ")
    assert call(dockerd.docker("image", "inspect", name)).returncode != 0
