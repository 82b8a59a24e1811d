"""Whatever a script leaves behind ends with it, and every build ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_root import PYTHON, Script, need_namespaces, python
from tests.support.fixtures import Command

RUNS = int(os.environ.get("LAMINA_TEST_RUNS", "10"))
"""A race is met in some runs only: the reproducer of a known one failed in 5 of 30."""

FORKING = "(while :; do /bin/true; done) &\n"
LEFT_BEHIND = {
    "one that starts programs": FORKING,
    "many that start programs": "for i in 1 2 3 4 5 6; do (while :; do /bin/true & done) & done\n",
    "daemons": "(setsid sh -c '(while :; do setsid /bin/true; done) & exit 0' &)\n",
    "a stopped one": "sleep 1000 & kill -STOP $!\n",
    "one that ignores signals": "(trap '' HUP INT TERM; while :; do sleep 1000; done) &\n",
    "threads": python(
        """
import os, threading, time
def work():
    while True:
        threading.Thread(target=time.sleep, args=(0.001,)).start()
if os.fork() == 0:
    for _ in range(3):
        threading.Thread(target=work).start()
    work()
"""
    ),
    "programs started with vfork": python(
        """
import os
if os.fork() == 0:
    while True:
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
"""
    ),
}


def processes(mark: str) -> list[int]:
    """Processes of the machine that have a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            text = path.read_bytes()
        except OSError:
            continue
        if mark.encode() in text and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A mark in the environment of everything that the test starts, of which nothing may be left."""
    text = f"LAMINA_TEST_MARK_{os.getpid()}_{time.monotonic_ns()}"
    monkeypatch.setenv(text, "x")
    yield text
    assert processes(text) == []


@pytest.mark.parametrize("left", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_what_a_script_leaves_behind_ends(left: str, fake_root: Script, mark: str) -> None:
    for _ in range(RUNS if left == FORKING else 2):
        assert isinstance(fake_root(left + "sleep 0.2\nexit 0\n"), dict)


KILLED_WHILE_FORKING = """
import os, random, signal, time
for turn in range(200):
    ready, held = os.pipe()
    forking = os.fork()
    if forking == 0:
        os.close(ready)
        while True:
            if os.fork() == 0:
                os._exit(0)
    os.close(held)
    time.sleep(random.random() / 100)
    os.kill(forking, signal.SIGKILL)
    os.waitpid(forking, 0)
    assert os.read(ready, 1) == b""  # until the last child has ended, too
    os.close(ready)
"""


def test_a_child_of_a_process_that_is_killed_while_it_forks(fake_root: Script, mark: str) -> None:
    """Its creation is never reported. If it stayed stopped, a script that waits for its output would never end."""
    fake_root(python(KILLED_WHILE_FORKING))


UNTRACED = """
import ctypes, errno, platform
libc = ctypes.CDLL(None, use_errno=True)
number = {"x86_64": 56, "aarch64": 220}[platform.machine()]
assert libc.syscall(number, 0x00800000 | 17, 0, 0, 0, 0) == -1 and ctypes.get_errno() == errno.EPERM
assert libc.syscall(435, 0, 0) == -1 and ctypes.get_errno() == errno.ENOSYS
"""


def test_no_process_escapes_the_supervisor(fake_root: Script) -> None:
    fake_root(python(UNTRACED))


def started(script: str, directory: Path, *prefix: str) -> subprocess.Popen[str]:
    need_namespaces()
    (directory / "root").mkdir()
    (directory / "script").write_text(script)
    words = [
        *prefix,
        sys.executable,
        "-m",
        "lamina",
        "fake-root",
        "root",
        shutil.which("bash"),
        "script",
        "-o",
        "l.tar",
    ]
    return subprocess.Popen(
        list(map(str, words)), cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_supervisor_that_ends_early(number: signal.Signals, tmp_path: Path, mark: str) -> None:
    """As one that the kernel kills because memory is short. Its processes end, and there is no layer."""
    with started("sleep 1000 & (setsid sleep 1000 &) ; echo ready; sleep 1000", tmp_path) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(30) != 0
    end = time.monotonic() + 20
    while processes(mark) and time.monotonic() < end:
        time.sleep(0.05)
    assert not (tmp_path / "l.tar").exists()


ATTRIBUTES = """
import os
for n in range(10000):
    os.close(os.open(f"f{n}", os.O_CREAT))
    os.setxattr(f"f{n}", "user.x", bytes(65000))
"""


def test_a_supervisor_without_memory(tmp_path: Path, mark: str) -> None:
    """One line, and no layer."""
    limit = ("prlimit", f"--as={200 << 20}")
    with started(f"{PYTHON} -c '{ATTRIBUTES}'", tmp_path, *limit) as process:
        _, errors = process.communicate(timeout=100)
    assert process.returncode == 1
    # Where there is no memory for the error itself, the command cannot say any more who ran out of it.
    who = ("the script's supervisor", "the command")
    assert errors in [f"lamina: {name}: out of memory; give the build more memory\n" for name in who]
    assert not (tmp_path / "l.tar").exists()


def test_attributes_have_a_limit(fake_root: Script) -> None:
    """They are kept in memory."""
    text = """
import errno, os
os.close(os.open("f", os.O_CREAT))
try:
    for n in range(10):
        os.setxattr("f", f"user.{n}", bytes(65000))
except OSError as error:
    assert (error.errno, n) == (errno.ENOSPC, 2)
else:
    raise AssertionError
"""
    assert fake_root(python(text)).keys() == {"f"}


DEEP = """
import os
for n in range({levels}):
    os.mkdir({name!r})
    os.chdir({name!r})
"""


@pytest.mark.parametrize(("name", "levels", "status"), [("d", 1500, 0), ("d" * 20, 5000, 1)])
def test_a_tree_of_any_depth(
    name: str, levels: int, status: int, lamina: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that is too long for an image is an error of one line. Nothing is left, however deep it is."""
    need_namespaces()
    for directory in ("root", "temporary"):
        (tmp_path / directory).mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "script").write_text(python(DEEP.format(name=name, levels=levels)))
    done = lamina("fake-root", "root", shutil.which("bash"), "script", "-o", "layer.tar")
    assert (done.returncode, len(done.stderr.splitlines())) == (status, status), done.stderr
    if status:
        assert done.stderr.startswith(b"lamina: /ddd") and b"; no program could open it" in done.stderr
    assert (tmp_path / "layer.tar").exists() == (status == 0)
    assert os.listdir(tmp_path / "temporary") == []


def test_a_program_that_does_not_exist(lamina: Command, tmp_path: Path) -> None:
    need_namespaces()
    (tmp_path / "root").mkdir()
    (tmp_path / "script").write_text("")
    done = lamina("fake-root", "root", "/no/such/shell", "script", "-o", "layer.tar")
    assert done.returncode == 127
    assert b"lamina: /no/such/shell: No such file or directory" in done.stderr
