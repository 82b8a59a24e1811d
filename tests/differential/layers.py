"""Changes of layers: unusual tars, whose digests are right."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable

import attrs

from tests.differential.packing import TarFormat
from tests.support.archives import Sample

Entry = tuple[str, bytes, str, bytes]
"""Name, type, link target and data."""

_FILE, _LINK, _SYMLINK, _DIRECTORY = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE
_CONTENTS: list[list[Entry]] = [
    [],
    [("a", _FILE, "", b"1"), ("a", _FILE, "", b"2")],
    [("./a", _FILE, "", b"1"), ("./", _DIRECTORY, "", b"")],
    [("/a", _FILE, "", b"1")],
    [("../a", _FILE, "", b"1")],
    [("a/../b", _FILE, "", b"1")],
    [("a//b", _FILE, "", b"1")],
    [("a", _SYMLINK, "b", b""), ("a/c", _FILE, "", b"1")],
    [("a", _SYMLINK, "../../x", b"")],
    [("a", _LINK, "b", b"")],
    [("b", _FILE, "", b"1"), ("a", _LINK, "b", b"")],
    [("b", _FILE, "", b"1"), ("a", _LINK, "/b", b"")],
    [("a", _LINK, "../x", b"")],
    [(".wh.a", _FILE, "", b"")],
    [(".wh..wh..opq", _FILE, "", b"")],
    [("d/.wh..wh..plnk", _FILE, "", b"")],
    [(".wh.", _FILE, "", b"")],
    [(".wh.a", _FILE, "", b"data")],
    [("d", _FILE, "", b"1"), ("d/e", _FILE, "", b"1")],
    [("d", _DIRECTORY, "", b""), ("d", _DIRECTORY, "", b"")],
    [("a" * 255, _FILE, "", b"1")],
    [("a" * 256, _FILE, "", b"1")],
    [("ä", _FILE, "", b"1"), ("a\nb", _FILE, "", b"1"), ("a b ", _FILE, "", b"1")],
    [("c", tarfile.CHRTYPE, "", b""), ("p", tarfile.FIFOTYPE, "", b"")],
    [("b", tarfile.BLKTYPE, "", b"")],
    [("c", b"7", "", b"1")],
    [("x", b"Z", "", b"1")],
    [("nix/store/" + "0" * 32 + "-x/bin", _FILE, "", b"1")],
    [(".", _DIRECTORY, "", b"")],
    [("/", _DIRECTORY, "", b"")],
]


def _tar(entries: list[Entry], tar_format: TarFormat = tarfile.PAX_FORMAT, **fields: object) -> bytes:
    buffer = io.BytesIO()
    for name, kind, link, data in entries:
        info = tarfile.TarInfo(name)
        info.type, info.linkname, info.size = kind, link, len(data)
        for key, value in fields.items():
            setattr(info, key, value)
        buffer.write(info.tobuf(tar_format, "utf-8", "surrogateescape") + data + bytes(-len(data) % 512))
    return buffer.getvalue() + bytes(1024)


def _with(image: Sample, place: int, change: Callable[[bytes], bytes]) -> Sample:
    """The image with one other layer."""
    if not image.layers:
        return image
    at = place % len(image.layers)
    return attrs.evolve(image, layers=(*image.layers[:at], change(image.layers[at]), *image.layers[at + 1 :]))


def _content(image: Sample, place: int, choice: int) -> Sample:
    mark = ("mark", _FILE, "", b"".join(image.layers)[:64])
    return _with(image, place, lambda _: _tar([*_CONTENTS[choice % len(_CONTENTS)], mark]))


def _end(image: Sample, place: int, choice: int) -> Sample:
    """Without its closing blocks, with one, with many, cut short, with bytes behind it, or with no byte at all."""
    forms: list[Callable[[bytes], bytes]] = [
        lambda data: data[:-1024],
        lambda data: data[:-512],
        lambda data: data + bytes(10240),
        lambda data: data[:-1024] + b"x" * 512,
        lambda data: data + b"x" * 512,
        lambda data: data[:600],
        lambda data: b"",
        lambda data: bytes(1024),
        lambda data: b"no tar",
        lambda data: data[: 512 + 20],
    ]
    return _with(image, place, forms[choice % len(forms)])


def _headers(image: Sample, place: int, choice: int) -> Sample:
    """Numbers, attributes and formats that headers have seldom."""
    name = f"h-{b''.join(image.layers)[512:530].hex()}"
    forms: list[Callable[[], bytes]] = [
        lambda: _tar([(name, _FILE, "", b"1")], uid=1 << 31),
        lambda: _tar([(name, _FILE, "", b"1")], uid=(1 << 32) - 1, gid=(1 << 32) - 1),
        lambda: _tar([(name, _FILE, "", b"1")], mtime=-1),
        lambda: _tar([(name, _FILE, "", b"1")], mtime=1.5),
        lambda: _tar([(name, _FILE, "", b"1")], mtime=1 << 40),
        lambda: _tar([(name, _FILE, "", b"1")], mode=0o7777),
        lambda: _tar([(name, _FILE, "", b"1")], mode=0o100644),
        lambda: _tar([(name, _FILE, "", b"1")], pax_headers={"SCHILY.xattr.user.a": "b"}),
        lambda: _tar([(name, _FILE, "", b"1")], pax_headers={"SCHILY.xattr.security.capability": "x"}),
        lambda: _tar([(name, _FILE, "", b"1")], pax_headers={"comment": "x"}),
        lambda: _tar([(name, _FILE, "", b"1")], uname="root", gname="ä"),
        lambda: _tar([(name, _FILE, "", b"1")], tar_format=tarfile.GNU_FORMAT),
        lambda: _tar([(name + "x" * 150, _FILE, "", b"1")], tar_format=tarfile.GNU_FORMAT),
        lambda: _tar([(name + "x" * 150, _FILE, "", b"1")]),
    ]
    return _with(image, place, lambda _: forms[choice % len(forms)]())


def _count(image: Sample, place: int, choice: int) -> Sample:
    """No layer at all, or the same one many times."""
    return attrs.evolve(image, layers=() if choice % 3 == 0 else image.layers * (2 + place % 3))


def _config(image: Sample, place: int, choice: int) -> Sample:
    """An image without settings, or with others than most have."""
    forms: list[dict[str, object]] = [{}, {"Env": None}, {"Env": ["A"]}, {"Env": ["A=1", "A=2"]}, {"Cmd": None}]
    return attrs.evolve(image, config=forms[choice % len(forms)])


CHANGES: dict[str, Callable[[Sample, int, int], Sample]] = {
    "unusual files in a layer": _content,
    "unusual end of a layer": _end,
    "unusual headers in a layer": _headers,
    "unusual number of layers": _count,
    "unusual settings": _config,
}
