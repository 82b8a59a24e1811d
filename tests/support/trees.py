"""File trees and stores for tests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import attrs

_DIGITS = "0123456789abcdfghijklmnpqrsvwxyz"  # Nix's base-32


@attrs.frozen
class Link:
    """A symbolic link."""

    target: str


@attrs.frozen
class Program:
    """A file that may be executed."""

    data: bytes


Tree = Mapping[str, bytes | Link | Program | None]
"""What lies where below a directory; None is an empty directory."""


def make_tree(top: Path, tree: Tree) -> Path:
    """The tree on disk, made in the order in which it is written down."""
    top.mkdir(parents=True, exist_ok=True)
    for name, content in tree.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir()
        elif isinstance(content, Link):
            path.symlink_to(content.target)
        elif isinstance(content, Program):
            path.write_bytes(content.data)
            path.chmod(0o755)
        else:
            path.write_bytes(content)
    return top


def hashed_name(name: str) -> str:
    """`HASH-NAME`, whose hash depends on the name alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return "".join(_DIGITS[byte % 32] for byte in digest) + "-" + name


@attrs.frozen
class Store:
    """A store directory that tests may write to."""

    directory: Path

    @property
    def inside(self) -> str:
        """The store's name in archives."""
        return str(self.directory).lstrip("/")

    def path(self, name: str) -> Path:
        """Where the store path `name` is, or would be."""
        return self.directory / hashed_name(name)

    def add(self, name: str, tree: Tree) -> str:
        return str(make_tree(self.path(name), tree))

    def add_file(self, name: str, data: bytes) -> str:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.path(name).write_bytes(data)
        return str(self.path(name))


def nar(path: Path) -> bytes:
    """The tree as Nix archives it (libutil, archive.cc)."""
    if path.is_symlink():
        inside = _words(b"type", b"symlink", b"target", os.fsencode(os.readlink(path)))
    elif path.is_dir():
        inside = _words(b"type", b"directory")
        for child in sorted(path.iterdir(), key=lambda child: os.fsencode(child.name)):
            inside += _words(b"entry", b"(", b"name", os.fsencode(child.name), b"node") + nar(child) + _words(b")")
    else:
        executable = (b"executable", b"") if path.stat().st_mode & 0o100 else ()
        inside = _words(b"type", b"regular", *executable, b"contents", path.read_bytes())
    return _words(b"(") + inside + _words(b")")


def nar_size(path: str) -> int:
    return len(_words(b"nix-archive-1") + nar(Path(path)))


def _words(*texts: bytes) -> bytes:
    return b"".join(len(text).to_bytes(8, "little") + text + bytes(-len(text) % 8) for text in texts)


def path_info(path: str, size: int = 1) -> dict[str, object]:
    """What a recipe says of a store path; `size` is that of its NAR, which few tests need."""
    return {"path": path, "narHash": "sha256:" + "0" * 52, "narSize": size}
