"""The reference scenario: one file of an application in a large image changes; build, load, run.

Lamina's way (recipe, then only what the daemon lacks) beside the whole archive streamed into `docker load`, as
streamLayeredImage of nixpkgs does, in one run against one daemon of its own. Writes bench/results.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.builds import COMMAND, environment, nix_build  # noqa: E402 - the tests' own way to build and to run daemons
from tests.consumers.adapters import opened  # noqa: E402
from tests.consumers.docker import Docker  # noqa: E402


@frozen
class Row:
    """One way, one step: seconds and bytes that went to the daemon."""

    way: str
    build: float
    load: float
    run: float
    sent: int

    @property
    def total(self) -> float:
        return self.build + self.load + self.run


def timed(step: Callable[[], object]) -> tuple[float, object]:
    begin = time.perf_counter()
    result = step()
    return time.perf_counter() - begin, result


def recipe(closure: str, edit: str, name: str) -> Path:
    """The recipe of the image with another application: what nix-build does after an edit."""
    arguments = ["--argstr", "closure", closure, "--argstr", "edit", edit, "--argstr", "name", name]
    return nix_build(ROOT / "bench/closures.nix", "-A", "image.recipe", *arguments)


def surroundings(daemon: Docker, directory: Path) -> dict[str, str]:
    return environment(DOCKER_HOST=daemon.host, XDG_CACHE_HOME=str(directory / "cache"))


def run(daemon: Docker, name: str, edit: str) -> None:
    done = daemon.run(f"{name}:latest")
    assert done.stdout.strip() == f"release {edit}", done.stderr


def by_lamina(daemon: Docker, closure: str, edit: str, directory: Path, way: str) -> Row:
    build, path = timed(lambda: recipe(closure, edit, "lamina"))
    words = [COMMAND, "load", str(path), "--json"]
    load, told = timed(lambda: subprocess.check_output(words, env=surroundings(daemon, directory), timeout=1200))
    took, _ = timed(lambda: run(daemon, "lamina", edit))
    return Row(way, build, load, took, json.loads(told)["sent"])  # type: ignore[arg-type]


def by_stream(daemon: Docker, closure: str, edit: str, directory: Path, way: str) -> Row:
    """All of it, hashed and then sent: there is no cache that lasts."""
    build, path = timed(lambda: recipe(closure, edit, "stream"))
    with tempfile.TemporaryDirectory(dir=directory) as nothing:
        pipe = f"{COMMAND} build {path} -o - | tee >(wc -c > {directory}/count) | docker load"
        words = ["bash", "-euo", "pipefail", "-c", pipe]
        env = surroundings(daemon, Path(nothing))
        load, _ = timed(lambda: subprocess.run(words, env=env, check=True, stdout=subprocess.DEVNULL, timeout=1200))
    took, _ = timed(lambda: run(daemon, "stream", edit))
    return Row(way, build, load, took, int((directory / "count").read_text()))


def table(rows: list[Row]) -> str:
    lines = ["| | build s | load s | run s | all s | sent MB |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = f"{row.build:.2f} | {row.load:.2f} | {row.run:.2f} | {row.total:.2f} | {row.sent / 1e6:.2f}"
        lines.append(f"| {row.way} | {figures} |")
    return "\n".join(lines)


def machine() -> str:
    model = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), ": ?")
    return f"{os.cpu_count()} processors ({model.split(':')[1].strip()}), Linux {platform.release()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--closure", default="large")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, opened("dockerd") as daemon:
        assert isinstance(daemon, Docker)
        directory = Path(name)
        closure = options.closure
        rows = [
            by_lamina(daemon, closure, "1", directory, "lamina, first time"),
            by_lamina(daemon, closure, "2", directory, "lamina, one file edited"),
            by_lamina(daemon, closure, "2", directory, "lamina, nothing changed"),
            by_stream(daemon, closure, "1", directory, "whole archive, first time"),
            by_stream(daemon, closure, "2", directory, "whole archive, one file edited"),
        ]
        version = daemon.version()
    text = (
        f"# The reference scenario\n\n`make bench`: one file of an application on top of the {closure} closure is "
        f"edited; build, load into Docker {version}, run. Written by `bench/scenario.py`, all in one run.\n\n"
        f"{table(rows)}\n\n{machine()}, Python {platform.python_version()}.\n"
    )
    (ROOT / "bench/results.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
