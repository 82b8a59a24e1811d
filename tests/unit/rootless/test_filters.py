"""Programs of a script that install seccomp filters of their own: treated as they asked for, or refused."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import random
import struct
import subprocess
from pathlib import Path

import pytest

from lamina.rootless import kernel, seccomp
from lamina.rootless.machine import this_machine
from tests.support.fake_root import PYTHON, Script, need_namespaces, python
from tests.support.fixtures import Command

INSTALL = """
import ctypes, errno, os, platform, signal, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
x86 = platform.machine() == "x86_64"
FCHOWNAT, NEWFSTATAT, GETPPID, SECCOMP = (260, 262, 110, 317) if x86 else (54, 79, 173, 277)
CHOWN = 92 if x86 else 54
ERRNO, TRAP, KILL, NOTIFY, TRACE = 0x50000, 0x30000, 0x80000000, 0x7FC00000, 0x7FF00000
ALLOW = 0x7FFF0000
def program(answers):
    lines = [(0x20, 0, 0, 0)]
    for number, answer in answers.items():
        lines += [(0x15, 0, 1, number), (0x06, 0, 0, answer)]
    return b"".join(struct.pack("=HBBI", *line) for line in (*lines, (0x06, 0, 0, ALLOW)))
def install(answers, how="prctl", flags=0):
    code = program(answers)
    buffer = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    if how == "prctl":
        result = libc.prctl(22, 2, header, 0, 0)
    else:
        result = libc.syscall(SECCOMP, 1, flags, header)
    assert result == 0, ctypes.get_errno()
def refused(number, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        assert error.errno == number, error
    else:
        raise AssertionError(number)
for name in "abc":
    open(name, "w").close()
"""


@pytest.mark.parametrize("how", ["prctl", "seccomp"])
def test_a_filter_that_refuses_an_emulated_call(fake_root: Script, how: str) -> None:
    """The program sees its own filter's answer, and the file keeps its owner; the filter's children too."""
    text = f"""
os.chown("a", 5, 5)
if os.fork() == 0:
    install({{CHOWN: ERRNO | errno.EXDEV, FCHOWNAT: ERRNO | errno.EXDEV}}, {how!r})
    refused(errno.EXDEV, os.chown, "b", 6, 6)
    if os.fork() == 0:
        os.execvp({PYTHON!r}, [{PYTHON!r}, "-c", "import os; os.chown('b', 7, 7)"])
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
assert os.waitstatus_to_exitcode(os.wait()[1]) == 1
os.chown("c", 8, 8)
"""
    layer = fake_root(python(INSTALL + text))
    assert {name: member.uid for name, member in layer.items()} == {"a": 5, "b": 0, "c": 8}


def test_a_filter_that_allows_is_no_obstacle(fake_root: Script) -> None:
    """As the sandboxes of `file` and `man`; for all threads, and for files of users who are not root."""
    text = """
import threading
go, done = threading.Event(), []
def other():
    go.wait()
    refused(errno.EXDEV, os.setxattr, "a", "user.x", b"1")
    os.chown("a", 5, 5)
    done.append(1)
thread = threading.Thread(target=other)
thread.start()
SETXATTR = 188 if x86 else 5
install({GETPPID: ERRNO | errno.EXDEV, SETXATTR: ERRNO | errno.EXDEV}, "seccomp", 1)
go.set(); thread.join()
assert done
os.chown("b", 6, 6); os.chmod("b", 0o4755)
assert os.stat("b").st_uid == 6
os.setresgid(20, 20, 20); os.setresuid(33, 33, 33)
open("d", "w").close()
"""
    layer = fake_root(python(INSTALL + text))
    assert {name: member.uid for name, member in layer.items()} == {"a": 5, "b": 6, "c": 0, "d": 33}
    assert layer["b"].mode == 0o4755


TRAPS = """
caught = []
libc.getppid()
signal.signal(signal.SIGSYS, lambda *_: caught.append(1))
install({GETPPID: TRAP | 7, %s})
libc.getppid()
assert caught == [1]
libc.chown(b"a", 5, 5)
"""


def test_a_filter_that_traps(fake_root: Script) -> None:
    """The signal is the program's, for calls that are emulated and for calls that are not."""
    layer = fake_root(python(INSTALL + TRAPS % ""))
    assert layer["a"].uid == 5
    layer = fake_root(python(INSTALL + TRAPS % "CHOWN: TRAP | 8" + "assert caught == [1, 1]"))
    assert layer["a"].uid == 0


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ("{NEWFSTATAT: ERRNO | 1}", "its seccomp filter forbids newfstatat, which an emulated call needs"),
        ("{NEWFSTATAT: KILL}", "its seccomp filter forbids newfstatat, which an emulated call needs"),
        ("{FCHOWNAT: NOTIFY, CHOWN: NOTIFY}", "its seccomp filter handles chown, which is emulated"),
    ],
)
def test_a_filter_that_is_in_the_way(answers: str, reason: str, lamina: Command, tmp_path: Path) -> None:
    """The build fails, with the reason; it does not go on without what the program asked for."""
    need_namespaces()
    if platform.machine() != "x86_64":
        reason = reason.replace("chown", "fchownat")
    (tmp_path / "root").mkdir()
    (tmp_path / "program.py").write_text(INSTALL + f"install({answers})\nos.chown('a', 5, 5)\n")
    (tmp_path / "script").write_text(f"{PYTHON} {tmp_path}/program.py; touch reached")
    done = lamina("fake-root", "root", "bash", "script", "-o", "layer.tar")
    remedy = "run the program without that filter, often called its sandbox"
    assert done.stderr.decode() == f"lamina: the script's program {Path(PYTHON).name}: {reason}; {remedy}\n"
    assert (done.returncode, (tmp_path / "layer.tar").exists()) == (1, False)


