"""System calls with arguments that make no sense: the program gets an error, and the supervisor goes on."""

from __future__ import annotations

import os
import platform
import subprocess

import pytest

from lamina.rootless.machine import this_machine
from tests.support.fake_root import PYTHON, Script, need_namespaces

ODD_CALLS = """
import ctypes, os, random, struct, sys
numbers = sorted(@NUMBERS@.values())
libc = ctypes.CDLL(None, use_errno=True)
names = [b"a", b"b", b"c/d", b"c", b"", b"x" * 5000, b".", b"..", b"/proc/self/fd/3"]
names += [b"user.x", b"security.capability", b"trusted.y"]
names = [ctypes.create_string_buffer(name) for name in names]
buffer = ctypes.create_string_buffer(70000)
modes = ((os.O_CREAT | os.O_RDWR, 0o4755), (os.O_TMPFILE | os.O_RDWR, 0o6777), (0, 0), (1 << 63, (1 << 64) - 1))
structures = [ctypes.create_string_buffer(struct.pack("=QQQ", *mode, 0)) for mode in modes]
small = (0, 1, 3, 4, 5, 22, 24, 100, 4096, 65536, -100, -1, 1 << 31, 1 << 32, 0xFFFFF000)
flags = (0o4755, 0o100644, 0o20666, 0o60600, 0x1000, 0x400, 0x100, os.O_CREAT | os.O_EXCL, os.O_TMPFILE | os.O_RDWR)
def argument(chance):
    kind = chance.randrange(8)
    if kind < 3:
        return ctypes.addressof(chance.choice(names))
    if kind < 5:
        return ctypes.addressof(chance.choice((buffer, *structures)))
    return (chance.choice(small), chance.choice(flags), chance.getrandbits(64))[kind - 5]
for turn in range(int(sys.argv[1])):
    if os.fork():
        os.wait()
        continue
    chance = random.Random(turn)
    libc.alarm(10)
    os.open(".", os.O_RDONLY)
    for _ in range(100):
        values = [argument(chance) & (1 << 64) - 1 for _ in range(6)]
        libc.syscall(ctypes.c_long(chance.choice(numbers)), *map(ctypes.c_uint64, values))
    os._exit(0)
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="another processor")
def test_odd_arguments(fake_root: Script) -> None:
    need_namespaces()
    numbers = {name: number for name, number in this_machine().numbers.items() if name not in ("clone", "clone3")}
    turns = os.environ.get("LAMINA_TEST_TURNS", "25")
    program = ODD_CALLS.replace("@NUMBERS@", repr(numbers))
    layer = fake_root(f"mkdir c; touch a b\n{PYTHON} - {turns} <<'E'\n{program}\nE\ntouch ended\n")
    assert "ended" in layer


FAULTY = """
import os, sys
from lamina.errors import LaminaError
from lamina.rootless import identity
from lamina.rootless.records import Records
from lamina.rootless.supervise import supervise
def faulty(*_):
    raise OverflowError("made up")
identity.emulate = faulty
try:
    supervise([sys.executable, "-c", "import os; os.getuid()"], Records(), lambda: None)
except LaminaError as error:
    print(error)
try:
    os.waitpid(-1, 0)
except ChildProcessError:
    print("no process is left")
"""
"""The fault is made up: none is known. The supervisor waits for all children of its process, so it has its own."""


def test_a_fault_of_the_supervisor(as_root: None) -> None:
    need_namespaces()
    done = subprocess.run([PYTHON, "-c", FAULTY], capture_output=True, text=True, timeout=60, check=True)
    error, left = done.stdout.splitlines()
    assert "cannot read: OverflowError: made up; this is a fault of Lamina's" in error
    assert left == "no process is left"
