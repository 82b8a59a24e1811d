"""What an image's updates cost a daemon that knows a layer only together with all the layers below it.

    chain.py SIMULATOR [--scenario stable,rolling,real] [--layers 25,100] [--steps 36] [--seed 1] [--order ...] [--lock]

SIMULATOR is the file layerbench.py, or its name is in the environment variable LAYERBENCH: closures and their updates
come from it. A layer is found by its chain ID, as in Docker's classic store, so all above a changed one comes anew.
The figures are bytes sent over bytes of store paths never seen before: for updates, for deploys and for both, and for
the first pull of all images. `flat` is the same where a layer is found by its own digest, as in a registry.

The orders: `plan` is Lamina's; the others take its layers and lay them otherwise.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import importlib.util
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "builder"))

from bench.layerbench_plugin import store_paths
from lamina.planning.lock import Lock, lock_of
from lamina.planning.plan import plan
from lamina.planning.planners import index
from lamina.store.closure import PathInfo

Layer = Sequence[PathInfo]
Order = Callable[[list[PathInfo], list[Layer]], list[Layer]]


def as_planned(infos: list[PathInfo], layers: list[Layer]) -> list[Layer]:
    return layers


def by_size(infos: list[PathInfo], layers: list[Layer]) -> list[Layer]:
    """The largest at the bottom."""
    return sorted(layers, key=lambda layer: -sum(info.nar_size for info in layer))


def by_closure(infos: list[PathInfo], layers: list[Layer]) -> list[Layer]:
    """Layers that hang on few paths at the bottom: dependencies first."""
    reach = _reach(infos, layers)
    return sorted(layers, key=lambda layer: reach[layer[0].path].bit_count())


def by_density(infos: list[PathInfo], layers: list[Layer]) -> list[Layer]:
    """Many bytes for each path that a layer hangs on at the bottom, whatever it shares with those below it."""
    reach = _reach(infos, layers)
    return sorted(layers, key=lambda layer: -sum(info.nar_size for info in layer) / reach[layer[0].path].bit_count())


def _reach(infos: list[PathInfo], layers: list[Layer]) -> dict[str, int]:
    """For each layer, by its first path, the union of its paths' closures."""
    closure = index(infos)
    number = {info.path: i for i, info in enumerate(closure.infos)}
    return {layer[0].path: closure.reach(number[info.path] for info in layer) for layer in layers}


def below_top(order: Order) -> Order:
    """The order, but the top layer stays on top."""

    def kept(infos: list[PathInfo], layers: list[Layer]) -> list[Layer]:
        return [*order(infos, layers[:-1]), layers[-1]]

    return kept


ORDERS: dict[str, Order] = {
    "plan": as_planned,
    "size": below_top(by_size),
    "closure": below_top(by_closure),
    "density": below_top(by_density),
}

Sent = dict[tuple[str, str], int]
"""Bytes by what they count ("chain", "flat", "new") and the kind of step ("cold", "update", "deploy")."""


def pulled(history: Iterable[tuple[str, dict[str, list[PathInfo]]]], order: Order, limit: int, locked: bool) -> Sent:
    """What one daemon and one registry's client take that pull all images after each step and keep everything."""
    sent: Sent = defaultdict(int)
    locks: dict[str, Lock | None] = defaultdict(Lock if locked else lambda: None)
    seen: set[object] = set()
    for step, (label, images) in enumerate(history):
        kind = "cold" if step == 0 else "deploy" if "deploy" in label else "update"
        for image, infos in images.items():
            layers = [layer.paths for layer in plan(infos, limit, previous=locks[image])]
            if locked:
                locks[image] = lock_of(layers)
            chain = b""
            for layer in order(infos, list(layers)):
                digest = hashlib.sha256("".join(info.path for info in layer).encode()).digest()
                chain = hashlib.sha256(chain + digest).digest()
                for count, key in (("flat", digest), ("chain", chain)):
                    if (count, key) not in seen:
                        seen.add((count, key))
                        sent[count, kind] += sum(info.nar_size for info in layer)
            for info in infos:
                if info.path not in seen:
                    seen.add(info.path)
                    sent["new", kind] += info.nar_size
    return sent


def ratio(sent: Sent, count: str, *kinds: str) -> float:
    return sum(sent[count, kind] for kind in kinds) / max(1, sum(sent["new", kind] for kind in kinds))


def load_simulator(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("layerbench", path)
    if spec is None or spec.loader is None:
        sys.exit(f"chain.py: {path}: not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules["layerbench"] = module  # its dataclasses look for their module
    spec.loader.exec_module(module)
    return module


def histories(simulator: ModuleType, arguments: argparse.Namespace) -> Iterable[tuple[str, list[Any]]]:
    with gzip.open(Path(simulator.__file__ or "").with_name("dag.json.gz")) as file:
        data = json.load(file)
    for scenario in arguments.scenario.split(","):
        steps = simulator.history(data, scenario, arguments.steps, arguments.seed)
        yield (
            scenario,
            [(label, {name: store_paths(paths) for name, paths in images.items()}) for label, images in steps],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simulator", nargs="?", default=os.environ.get("LAYERBENCH"))
    parser.add_argument("--scenario", default="stable,rolling,real")
    parser.add_argument("--layers", default="25,100")
    parser.add_argument("--steps", type=int, default=36)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--order", default=",".join(ORDERS))
    parser.add_argument("--lock", action="store_true", help="plan with a lock, at first an empty one")
    arguments = parser.parse_args()
    if not arguments.simulator:
        parser.error("name the simulator, layerbench.py")
    print(f"{'scenario':9}{'layers':>7}  {'order':9}{'update':>8}{'deploy':>8}{'both':>8}{'cold':>8}{'flat':>8}")
    for scenario, history in histories(load_simulator(arguments.simulator), arguments):
        for limit in map(int, arguments.layers.split(",")):
            for name in arguments.order.split(","):
                sent = pulled(history, ORDERS[name], limit, arguments.lock)
                steps = [("update",), ("deploy",), ("update", "deploy"), ("cold",)]
                figures = [ratio(sent, "chain", *kinds) for kinds in steps] + [ratio(sent, "flat", "update", "deploy")]
                row = "".join(f"{figure:8.3f}" for figure in figures)
                print(f"{scenario:9}{limit:7}  {name:9}{row}", flush=True)


if __name__ == "__main__":
    main()