SIGNALS = """
import ctypes, os, signal, struct, threading
libc = ctypes.CDLL(None, use_errno=True)
RT_SIGQUEUEINFO = 129 if os.uname().machine == "x86_64" else 138
caught = []
signal.signal(signal.SIGSYS, lambda *_: caught.append(1))
for mark in range(0, 65536, 4096):
    info = struct.pack("=iii", signal.SIGSYS, mark, 1).ljust(128, b"\\0")
    assert libc.syscall(RT_SIGQUEUEINFO, os.getpid(), signal.SIGSYS, info) == 0, ctypes.get_errno()
open("reached", "w").close()
"""


def test_a_program_that_sends_itself_such_a_signal(lamina: Command, fake_root: Script) -> None:
    """The signal of a filter can be imitated. That is the program's own affair; the supervisor goes on."""
    assert "reached" in fake_root(python(SIGNALS) + "true")


PROGRAM_32 = (
    b"\x7fELF\1\1\1" + bytes(9) + struct.pack("=HHIIIIIHHHHHH", 2, 3, 1, 0x8048054, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    + struct.pack("=IIIIIIII", 1, 0, 0x8048000, 0x8048000, 200, 200, 5, 0x1000)
    + b"\xb8\5\0\0\0\xbb" + struct.pack("=I", 0x8048054 + 34) + b"\xb9\x41\0\0\0\xba\xa4\1\0\0\xcd\x80"
    + b"\xb8\1\0\0\0\x31\xdb\xcd\x80".ljust(12, b"\x90") + b"made32\0"
).ljust(200, b"\0")  # fmt: skip
"""For i386: opens the file `made32` with O_CREAT, and exits."""


def test_a_32_bit_program(lamina: Command, tmp_path: Path) -> None:
    """Its calls are not emulated, so what it makes as another user would be root's."""
    need_namespaces()
    if platform.machine() != "x86_64":
        pytest.skip("a program for i386")
    (tmp_path / "root").mkdir()
    (tmp_path / "program").write_bytes(PROGRAM_32)
    (tmp_path / "program").chmod(0o755)
    if (
        subprocess.run([tmp_path / "program"], cwd=tmp_path, timeout=30).returncode
        or not (tmp_path / "made32").exists()
    ):
        pytest.skip("this kernel has no 32-bit calls")
    as_user = f'{PYTHON} -c \'import os; os.setuid(33); os.execv("{tmp_path}/program", ["p"])\''
    for text, status in ((f"{tmp_path}/program", 0), (as_user, 1)):
        (tmp_path / "script").write_text(text)
        done = lamina("fake-root", "root", "bash", "script", "-o", "layer.tar")
        assert done.returncode == status, done.stderr
    said = "the script's program program: a 32-bit program runs as another user; use a 64-bit program"
    assert done.stderr.decode() == f"lamina: {said}\n"


def random_program(random: random.Random) -> bytes:
    """A filter of any instructions that the kernel takes; it answers an odd call of number 1000."""
    values = (0, 1, 3, 7, 31, 0xFF, 0x12345678, 0x80000000, 0xFFFFFFFF)
    lines: list[tuple[int, int, int, int]] = [(0x20, 0, 0, 0), (0x15, 1, 0, 1000), (0x06, 0, 0, seccomp.ALLOW)]
    lines += [(0x02, 0, 0, slot) for slot in range(16)]  # memory must be written before it is read
    for _ in range(random.randrange(30)):
        operation = random.choice((0x00, 0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0xA0))
        value = random.choice(values)
        shift = random.randrange(32) if operation in (0x60, 0x70) else value
        forward = random.randrange(3)
        lines.append(
            random.choice(
                (
                    (0x20, 0, 0, 16 + 4 * random.randrange(12)),
                    (0x00, 0, 0, value),
                    (0x01, 0, 0, value),
                    (0x80, 0, 0, 0),
                    (0x81, 0, 0, 0),
                    (0x60, 0, 0, random.randrange(16)),
                    (0x61, 0, 0, random.randrange(16)),
                    (0x02, 0, 0, random.randrange(16)),
                    (0x03, 0, 0, random.randrange(16)),
                    (0x07, 0, 0, 0),
                    (0x87, 0, 0, 0),
                    (0x84, 0, 0, 0),
                    (0x04 | operation, 0, 0, shift),
                    (0x0C | operation, 0, 0, 0) if operation not in (0x60, 0x70) else (0x07, 0, 0, 0),
                    (0x34, 0, 0, random.choice(values[1:])),
                    (0x05 | random.choice((0x10, 0x20, 0x30, 0x40)), forward, random.randrange(3), value),
                    (0x0D | random.choice((0x10, 0x20, 0x30, 0x40)), forward, random.randrange(3), 0),
                    (0x05, 0, 0, forward),
                )
            )
        )
    lines += [(0x54, 0, 0, 0xFFF), (0x44, 0, 0, seccomp.ERRNO)] * 2 + [(0x16, 0, 0, 0)]
    return b"".join(struct.pack("=HBBI", *line) for line in lines)


def test_filters_are_understood_as_the_kernel_does() -> None:
    """Random filters, installed in a child: the error of a call is the one that `decide` says."""
    libc = ctypes.CDLL(None, use_errno=True)
    machine = this_machine()
    for seed in range(300):
        chance = random.Random(seed)
        code = random_program(chance)
        arguments = [chance.choice((0, 1, 2, 255, 1 << 31, (1 << 64) - 1, chance.getrandbits(64))) for _ in range(6)]
        action, data = seccomp.decide([seccomp.parse_filter(code)], machine, 1000, 0, arguments)
        assert action == seccomp.ERRNO
        ready, held = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                kernel.install_filter(code)
                result = libc.syscall(1000, *(ctypes.c_uint64(argument) for argument in arguments))
                os.write(held, struct.pack("=ii", result, ctypes.get_errno()))
            finally:
                os._exit(0)
        os.close(held)
        answer = struct.unpack("=ii", os.read(ready, 8))
        os.close(ready)
        os.waitpid(child, 0)
        assert answer == ((0, answer[1]) if data == 0 else (-1, data)), (seed, errno.errorcode.get(data))
