"""Ctrl-C at any moment: exit status 130, one line, no traceback, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.archives import docker_save, sample
from tests.support.recipes import recipe, root_layer, save, write_recipe
from tests.support.trees import make_tree

LINE = b"lamina: interrupted\n"

# The program, which says when its first statement has run. Before that, Python itself starts.
STARTED = """
import os, runpy
from lamina.commands import interrupt
interrupt.install()
os.write(2, b"started")
runpy.run_module("lamina", run_name="__main__")
"""


def interrupted(arguments: Sequence[object], delay: float, directory: Path) -> tuple[int, bytes]:
    """Exit status and standard error of `lamina`, which gets SIGINT some seconds after its first line ran."""
    command = [sys.executable, "-c", STARTED, *map(str, arguments)]
    environment = {**os.environ, "TMPDIR": str(directory)}
    null = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=null, stderr=subprocess.PIPE, cwd=directory, env=environment,
                          start_new_session=True) as process:  # fmt: skip
        assert process.stderr and process.stderr.read(7) == b"started"
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the workers get it, too
        said = process.stderr.read()
        return process.wait(timeout=60), said


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """The recipe of an image of two layers that takes several seconds, in two processes, to write and to pack."""
    layers = []
    for name in "ab":
        tree = make_tree(tmp_path / name, {})
        with (tree / "data").open("wb") as file:
            file.truncate(1 << 30)
        layer = root_layer(tree)
        layer["trees"][0]["narSize"] = 1 << 30  # worth a second process
        layers.append(layer)
    return write_recipe(recipe(*layers), tmp_path)


@pytest.mark.parametrize("delay", [0, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.2])
def test_building(delay: float, large: Path, tmp_path: Path) -> None:
    before = sorted(os.listdir(tmp_path))
    status, said = interrupted(["build", large, "-o", "out.tar", "--compressor", "gz"], delay, tmp_path)
    assert (status, said) == (130, LINE)
    assert sorted(os.listdir(tmp_path)) == before


def test_workers_leave_the_interrupt_to_the_first_process(large: Path, tmp_path: Path) -> None:
    """A terminal sends it to all of them; a worker that prints a traceback may be faster than its end."""
    command = [sys.executable, "-m", "lamina", "build", str(large), "-o", "out.tar", "--compressor", "gz"]
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, stdout=null, stderr=pipe, cwd=tmp_path) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        workers: list[int] = []
        while len(workers) < 2 and process.poll() is None:
            time.sleep(0.01)
            workers = [int(word) for word in children.read_text().split()]
        assert workers, "two processors, and layers that are worth a second process"
        for worker in workers:
            os.kill(worker, signal.SIGINT)
        time.sleep(0.2)
        still_there = [worker for worker in workers if Path(f"/proc/{worker}").exists()]
        process.send_signal(signal.SIGINT)
        assert process.stderr and process.stderr.read() == LINE
    assert (process.returncode, still_there) == (130, workers)


@pytest.mark.parametrize("command", [["verify"], ["inspect"], ["plan"], ["--version"], ["merge", "-o", "-"]])
@pytest.mark.parametrize("delay", [0, 0.01, 0.02, 0.05])
def test_other_commands(command: list[str], delay: float, tmp_path: Path) -> None:
    """Small work may be done before the signal arrives. While Python itself ends, SIGINT has no handler any more."""
    path = save(docker_save([sample()]), tmp_path / "it.tar")
    if command == ["plan"]:
        path = write_recipe(recipe(root_layer(make_tree(tmp_path / "tree", {"a": b"a"}))), tmp_path)
    arguments = command if command == ["--version"] else [*command, path]
    status, said = interrupted(arguments, delay, tmp_path)
    assert (status, said) in ((130, LINE), (0, b""), (-signal.SIGINT, b""))


def test_a_second_interrupt_ends_the_cleaning(tmp_path: Path) -> None:
    code = """
import os, signal, time
from lamina.commands import interrupt
interrupt.install()
interrupt.raise_on_interrupt()
try:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(9)
finally:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=8)
    assert (done.returncode, done.stderr) == (130, LINE)


def test_an_interrupt_in_a_destructor_is_not_lost() -> None:
    code = """
import os, signal, time
from lamina.commands import interrupt
interrupt.install()
interrupt.raise_on_interrupt()
class Late:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)
Late()
time.sleep(9)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=8)
    assert (done.returncode, done.stderr) == (130, LINE)


def test_the_library_leaves_the_caller_s_handler_alone() -> None:
    code = """
import signal, sys
from lamina.commands.main import main
try:
    main(["--version"])
except SystemExit:
    pass
sys.exit(signal.getsignal(signal.SIGINT) is not signal.default_int_handler)
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_an_ignored_interrupt_stays_ignored(tmp_path: Path) -> None:
    """As in a shell's background job."""
    command = [
        sys.executable,
        "-c",
        f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {STARTED}",
        "verify",
    ]
    path = save(docker_save([sample()]), tmp_path / "it.tar")
    with subprocess.Popen([*command, str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr and process.stderr.read(7) == b"started"
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, b"") and out.startswith(b"sound")
