"""The size of a file tree as a Nix archive (NAR)."""

from __future__ import annotations

from lamina.image.rootfs import Node
from lamina.tar.write import SYMLINK


def nar_size(node: Node) -> int:
    """The bytes of the tree as a NAR, which depend on names, kinds and sizes only (libutil, archive.cc)."""
    return _word(b"nix-archive-1") + _nar_node(node)


def _nar_node(top: Node) -> int:
    total = 0
    waiting = [top]
    while waiting:
        node = waiting.pop()
        about = node.file.about
        total += _word(b"(") + _word(b"type") + _word(b")")
        if node.is_directory:
            total += _word(b"directory")
            for name, child in node.children.items():
                total += _word(b"entry") + _word(b"(") + _word(b"name") + _word(name) + _word(b"node") + _word(b")")
                waiting.append(child)
        elif about.kind == SYMLINK:
            total += _word(b"symlink") + _word(b"target") + _word(about.link)
        else:
            executable = _word(b"executable") + _word(b"") if about.mode & 0o100 else 0
            total += _word(b"regular") + executable + _word(b"contents") + 8 + about.size + -about.size % 8
    return total


def _word(text: bytes) -> int:
    """The size of a text in a NAR: eight bytes for its length, and the text, padded to a multiple of eight."""
    return 8 + len(text) + -len(text) % 8
