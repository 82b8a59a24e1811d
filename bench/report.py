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

Written by `make bench`, all in one run. Medians, with the least and the most in brackets; each command in turn with
what stands beside it, so that what else happened on the machine met both. `lamina` is the package that Nix makes.

{machine}
{versions}
"""

GOALS = """\
## Goals

The large closure: {census}. An archive in a file is on the disk when `lamina` ends, whatever it is compared with,
unless a line says that it is not waited for.

{rows}

Memory is what all processes have together at most: the sum of their proportional set sizes (PSS), looked at every 5 ms
in a run of its own. Pages of the page cache count only as far as a process has mapped them. For `load`, the client is
among the processes.

{amounts}
"""

CLOSURES = """\
## Closures

{rows}

{amounts}
"""

PEERS = """\
## Other tools

The large closure, {times} runs of each in turn; `docker build` is Docker's classic builder.
Times as fast: how often one archive of Lamina's is made while the other tool makes one.

{rows}

{not_given}
"""

SCALING = """\
## Scaling

Over trees made for it (`bench/scaling.py`), not waiting for the disk. "Off" is how far the worst point is from the
straight line nearest to all, as a share of the largest figure.

{curves}

{plots}
"""

SHARES = """\
## Where the time goes

The large closure into a file, by one processor: each step is run with all before it, and what it adds is its own
(`bench/shares.py`).

{shares}

![Shares of an archive's time](plots/shares.svg)
"""

END = "The reference scenario, edit, build, load and run, is in [scenario.md](scenario.md).\n"


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
        not_given = "".join(f"{name}: not given.\n" for name in found.not_given)
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
    return _table("| | seconds | beside | seconds | | goal | |", body)


def table_of_amounts(amounts: Sequence[Amount]) -> str:
    body = [
        f"| {amount.title} | {_size(amount.bytes)} | {_size(amount.limit)} | {_met(amount.met)} |" for amount in amounts
    ]
    return _table("| | most | goal | |", body)


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
    return _table("| | fewest, s | most, s | line | off | memory |", body)


def table_of_shares(shares: Sequence[Share]) -> str:
    total = sum(share.seconds for share in shares) or 1.0
    body = [
        f"| {share.step} | {share.seconds:.2f} | {share.seconds / total:.0%} | {_series(share.until)} |"
        for share in shares
    ]
    return _table("| step | its own s | share | s with all before it |", body)


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
