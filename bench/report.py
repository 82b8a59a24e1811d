"""What was measured, as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen

from bench.cases import Amount, Row
from bench.measure import Series
from bench.scaling import Curve
from bench.shares import Share

FILES_LIMIT = 400_000_000
"""The goal for the memory that 500,000 files take."""


@frozen
class Found:
    """All that one run has measured; what it did not measure is empty."""

    rows: list[Row] = field(factory=list)
    amounts: list[Amount] = field(factory=list)
    closures: list[Row] = field(factory=list)
    closure_amounts: list[Amount] = field(factory=list)
    peers: list[Row] = field(factory=list)
    not_given: list[str] = field(factory=list)
    curves: list[Curve] = field(factory=list)
    shares: list[Share] = field(factory=list)

    def of_files(self) -> list[Amount]:
        """The memory of the most files that were measured."""
        tops = [curve.points[-1] for curve in self.curves if curve.name == "files"]
        return [Amount(f"{top.amount * 1000:,.0f} files", top.memory, FILES_LIMIT) for top in tops]


HEAD = """\
# Speed

`make bench` writes this page, in one run. The figures are medians, with minimum and maximum in brackets. Each command
runs in turn with the command that it is compared with, so that other work on the machine affects both. `lamina` is the
package that Nix builds.

{machine}
{versions}
"""

GOALS = """\
## Goals

The large closure: {census}. When `lamina` ends, an archive in a file is on the disk,
also if the other command does not wait for the disk. Exceptions say "not waiting for the disk".

{rows}

Memory is the maximum of all processes together: the sum of their proportional set sizes (PSS), measured every 5 ms in a
separate run. Pages of the page cache count only if a process has mapped them. For `load`, the daemon's client is
included.

{amounts}
"""

CLOSURES = """\
## Closures

{rows}

{amounts}
"""

PEERS = """\
## Other tools

The large closure, {times} runs of each in turn. `docker build` is Docker's classic builder.
"5 x as fast" means that Lamina makes five archives while the other tool makes one.

{rows}

{not_given}
"""

SCALING = """\
## Scaling

Measured with generated trees (`bench/scaling.py`), not waiting for the disk. "Line" is the straight line that fits the
points best. "Off" is the largest distance of a point from the line, as a share of the largest figure.

{curves}

{plots}
"""

SHARES = """\
## Where the time goes

The large closure into a file, with one processor. Each step runs together with all steps before it; its own time is the
difference (`bench/shares.py`).

{shares}

![Shares of an archive's time](plots/shares.svg)
"""

END = "The reference scenario (edit, build, load, run) is in [scenario.md](scenario.md).\n"


def page(found: Found, machine: str, versions: str, census: str) -> str:
    """A section for each part that was measured."""
    sections = [HEAD.format(machine=machine, versions=versions)]
    if found.rows:
        amounts = table_of_amounts([*found.amounts, *found.of_files()])
        sections.append(GOALS.format(census=census, rows=table_of_rows(found.rows), amounts=amounts))
    if found.closures:
        amounts = table_of_amounts(found.closure_amounts)
        sections.append(CLOSURES.format(rows=table_of_rows(found.closures), amounts=amounts))
    if found.peers:
        not_given = "".join(f"{name}: not measured.\n" for name in found.not_given)
        times = min(len(row.ours.seconds) for row in found.peers)
        sections.append(PEERS.format(times=times, rows=table_of_rows(found.peers), not_given=not_given))
    if found.curves:
        plots = "\n".join(f"![Time against {curve.name}](plots/{curve.name}.svg)" for curve in found.curves)
        sections.append(SCALING.format(curves=table_of_curves(found.curves), plots=plots))
    if found.shares:
        sections.append(SHARES.format(shares=table_of_shares(found.shares)))
    return "\n".join((*sections, END))


def table_of_rows(rows: Sequence[Row]) -> str:
    body = [
        f"| {row.title} | {_series(row.ours)} | {row.goal.beside} | {_series(row.beside)} | {_figure(row)} "
        f"| {_limit(row)} | {_met(row.met)} |"
        for row in rows
    ]
    return _table("| | seconds | compared with | seconds | ratio | goal | |", body)


def table_of_amounts(amounts: Sequence[Amount]) -> str:
    body = [
        f"| {amount.title} | {_size(amount.bytes)} | {_size(amount.limit)} | {_met(amount.met)} |" for amount in amounts
    ]
    return _table("| | maximum | goal | |", body)


def table_of_curves(curves: Sequence[Curve]) -> str:
    body = []
    for curve in curves:
        first, last = curve.points[0], curve.points[-1]
        for command in first.took:
            start, slope = curve.line(command)
            body.append(
                f"| {first.amount:,g} to {last.amount:,g} {curve.unit}: {command} "
                f"| {first.took[command].median:.2f} | {last.took[command].median:.2f} "
                f"| {start:.2f} s + {_each(slope)} for each | {curve.off(command):.0%} "
                f"| {first.memory / 1e6:.0f} to {last.memory / 1e6:.0f} MB |"
            )
    return _table("| | smallest, s | largest, s | line | off | memory |", body)


def table_of_shares(shares: Sequence[Share]) -> str:
    total = sum(share.seconds for share in shares) or 1.0
    body = [
        f"| {share.step} | {share.seconds:.2f} | {share.seconds / total:.0%} | {_series(share.until)} |"
        for share in shares
    ]
    return _table("| step | own time, s | share | with all steps before, s |", body)


def _table(head: str, body: Sequence[str]) -> str:
    if not body:
        return ""
    rule = "|---" * (head.count("|") - 1) + "|"
    return "\n".join((head, rule, *body))


def _series(series: Series) -> str:
    digits = 3 if series.median < 0.2 else 2
    return f"{series.median:.{digits}f} ({series.low:.{digits}f} to {series.high:.{digits}f})"


def _figure(row: Row) -> str:
    figure = row.figure
    shown = {"ratio": f"{figure:.2f} x", "above": f"{figure:+.3f} s", "faster": f"{figure:.2f} x as fast"}
    return shown[row.goal.kind]


def _limit(row: Row) -> str:
    limit = row.goal.limit
    if limit is None:
        return ""
    shown = {"ratio": f"<= {limit:.2f} x", "above": f"<= {limit:.1f} s more", "faster": f">= {limit:.2f} x"}
    return shown[row.goal.kind]


def _met(met: bool | None) -> str:
    return {None: "", True: "met", False: "missed"}[met]


def _size(amount: int | None) -> str:
    if amount is None:
        return ""
    return f"{amount / 1e6:.0f} MB" if amount >= 10_000_000 else f"{amount / 1000:,.1f} kB"


def _each(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds * 1000:.3g} ms"
