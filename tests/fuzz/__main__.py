"""Fuzz every target, or the ones named: `python -m tests.fuzz --seconds 60 [--at-once 2] [TARGET...]`.

Needs atheris, which drives libFuzzer: `pip install -e .[fuzz]`, or `make fuzz`. Inputs that were found to reach new
places are kept and used again; one that breaks something is kept beside them, and reported.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SECONDS_PER_INPUT = 10
"""Of CPU: a machine that others use may stand still for longer."""
STANDSTILL = 120
MEGABYTES = 300
LONGEST_INPUT = 1 << 16

_CHANGES = (
    "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.chmod", "os.chown",
    "os.system", "os.exec", "os.fork", "os.posix_spawn", "subprocess.Popen", "socket.connect", "shutil.rmtree",
)  # fmt: skip


WRITES = ("command_line",)
"""Targets that write files, in a directory that they make."""

_OWN_FILES = ("os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--at-once", type=int, default=len(os.sched_getaffinity(0)), metavar="N")
    parser.add_argument("--directory", type=Path, default=Path(".state/fuzz"), help="for seeds, corpora and findings")
    parser.add_argument("--drive", metavar="TARGET", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        drive(options.drive, options.seconds, options.directory)
    from tests.fuzz.seeds import write_seeds
    from tests.fuzz.targets import TARGETS

    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there is: {', '.join(TARGETS)}")
    write_seeds(options.directory / "seeds")
    with concurrent.futures.ThreadPoolExecutor(options.at_once) as pool:
        wanted = options.targets or list(TARGETS)
        results = list(pool.map(lambda target: fuzz(target, options.seconds, options.directory), wanted))
    return 0 if all(results) else 1


def fuzz(target: str, seconds: int, directory: Path) -> bool:
    """Fuzz one target in a process of its own, and print how much was done; returns whether nothing was found."""
    command = [sys.executable, "-m", "tests.fuzz", "--drive", target, "--seconds", str(seconds)]
    log = directory / f"{target}.log"
    with log.open("wb") as out:
        process = subprocess.Popen([*command, "--directory", str(directory)], stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    text = log.read_text(errors="replace")
    counts = re.findall(r"^stat::number_of_executed_units:\s*(\d+)|^#(\d+)\s", text, re.MULTILINE)
    runs = max((int(first or second) for first, second in counts), default=0)
    said = "nothing found" if process.returncode == 0 else f"FOUND SOMETHING, see {log}"
    cpu = used.ru_utime + used.ru_stime
    print(f"{target:<16}{runs:>10} executions{cpu:>8.0f} s of CPU{used.ru_maxrss >> 10:>6} MB  {said}", flush=True)
    return process.returncode == 0


def drive(target: str, seconds: int, directory: Path) -> None:
    """Run libFuzzer in this process, which ends with it."""
    import atheris

    seeds = directory / "seeds" / target
    corpus = directory / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    with atheris.instrument_imports(include=["lamina"]):
        from tests.fuzz.targets import TARGETS

        function = TARGETS[target]
        for seed in seeds.iterdir():
            function(seed.read_bytes())  # what is imported late is imported now, and not watched
    temporary = directory / "temporary" / target
    temporary.mkdir(parents=True, exist_ok=True)
    watch = Watch(temporary)

    def one(data: bytes) -> None:
        began = time.process_time()
        with contextlib.nullcontext() if target in WRITES else watch:
            function(data)
        assert time.process_time() - began < SECONDS_PER_INPUT, "an input that takes too long"

    flags = [
        f"-max_total_time={seconds}",
        f"-timeout={STANDSTILL}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-max_len={LONGEST_INPUT}",
        f"-artifact_prefix={directory / target}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([target, *flags, str(corpus), str(seeds)], one)
    atheris.Fuzz()


class Watch:
    """Raises when anything is written: but for files without a name, and for what is gone when the reader ends.

    Both may only be where temporary files go, which is a directory of this process's own.
    """

    def __init__(self, directory: Path) -> None:
        self._on = False
        self._temporary = os.path.realpath(directory)
        os.environ["TMPDIR"] = tempfile.tempdir = self._temporary
        sys.addaudithook(self._heard)

    def __enter__(self) -> None:
        self._on = True

    def __exit__(self, *_: object) -> None:
        self._on = False
        assert not os.listdir(self._temporary), "left behind where temporary files go"

    def _heard(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event in _CHANGES and not (event in _OWN_FILES and self._is_own(arguments)):
            raise AssertionError(f"{event}{arguments!r}")
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            assert self._is_own((arguments[0], -1)), f"opened for writing: {arguments!r}"

    def _is_own(self, arguments: tuple[Any, ...]) -> bool:
        """A path, and as the last thing the directory that it starts from, if any."""
        above = os.readlink(f"/proc/self/fd/{arguments[-1]}") if arguments[-1] not in (-1, None) else ""
        path = os.path.join(above, os.fsdecode(arguments[0]))
        return os.path.commonpath([self._temporary, path]) == self._temporary


if __name__ == "__main__":
    sys.exit(main())
