"""One tar, read by each reader in use and by ours, and shown in the same form.

Whatever the bytes, ours either refuses them or sees what all others see: `disagreement` says where it does not.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import io
import json
import os
import re
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs

from lamina.data.blob import Bytes
from lamina.errors import LaminaError
from lamina.tar.read import SPARSE, entries, member
from lamina.tar.write import BLOCK_DEVICE, CHARACTER, DIRECTORY, FILE, HARD_LINK, SYMLINK

ROOT = Path(__file__).parents[2]
_LINKS = (SYMLINK, HARD_LINK)
_MOST_DATA = 1 << 20


@attrs.frozen
class Seen:
    """A member as a reader sees it. None is what a reader does not say, and size and data of a sparse file."""

    name: bytes
    kind: bytes
    size: int | None
    link: bytes
    data: str | None
    mode: int | None = None
    owner: tuple[int, int] | None = None
    device: tuple[int, int] | None = None
    xattrs: tuple[tuple[bytes, bytes], ...] | None = None

    def differs(self, other: Seen) -> bool:
        """Whether anything that both say is different."""
        mine, theirs = attrs.astuple(self, recurse=False), attrs.astuple(other, recurse=False)
        return any(a != b for a, b in zip(mine, theirs, strict=True) if a is not None and b is not None)


Listing = list[Seen]


class ReaderError(Exception):
    """A reader other than ours gave up."""


def seen(name: bytes, kind: bytes, size: int, link: bytes, data: bytes | str | None, **more: Any) -> Seen:
    if isinstance(data, bytes):
        data = hashlib.sha256(data[:_MOST_DATA]).hexdigest()
    is_file = kind == FILE
    return Seen(
        name=name.rstrip(b"/") or b"/",
        kind=kind,
        size=size if is_file else None,
        link=link if kind in _LINKS else b"",
        data=data if is_file else None,
        **more,
    )


def by_us(data: bytes) -> Listing:
    """Raises LaminaError: refused."""
    found = []
    for entry in entries(Bytes(data), "it"):
        if entry.kind == SPARSE:
            found.append(seen(entry.name, SPARSE, 0, b"", None))
            continue
        about = member(entry, "it")
        content = data[entry.offset : entry.offset + entry.size]
        found.append(
            seen(
                entry.name,
                entry.kind,
                entry.size,
                entry.link,
                content,
                mode=about.mode,
                owner=(about.uid, about.gid),
                device=about.device if entry.kind in (CHARACTER, BLOCK_DEVICE) else None,
                xattrs=about.xattrs,
            )
        )
    return found


def by_go(data: bytes) -> Listing:
    answer = go().ask(b"t", data)
    if answer["error"]:
        raise ReaderError(answer["error"])
    result = []
    for item in answer["members"]:
        kind = item["kind"].encode("latin-1")
        kind = SPARSE if item["sparse"] else kind
        xattrs = sorted(
            (key.encode(errors="surrogateescape"), base64.b64decode(v)) for key, v in item["xattrs"].items()
        )
        result.append(
            seen(
                base64.b64decode(item["name"]),
                kind,
                item["size"],
                base64.b64decode(item["link"]),
                item["data"],
                mode=item["mode"] & 0o7777,
                owner=(item["uid"], item["gid"]),
                device=(item["major"], item["minor"]) if kind in (CHARACTER, BLOCK_DEVICE) else None,
                xattrs=tuple(xattrs) if all(key.isascii() for key in item["xattrs"]) else None,
            )
        )
    return result


def by_python(data: bytes) -> Listing:
    result = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for info in archive:
                kind = SPARSE if info.issparse() else FILE if info.type == tarfile.AREGTYPE else info.type
                content = data[info.offset_data : info.offset_data + info.size] if kind == FILE else None
                result.append(
                    seen(
                        os.fsencode(info.name),
                        kind,
                        info.size,
                        os.fsencode(info.linkname),
                        content,
                        mode=info.mode & 0o7777,
                        owner=(info.uid, info.gid),
                        device=(info.devmajor, info.devminor) if kind in (CHARACTER, BLOCK_DEVICE) else None,
                    )
                )
    except Exception as error:  # tarfile raises whatever happens inside it
        if not data.strip(b"\0") and isinstance(error, tarfile.ReadError):
            return []
        raise ReaderError(f"{type(error).__name__}: {error}") from None
    return result


_GNU_KINDS = {"-": FILE, "d": DIRECTORY, "l": SYMLINK, "h": HARD_LINK, "b": b"4", "c": b"3", "p": b"6"}
_QUOTED = rb'"((?:[^"\\]|\\.)*)"'
_GNU_LINE = re.compile(
    rb"(.)(?:\S{9}) (\d+)/(\d+) +(\d+(?:,\d+)?) .*?" + _QUOTED + rb"(?: (?:->|link to) " + _QUOTED + b")?"
)


def by_gnu_tar(data: bytes) -> Listing:
    command = ["tar", "--list", "--verbose", "--numeric-owner", "--quoting-style=c", "--absolute-names", "--file=-"]
    done = subprocess.run(command, input=data, capture_output=True, env={"LC_ALL": "C", "PATH": os.environ["PATH"]})
    if done.returncode:
        raise ReaderError(done.stderr.decode(errors="replace"))
    result = []
    for line in done.stdout.splitlines():
        match = _GNU_LINE.fullmatch(line)
        if not match:
            raise ReaderError(f"cannot read {line!r}")
        kind = _GNU_KINDS.get(match[1].decode(), match[1])
        major, comma, minor = match[4].partition(b",")
        result.append(
            seen(
                _unquoted(match[5]),
                kind,
                int(match[4]) if not comma else 0,
                _unquoted(match[6] or b""),
                None,
                owner=(int(match[2]), int(match[3])),
                device=(int(major), int(minor)) if comma else None,
            )
        )
    return result


def _unquoted(text: bytes) -> bytes:
    return text.decode("unicode_escape").encode("latin-1")


def same(ours: Listing, others: Listing) -> bool:
    """Whether two readers saw the same. GNU tar does not say that a file is sparse."""
    if len(ours) != len(others):
        return False
    for mine, other in zip(ours, others, strict=True):
        if mine.kind == SPARSE:
            other = attrs.evolve(mine, name=other.name)
        if mine.differs(other):
            return False
    return True


READERS = {"Go's archive/tar": by_go, "Python's tarfile": by_python, "GNU tar": by_gnu_tar}


def disagreement(data: bytes, names: Iterable[str] = READERS) -> str | None:
    """What another reader sees that ours does not, or "" where all see the same; None where ours refuses."""
    try:
        ours = by_us(data)
    except LaminaError:
        return None
    for name in names:
        read = READERS[name]
        if name == "GNU tar" and not data:
            continue
        try:
            others = read(data)
        except ReaderError as error:
            return f"{name} refuses what we read: {error}"
        if not same(ours, others):
            return f"we see\n{_shown(ours)}\n{name} sees\n{_shown(others)}"
    return ""


def _shown(listing: Listing) -> str:
    return "\n".join(map(repr, listing))


class Go:
    """The judge's process: requests go in, answers come out, one line each."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, kind: bytes, data: bytes) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(kind + struct.pack(">I", len(data)) + data)
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@functools.cache
def go() -> Go:
    return Go(built_judge())


def built_judge() -> Path:
    """The program, made at most once for each state of its source. Raises FileNotFoundError where Go is missing."""
    source = Path(__file__).with_name("main.go")
    directory = ROOT / ".state" / "judge"
    program = directory / hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    if program.exists():
        return program
    if not shutil.which("go"):
        raise FileNotFoundError("go")
    directory.mkdir(parents=True, exist_ok=True)
    made = directory / f"{program.name}.{os.getpid()}"
    environment = {**os.environ, "GOCACHE": str(directory / "cache"), "GO111MODULE": "off", "CGO_ENABLED": "0"}
    command = ["go", "build", "-trimpath", "-o", str(made), str(source)]
    subprocess.run(command, check=True, env=environment, cwd=directory, timeout=300)
    with contextlib.suppress(FileNotFoundError):
        made.rename(program)
    return program
