"""Seccomp filters: the one that stops a script's processes at emulated calls, and those that programs install.

Filters are classic BPF programs (linux/filter.h) that read struct seccomp_data (seccomp(2)). If several filters
disagree, the strictest action wins. That is why ours answers SECCOMP_RET_TRAP: it wins over SECCOMP_RET_ERRNO, with
which Nix's filter refuses some of the calls. It would also win over a program's own filter, so the supervisor has to
know what that filter says, and runs it in `decide`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence

from lamina.rootless.machine import Condition, Machine

KILL_PROCESS, KILL_THREAD, TRAP, ERRNO = 0x80000000, 0x00000000, 0x00030000, 0x00050000
USER_NOTIFICATION, TRACE, LOG, ALLOW = 0x7FC00000, 0x7FF00000, 0x7FFC0000, 0x7FFF0000
_STRICTEST_FIRST = (KILL_PROCESS, KILL_THREAD, TRAP, ERRNO, USER_NOTIFICATION, TRACE, LOG, ALLOW)
_ACTION, _DATA = 0xFFFF0000, 0x0000FFFF

MODE_FILTER = 1
"""SECCOMP_SET_MODE_FILTER, an operation of seccomp(2)."""
PR_SET_SECCOMP, PRCTL_MODE_FILTER = 22, 2
FLAG_ALL_THREADS = 1
"""SECCOMP_FILTER_FLAG_TSYNC: the filters of the calling thread become those of the whole process."""
FLAG_NEW_LISTENER = 8
MAX_INSTRUCTIONS = 4096
"""BPF_MAXINSNS."""
_CLONE_UNTRACED = 0x00800000
_ENOSYS, _EPERM = 38, 1

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Offsets in struct seccomp_data."""
_DATA_SIZE = 64

_LOAD, _EQUAL, _AT_LEAST, _HAS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_JMP|JGE|K, BPF_JMP|JSET|K, BPF_RET|K."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, value (struct sock_filter)."""


class _Assembler:
    """Instructions with labels in place of distances. A jump without a label goes to the next instruction."""

    def __init__(self) -> None:
        self._lines: list[tuple[int, str, str, int]] = []
        self._labels: dict[str, int] = {}

    def add(self, code: int, value: int, yes: str = "", no: str = "") -> None:
        self._lines.append((code, yes, no, value))

    def label(self, name: str) -> None:
        self._labels[name] = len(self._lines)

    def code(self) -> bytes:
        lines = []
        for place, (code, yes, no, value) in enumerate(self._lines, 1):
            jumps = [self._labels[label] - place if label else 0 for label in (yes, no)]
            lines.append(struct.pack("=HBBI", code, *jumps, value))
        return b"".join(lines)


def base_program(machine: Machine, magic: int, mark: int) -> bytes:
    """The filter of every process of a script: stops at emulated calls, and refuses what escapes the supervisor.

    A child with CLONE_UNTRACED would not be supervised. `clone3` has its flags in memory, where a filter cannot see
    them; C libraries use `clone` if it is missing.
    """
    program = _Assembler()
    _begin(program, machine, magic, foreign="allow")
    if machine.foreign_calls is not None:
        program.add(_AT_LEAST, machine.foreign_calls, yes="missing")
    program.add(_EQUAL, machine.numbers["clone3"], yes="missing")
    program.add(_EQUAL, machine.numbers["clone"], no="not clone")
    program.add(_LOAD, _ARGUMENTS)
    program.add(_HAS, _CLONE_UNTRACED, yes="forbidden", no="allow")
    program.label("not clone")
    program.add(_EQUAL, machine.numbers["prctl"], no="not prctl")
    program.add(_LOAD, _ARGUMENTS)
    program.add(_EQUAL, PR_SET_SECCOMP, yes="stop", no="allow")
    program.label("not prctl")
    _stop_at(program, machine.emulated, mark)
    program.add(_RETURN, ALLOW)
    program.label("missing")
    program.add(_RETURN, ERRNO | _ENOSYS)
    program.label("forbidden")
    program.add(_RETURN, ERRNO | _EPERM)
    _end(program, mark)
    return program.code()


def creating_program(machine: Machine, magic: int, mark: int) -> bytes:
    """The additional filter of a process that is not root: stops at calls that create files, and at 32-bit calls."""
    program = _Assembler()
    _begin(program, machine, magic, foreign="stop")
    _stop_at(program, machine.creating, mark)
    program.add(_RETURN, ALLOW)
    _end(program, mark)
    return program.code()


