"""Where the measurements of registries work, and how their rows are written."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from bench import closures
from tests.support.builds import COMMAND, environment
from tests.support.consumers import registry as registries
from tests.support.consumers.base import answers, daemon, free_port
from tests.support.consumers.registry import Registry
from tests.support.served import certificate

PLAIN = "--dest-tls-verify=false"


@frozen
class Bench:
    """Where the bench works. `surroundings` keeps Skopeo's cache of blobs and locations there, too."""

    directory: Path
    closure: str
    times: int
    surroundings: dict[str, str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        found = environment(_CONTAINERS_ROOTLESS_UID="1000", XDG_DATA_HOME=str(self.directory / "skopeo"))
        found.pop("PYTHONDONTWRITEBYTECODE", None)
        object.__setattr__(self, "surroundings", found)

    def cache(self, name: str) -> dict[str, str]:
        return {**self.surroundings, "XDG_CACHE_HOME": str(self.directory / name)}

    def image(self, edit: int) -> Path:
        return closures.recipe(self.closure, str(edit), "bench")

    @contextmanager
    def registry(self) -> Iterator[Registry]:
        """A new registry, on a port of its own, so that Skopeo knows of nothing in it."""
        with tempfile.TemporaryDirectory(dir=self.directory) as name, registries.started(Path(name)) as running:
            yield running

    @contextmanager
    def over_tls(self) -> Iterator[tuple[int, str]]:
        """The same content as the registry that runs, over TLS: its port, and the option to reach it."""
        with tempfile.TemporaryDirectory(dir=self.directory) as name:
            directory, authorities, port = Path(name), Path(name, "ca"), free_port()
            cert, key = certificate(directory)
            authorities.mkdir()
            shutil.copy(cert, authorities / "ca.crt")
            [data] = self.directory.glob("*/data")
            plain = registries.CONFIG.format(directory=data.parent, port=port)
            configuration = directory / "registry.yml"
            tls = f', tls: {{certificate: "{cert}", key: "{key}"}}}}\n'
            configuration.write_text(plain.rstrip().removesuffix("}") + tls)
            with daemon(["docker-registry", "serve", configuration], directory, lambda: answers(port)):
                yield port, f"--dest-cert-dir={authorities}"

    def push(
        self, image: Path, port: int, cache: str, *options: str, access: str = PLAIN
    ) -> tuple[float, dict[str, Any]]:
        words: list[str | Path] = [COMMAND, "push", image, f"docker://127.0.0.1:{port}/bench:1", access, "--json"]
        seconds, printed = timed([*words, *options], self.cache(cache))
        [result] = json.loads(printed)
        return seconds, result


def timed(words: Sequence[str | Path], env: dict[str, str]) -> tuple[float, bytes]:
    begin = time.perf_counter()
    printed = subprocess.run(list(map(str, words)), env=env, stdout=subprocess.PIPE, check=True, timeout=1200).stdout
    return time.perf_counter() - begin, printed


def shell(text: str, env: dict[str, str]) -> float:
    return timed(["bash", "-euo", "pipefail", "-c", text], env)[0]


def table(head: str, rows: list[str]) -> str:
    return "\n".join([head, "|" + " --- |" * (head.count("|") - 1), *rows])


def row(*cells: object) -> str:
    return "| " + " | ".join(map(str, cells)) + " |"


def within(value: float, goal: float, unit: str = "s") -> str:
    return f"<= {goal:g} {unit}: {'met' if value <= goal else '**missed**'}"
