"""`lamina load` for one consumer, with the bytes counted where they enter its client."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from attrs import frozen

from tests.support.builds import COMMAND, environment
from tests.support.consumers.base import SYSTEM_PATH, Consumer
from tests.support.consumers.containerd import Containerd
from tests.support.consumers.docker import Docker
from tests.support.consumers.podman import Podman

KINDS = (
    "dockerd",
    "dockerd_trixie",
    "dockerd_trixie_containerd",
    "podman",
    "podman_trixie",
    "containerd",
    "containerd_trixie",
    "dockerd_forky",
    "dockerd_forky_containerd",
    "podman_forky",
    "containerd_forky",
)
"""The daemons that Lamina loads images into."""

# Counts what a client reads from its standard input, and hands it on.
CLIENT = """\
#!/bin/bash
PATH={path}
case "$*" in
  load*|*import*)
    exec 3> >(wc -c >> {counts})
    counter=$!
    tee /dev/fd/3 | {client} "$@" 3>&-
    status=${{PIPESTATUS[1]}}
    exec 3>&-
    wait "$counter"  # else it may still be counting when the client has ended
    exit "$status" ;;
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

    def spelling(self, name: str) -> str:
        """How the consumer spells the name of an image of ours."""
        return name if self.to == "docker" else f"docker.io/library/{name}"

    def run(self, image: Path, *options: str) -> subprocess.CompletedProcess[str]:
        words: list[str | Path] = [COMMAND, "load", image, "--to", self.to, "--json", *options]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=1200, check=False)

    def sent(self, image: Path) -> int:
        """Bytes that the client was given, all at once, which are those that Lamina says it sent."""
        self.counts.write_text("")
        done = self.run(image)
        assert done.returncode == 0, done.stderr
        parsed = json.loads(done.stdout)
        counted = [int(line) for line in self.counts.read_text().split()]
        assert parsed["sent"] == sum(counted), parsed
        assert parsed["refusal"] is None and len(counted) <= 1, parsed
        return sum(counted)

    def predicted(self, old: Path, new: Path) -> int:
        """The bytes that `lamina diff` says a load of the new image sends to a daemon with the old one."""
        words: list[str | Path] = [COMMAND, "diff", old, new, "--json"]
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, timeout=120, check=True)
        store = f"{self.to}-containerd" if isinstance(self.consumer, Docker) and self.consumer.contents else self.to
        load: dict[str, int] = json.loads(done.stdout)["update"]["load"]
        return load[store]


def client(consumer: Consumer) -> tuple[str, str, list[str]]:
    """(what `--to` calls it, the client's name, the words that reach this very daemon)."""
    if isinstance(consumer, Docker):
        return "docker", "docker", [str(word) for word in consumer.docker()]
    if isinstance(consumer, Podman):
        settings = [f"{key}={value}" for key, value in consumer.env.items()]
        return "podman", "podman", ["env", *settings, *(str(word) for word in consumer.program())]
    assert isinstance(consumer, Containerd)
    return "containerd", "ctr", [str(word) for word in consumer.ctr()]


def loader_for(consumer: Consumer, directory: Path) -> Loader:
    """With what it keeps in the directory."""
    to, name, words = client(consumer)
    result = Loader(consumer, to, directory)
    program = directory / "bin" / name
    program.parent.mkdir()
    program.write_text(CLIENT.format(path=SYSTEM_PATH, client=" ".join(words), counts=result.counts))
    program.chmod(0o755)
    return result
