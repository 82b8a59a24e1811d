"""No command takes 300 MB or 10 s of a processor for a file of a few kilobytes, and twice of a thing costs twice."""

from __future__ import annotations

import functools
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lamina.commands.main import COMMANDS, INTERNAL_COMMANDS
from tests.limits.commands import NOT_MEASURED, clients, command_lines
from tests.limits.constructs import CONSTRUCTS, squeezed
from tests.limits.measured import Answer, answer_of
from tests.support.archives import to_json

LINES = command_lines()

QUICK = (
    *("one_config_many_times", "v1_links_to_one_document", "links_of_a_layer", "implied_directories", "history"),
    *("diff_ids_of_a_layer", "layers_of_empty_lines", "tables_of_a_layer"),
)
"""Constructs whose archives are made in no time; `make test-all` tries the others and all commands, too."""

SMALL_FILE = 10_000

WORST = ("verify --for all", "export --name x/y")
"""The command lines that look closest."""


def _cases(construct_for_all: str | None) -> list[Any]:
    """All constructs in all commands. `make test` has the quick ones in the commands that look closest."""
    return [
        pytest.param(construct, line, marks=() if is_quick else pytest.mark.thorough)
        for construct in CONSTRUCTS
        for line in LINES
        for is_quick in [construct == construct_for_all or (construct in QUICK and line in WORST)]
    ]


@functools.cache
def packed(construct: str, number: int) -> bytes:
    return squeezed(CONSTRUCTS[construct][0](number))


def cost(line: str, data: bytes, directory: Path, name: str = "it") -> Answer:
    """What a command takes for an archive."""
    image = directory / f"{name}.tar"
    image.write_bytes(data)
    path = f"{clients(directory / 'bin')}:{os.environ['PATH']}"
    return answer_of(
        *LINES[line](image, directory), environment={"PATH": path, "XDG_CACHE_HOME": str(directory / name)}
    )


@pytest.mark.parametrize(("construct", "line"), _cases(QUICK[0]))
def test_far_beyond_all_limits(construct: str, line: str, tmp_path: Path) -> None:
    answer = cost(line, packed(construct, CONSTRUCTS[construct][3]), tmp_path)
    assert not answer.fault, answer.fault


@pytest.mark.thorough
@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_as_much_as_fits_into_a_small_file(construct: str, line: str, tmp_path: Path) -> None:
    _, _, fits, large = CONSTRUCTS[construct]
    data = packed(construct, fits or large)
    assert len(data) < SMALL_FILE
    if fits:
        answer = cost(line, data, tmp_path)
        assert not answer.fault, answer.fault


@pytest.mark.parametrize(("construct", "line"), _cases(None))
def test_twice_as_much_costs_twice_at_most(construct: str, line: str, tmp_path: Path) -> None:
    """But for what starting costs, and some noise."""
    small = CONSTRUCTS[construct][1]
    once, twice = (cost(line, packed(construct, number), tmp_path, str(number)) for number in (small, 2 * small))
    assert not once.fault and not twice.fault, (once, twice)
    assert twice.seconds < 2.2 * once.seconds + 0.3, (once, twice)
    assert twice.megabytes < 2 * once.megabytes + 20, (once, twice)


def test_every_command_is_measured_or_does_not_read_images() -> None:
    names = {command.name for command in (*COMMANDS, *INTERNAL_COMMANDS)}
    assert names == {line.split()[0] for line in LINES} | set(NOT_MEASURED)


def a_value_of_gigabytes(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "create table ValidPaths(id, narSize, path as (hex(zeroblob(400000000))), hash, sigs, ca);"
        "create table Refs(referrer, reference); insert into ValidPaths(id) values (1);"
    )


def one_number_for_many_paths(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "create table ValidPaths(id, path, hash, narSize, sigs, ca); create table Refs(referrer, reference);"
        "with recursive k(i) as (select 1 union all select i+1 from k where i<3000) insert into ValidPaths(id, path)"
        " select 1, '/nix/store/'||substr('00000000000000000000000000000000',1,32)||'-'||i from k;"
        "insert into Refs select 1, 1 from ValidPaths;"
    )


def a_view_without_end(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "create table Refs(referrer, reference); create view ValidPaths as with recursive k(i) as"
        " (select 1 union all select i+1 from k) select i as id, '' path, '' hash, 1 narSize, '' sigs, '' ca from k;"
    )


def a_view_beside_the_tables(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "create table ValidPaths(id, path, hash, narSize, sigs, ca); create table Refs(referrer, reference);"
        "create view v as select 1;"
    )


