"""Compatibility: checks of an archive for what each consumer needs. They use the file alone and run no consumer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lamina.compat import archive, docker, layers, mesos, oci, replays
from lamina.compat.check import ALL, CONSUMERS, Check, Finding
from lamina.compat.facts import Facts
from lamina.errors import BadUsage, printable, shortened

CHECKS: tuple[Check, ...] = (
    *archive.CHECKS,
    *docker.CHECKS,
    *oci.CHECKS,
    *mesos.CHECKS,
    *replays.CHECKS,
    *layers.CHECKS,
)


def known_consumers(names: Iterable[str]) -> tuple[str, ...]:
    """The consumers with these names, in the order of CONSUMERS; the name `all` stands for those in `ALL`.

    Raises BadUsage, which lists the names.
    """
    chosen: list[str] = []
    for name in names:
        if name != "all" and name not in CONSUMERS:
            remedy = f"write all, or some of: {', '.join(CONSUMERS)}"
            raise BadUsage("consumers", f"{name!r:.60} is not a consumer", remedy)
        chosen += ALL if name == "all" else (name,)
    return tuple(name for name in CONSUMERS if name in chosen)


def checks_for(names: Iterable[str]) -> list[Check]:
    """The checks that protect at least one of the consumers."""
    requested = set(names)
    return [check for check in CHECKS if requested.intersection(check.protects)]


def failing(facts: Facts, consumers: Iterable[str]) -> list[Finding]:
    """Each failed check that protects one of the consumers; a finding lists its consumers in the order of CONSUMERS."""
    requested = set(consumers)
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
        hurts = tuple(name for name in CONSUMERS if name in requested and name in check.protects)
        if hurts:
            where, problem = (printable(shortened(text)) for text in first)
            found.append(Finding(check.id, where, problem, _count(faults), hurts))
    return found


def _count(rest: Iterator[object]) -> int:
    return sum(1 for _ in rest)
