"""The examples of examples/dockerTools: all realised in one build, each loaded once."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.nixpkgs.inspection import Image
from tests.support.builds import ROOT, nix_builds
from tests.support.consumers.base import ConsumerError, check
from tests.support.consumers.docker import Docker

EXAMPLES = tuple(sorted(file.stem for file in (ROOT / "examples/dockerTools").glob("*.nix") if file.stem != "default"))


class Examples:
    """The examples by name, and what Docker makes of them."""

    def __init__(self, built: dict[str, Path], docker: Docker, directory: Path) -> None:
        self.built = built
        self.docker = docker
        self.directory = directory
        self.loaded: dict[str, list[str]] = {}

    def archive(self, example: str) -> Path:
        """The archive of an example, as Docker 20.10 takes it: what streams is asked for it, and zstd is undone."""
        path = self.built[example]
        streams = bool(path.stat().st_mode & 0o111)
        if not streams and path.suffix != ".zst":
            return path
        archive = self.directory / f"{example}.tar"
        if not archive.exists():
            with archive.open("wb") as out:
                subprocess.run([path] if streams else ["zstd", "-dcq", path], stdout=out, check=True, timeout=120)
        return archive

    def names(self, example: str) -> list[str]:
        """The names under which Docker has it, once it is loaded."""
        if example not in self.loaded:
            self.loaded[example] = self.docker.load(self.archive(example))
        return self.loaded[example]

    def name(self, example: str) -> str:
        [name] = self.names(example)
        return name

    def image(self, example: str) -> Image:
        """What Docker reports of it."""
        return Image.of(check(self.docker.docker("image", "inspect", self.name(example))))

    def run(self, example: str, *argv: str, options: Sequence[str] = ()) -> str:
        """What a container of it prints. Raises ConsumerError: it failed."""
        return self.run_name(self.name(example), *argv, options=options)

    def run_name(self, name: str, *argv: str, options: Sequence[str] = ()) -> str:
        done = self.docker.run(name, argv, options=options)
        if done.returncode:
            raise ConsumerError(done.stderr)
        return done.stdout


@pytest.fixture(scope="session")
def examples(dockerd: Docker, pulled: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examples]:
    attributes = [word for example in EXAMPLES for word in ("-A", f"examples.dockerTools.{example}")]
    paths = nix_builds(*attributes, "--arg", "pulled", pulled)
    yield Examples(dict(zip(EXAMPLES, paths, strict=True)), dockerd, tmp_path_factory.mktemp("examples"))
