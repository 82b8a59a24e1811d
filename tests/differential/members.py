"""Changes of the archive: its members, their order and names, and the tar and the compression around them."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from random import Random
from typing import Any

import attrs

from tests.differential.packing import Packing, TarFormat, changed
from tests.support.archives import WRAPPERS

Change = Callable[[Packing, int, int], Packing]


def _order(packing: Packing, place: int, choice: int) -> Packing:
    members = list(packing.members)
    if choice % 2:
        members.reverse()
    else:
        Random(place).shuffle(members)
    return attrs.evolve(packing, members=tuple(members))


def _prefix(packing: Packing, place: int, choice: int) -> Packing:
    """`./` before all names, or one name in another spelling."""
    forms: list[Callable[[str], str]] = [
        lambda name: "./" + name,
        lambda name: "/" + name,
        lambda name: "x/../" + name,
        lambda name: name.replace("/", "//"),
        lambda name: ".//" + name,
    ]
    spell = forms[choice % len(forms)]
    which = range(len(packing.members)) if choice % 10 < 5 else [place % len(packing.members)]
    members = [
        (changed(info, name=spell(info.name)), data) if at in which else (info, data)
        for at, (info, data) in enumerate(packing.members)
    ]
    return attrs.evolve(packing, members=tuple(members))


def _linked(packing: Packing, place: int, choice: int) -> Packing:
    """A file at another name, and a link to it in its place."""
    known = packing.files()
    at = known[place % len(known)]
    info, data = packing.members[at]
    kind = [tarfile.SYMTYPE, tarfile.LNKTYPE][choice % 2]
    target = ["other", "other-directory/file"][choice // 2 % 2]
    up = "../" * info.name.count("/") if kind == tarfile.SYMTYPE else ""
    link = changed(info, type=kind, linkname=up + target, size=0)
    file = changed(info, name=target)
    pair = ((link, b""), (file, data)) if choice // 4 % 2 else ((file, data), (link, b""))
    return attrs.evolve(packing, members=(*packing.members[:at], *pair, *packing.members[at + 1 :]))


def _broken_link(packing: Packing, place: int, choice: int) -> Packing:
    """A link to nothing, to itself, out of the archive, or to a directory, in the place of a file."""
    known = packing.files()
    at = known[place % len(known)]
    info, _ = packing.members[at]
    target = ["absent", info.name.rpartition("/")[2], "/etc/passwd", "../../../etc/passwd", "."][choice % 5]
    link = changed(info, type=tarfile.SYMTYPE, linkname=target, size=0)
    return attrs.evolve(packing, members=(*packing.members[:at], (link, b""), *packing.members[at + 1 :]))


def _doubled(packing: Packing, place: int, choice: int) -> Packing:
    """A member twice, with the same bytes or with others."""
    info, data = packing.members[place % len(packing.members)]
    other = data if choice % 2 else data[::-1]
    extra = (changed(info, name=["", "./"][choice // 2 % 2] + info.name), other)
    members = (extra, *packing.members) if choice // 4 % 2 else (*packing.members, extra)
    return attrs.evolve(packing, members=members)


def _missing(packing: Packing, place: int, choice: int) -> Packing:
    at = place % len(packing.members)
    return attrs.evolve(packing, members=(*packing.members[:at], *packing.members[at + 1 :]))


def _no_directories(packing: Packing, place: int, choice: int) -> Packing:
    return attrs.evolve(packing, members=tuple(pair for pair in packing.members if not pair[0].isdir()))


def _extra(packing: Packing, place: int, choice: int) -> Packing:
    """A file or a directory that does not belong to the image."""
    names = [
        *("README", "blobs/README", "blobs/sha256/x", "x.json", "lost+found/", "ä", "a b", "n" * 120, "Manifest.json"),
        *("blobs/sha512/" + "0" * 128, "blobs/sha256/" + "0" * 64, "oci-layout", "index.json", "repositories"),
    ]
    name = names[choice % len(names)]
    if packing.find(name) is not None:
        return packing
    info = tarfile.TarInfo(name.rstrip("/"))
    info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
    data = b"" if info.isdir() else [b"{}", b"x", b"", b"null"][place % 4]
    info.size = len(data)
    at = place % (len(packing.members) + 1)
    return attrs.evolve(packing, members=(*packing.members[:at], (info, data), *packing.members[at:]))


def _end(packing: Packing, place: int, choice: int) -> Packing:
    ends = [b"", bytes(512), bytes(10240), bytes(1024) + b"x" * 512, b"x" * 512, bytes(512) + b"x" * 512, bytes(100)]
    return attrs.evolve(packing, end=ends[choice % len(ends)])


def _format(packing: Packing, place: int, choice: int) -> Packing:
    """Another format of tar, or numbers and names that need extended headers."""
    formats: list[TarFormat] = [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]
    fields: list[dict[str, Any]] = [{}, {"uid": 1 << 25}, {"uname": "ä"}, {"mode": 0}, {"mtime": -1}, {"mode": 0o7777}]
    tar_format, change = formats[choice % 2], fields[place % len(fields)]
    members = tuple((changed(info, **change), data) for info, data in packing.members)
    return attrs.evolve(packing, members=members, format=tar_format)


def _wrapped(packing: Packing, place: int, choice: int) -> Packing:
    return attrs.evolve(packing, wrap=WRAPPERS[list(WRAPPERS)[choice % len(WRAPPERS)]])


def _packed_layer(packing: Packing, place: int, choice: int) -> Packing:
    """A layer in another compression, under the same diff ID."""
    known = packing.layers()
    if not known:
        return packing
    at = known[place % len(known)]
    wrap = WRAPPERS[list(WRAPPERS)[choice % len(WRAPPERS)]]
    return packing.replaced(at, wrap(packing.members[at][1]), also_diff_ids=False)


def _other_bytes(packing: Packing, place: int, choice: int) -> Packing:
    """A file whose bytes are not those of its digest."""
    known = packing.files()
    at = known[place % len(known)]
    info, data = packing.members[at]
    where = choice % len(data)
    data = data[:where] + bytes([data[where] ^ 1]) + data[where + 1 :]
    return attrs.evolve(packing, members=(*packing.members[:at], (info, data), *packing.members[at + 1 :]))


def _renamed(packing: Packing, place: int, choice: int) -> Packing:
    """A config or a layer under another name, to which the documents of the docker side refer."""
    known = [
        at for at in packing.files() if packing.members[at][0].name.encode() in (packing.find("manifest.json") or b"")
    ]
    if not known:
        return packing
    old = packing.members[known[place % len(known)]][0].name
    new = ["config", "a b.json", "x/y/z", "sha256:" + "0" * 64, "0" * 64 + ".json", "ä", "n" * 150, old.upper()][
        choice % 8
    ]
    members = []
    for info, data in packing.members:
        if info.name == "manifest.json":
            data = data.replace(b'"%b"' % old.encode(), b'"%b"' % new.encode())
        members.append((changed(info, name=new if info.name == old else info.name, size=len(data)), data))
    return attrs.evolve(packing, members=tuple(members))


CHANGES: dict[str, Change] = {
    "layer in another compression": _packed_layer,
    "bytes that are not those of the digest": _other_bytes,
    "config or layer under another name": _renamed,
    "file behind a link": _linked,
    "link to nothing": _broken_link,
    "member doubled": _doubled,
    "member missing": _missing,
    "directories missing": _no_directories,
    "extra member": _extra,
    "members in another order": _order,
    "names with a prefix": _prefix,
    "unusual end of the archive": _end,
    "unusual headers of the archive": _format,
    "archive in another compression": _wrapped,
}