def a_trigger(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "create table ValidPaths(id, path, hash, narSize, sigs, ca); create table Refs(referrer, reference);"
        "create trigger t after insert on Refs begin delete from Refs; end;"
    )


def many_rows(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "create table ValidPaths(id integer primary key, path, hash, narSize, sigs, ca);"
        "create table Refs(referrer, reference); with recursive k(i) as (select 1 union all select i+1 from k where"
        " i<300000) insert into ValidPaths(id, path) select i, '/nix/store/00000000000000000000000000000000-x' from k;"
    )


def many_references(connection: sqlite3.Connection) -> None:
    connection.executescript(
        "create table ValidPaths(id, path, hash, narSize, sigs, ca); create table Refs(referrer, reference);"
        "with recursive k(i) as (select 1 union all select i+1 from k where i<3000000) insert into Refs"
        " select 1, 1 from k;"
    )


def rows_that_share_pages(connection: sqlite3.Connection) -> None:
    """Nine rows in place of one, whose signatures are the same 60 kB of the file."""
    connection.executescript(
        "pragma page_size = 512; create table ValidPaths(id integer primary key, path, hash, narSize, sigs, ca);"
        "create table Refs(referrer, reference);"
        "insert into ValidPaths(id, path, hash, sigs) values (1, '/nix/store/00000000000000000000000000000000-1',"
        " printf('sha256:%064d', 0), printf('%.60300c', 'x'));"
    )
    connection.commit()
    [[root]] = connection.execute("select rootpage from sqlite_master where name = 'ValidPaths'").fetchall()
    data = bytearray(connection.serialize())
    start = 512 * (root - 1)
    cell = int.from_bytes(data[start + 8 : start + 10], "big")
    whole = bytes(data[start + cell : start + 512])
    data[start + 3 : start + 5] = (9).to_bytes(2, "big")
    for number in range(9):
        at = 512 - (number + 1) * len(whole)
        data[start + 8 + 2 * number : start + 10 + 2 * number] = at.to_bytes(2, "big")
        data[start + at : start + at + len(whole)] = whole[:3] + bytes([number + 1]) + whole[4:]
    data[start + 5 : start + 7] = at.to_bytes(2, "big")
    [[_, _, path]] = connection.execute("pragma database_list").fetchall()
    Path(path).write_bytes(data)


DATABASES = (
    rows_that_share_pages,
    a_value_of_gigabytes,
    one_number_for_many_paths,
    a_view_without_end,
    a_view_beside_the_tables,
    a_trigger,
    many_rows,
    many_references,
)

_READ = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
from lamina.errors import BadInput
from lamina.recipe.base_database import _read
try:
    _read(Path(sys.argv[1]), {"0" * 32 + "-1"}, "it")
except BadInput as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


_MAP = """
import resource, sys
from pathlib import Path
resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
from lamina.errors import BadInput
from lamina.image.digest_map import DigestMap
try:
    print(len(DigestMap.parse(Path(sys.argv[1]).read_bytes(), "it").claims))
except BadInput as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.parametrize(
    "layers",
    [
        [
            {"diffId": f"sha256:{at:064x}", "digest": f"sha256:{at:064x}", "encoding": "gz-6-1", "storedSize": 1}
            for at in range(15_000)
        ],
        [{"": 0}] * 500_000,
        [[]] * 900_000,
    ],
    ids=["layers", "objects", "lists"],
)
def test_a_digest_map_from_a_registry(layers: list[object], tmp_path: Path) -> None:
    """It has at most 4 MiB with its manifest."""
    path = tmp_path / "map"
    path.write_bytes(to_json({"version": 1, "layers": layers}))
    command = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"]
    done = subprocess.run([*command, sys.executable, "-c", _MAP, path], capture_output=True, text=True, timeout=120)
    said, megabytes = done.stdout.rsplit("\n", 2)[:2]
    assert done.returncode == 0 and said.startswith("it: ") and "\n" not in said, done
    assert int(megabytes) < 300


@pytest.mark.parametrize("make", DATABASES)
def test_a_nix_database_that_is_a_program(make: Callable[[sqlite3.Connection], None], tmp_path: Path) -> None:
    """Of a base: 12 kB took 5 GB."""
    path = tmp_path / "db.sqlite"
    connection = sqlite3.connect(path)
    make(connection)
    connection.commit()
    connection.close()
    before = path.read_bytes()
    command = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"]
    done = subprocess.run([*command, sys.executable, "-c", _READ, path], capture_output=True, text=True, timeout=120)
    said, megabytes = done.stdout.rsplit("\n", 2)[:2]
    assert done.returncode == 0 and said.startswith("it: ") and "\n" not in said, done
    assert int(megabytes) < 300
    assert path.read_bytes() == before
