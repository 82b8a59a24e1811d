"""`python -m bench.reports`: how long the reports on a large image take; writes `bench/reports.md`.

Processor time and memory, so that other work on the machine matters little. The first run fills the cache; of the next
ones the median counts.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import closures
from bench.machine import machine
from bench.measure import ROOT, Use
from tests.support.builds import COMMAND, environment

RUNS = 3
HEAD = "| command | first run, s | next runs, s | memory, MB |\n| --- | --- | --- | --- |"


MEASURED = """
import os, sys
process = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(process, 0)
os.write(2, f"{status} {used.ru_utime + used.ru_stime} {used.ru_maxrss}".encode())
"""
"""A small process that starts the command: Linux counts the memory of whatever starts it, too."""


def once(words: list[str | Path], cache: Path) -> tuple[float, float]:
    """Seconds of processor time, and MB of memory at most."""
    small = [sys.executable, "-S", "-c", MEASURED, *words]
    variables = environment(XDG_CACHE_HOME=str(cache))
    done = subprocess.run(
        small, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True
    )
    status, seconds, memory = done.stderr.split()
    assert status == "0", words
    return float(seconds), float(memory) / 1000


def row(title: str, words: list[str | Path], cache: Path) -> str:
    first, memory = once(words, cache)
    others = [once(words, cache) for _ in range(RUNS)]
    seconds = statistics.median(seconds for seconds, _ in others)
    most = max(memory, *(used for _, used in others))
    return f"| `{title}` | {first:.2f} | {seconds:.2f} | {most:.0f} |"


def main() -> None:
    closures.download(["large"])
    begin = Use.now()
    old, new = (closures.recipe("large", edit, "bench") for edit in ("1", "2"))
    with tempfile.TemporaryDirectory() as name:
        directory, cache = Path(name), Path(name, "cache")
        for recipe, file in ((old, "old.tar"), (new, "new.tar")):
            words: list[str | Path] = [COMMAND, "build", recipe, "-o", directory / file]
            subprocess.run(words, env=environment(XDG_CACHE_HOME=str(cache)), check=True)
        time.sleep(3)  # the cache remembers nothing about files that have just changed
        rows = []
        for kind, before, after in (("json", old, new), ("tar", directory / "old.tar", directory / "new.tar")):
            rows.append(row(f"lamina inspect old.{kind}", [COMMAND, "inspect", before], cache))
            rows.append(row(f"lamina why old.{kind} libssl3", [COMMAND, "why", before, "libssl3"], cache))
            rows.append(row(f"lamina diff old.{kind} new.{kind}", [COMMAND, "diff", before, after], cache))
    text = f"""\
# Reports on a large image

{closures.census("large")}, in 100 layers. Seconds are processor time.
`python -m bench.reports` writes this page.

{HEAD}
{chr(10).join(rows)}

The digests of the layers are in the cache. The first run on an archive reads the headers of all layers, and `why` also
searches all files for references.

{machine(begin.others_until(Use.now()))}
"""
    (ROOT / "bench/reports.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
