"""How time and memory grow: with bytes, files, layers and store paths, over trees that are made for it.

Each curve varies one thing. The store paths lie in a store of their own below `.state/bench`, and the recipes are
written here, so that no Nix is needed; only those for many store paths come from `lamina recipe`, which plans layers.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from bench.measure import STATE, Command, Series, Setting, in_turn, peak_memory

DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"  # Nix's base-32
TREES = STATE / "trees"

BLOCK = 100_000_000
"""Bytes of one of the large files, each a copy of one block without a pattern."""

ROOM = 35 << 30
"""Bytes that must be free on the disk for the 10 GB and their archive."""

DIGESTS = Command("{steps} digests {recipe}")
BUILD = Command("{steps} build {recipe} {out}")
PIPED = Command("{lamina} build {recipe} -o - | cat")
PLANNED = Command("NIX_ATTRS_JSON_FILE={attributes} {lamina} recipe -o {out}")


@frozen
class Point:
    """One measurement: how much there was, seconds of each command, bytes of memory of the one that has most."""

    amount: float
    took: dict[str, Series]
    memory: int


@frozen
class Curve:
    name: str
    unit: str
    what: str
    points: tuple[Point, ...]

    def line(self, command: str) -> tuple[float, float]:
        """Seconds for nothing and seconds for one more: the straight line nearest to the medians."""
        xs = [point.amount for point in self.points]
        ys = [point.took[command].median for point in self.points]
        middle_x, middle_y = sum(xs) / len(xs), sum(ys) / len(ys)
        spread = sum((x - middle_x) ** 2 for x in xs)
        slope = sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread
        return middle_y - slope * middle_x, slope

    def off(self, command: str) -> float:
        """How far the worst point is from that line, as a share of what the most took."""
        start, slope = self.line(command)
        worst = max(abs(point.took[command].median - start - slope * point.amount) for point in self.points)
        return worst / max(point.took[command].median for point in self.points)


def curves(setting: Setting, times: int) -> Iterator[Curve]:
    """All five; the trees are taken away afterwards."""
    shutil.rmtree(TREES, ignore_errors=True)
    try:
        yield from (of_layers(setting, times), of_paths(setting, times), of_files(setting, times))
        yield of_one_layer(setting, times)
        shutil.rmtree(TREES)
        yield of_bytes(setting, times)
    finally:
        shutil.rmtree(TREES, ignore_errors=True)


def of_bytes(setting: Setting, times: int) -> Curve:
    """Files of 100 MB in ten layers; so many that half of a machine's memory of 24 GB holds them."""
    most = 100 if shutil.disk_usage(STATE).free > ROOM else 10
    block = random.Random(1).randbytes(BLOCK)
    paths = [made(f"large-{number}", {"data": block}) for number in range(most)]
    points = []
    for count in (most // 10, most // 4, most // 2, most * 3 // 4, most):
        inside = setting.but(recipe=write_recipe(setting, paths[:count], 10))
        commands = {"archive": BUILD, "digests": DIGESTS, "into a pipe, digests known": PIPED}
        points.append(point(count * BLOCK / 1e9, commands, inside, times))
    return Curve("bytes", "GB", "files of 100 MB in ten layers", tuple(points))


def of_files(setting: Setting, times: int) -> Curve:
    """Files of 1,000 bytes, 10,000 to a store path, in ten layers."""
    data = random.Random(1).randbytes(1000)
    files = {f"{inner:02}/{file:03}": data for inner in range(20) for file in range(500)}
    paths = [made(f"files-{number}", files) for number in range(50)]
    points = []
    for count in (5, 10, 20, 35, 50):
        inside = setting.but(recipe=write_recipe(setting, paths[:count], 10))
        points.append(point(count * 10.0, {"archive": BUILD, "digests": DIGESTS}, inside, times))
    return Curve("files", "thousand files", "files of 1,000 bytes in ten layers", tuple(points))


def of_one_layer(setting: Setting, times: int) -> Curve:
    """Files of 1,000 bytes in a single layer, read by both processors, and by one."""
    data = random.Random(1).randbytes(1000)
    paths = [made("few", {f"{file:03}": data for file in range(1000)})]
    paths += [store_path(f"files-{number}") for number in range(50)]  # which `of_files` has made
    commands = {
        "archive": BUILD,
        "digests": DIGESTS,
        "archive, one processor": Command(f"taskset -c 0 {BUILD.text}"),
        "digests, one processor": Command(f"taskset -c 0 {DIGESTS.text}"),
    }
    points = []
    for count in (1, 6, 11, 21, 36, 51):
        inside = setting.but(recipe=write_recipe(setting, paths[:count], 1))
        points.append(point(count * 10.0 - 9, commands, inside, times))
    return Curve("single", "thousand files", "files of 1,000 bytes in one layer", tuple(points))


def of_layers(setting: Setting, times: int) -> Curve:
    """The same 508 store paths of 8 files of 20 kB, in more and more layers."""
    data = random.Random(1).randbytes(20_000)
    paths = [made(f"layers-{number}", {str(file): data for file in range(8)}) for number in range(508)]
    points = []
    for count in (1, 32, 64, 96, 127):
        inside = setting.but(recipe=write_recipe(setting, paths, count))
        points.append(point(count, {"archive": BUILD, "digests": DIGESTS}, inside, times))
    return Curve("layers", "layers", "508 store paths of 160 kB", tuple(points))


def of_paths(setting: Setting, times: int) -> Curve:
    """Store paths of 3 small files, each of which refers to two others; planned as 100 layers."""
    chance = random.Random(1)
    graph: list[dict[str, Any]] = []
    for number in range(5000):
        path = made(f"small-{number}", {str(file): chance.randbytes(200) for file in range(3)})
        below = sorted({graph[chance.randrange(number)]["path"] for _ in range(min(2, number))})
        graph.append({**described(path, chance.randrange(1000, 10_000_000)), "references": below})
    points = []
    for count in (500, 1250, 2500, 3750, 5000):
        attributes = write_attributes(setting, graph[:count])
        inside = setting.but(attributes=attributes, recipe=setting.directory / "planned.json")
        inside.do(Command("NIX_ATTRS_JSON_FILE={attributes} {lamina} recipe -o {recipe}"))
        commands = {"recipe": PLANNED, "archive": BUILD, "digests": DIGESTS}
        points.append(point(count, commands, inside, times))
    return Curve("paths", "store paths", "three small files in each, 100 layers", tuple(points))


def point(amount: float, commands: dict[str, Command], setting: Setting, times: int) -> Point:
    """What comes first warms up the others. Into a pipe the digests must be known, so nothing is forgotten there."""
    cold = PIPED not in commands.values()
    took = in_turn(commands, setting, times, cold)
    memory = max(peak_memory(command, setting, times + 1, cold) for command in commands.values())
    return Point(amount, took, memory)


def made(name: str, files: Mapping[str, bytes]) -> Path:
    """A store path with these files."""
    path = store_path(name)
    for inner, data in files.items():
        (path / inner).parent.mkdir(parents=True, exist_ok=True)
        (path / inner).write_bytes(data)
    return path


def store_path(name: str) -> Path:
    digest = hashlib.sha256(name.encode()).digest()
    return TREES / "nix/store" / ("".join(DIGITS[byte % 32] for byte in digest) + "-" + name)


def described(path: Path, size: int) -> dict[str, object]:
    """A store path as a recipe has it. The hash is not Nix's; it only has to differ for each path."""
    digest = hashlib.sha256(str(path).encode()).hexdigest()
    return {"path": str(path), "narHash": f"sha256:{digest}", "narSize": size}


def write_recipe(setting: Setting, paths: Sequence[Path], layers: int) -> Path:
    """A recipe with the paths in so many layers, in turn, as `lamina recipe` would write it."""
    size = {path: sum(file.stat().st_size for file in path.rglob("*")) for path in paths}
    stores = [
        {"kind": "store", "paths": [described(path, size[path]) for path in paths[number::layers]]}
        for number in range(layers)
    ]
    fields = {
        "version": 1,
        "names": [{"name": "scaling", "tag": "1"}],
        "architecture": "amd64",
        "created": "1970-01-01T00:00:01Z",
        "config": {},
        "layers": stores,
    }
    made = setting.directory / "scaling.json"
    made.write_text(json.dumps(fields))
    return made


def write_attributes(setting: Setting, graph: list[dict[str, object]]) -> Path:
    """What Nix would give to `lamina recipe` for an image with all of these store paths (nix/lib/recipe.nix)."""
    config = store_path("config.json")
    config.write_text("{}")
    tops = [str(node["path"]) for node in graph]
    image = {"names": [{"name": "scaling", "tag": "1"}], "architecture": "amd64", "created": "1970-01-01T00:00:01Z"}
    fields = {
        "image": {**image, "base": None, "inherit": "docker"},
        "config": str(config),
        "trees": [],
        "made": None,
        "registered": tops,
        "maxLayers": 100,
        "closure": [*graph, {**described(config, 2), "references": []}],
    }
    attributes = setting.directory / "attributes.json"
    attributes.write_text(json.dumps(fields))
    return attributes
