"""The Nix database in an image: its bytes depend on the paths alone, and the database of a base is kept."""

from __future__ import annotations

import base64
import contextlib
import io
import random
import sqlite3
import subprocess
import tarfile
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.data.blob import Bytes
from lamina.errors import BadInput
from lamina.image.layer import Layer
from lamina.recipe.base_database import registered_in
from lamina.recipe.nix_database import Registration, database, database_layer, hex_hash
from lamina.store.ownership import Stamp
from tests.support.archives import Piece, folder, tar_of
from tests.support.needs import need

HASH = "sha256:" + "ab" * 32

OURS = "AND tbl_name <> 'SchemaMigrations'"
"""A table that Nix 2.34 has and Nix 2.8 lacks."""


def path(number: int) -> str:
    return f"/nix/store/{'0123456789abcdfghijklmnpqrsvwxyz'[number % 32] * 32}-p{number}"


def row(number: int, *references: int, **changes: str) -> Registration:
    return Registration(path(number), HASH, number, tuple(sorted(path(r) for r in references)), **changes)


ROWS = [row(3), row(1, 2, 3, 1), row(2, 3), row(40, 1, sigs="cache-1:sig", ca="fixed:r:sha256:0")]


def opened(data: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(data)
    return connection


def columns(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    names = [name for (name,) in connection.execute(f"SELECT name FROM sqlite_master WHERE type = 'table' {OURS}")]
    return {name: connection.execute(f"PRAGMA table_info({name})").fetchall() for name in names}


def test_like_a_store_of_nix(tmp_path: Path) -> None:
    need("nix-store", "nix-bin")
    subprocess.run(
        ["nix-store", "--store", f"local?root={tmp_path}", "--init"], check=True, capture_output=True, timeout=60
    )
    theirs = sqlite3.connect(tmp_path / "nix/var/nix/db/db.sqlite")
    ours = opened(database(ROWS))
    with contextlib.closing(theirs), contextlib.closing(ours):
        assert ours.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert ours.execute("PRAGMA foreign_key_check").fetchall() == []
        assert columns(ours) == columns(theirs)
        shape = f"SELECT type, name, tbl_name FROM sqlite_master WHERE true {OURS} ORDER BY name"
        assert ours.execute(shape).fetchall() == theirs.execute(shape).fetchall()
    assert (tmp_path / "nix/var/nix/db/schema").read_text() == "10"


@given(st.integers(0, 300), st.integers())
def test_any_order_makes_the_same_bytes(count: int, seed: int) -> None:
    chance = random.Random(seed)
    paths = [f"/nix/store/{chance.randrange(10**32):032}-p" for _ in range(count)]
    rows = [
        Registration(name, HASH, number, tuple(chance.sample(paths[:number], min(number, 3))))
        for number, name in enumerate(paths)
    ]
    expected = database(rows)
    chance.shuffle(rows)
    mixed = [attrs.evolve(r, references=tuple(chance.sample(r.references, len(r.references)))) for r in rows]
    assert database([*mixed, *rows[:1]]) == expected


def test_rows() -> None:
    with contextlib.closing(opened(database(ROWS))) as connection:
        rows = connection.execute(
            "SELECT path, hash, registrationTime, deriver, narSize, ultimate, sigs, ca FROM ValidPaths ORDER BY id"
        ).fetchall()
    assert [(name, size) for name, _, _, _, size, *_ in rows] == [(r.path, r.nar_size) for r in sorted(ROWS)]
    assert {(time, deriver, ultimate) for _, _, time, deriver, _, ultimate, _, _ in rows} == {(1, None, None)}
    assert [row[-2:] for row in rows if row[0] == path(40)] == [("cache-1:sig", "fixed:r:sha256:0")]


def test_a_reference_to_nowhere_is_refused() -> None:
    with pytest.raises(BadInput, match="-p9, which is not registered"):
        database([row(1, 9)])


@given(st.binary(min_size=32, max_size=32))
def test_hashes_in_every_spelling(raw: bytes) -> None:
    digits = "0123456789abcdfghijklmnpqrsvwxyz"
    number = int.from_bytes(raw, "little")
    nix32 = "".join(digits[number >> 5 * place & 31] for place in reversed(range(52)))
    for text in (f"sha256:{raw.hex()}", f"sha256:{nix32}", f"sha256-{base64.b64encode(raw).decode()}"):
        assert hex_hash(text) == raw.hex()


def test_a_hash_as_nix_itself_spells_it() -> None:
    # nix-hash --type sha256 --to-base16 1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s
    spelt = hex_hash("sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s")
    assert spelt == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.mark.parametrize("text", ["", "sha512:" + "0" * 52, "sha256:" + "e" * 52, "sha256-AAAA", "sha256:" + "g" * 64])
def test_no_hash(text: str) -> None:
    with pytest.raises(BadInput, match="is not a SHA-256 hash of Nix"):
        hex_hash(text)


def layer_of(*pieces: Piece) -> Layer:
    return Layer.of(Bytes(tar_of(pieces)), "a base")


DATABASE = "nix/var/nix/db/db.sqlite"
HELD = {Path(r.path).name for r in ROWS}


def test_the_layer_holds_the_database_and_roots() -> None:
    data = b"".join(database_layer(ROWS, Stamp(1000, 100, 5), [path(3)]))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        infos = {info.name: info for info in archive}
        assert {(info.uid, info.gid, info.mtime) for info in infos.values()} == {(1000, 100, 5)}
        stored = archive.extractfile(DATABASE)
        assert stored and stored.read() == database(ROWS)
    links = {name.rpartition("/")[2]: info.linkname for name, info in infos.items() if info.issym()}
    assert set(links.values()) == {path(40), path(3)}, "what nothing refers to, and what was asked for"
    assert all(target.endswith(name) for name, target in links.items())


def test_a_database_of_a_base_is_read_back() -> None:
    tar = b"".join(database_layer(ROWS, Stamp()))
    assert registered_in([Layer.of(Bytes(tar), "a base")], HELD) == sorted(ROWS)


def test_only_what_is_there_counts() -> None:
    """Nor what refers to what is not there."""
    base = [layer_of(Piece(DATABASE, database(ROWS)))]
    assert registered_in(base, HELD - {Path(path(2)).name}) == [row(3)]


@pytest.mark.parametrize(
    "hidden", ["nix/.wh.var", f"{Path(DATABASE).parent}/.wh.db.sqlite", "nix/var/nix/.wh..wh..opq"]
)
def test_a_database_that_was_deleted_is_none(hidden: str) -> None:
    assert registered_in([layer_of(Piece(DATABASE, database(ROWS))), layer_of(Piece(hidden))], HELD) == []


def test_the_upper_database_counts() -> None:
    below, above = (layer_of(Piece(f"./{DATABASE}", database(rows))) for rows in ([row(3)], ROWS))
    assert registered_in([below, above, layer_of(folder("nix/var"))], HELD) == sorted(ROWS)
    assert registered_in([above, below], HELD) == [row(3)]
    assert registered_in([], HELD) == []


def test_what_was_not_checkpointed_counts(tmp_path: Path) -> None:
    """A Nix that was killed leaves its last changes in the log beside the database."""
    file = tmp_path / "db.sqlite"
    file.write_bytes(database([row(3)]))
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = wal")
        connection.execute("INSERT INTO ValidPaths (path, hash, registrationTime) VALUES (?, ?, 1)", (path(1), HASH))
        connection.commit()
        log = (tmp_path / "db.sqlite-wal").read_bytes()
        base = [layer_of(Piece(DATABASE, file.read_bytes()), Piece(f"{DATABASE}-wal", log))]
    assert [r.path for r in registered_in(base, HELD)] == [path(3), path(1)][::-1]


def other(statement: str) -> bytes:
    connection = opened(database(ROWS))
    connection.executescript(statement)
    return bytes(connection.serialize())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"no database" * 100, "a corrupt Nix database"),
        (b"", "not a Nix database"),
        (other("DROP TABLE Refs"), "not a Nix database"),
        (other("DROP TABLE Refs; CREATE VIEW Refs AS SELECT 1 AS referrer, 1 AS reference"), "database with the view"),
        (other("UPDATE ValidPaths SET hash = 'md5:00'"), "the NAR hash 'md5:00'"),
        (other("UPDATE ValidPaths SET path = '/etc/passwd' WHERE id = 1"), "is no store path"),
        (other("UPDATE ValidPaths SET path = x'00' WHERE id = 1"), "is no store path"),
        (other("UPDATE ValidPaths SET sigs = cast(x'ff' AS text)"), "a corrupt Nix database"),
    ],
)
def test_a_hostile_database(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        registered_in([layer_of(Piece(DATABASE, data))], HELD)


def test_a_database_that_is_a_link() -> None:
    with pytest.raises(BadInput, match="not a file"):
        registered_in([layer_of(Piece(DATABASE, link="/etc/shadow"))], HELD)
