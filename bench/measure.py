"""Running commands: how long they take, in turn with others, and how much memory they have at most."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from attrs import evolve, field, frozen

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".state/bench"

SAMPLE = 0.005
"""Seconds between two looks at a process tree's memory."""


@frozen
class Series:
    """Seconds of several runs of one command."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def low(self) -> float:
        return min(self.seconds)

    @property
    def high(self) -> float:
        return max(self.seconds)


@frozen
class Command:
    """Shell text in which `{name}` stands for what the setting calls so; `{n}` is the number of the round, from 0 on.

    `before` and `after` are not timed. `direct`: one program and its arguments, for which no shell is started.
    """

    text: str
    before: str = ""
    after: str = ""
    direct: bool = False


@frozen
class Setting:
    """Where commands run. `names` holds what their text may stand for, ready for a shell."""

    directory: Path
    names: Mapping[str, str]
    environment: Mapping[str, str] = field(repr=False)

    def but(self, **names: object) -> Setting:
        return evolve(self, names={**self.names, **{name: str(value) for name, value in names.items()}})

    def forget(self) -> None:
        """The digests that are remembered."""
        shutil.rmtree(self.directory / "cache", ignore_errors=True)

    def tidy(self) -> None:
        """What a command has written, so that the next one neither finds it nor waits for its way to the disk."""
        with contextlib.suppress(FileNotFoundError):
            (self.directory / "out").unlink()
        shutil.rmtree(self.directory / "work", ignore_errors=True)
        (self.directory / "work").mkdir()

    @contextlib.contextmanager
    def started(self, command: Command, round_: int) -> Iterator[subprocess.Popen[bytes]]:
        """The command, which is waited for; ends the program when it fails."""
        text = command.text.format(n=round_, **self.names)
        words = shlex.split(text) if command.direct else ["bash", "-euo", "pipefail", "-c", text]
        with tempfile.TemporaryFile() as said:
            with subprocess.Popen(
                words, env=dict(self.environment), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=said
            ) as process:
                yield process
            if process.returncode:
                said.seek(0)
                sys.exit(f"bench: {text}: exit {process.returncode}: {said.read().decode()}")

    def do(self, command: Command, round_: int = 0) -> float:
        """Seconds that it took."""
        begin = time.perf_counter()
        with self.started(command, round_) as process:
            process.wait()
            return time.perf_counter() - begin

    @contextlib.contextmanager
    def prepared(self, command: Command, round_: int, cold: bool) -> Iterator[None]:
        """What comes before and after the command."""
        self.tidy()
        if cold:
            self.forget()
        if command.before:
            self.do(Command(command.before), round_)
        yield
        if command.after:
            self.do(Command(command.after), round_)


def in_turn(
    commands: Mapping[str, Command], setting: Setting, times: int, cold: bool, warm: int = 1
) -> dict[str, Series]:
    """Each command `times` times, one after the other, so that what else happens on the machine meets all of them.

    The first `warm` rounds are left out. `cold`: what Lamina remembers is forgotten before each command.
    """
    found: dict[str, list[float]] = {name: [] for name in commands}
    for round_ in range(warm + times):
        for name, command in commands.items():
            with setting.prepared(command, round_, cold):
                found[name].append(setting.do(command, round_))
    setting.tidy()
    return {name: Series(tuple(seconds[warm:])) for name, seconds in found.items()}


def peak_memory(command: Command, setting: Setting, round_: int, cold: bool) -> int:
    """Bytes that the command's processes have together at most, in a run of its own.

    That is the sum of their proportional set sizes (PSS, from smaps_rollup), sampled: pages that several share count
    once, pages of the page cache only as far as a process has mapped them.
    """
    with (
        setting.prepared(command, round_, cold),
        setting.started(command, round_) as process,
        sampled(process.pid) as peak,
    ):
        process.wait()
    setting.tidy()
    return peak[0]


@contextlib.contextmanager
def sampled(top: int) -> Iterator[list[int]]:
    """One number: the most memory, in bytes, that the process and all below it had while the block lasted."""
    peak = [0]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE):
            peak[0] = max(peak[0], sum(map(proportional, tree(top))))

    watcher = threading.Thread(target=sample)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def tree(top: int) -> Iterator[int]:
    """The process and all below it."""
    yield top
    with contextlib.suppress(OSError):  # it has ended
        for thread in os.listdir(f"/proc/{top}/task"):
            for child in Path(f"/proc/{top}/task/{thread}/children").read_text().split():
                yield from tree(int(child))


def proportional(process: int) -> int:
    """Bytes of memory of a process: its part of what is mapped, and its files in memory."""
    found = 0
    with contextlib.suppress(OSError), open(f"/proc/{process}/smaps_rollup") as file:
        found = next((int(line.split()[1]) << 10 for line in file if line.startswith("Pss:")), 0)
    return found + sum(map(_in_memory, Path(f"/proc/{process}/fd").glob("*")))


def _in_memory(descriptor: Path) -> int:
    with contextlib.suppress(OSError):
        if os.readlink(descriptor).startswith("/memfd:"):
            return os.stat(descriptor).st_blocks * 512
    return 0


@frozen
class Use:
    """Seconds of processors that were used so far: by all, and by this program and what it ran to its end."""

    at: float
    all: float
    own: float

    @classmethod
    def now(cls) -> Use:
        user, nice, system, _, _, interrupt, soft, steal = map(
            int, Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
        )
        busy = (user + nice + system + interrupt + soft + steal) / os.sysconf("SC_CLK_TCK")
        own = sum(used.ru_utime + used.ru_stime for used in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
        return cls(time.monotonic(), busy, own)

    def others_until(self, end: Use) -> float:
        """The share of the machine's processors that others used meanwhile, the kernel's own threads among them."""
        others = (end.all - self.all) - (end.own - self.own)
        return max(0.0, others) / (end.at - self.at) / (os.cpu_count() or 1)
