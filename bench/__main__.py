"""`python -m bench`: measures all and writes `bench/results.md`, its plots and `bench/scenario.md`.

With --quick or --only some of it is measured and printed, and written only with --write. What is there is written
after each part, so that a run that is ended has not been in vain.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import closures, plots, scenario
from bench.cases import OF_LARGE, OF_SINGLE, QUICK, START, Case, measure, of_closure, untold
from bench.loads import daemon, loads
from bench.machine import machine, versions
from bench.measure import ROOT, STATE, Command, Setting, Use
from bench.peers import peers
from bench.report import Found, page, table_of_amounts, table_of_curves, table_of_rows, table_of_shares
from bench.scaling import curves
from bench.shares import shares
from bench.start import bare, package
from tests.support.builds import environment

CASES = {case.name: case for case in OF_LARGE}
PARTS = (*CASES, "single", "start", "load", "closures", "peers", "shares", "scaling", "scenario")

START_TIMES = 30
"""Starts take milliseconds, so that many of them are needed and can be had."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__.partition("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="less than a minute, with the medium closure")
    parser.add_argument("--only", metavar="PART,...", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--write", action="store_true", help="write the page with what --only has measured")
    parser.add_argument("--closure", help="of small, medium, large, files, paths; default: large")
    parser.add_argument("--times", type=int, help="how often; default: 5, and of what takes long 2")
    options = parser.parse_args()
    parts = options.only.split(",") if options.only else []
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}")
    closure = options.closure or ("medium" if options.quick else "large")
    closures.download(closures.ROOTS if not parts and not options.quick else {closure} & set(closures.ROOTS))
    STATE.mkdir(parents=True, exist_ok=True)
    begin = Use.now()
    with tempfile.TemporaryDirectory(dir=STATE) as name:
        setting = setting_in(Path(name))
        if options.quick:
            quick(closures.on(closure, setting), options.times or 3)
        else:
            for found in measured(parts or PARTS[:-1], setting, closure, options.times):
                if options.write or not parts:
                    write(found, machine(begin.others_until(Use.now())), closure)
    print(f"{machine(begin.others_until(Use.now()))}\n{versions()}")
    if "scenario" in (parts or PARTS) and not options.quick:
        scenario.main(closure)


def write(found: Found, computer: str, closure: str) -> None:
    (ROOT / "bench/results.md").write_text(page(found, computer, versions(), closures.census(closure)))
    plots.draw(found.curves, found.shares)


def setting_in(directory: Path) -> Setting:
    """Names that all commands use; only the closures' own are still missing."""
    (directory / "cache").mkdir()
    lamina = package()
    names = {
        **lamina,
        "steps": f"{lamina['python']} bench/steps.py",
        "out": str(directory / "out"),
        "work": str(directory / "work"),
        "result": str(directory / "result"),
    }
    inherited = environment(XDG_CACHE_HOME=str(directory / "cache"))
    inherited.pop("PYTHONDONTWRITEBYTECODE", None)  # with it the checkout's own modules are compiled at every start
    setting = Setting(directory, names, inherited)
    setting.tidy()
    return setting


def with_result(setting: Setting) -> None:
    """Lamina's archive, to copy, on the disk already."""
    setting.do(Command("{lamina} build {recipe} -o {result}"))


def quick(setting: Setting, times: int) -> None:
    found = Found()
    with_result(setting)
    for case in QUICK:
        add(found, case, bare(setting), START_TIMES) if case is START else add(found, untold(case), setting, times)


def measured(parts: Sequence[str], setting: Setting, closure: str, times: int | None) -> Iterator[Found]:
    """What is there after each part, printed at once."""
    found = Found()
    large = closures.on(closure, setting)
    if {"archive", "peers"} & set(parts):
        with_result(large)
    for part in parts:
        if part in CASES:
            add(found, CASES[part] if closure == "large" else untold(CASES[part]), large, times or 5)
        elif part == "single":
            single = closures.on(closure, setting, "single").but(layered=large.names["recipe"])
            add(found, OF_SINGLE if closure == "large" else untold(OF_SINGLE), single, times or 5)
        elif part == "start":
            add(found, START, bare(setting), START_TIMES)
        elif part == "load":
            rows, amounts = loads(large, closure, times or 5)
            found.rows.extend(rows)
            found.amounts.extend(amounts)
            show(table_of_rows(rows), table_of_amounts(amounts))
        elif part == "closures":
            of_closures(found, setting, times or 3)
        elif part == "peers":
            with daemon(large) as (_, inside):
                rows, not_given = peers(inside, min(times or 2, 2))
            found.peers.extend(rows)
            found.not_given.extend(not_given)
            show(table_of_rows(rows))
        elif part == "shares":
            found.shares.extend(shares(large, times or 3))
            show(table_of_shares(found.shares))
        elif part == "scaling":
            for curve in curves(setting, min(times or 2, 2)):
                found.curves.append(curve)
                show(table_of_curves([curve]))
                yield found
        yield found


def of_closures(found: Found, setting: Setting, times: int) -> None:
    for name in (*closures.ROOTS, "files", "paths"):
        rows, amounts = measure(of_closure(name), closures.on(name, setting), times, f"{name}: ")
        found.closures.extend(rows)
        found.closure_amounts.extend(amounts)
        show(table_of_rows(rows), table_of_amounts(amounts))


def add(found: Found, case: Case, setting: Setting, times: int) -> None:
    rows, amounts = measure(case, setting, times)
    found.rows.extend(rows)
    found.amounts.extend(amounts)
    show(table_of_rows(rows), table_of_amounts(amounts))


def show(*tables: str) -> None:
    print(*filter(None, tables), sep="\n\n", end="\n\n", flush=True)


if __name__ == "__main__":
    main()
