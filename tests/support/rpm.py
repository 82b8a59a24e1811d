"""RPM databases as rpm 4.16 and newer keep them in SQLite, with headers of packages."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Mapping
from pathlib import Path


def rpm_header(values: Mapping[int, bytes | int]) -> bytes:
    """A header as rpm stores it: the numbers of the index and the data, the index, the data."""
    index, data = b"", b""
    for tag, value in sorted(values.items()):
        kind = 4 if isinstance(value, int) else 6
        data += bytes(-len(data) % 4) if kind == 4 else b""
        index += struct.pack(">IIiI", tag, kind, len(data), 1)
        data += struct.pack(">I", value) if isinstance(value, int) else value + b"\0"
    return struct.pack(">II", len(values), len(data)) + index + data


def rpm_database(path: Path, *blobs: bytes, wal: bool = True) -> bytes:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = wal")
        connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)")
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(blob,) for blob in blobs])
        connection.commit()
    return path.read_bytes()
