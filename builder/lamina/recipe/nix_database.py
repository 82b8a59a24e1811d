"""The layer with Nix' database of the store paths in the image, and garbage-collector roots that keep them.

The database is written here because `nix-store --load-db` stores the current time, so its file is not reproducible. The
same paths in any order give the same bytes. The field with the library's version in SQLite's header is a fixed value.
The schema is number 10, which every Nix since 2.0 reads (libstore: schema.sql, local-store.cc).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import sqlite3
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import attrs

from lamina.errors import BadInput
from lamina.store.closure import PathInfo
from lamina.store.ownership import Stamp
from lamina.tar.write import DIRECTORY, END, FILE, SYMLINK, Member, header, padding

SCHEMA = b"10"

_STATE = "nix/var/nix"
DATABASE = f"{_STATE}/db/db.sqlite"
"""The path of the database."""

_ROOTS = f"{_STATE}/gcroots/docker"

_TABLES = """
CREATE TABLE ValidPaths (
    id integer primary key autoincrement not null, path text unique not null, hash text not null,
    registrationTime integer not null, deriver text, narSize integer, ultimate integer, sigs text, ca text
);
CREATE TABLE Refs (
    referrer integer not null, reference integer not null, primary key (referrer, reference),
    foreign key (referrer) references ValidPaths(id) on delete cascade,
    foreign key (reference) references ValidPaths(id) on delete restrict
);
CREATE INDEX IndexReferrer on Refs(referrer);
CREATE INDEX IndexReference on Refs(reference);
CREATE TRIGGER DeleteSelfRefs before delete on ValidPaths begin
    delete from Refs where referrer = old.id and reference = old.id;
end;
CREATE TABLE DerivationOutputs (
    drv integer not null, id text not null, path text not null, primary key (drv, id),
    foreign key (drv) references ValidPaths(id) on delete cascade
);
CREATE INDEX IndexDerivationOutputs on DerivationOutputs(path);
"""

_REGISTERED = 1
"""Seconds since 1970: the time of every file in a store."""

_SQLITE = slice(96, 100)
"""The field with the version of the library that wrote the file last (sqlite.org/fileformat2.html, 1.3)."""

_NIX32 = "0123456789abcdfghijklmnpqrsvwxyz"


@attrs.frozen(order=True)
class Registration:
    """A row of the database for a store path: `nar_hash` is `sha256:` and 64 hexadecimal digits."""

    path: str
    nar_hash: str
    nar_size: int
    references: tuple[str, ...]
    sigs: str | None = None
    ca: str | None = None


def registration(info: PathInfo) -> Registration:
    """The row for a store path of the graph. Raises BadInput: its hash is not a SHA-256."""
    return Registration(info.path, f"sha256:{hex_hash(info.nar_hash)}", info.nar_size, info.references)


def hex_hash(text: str) -> str:
    """The 64 hexadecimal digits of a SHA-256 that Nix wrote: in base 16, in its own base 32, or as SRI."""
    digits = text.removeprefix("sha256:").removeprefix("sha256-")
    with contextlib.suppress(ValueError, binascii.Error):
        if len(digits) == 64:
            return bytes.fromhex(digits).hex()
        if len(digits) == 52:
            number = sum(_NIX32.index(digit) << 5 * place for place, digit in enumerate(reversed(digits)))
            return number.to_bytes(33, "little")[:32].hex()
        raw = base64.b64decode(digits, validate=True)
        if len(raw) == 32:
            return raw.hex()
    raise BadInput(f"{text!r:.100}", "is not a SHA-256 hash of Nix", "write it like sha256-... or sha256:...")


def database(paths: Iterable[Registration]) -> bytes:
    """The bytes of the SQLite file. Raises BadInput: a path refers to one that is missing in `paths`."""
    rows = sorted({path.path: path for path in paths}.values())
    number = {row.path: position for position, row in enumerate(rows, 1)}
    refs = sorted((number[row.path], _number(number, target, row)) for row in rows for target in set(row.references))
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.executescript(_TABLES)
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO ValidPaths (id, path, hash, registrationTime, narSize, sigs, ca) VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((number[r.path], r.path, r.nar_hash, _REGISTERED, r.nar_size, r.sigs, r.ca) for r in rows),
        )
        connection.executemany("INSERT INTO Refs VALUES (?, ?)", refs)
        connection.execute("COMMIT")
        connection.execute("VACUUM")
        data = bytearray(connection.serialize())
    data[_SQLITE] = (3_040_001).to_bytes(4, "big")
    return bytes(data)


def _number(number: dict[str, int], target: str, row: Registration) -> int:
    if target not in number:
        raise BadInput(row.path, f"refers to {target}, which is not registered", "the graph is damaged")
    return number[target]


def database_layer(
    paths: Iterable[Registration], stamp: Stamp, roots: Iterable[str] = (), below: Path | None = None
) -> Iterator[bytes]:
    """The layer as a tar: the database, and a root for each of `roots` and for each path that no other refers to.

    `below` is the layer that a script made. Directories keep the mode and owner that the script gave them, and the
    database gets the owner of its directory.
    """
    existing = _directories(below) if below else {}
    if directory := existing.get(f"{_STATE}/db"):
        stamp = stamp._replace(uid=directory.uid, gid=directory.gid)
    registered = list(paths)
    data = database(registered)
    used = {target for path in registered for target in path.references if target != path.path}
    kept = sorted({path.path for path in registered if path.path not in used} | set(roots))
    members = [
        *(_directory(name, stamp, existing) for name in ("nix", "nix/var", _STATE, f"{_STATE}/db")),
        (_member(DATABASE, FILE, stamp, size=len(data)), data),
        (_member(f"{_STATE}/db/schema", FILE, stamp, size=len(SCHEMA)), SCHEMA),
        *(_directory(name, stamp, existing) for name in (f"{_STATE}/gcroots", _ROOTS)),
        *((_member(f"{_ROOTS}/{path.rpartition('/')[2]}", SYMLINK, stamp, link=path), b"") for path in kept),
    ]
    for member, content in members:
        yield header(member) + content + padding(len(content))
    yield END


def _directories(layer: Path) -> dict[str, tarfile.TarInfo]:
    """The directories of a layer that Lamina wrote, by name."""
    with tarfile.open(layer) as archive:
        return {info.name: info for info in archive if info.isdir()}


def _directory(name: str, stamp: Stamp, existing: Mapping[str, tarfile.TarInfo]) -> tuple[Member, bytes]:
    member = _member(name, DIRECTORY, stamp)
    if info := existing.get(name):
        member = member._replace(uid=info.uid, gid=info.gid, mode=info.mode)
    return member, b""


def _member(name: str, kind: bytes, stamp: Stamp, size: int = 0, link: str = "") -> Member:
    mode = {DIRECTORY: 0o755, FILE: 0o644, SYMLINK: 0o777}[kind]
    return Member(name.encode(), kind, size, mode, stamp.uid, stamp.gid, stamp.mtime, link.encode())
