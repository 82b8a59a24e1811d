"""The reference scenario: one file of an application in a large image changes; build, load, run.

Lamina's way (recipe, then only what the daemon lacks) beside the whole archive streamed into `docker load`, as
streamLayeredImage of nixpkgs does, in one run against one daemon of its own. Then what `lamina load` sends to a daemon
of every kind when nothing, and when one package near the top of the closure has changed. Writes bench/scenario.md.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from bench.closures import recipe
from bench.machine import machine
from bench.measure import ROOT, Use
from tests.support.builds import COMMAND, environment  # the tests' own way to run daemons
from tests.support.consumers import roots
from tests.support.consumers.adapters import KINDS, opened
from tests.support.consumers.docker import Docker
from tests.support.consumers.loading import KINDS as LOADING
from tests.support.consumers.loading import loader_for

TEXT = """\
# The reference scenario

`make bench`: one file of an application on top of the {closure} closure is edited. Then: build, load into Docker
{version}, run. `bench/scenario.py` writes this page, in one run.

{table}

The whole archives are loaded last, when Docker already has their layers. So Docker reads all of each archive and
unpacks nothing.

## Into every daemon

How much `lamina load` sends of the same image: the first time, with nothing changed, and with another release of
{changed}, on which the application depends. (Docker's classic store also needs the layers above it.) Each daemon then
runs the image, and the test compares its config with the requested one.

{sent}

{machine}
"""


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


def surroundings(daemon: Docker, directory: Path) -> dict[str, str]:
    return environment(DOCKER_HOST=daemon.host, XDG_CACHE_HOME=str(directory / "cache"))


def run(daemon: Docker, name: str, edit: str) -> None:
    done = daemon.run(f"{name}:latest")
    assert done.stdout.strip() == f"release {edit}", done.stderr


def by_lamina(daemon: Docker, closure: str, edit: str, directory: Path, way: str) -> Row:
    build, path = timed(lambda: recipe(closure, edit, "lamina"))
    words = [str(COMMAND), "load", str(path), "--json"]
    load, printed = timed(lambda: subprocess.check_output(words, env=surroundings(daemon, directory), timeout=1200))
    took, _ = timed(lambda: run(daemon, "lamina", edit))
    return Row(way, build, load, took, json.loads(printed)["sent"])  # type: ignore[arg-type]


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
    lines = ["| | build, s | load, s | run, s | total, s | sent, MB |", "|---|---|---|---|---|---|"]
    for row in rows:
        figures = f"{row.build:.2f} | {row.load:.2f} | {row.run:.2f} | {row.total:.2f} | {row.sent / 1e6:.2f}"
        lines.append(f"| {row.way} | {figures} |")
    return "\n".join(lines)


CHANGED = "redis-server"
"""A package that only the application refers to."""


@frozen
class Sent:
    """Bytes that went to one kind of daemon."""

    kind: str
    first: int
    nothing_changed: int
    package_changed: int
    seconds: float


def into(kind: str, closure: str, prefix: tuple[str, ...]) -> Sent:
    """Three loads into a daemon of its own; the last image runs there and is the one that the recipe asks for."""
    with tempfile.TemporaryDirectory() as directory, opened(kind, prefix) as consumer:
        loader = loader_for(consumer, Path(directory))
        before, after = (recipe(closure, edit, "every", CHANGED) for edit in ("1", "2"))
        first, nothing = loader.sent(before), loader.sent(before)
        took, sent = timed(lambda: loader.sent(after))
        name = loader.spelling("every:latest")
        done = consumer.run(name)
        assert done.stdout.strip() == "release 2", done.stderr
        printed = subprocess.check_output([COMMAND, "inspect", after, "--json"], env=loader.environment, timeout=1200)
        assert consumer.config_digest(name) == json.loads(printed)[0]["configDigest"]
        title = f"{KINDS[kind].title} {consumer.version()}"
        return Sent(title, first, nothing, sent, took)  # type: ignore[arg-type]


def into_all(closure: str) -> list[Sent]:
    with roots.entered() as prefix:
        return [
            into(kind, closure, prefix if KINDS[kind].debian == "13" else ())
            for kind in LOADING
            if KINDS[kind].debian != "forky"
        ]


def table_of_sent(rows: list[Sent]) -> str:
    lines = ["| | first time, MB | nothing changed | one package changed, MB | its load, s |", "|---|---|---|---|---|"]
    for row in rows:
        figures = (
            f"{row.first / 1e6:.2f} | {row.nothing_changed} B | {row.package_changed / 1e6:.2f} | {row.seconds:.2f}"
        )
        lines.append(f"| {row.kind} | {figures} |")
    return "\n".join(lines)


def main(closure: str = "large") -> None:
    begin = Use.now()
    with tempfile.TemporaryDirectory() as name, opened("dockerd") as daemon:
        assert isinstance(daemon, Docker)
        directory = Path(name)
        rows = [
            by_lamina(daemon, closure, "1", directory, "lamina, first time"),
            by_lamina(daemon, closure, "2", directory, "lamina, one file edited"),
            by_lamina(daemon, closure, "2", directory, "lamina, nothing changed"),
            by_stream(daemon, closure, "1", directory, "whole archive, nothing new in it"),
            by_stream(daemon, closure, "2", directory, "whole archive, one file edited"),
        ]
        version = daemon.version()
    sent = into_all(closure)
    text = TEXT.format(
        closure=closure,
        version=version,
        table=table(rows),
        changed=CHANGED,
        sent=table_of_sent(sent),
        machine=machine(begin.others_until(Use.now())),
    )
    (ROOT / "bench/scenario.md").write_text(text)
    print(text)
