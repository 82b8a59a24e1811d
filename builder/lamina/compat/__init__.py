"""Compatibility: what an archive must be for each consumer, as far as the file alone can show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lamina.compat import archive as outer
from lamina.compat import docker, layers, oci, replays, v1
from lamina.compat.check import ALL, CONSUMERS, Check, Finding
from lamina.compat.facts import Facts
from lamina.errors import BadUsage, printable, shortened

CHECKS: tuple[Check, ...] = (
    *outer.CHECKS,
    *docker.CHECKS,
    *oci.CHECKS,
    *v1.CHECKS,
    *replays.CHECKS,
    *layers.CHECKS,
)


def consumers(text: str) -> tuple[str, ...]:
    """The consumers that `mesos,podman` or `all` names. Raises BadUsage, which lists them."""
    chosen: list[str] = []
    for name in text.split(","):
        if name != "all" and name not in CONSUMERS:
            raise BadUsage("--for", f"{name!r:.60} is no consumer", f"write all, or some of: {', '.join(CONSUMERS)}")
        chosen += ALL if name == "all" else (name,)
    return tuple(name for name in CONSUMERS if name in chosen)


def checks_for(wanted: Iterable[str]) -> list[Check]:
    """Those that protect any of the consumers."""
    names = set(wanted)
    return [check for check in CHECKS if names.intersection(check.protects)]


def failing(facts: Facts, wanted: Iterable[str]) -> list[Finding]:
    """Each check that fails and is of interest to one of the consumers; those are in the order that CONSUMERS has."""
    names = set(wanted)
    failed: set[str] = set()
    found = []
    for check in CHECKS:
        if failed.intersection(check.needs):
            failed.add(check.id)
            continue
        faults = check.run(facts)
        first = next(faults, None)
        if first is None:
            continue
        failed.add(check.id)
        hurts = tuple(name for name in CONSUMERS if name in names and name in check.protects)
        if hurts:
            where, what = (printable(shortened(text)) for text in first)
            found.append(Finding(check.id, where, what, _count(faults), hurts))
    return found


def _count(rest: Iterator[object]) -> int:
    return sum(1 for _ in rest)
