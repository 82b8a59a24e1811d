"""How fast an image is written, hashed and streamed, beside what the machine can do: GNU tar over the same files.

Every case runs in turn with its floor, several times in one run, so that what else happens on the machine meets both;
the figure is the ratio of the medians. Writes bench/speed.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench.scenario import machine, recipe  # noqa: E402
from tests.builds import environment  # noqa: E402

TAR = "tar -cf - --sort=name -P -T {paths}"
LAMINA = f"{sys.executable} -m builder"
DIGESTS = """\
{python} -c 'import sys, pathlib
from builder.build import open_image
from builder.learn import known
known(open_image(pathlib.Path(sys.argv[1])), None)' {recipe}"""


TEXT = """\
# Speed

`python3 bench/speed.py`: the {closure} closure, {paths} paths; medians of {times} runs, each in turn with its floor.
The floors are GNU tar over the same files, into `openssl dgst -sha256`, `cat` or `zstd -1 -T0`; for one processor two
of them, and for starting Python itself with `import json, os`.

| | s | spread | floor s | ratio | goal | MB of memory |
|---|---|---|---|---|---|---|
{rows}

{machine}
"""


@frozen
class Case:
    """`floor` does with GNU tar, or with Python alone, what cannot be left out; `goal` is a ratio of seconds.

    `cold`: the digests that are remembered are forgotten before each run.
    """

    name: str
    command: str
    floor: str
    goal: float
    cold: bool = True


CASES = (
    Case("archive to a file", "{lamina} build {recipe} -o {out}", TAR + " | openssl dgst -sha256", 1.0),
    Case("digests only", DIGESTS, TAR + " | openssl dgst -sha256", 0.85),
    Case("into a pipe, digests known", "{lamina} build {recipe} -o - | cat", TAR + " | cat", 1.0, cold=False),
    Case("archive with zstd", "{lamina} build {recipe} -o {out} --compressor zstd", TAR + " | zstd -1 -T0", 1.3),
    Case("one processor", "taskset -c 0 {lamina} build {recipe} -o {out}", "{lamina} build {recipe} -o {out}", 0.0),
    Case("lamina --version", "{lamina} --version", "{python} -c 'import json, os'", 1.5),
    Case("recipe of hello to a file", "{lamina} build {hello} -o {out}", "{python} -c 'import json, os'", 0.0),
)


@frozen
class Run:
    """Seconds, and bytes of memory of the largest process."""

    seconds: float
    memory: int


def run(command: str, surroundings: dict[str, str]) -> Run:
    words = ["bash", "-euo", "pipefail", "-c", command]
    begin = time.perf_counter()
    with subprocess.Popen(words, env=surroundings, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    took = time.perf_counter() - begin
    if process.returncode:
        raise SystemExit(f"{command}: exit {process.returncode}")
    return Run(took, used.ru_maxrss << 10)


def measure(case: Case, names: dict[str, str], directory: Path, times: int) -> tuple[list[Run], list[Run]]:
    """Lamina and the floor in turn; the first of each only warms up."""
    surroundings = environment(XDG_CACHE_HOME=str(directory / "cache"))
    ours, floors = [], []
    for _ in range(times + 1):
        for command, found in ((case.command, ours), (case.floor, floors)):
            if case.cold:
                subprocess.run(["rm", "-rf", directory / "cache"], check=True)
            Path(names["out"]).unlink(missing_ok=True)
            found.append(run(command.format(**names), surroundings))
    return ours[1:], floors[1:]


def row(case: Case, ours: Sequence[Run], floors: Sequence[Run]) -> str:
    mine, floor = (statistics.median(run.seconds for run in runs) for runs in (ours, floors))
    spread = f"{min(run.seconds for run in ours):.2f} to {max(run.seconds for run in ours):.2f}"
    memory = max(run.memory for run in ours) / 1e6
    goal = f"{case.goal:.2f}" if case.goal else ""
    return f"| {case.name} | {mine:.2f} | {spread} | {floor:.2f} | {mine / floor:.2f} | {goal} | {memory:.0f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--closure", default="large")
    parser.add_argument("--times", type=int, default=5)
    options = parser.parse_args()
    path = recipe(options.closure, "1", "speed")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        closure = subprocess.check_output(["nix-store", "-qR", path], env=environment(), text=True).split()
        (directory / "paths").write_text("\n".join(one for one in closure if one != str(path)))
        names = {"paths": directory / "paths", "recipe": path, "out": directory / "out.tar", "hello": recipe_of_hello()}
        quoted = {key: shlex.quote(str(value)) for key, value in names.items()}
        quoted |= {"lamina": LAMINA, "python": sys.executable}
        rows = []
        for case in CASES:
            rows.append(row(case, *measure(case, quoted, directory, options.times)))
            print(rows[-1], flush=True)
    text = TEXT.format(
        closure=options.closure,
        paths=len(closure) - 1,
        times=options.times,
        rows="\n".join(rows),
        machine=f"{machine()}, Python {platform.python_version()}.",
    )
    if options.closure == "large":
        (ROOT / "bench/speed.md").write_text(text)
    print(text)


def recipe_of_hello() -> Path:
    from tests.builds import nix_build

    return nix_build("-A", "examples.hello.recipe")


if __name__ == "__main__":
    main()
