"""`lamina load` into real daemons: what goes over is counted where it enters the client, and the image then runs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import frozen

from ..builds import COMMAND, environment, expression, nix_build
from .base import SYSTEM_PATH, Consumer
from .containerd import Containerd
from .docker import Docker
from .podman import Podman

KINDS = (
    "dockerd",
    "dockerd_trixie",
    "dockerd_trixie_containerd",
    "podman",
    "podman_trixie",
    "containerd",
    "containerd_trixie",
)
NOTHING_TO_SPEAK_OF = 256 << 10

# Counts what a client reads from its standard input, and hands it on.
CLIENT = """\
#!/bin/bash
PATH={path}
case "$*" in
  load*|*import*) exec {client} "$@" < <(tee >(wc -c >> {counts})) ;;
  *) exec {client} "$@" ;;
esac
"""


@frozen
class Loader:
    """`lamina load` for one consumer, with a cache of its own."""

    consumer: Consumer
    to: str
    directory: Path

    @property
    def counts(self) -> Path:
        return self.directory / "counts"

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.directory}/bin:{SYSTEM_PATH}:{os.environ['PATH']}"
        return environment(PATH=path, XDG_CACHE_HOME=str(self.directory / "cache"))

    def run(self, image: Path) -> subprocess.CompletedProcess[str]:
        words = [COMMAND, "load", image, "--to", self.to, "--json"]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=300, check=False)

    def sent(self, image: Path) -> int:
        """Bytes that the client was given, which are those that Lamina says it sent."""
        self.counts.write_text("")
        done = self.run(image)
        assert done.returncode == 0, done.stderr
        counted = sum(int(line) for line in self.counts.read_text().split())
        assert json.loads(done.stdout)["sent"] == counted
        return counted


def client(consumer: Consumer) -> tuple[str, str, list[str]]:
    """(what `--to` calls it, the client's name, the words that reach this very daemon)."""
    if isinstance(consumer, Docker):
        return "docker", "docker", [str(word) for word in consumer.docker()]
    if isinstance(consumer, Podman):
        settings = [f"{key}={value}" for key, value in consumer.env.items()]
        return "podman", "podman", ["env", *settings, *(str(word) for word in consumer.podman())]
    assert isinstance(consumer, Containerd)
    return "containerd", "ctr", [str(word) for word in consumer.ctr()]


@pytest.fixture(params=KINDS)
def loader(request: pytest.FixtureRequest, tmp_path: Path) -> Loader:
    consumer: Consumer = request.getfixturevalue(request.param)
    to, name, words = client(consumer)
    result = Loader(consumer, to, tmp_path)
    program = tmp_path / "bin" / name
    program.parent.mkdir()
    program.write_text(CLIENT.format(path=SYSTEM_PATH, client=" ".join(words), counts=result.counts))
    program.chmod(0o755)
    return result


def recipe(name: str, greeting: str) -> Path:
    """An image of hello, coreutils and an application of one's own, which alone says something else."""
    application = f'(pkgs.writeShellScriptBin "app" "${{pkgs.coreutils}}/bin/echo {greeting}")'
    contents = f"contents = [ {application} pkgs.hello ]; volatile = [ {application} ];"
    arguments = f'{{ name = "{name}"; tag = "1"; {contents} config.Cmd = [ "/bin/app" ]; }}'
    return nix_build(*expression(f"(lamina.streamLayeredImage {arguments}).recipe"))


@pytest.fixture
def unique(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "load-" + tmp_path.name.replace("_", "-").strip("-").lower()


def image(loader: Loader, name: str) -> str:
    """The image's name as its consumer spells it."""
    return f"{name}:1" if loader.to == "docker" else f"docker.io/library/{name}:1"


def test_only_what_is_missing_is_sent(loader: Loader, unique: str) -> None:
    first = recipe(unique, "one")
    whole = loader.sent(first)
    assert whole > 1 << 20
    assert loader.sent(first) < NOTHING_TO_SPEAK_OF
    assert loader.sent(recipe(unique, "two")) < NOTHING_TO_SPEAK_OF, "only the application has changed"
    done = loader.consumer.run(image(loader, unique))
    assert done.stdout.strip() == "two", done.stderr
    expected = subprocess.run(
        [COMMAND, "inspect", recipe(unique, "two"), "--json"], capture_output=True, check=True, timeout=60
    )
    assert loader.consumer.config_digest(image(loader, unique)) == json.loads(expected.stdout)[0]["configDigest"]


def test_layers_that_the_daemon_lost_are_sent_again(loader: Loader, unique: str) -> None:
    first = recipe(unique, "three")
    whole = loader.sent(first)
    loader.consumer.remove(image(loader, unique))
    again = loader.sent(recipe(unique, "four"))
    assert again <= 2 * whole
    assert loader.consumer.run(image(loader, unique)).stdout.strip() == "four"


def test_a_client_that_refuses_is_an_error(tmp_path: Path) -> None:
    refuse = tmp_path / "bin/docker"
    refuse.parent.mkdir()
    refuse.write_text('#!/bin/sh\n[ "$1" = load ] || exit 1\nhead -c 9 >/dev/null\necho no room >&2\nexit 1\n')
    refuse.chmod(0o755)
    surroundings = environment(PATH=f"{refuse.parent}:{os.environ['PATH']}", XDG_CACHE_HOME=str(tmp_path))
    words = [COMMAND, "load", recipe("refused", "x")]
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["lamina: docker: refused the image: no room; see the daemon's log"]


def test_no_client(tmp_path: Path) -> None:
    words = [COMMAND, "load", recipe("refused", "x"), "--to", "podman"]
    surroundings = environment(PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    done = subprocess.run(words, env=surroundings, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("lamina: podman: no such program; install the client")


Starter = Callable[[], subprocess.Popen[bytes]]


def test_two_loads_at_once(loader: Loader, unique: str) -> None:
    """Of two images that share layers, into one daemon, out of one cache."""
    recipes = [recipe(f"{unique}-{number}", f"number {number}") for number in range(2)]
    words = [[COMMAND, "load", path, "--to", loader.to] for path in recipes]
    running = [subprocess.Popen(each, env=loader.environment) for each in words]
    assert [process.wait(300) for process in running] == [0, 0]
    for number in range(2):
        done = loader.consumer.run(image(loader, f"{unique}-{number}"))
        assert done.stdout.strip() == f"number {number}", done.stderr
