"""SQLite files from elsewhere, read with bounded memory and time."""

from __future__ import annotations

import sqlite3

from lamina.limits import DATABASE_STEPS

_HEADER = 100
_VERSIONS = slice(18, 20)
"""The versions in the header. They are 2 if the file has a log, and SQLite then refuses it without the log
(fileformat2, 1.3.3)."""

_HANDLER_STEPS = 100_000
"""Instructions between two calls of the handler that counts them."""


def open_limited(data: bytes, longest: int) -> sqlite3.Connection:
    """The database in `data`, without its log, in memory; a value or a row has at most `longest` bytes.

    Raises sqlite3.Error: this is no database.
    """
    if len(data) < _HEADER:
        raise sqlite3.DatabaseError("file is not a database")
    plain = bytearray(data)
    if plain[_VERSIONS] == b"\2\2":
        plain[_VERSIONS] = b"\1\1"
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(bytes(plain))
        limit(connection, longest)
    except BaseException:
        connection.close()
        raise
    return connection


def limit(connection: sqlite3.Connection, longest: int) -> None:
    """Make the connection read-only, check each page, and limit the instructions and the length of values."""
    for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON", "cache_size = -8192"):
        connection.execute(f"PRAGMA {pragma}")
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    calls = iter(range(DATABASE_STEPS // _HANDLER_STEPS))
    connection.set_progress_handler(lambda: next(calls, None) is None, _HANDLER_STEPS)
