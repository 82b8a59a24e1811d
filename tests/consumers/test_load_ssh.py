"""`lamina load` onto another machine: through ssh, by DOCKER_HOST and by a context, only missing layers are sent."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.builds import COMMAND, environment
from tests.support.consumers import ssh
from tests.support.consumers.base import check
from tests.support.consumers.docker import Docker
from tests.support.consumers.images import SIZE, archive
from tests.support.needs import need


@pytest.fixture
def docker(request: pytest.FixtureRequest) -> Docker:
    found: Docker = request.getfixturevalue(getattr(request, "param", "dockerd"))
    return found


@pytest.fixture
def server(docker: Docker, tmp_path: Path) -> Iterator[ssh.Server]:
    """Programs that are run through it reach the daemon."""
    need("sshd", "openssh-server")
    need("docker", "docker.io")
    with ssh.started(tmp_path, {"DOCKER_HOST": docker.host}) as running:
        yield running


def surroundings(server: ssh.Server, how: str) -> dict[str, str]:
    """The environment of a user of the daemon behind the server."""
    shared = environment(
        PATH=f"{server.bin}:{os.environ['PATH']}",
        XDG_CACHE_HOME=str(server.directory / "cache"),
        DOCKER_CONFIG=str(server.directory / "docker"),
    )
    if how == "DOCKER_HOST":
        return shared | {"DOCKER_HOST": server.address}
    words = ["docker", "context", "create", "far", "--docker", f"host={server.address}"]
    check(words, env={"DOCKER_CONFIG": shared["DOCKER_CONFIG"]})
    if how == "DOCKER_CONTEXT":
        return shared | {"DOCKER_CONTEXT": "far"}
    check(["docker", "context", "use", "far"], env={"DOCKER_CONFIG": shared["DOCKER_CONFIG"]})
    return shared


def load(image: Path, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    words: list[str | Path] = [COMMAND, "load", image, "--json"]
    return subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(
    ("docker", "how"),
    [
        ("dockerd", "DOCKER_HOST"),
        ("dockerd", "DOCKER_CONTEXT"),
        ("dockerd", "docker context use"),
        ("dockerd_trixie_containerd", "DOCKER_HOST"),
    ],
    indirect=["docker"],
)
def test_only_missing_layers_go_through_ssh(how: str, docker: Docker, server: ssh.Server, tmp_path: Path) -> None:
    env = surroundings(server, how)
    name = f"ssh-{tmp_path.name}".replace("_", "-").lower() + ":1"
    files = {"a": os.urandom(SIZE)}
    sent = []
    for user in ("1", "2"):
        image = archive(tmp_path / "image.tar", name, files=files, config={"Cmd": ["/a"], "User": user})
        done = load(image, env)
        assert done.returncode == 0, done.stderr
        sent.append(json.loads(done.stdout)["sent"])
    assert sent[0] > SIZE > sent[1] > 0
    assert check(docker.docker("image", "inspect", "--format", "{{.Config.User}}", name)).strip() == "2"


def test_ssh_that_is_refused_is_the_reason(server: ssh.Server, tmp_path: Path) -> None:
    (tmp_path / "user.pub").write_text("")
    done = load(archive(tmp_path / "image.tar", "refused:1"), surroundings(server, "DOCKER_HOST"))
    [line] = done.stderr.splitlines()
    assert line.startswith("lamina: docker: the daemon does not answer: ") and "Permission denied" in line