def _begin(program: _Assembler, machine: Machine, magic: int, foreign: str) -> None:
    """Let calls through that have `magic` as the sixth argument, which none of the calls has; load the number."""
    program.add(_LOAD, _ARCHITECTURE)
    program.add(_EQUAL, machine.audit, yes="ours", no=foreign)
    program.label("ours")
    program.add(_LOAD, _ARGUMENTS + 8 * 5)
    program.add(_EQUAL, magic & 0xFFFFFFFF, no="call")
    program.add(_LOAD, _ARGUMENTS + 8 * 5 + 4)
    program.add(_EQUAL, magic >> 32, yes="allow")
    program.label("call")
    program.add(_LOAD, _NUMBER)


def _stop_at(program: _Assembler, calls: Mapping[int, Condition], mark: int) -> None:
    for number, alternatives in sorted(calls.items()):
        if () in alternatives:
            program.add(_EQUAL, number, yes="stop")
            continue
        after = f"after {number}"
        program.add(_EQUAL, number, no=after)
        for position, tests in enumerate(alternatives):
            otherwise = f"{number} {position}"
            for argument, mask in tests:
                program.add(_LOAD, _ARGUMENTS + 8 * argument)
                program.add(_HAS, mask, no=otherwise)
            program.add(_RETURN, TRAP | mark)
            program.label(otherwise)
        program.add(_RETURN, ALLOW)
        program.label(after)


def _end(program: _Assembler, mark: int) -> None:
    program.label("allow")
    program.add(_RETURN, ALLOW)
    program.label("stop")
    program.add(_RETURN, TRAP | mark)


Filter = tuple[Instruction, ...]


def parse_filter(data: bytes) -> Filter:
    """The instructions of a filter that the kernel accepted."""
    return tuple(struct.iter_unpack("=HBBI", data))


def decide(
    filters: Iterable[Filter], machine: Machine, number: int, pc: int, arguments: Sequence[int]
) -> tuple[int, int]:
    """The common result of the filters for a call: the action and its 16 bits of data (seccomp(2))."""
    words = [argument & (1 << 64) - 1 for argument in (*arguments, 0, 0, 0, 0, 0, 0)[:6]]
    data = struct.pack("=iIQ6Q", number, machine.audit, pc, *words)
    answers = [_run(program, data) for program in filters]
    strictest = min(answers, key=lambda answer: _strictness(answer & _ACTION), default=ALLOW)
    return strictest & _ACTION, strictest & _DATA


def _strictness(action: int) -> int:
    return _STRICTEST_FIRST.index(action) if action in _STRICTEST_FIRST else 0


def _run(program: Filter, data: bytes) -> int:
    """The value that a filter returns. It ends: jumps lead forward only, and the kernel has checked them."""
    accumulator = index = position = 0
    memory = [0] * 16
    while True:
        code, yes, no, value = program[position]
        position += 1
        group, operand = code & 0x07, index if code & 0x08 else value
        if group == 0x06:  # BPF_RET: a constant or the accumulator
            return accumulator if code & 0x18 == 0x10 else value
        if group in (0x00, 0x01):  # BPF_LD, BPF_LDX
            loaded = _loaded(code & 0xE0, value, data, memory)
            accumulator, index = (loaded, index) if group == 0x00 else (accumulator, loaded)
        elif group == 0x02:  # BPF_ST
            memory[value] = accumulator
        elif group == 0x03:  # BPF_STX
            memory[value] = index
        elif group == 0x04:  # BPF_ALU
            accumulator = _calculated(code & 0xF0, accumulator, operand)
        elif group == 0x05:  # BPF_JMP
            position += value if code & 0xF0 == 0x00 else yes if _holds(code & 0xF0, accumulator, operand) else no
        elif code & 0xF8 == 0x80:  # BPF_MISC|BPF_TXA
            accumulator = index
        else:  # BPF_MISC|BPF_TAX
            index = accumulator


def _loaded(mode: int, value: int, data: bytes, memory: list[int]) -> int:
    if mode == 0x20:  # BPF_ABS
        word: int = struct.unpack_from("=I", data, value)[0]
        return word
    if mode == 0x60:  # BPF_MEM
        return memory[value]
    return _DATA_SIZE if mode == 0x80 else value  # BPF_LEN, BPF_IMM


def _calculated(operation: int, left: int, right: int) -> int:
    results = {
        0x00: left + right,
        0x10: left - right,
        0x20: left * right,
        0x30: left // right if right else 0,
        0x40: left | right,
        0x50: left & right,
        0x60: left << right if right < 32 else 0,
        0x70: left >> right if right < 32 else 0,
        0x80: -left,
        0xA0: left ^ right,
    }
    return results[operation] & 0xFFFFFFFF


def _holds(operation: int, left: int, right: int) -> bool:
    return {0x10: left == right, 0x20: left > right, 0x30: left >= right, 0x40: bool(left & right)}[operation]
