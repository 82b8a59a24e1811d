"""Counts of a run: how many inputs each reader was given, and what became of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from tests.differential.compare import Tried
from tests.differential.reasons import REASONS, Reason

ENOUGH = 5000
"""So many inputs for each reader must have used every reason."""


@attrs.frozen
class Tally:
    """Counts by reader. `reasons` counts disagreements by reader and reason; None is a disagreement without one."""

    inputs: Counter[str] = attrs.field(factory=Counter)
    both_read: Counter[str] = attrs.field(factory=Counter)
    both_refuse: Counter[str] = attrs.field(factory=Counter)
    reasons: Counter[tuple[str, Reason | None]] = attrs.field(factory=Counter)

    def add(self, tried: Tried) -> None:
        """Count one input of one reader."""
        self.inputs[tried.reader] += 1
        if tried.disagreement:
            self.reasons[tried.reader, tried.disagreement.reason] += 1
        else:
            (self.both_read if tried.they_read else self.both_refuse)[tried.reader] += 1

    def without_reason(self) -> int:
        """How many disagreements nobody has explained."""
        return sum(count for (_, reason), count in self.reasons.items() if reason is None)

    def unused(self, readers: Iterable[str]) -> list[Reason]:
        """The reasons that no input needed, once all of these readers were given enough."""
        used = {reason for _, reason in self.reasons}
        enough = all(self.inputs[reader] >= ENOUGH for reader in readers)
        return [reason for reason in REASONS if reason not in used] if enough else []

    def lines(self, seconds: float) -> Iterator[str]:
        """The counts as a table, and then by reason."""
        yield f"{'reader':<28}  inputs  a second  both read  both refuse  explained   not"
        for reader, count in sorted(self.inputs.items()):
            by_reason = {reason: number for (name, reason), number in self.reasons.items() if name == reader}
            open_ones = by_reason.pop(None, 0)
            yield (
                f"{reader:<28}{count:>8}{count / seconds:>10.1f}{self.both_read[reader]:>11}"
                f"{self.both_refuse[reader]:>13}{sum(by_reason.values()):>11}{open_ones:>6}"
            )
        for reason in REASONS:
            by_reader = {
                name: count for (name, each), count in sorted(self.reasons.items(), key=_reader) if each == reason
            }
            if by_reader:
                yield f"{sum(by_reader.values()):>6} {reason.severity}: {reason.why}"
                yield "       " + ", ".join(f"{name}: {count}" for name, count in by_reader.items())


def _reader(item: tuple[tuple[str, Reason | None], int]) -> str:
    return item[0][0]
