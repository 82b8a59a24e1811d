"""Reading the Nix database of a base image: its registered store paths, with their hashes and references.

The file may be hostile: with views, generated columns and shared pages, SQLite can turn a few kilobytes into gigabytes.
So only two plain tables are read, without indexes, and rows, bytes and steps are counted.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from lamina.data.blob import Stream
from lamina.data.budget import Meter
from lamina.data.sqlite import limit
from lamina.errors import BadInput
from lamina.image.layer import Layer
from lamina.limits import DATABASE_BYTES, DATABASE_REFERENCES, DATABASE_VALUE, LAYER_MEMBERS, STORE_PATHS
from lamina.recipe.nix_database import DATABASE, Registration
from lamina.store.closure import split_store_path
from lamina.tar.read import entries
from lamina.tar.whiteout import clean_path, hidden_path
from lamina.tar.write import DIRECTORY, FILE

_REMEDY = "give a base whose database Nix can read"
_TABLES = {"ValidPaths": {"id", "path", "hash", "narSize", "sigs", "ca"}, "Refs": {"referrer", "reference"}}
"""The columns that are read."""

_TRIGGERS = {"DeleteSelfRefs"}
"""Triggers that Nix itself creates. They do not run, because nothing is written."""


def registered_in(layers: Sequence[Layer], held: Iterable[str]) -> list[Registration]:
    """The rows of an image's database for the store paths (`HASH-NAME`) in `held`, which are in its layers.

    Empty for an image without a database. A path is left out if a path that it refers to is not in the layers, because
    Nix requires that all references are valid. Raises BadInput: the database is damaged, or is not a Nix database.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "db.sqlite")
        where = _extract(layers, DATABASE, file)
        if where is None:
            return []
        _extract(layers, f"{DATABASE}-wal", Path(f"{file}-wal"))
        rows = _read(file, set(held), where)
    return sorted(_closed(rows).values())


def _closed(rows: dict[str, Registration]) -> dict[str, Registration]:
    """The rows without the paths that refer, directly or indirectly, to a path without a row."""
    referrers: dict[str, list[str]] = {}
    for path, row in rows.items():
        for target in row.references:
            referrers.setdefault(target, []).append(path)
    broken = [target for target in referrers if target not in rows]
    gone: set[str] = set()
    while broken:
        for path in referrers.get(broken.pop(), ()):
            if path not in gone:
                gone.add(path)
                broken.append(path)
    return {path: row for path, row in rows.items() if path not in gone}


def _read(file: Path, held: set[str], where: str) -> dict[str, Registration]:
    """The rows of the paths that are held, by their paths. Raises BadInput."""
    try:
        with contextlib.closing(sqlite3.connect(file)) as connection:
            limit(connection, DATABASE_VALUE)
            _check_tables(connection, where)
            rows = _valid_paths(connection, held, _size(file), where)
            return {row.path: row for row in _with_references(connection, rows, where)}
    except (sqlite3.Error, UnicodeError, OverflowError) as error:
        raise BadInput(where, f"a corrupt Nix database: {error}", "pull the base again") from None


def _check_tables(connection: sqlite3.Connection, where: str) -> None:
    """Raises BadInput for a database with more than tables of plain columns, or without those of Nix."""
    found = {}
    for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_master LIMIT 100"):
        if kind == "view" or (kind == "trigger" and name not in _TRIGGERS) or "virtual" in str(sql).lower():
            raise BadInput(where, f"a Nix database with the {kind} {name!r:.60}", _REMEDY)
        if kind == "table" and name in _TABLES:
            found[name] = list(connection.execute(f"PRAGMA table_xinfo({name})"))
    for name, columns in _TABLES.items():
        present = {column[1] for column in found.get(name, ())}
        if not columns <= present or any(column[6] for column in found[name]):
            raise BadInput(where, "not a Nix database", _REMEDY)


def _size(file: Path) -> int:
    """Bytes of the database and of its log."""
    return sum(path.stat().st_size for path in (file, Path(f"{file}-wal")) if path.exists())


def _valid_paths(connection: sqlite3.Connection, held: set[str], stored: int, where: str) -> dict[int, Registration]:
    """The rows of the held paths, without references, by row number, which the table Refs uses.

    `stored` is the size of the database.
    """
    rows: dict[int, Registration] = {}
    numbers: set[int] = set()
    query = "SELECT id, path, hash, narSize, sigs, ca FROM ValidPaths NOT INDEXED"
    for number, path, nar_hash, size, sigs, ca in connection.execute(query):
        if not isinstance(number, int) or number in numbers or len(numbers) >= STORE_PATHS:
            raise BadInput(where, f"a Nix database with the row {number!r:.40} twice, or with too many rows", _REMEDY)
        numbers.add(number)
        stored -= sum(len(value) for value in (path, sigs, ca) if isinstance(value, str | bytes))
        if stored < 0:
            raise BadInput(where, "a Nix database whose rows share pages", _REMEDY)
        split_store_path(str(path), where)
        if str(path).rpartition("/")[2] in held:
            size = size if isinstance(size, int) else 0
            rows[number] = Registration(str(path), _hash(nar_hash, where), size, (), _text(sigs), _text(ca))
    return rows


def _with_references(
    connection: sqlite3.Connection, rows: dict[int, Registration], where: str
) -> Iterable[Registration]:
    """The rows with their references. A reference to a path without a row is the empty string."""
    references: dict[int, set[str]] = {}
    query = "SELECT referrer, reference FROM Refs NOT INDEXED"
    for count, (referrer, reference) in enumerate(connection.execute(query), 1):
        if count > DATABASE_REFERENCES:
            raise BadInput(where, f"a Nix database of more than {DATABASE_REFERENCES} references", _REMEDY)
        if referrer in rows:
            target = rows[reference].path if reference in rows else ""
            references.setdefault(referrer, set()).add(target)
    return [attrs.evolve(row, references=tuple(sorted(references.get(number, ())))) for number, row in rows.items()]


def _hash(value: object, where: str) -> str:
    if isinstance(value, str) and re.fullmatch("sha256:[0-9a-f]{64}", value):
        return value
    raise BadInput(where, f"the NAR hash {value!r:.80}", _REMEDY)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _extract(layers: Sequence[Layer], name: str, target: Path) -> str | None:
    """Copy a file out of an image; returns its name for errors, or None if there is no such file. Raises BadInput."""
    parts = name.split("/")
    parents = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
    headers = Meter(LAYER_MEMBERS)
    for layer in {layer.identity: layer for layer in reversed(layers)}.values():  # the highest of equal ones decides
        found, hidden = None, False
        for entry in entries(layer.blob, layer.where):
            headers.count(1, layer.budget, layer.where)
            path = clean_path(entry.name)
            if path == name:
                found = entry
            deleted = hidden_path(path)
            hidden = hidden or bool(deleted and deleted.covers(name)) or (path in parents and entry.kind != DIRECTORY)
        if found:
            where = f"{layer.where}({name})"
            if found.kind != FILE or found.size > DATABASE_BYTES:
                raise BadInput(where, "not a file, or too large", _REMEDY)
            _copy(layer, found.offset, found.size, target)
            return where
        if hidden:
            return None
    return None


def _copy(layer: Layer, offset: int, size: int, target: Path) -> None:
    stream = Stream(layer.blob)
    stream.skip(offset)
    with target.open("wb") as file:
        while size and (chunk := stream.read(min(size, 1 << 20))):
            file.write(chunk)
            size -= len(chunk)
