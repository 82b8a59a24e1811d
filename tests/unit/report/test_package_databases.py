"""What package databases of distributions say, and what a damaged one leads to."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Mapping
from pathlib import Path

import pytest
import zstandard

from lamina.errors import BadInput
from lamina.recipe.open import open_image
from lamina.report.sbom.bill import License, Part
from lamina.report.sbom.databases import distribution_packages
from tests.support.archives import SHAPES, Piece, Shape, docker_save, layer_of, sample, tar_of
from tests.support.recipes import save
from tests.support.rpm import rpm_database, rpm_header

RELEASE = b'NAME="Debian"\nID=debian\nVERSION_ID="12"\n'
DPKG = b"""\
Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc (2.36-9)
Version: 2.36-9+deb12u1
Provides: libc (= 2)
Description: GNU C Library
 more lines
 Depends: not a field

Package: app
Status: install ok installed
Architecture: all
Version: 1:2.0~rc1
Depends: missing | libc, libc6:any (>= 2), app
Homepage: https://example.org

Package: gone
Status: deinstall ok config-files
Version: 1
"""
APK = b"""\
C:Q1
P:musl
V:1.2-r0
A:x86_64
L:MIT
p:so:libc.musl-x86_64.so.1=1
T:the C library
F:lib

P:busybox
V:1.36-r2
A:x86_64
L:GPL2
o:busybox-src
D:so:libc.musl-x86_64.so.1 !other musl>=1
"""


def packages(directory: Path, *layers: Mapping[str, bytes]) -> tuple[list[Part], list[str]]:
    image = sample(layers=tuple(map(layer_of, layers)))
    return distribution_packages(open_image(save(docker_save([image]), directory / "it.tar")).layers)


def test_dpkg(tmp_path: Path) -> None:
    found, _ = packages(tmp_path, {"etc/os-release": RELEASE, "var/lib/dpkg/status": DPKG})
    assert [(part.name, part.version, part.layer) for part in found] == [
        ("libc6", "2.36-9+deb12u1", 0),
        ("app", "1:2.0~rc1", 0),
    ]
    libc, app = found
    assert libc.purl == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=debian-12&upstream=glibc%402.36-9"
    assert (libc.description, libc.depends_on) == ("GNU C Library", ())
    assert app.depends_on == (libc.ref, libc.ref, app.ref)
    assert app.homepage == "https://example.org"


def test_packages_of_an_image_without_dpkg(tmp_path: Path) -> None:
    """Distroless: a file for each package, without a status, and one in a higher layer that replaces it."""
    first = b"Package: tzdata\nVersion: 1\nArchitecture: all\n"
    app = b"Package: app\nVersion: 3\nArchitecture: all\nDepends: tzdata\n"
    directory = "var/lib/dpkg/status.d"
    below = {f"{directory}/tzdata": first, f"{directory}/tzdata.md5sums": b"0  f\n", f"{directory}/gone": first}
    above = {f"{directory}/tzdata": first.replace(b"1", b"2"), f"{directory}/.wh.gone": b"", f"{directory}/app": app}
    found, _ = packages(tmp_path, {"usr/lib/os-release": RELEASE, **below}, above)
    assert [(part.name, part.version, part.layer) for part in found] == [("app", "3", 1), ("tzdata", "2", 1)]
    assert found[0].depends_on == (found[1].ref,)


def test_apk(tmp_path: Path) -> None:
    release = b"ID=alpine\nVERSION_ID=3.20.1\n"
    found, _ = packages(tmp_path, {"etc/os-release": release, "lib/apk/db/installed": APK})
    musl, busybox = found
    assert busybox.purl == "pkg:apk/alpine/busybox@1.36-r2?arch=x86_64&distro=alpine-3.20.1&upstream=busybox-src"
    assert (musl.licenses, busybox.licenses) == ((License("MIT"),), (License(name="GPL2"),))
    assert busybox.depends_on == (musl.ref, musl.ref)


HIDING = {
    "the file": {"var/lib/dpkg/.wh.status": b""},
    "a directory": {"var/.wh.lib": b""},
    "all in a directory": {"var/lib/.wh..wh..opq": b""},
    "a file in its place": {"var/lib": b""},
    "all": {".wh..wh..opq": b""},
}


@pytest.mark.parametrize("above", HIDING.values(), ids=HIDING.keys())
def test_a_database_that_a_higher_layer_deletes(tmp_path: Path, above: dict[str, bytes]) -> None:
    assert packages(tmp_path, {"var/lib/dpkg/status": DPKG}, {"x": b""})[0]
    assert packages(tmp_path, {"var/lib/dpkg/status": DPKG}, above) == ([], [])


def test_a_link_in_the_place_of_a_database(tmp_path: Path) -> None:
    layer = tar_of([Piece("var/lib/dpkg/status", link="/etc/passwd")])
    image = sample(layers=(layer_of({"var/lib/dpkg/status": DPKG}), layer))
    assert distribution_packages(open_image(save(docker_save([image]), tmp_path / "it.tar")).layers) == ([], [])


BASH: dict[int, bytes | int] = {
    1000: b"bash",
    1001: b"5.2",
    1002: b"1.fc40",
    1003: 2,
    1014: b"GPL-3.0-or-later",
    1022: b"x86_64",
    1044: b"bash-5.2-1.fc40.src.rpm",
}


@pytest.mark.parametrize("directory", ["var/lib/rpm", "usr/lib/sysimage/rpm"])
def test_rpm(tmp_path: Path, directory: str) -> None:
    data = rpm_database(tmp_path / "db", rpm_header(BASH), rpm_header(BASH | {1000: b"gpg-pubkey"}))
    release = b"ID=fedora\nVERSION_ID=40\n"
    [bash], notes = packages(tmp_path, {"etc/os-release": release, f"{directory}/rpmdb.sqlite": data})
    assert not notes
    assert bash.purl == (
        "pkg:rpm/fedora/bash@5.2-1.fc40?arch=x86_64&distro=fedora-40&epoch=2&upstream=bash-5.2-1.fc40.src.rpm"
    )
    assert bash.licenses == (License("GPL-3.0-or-later"),)


@pytest.mark.parametrize("name", ["Packages", "Packages.db"])
def test_an_rpm_database_of_another_form_is_noted(tmp_path: Path, name: str) -> None:
    found, [note] = packages(tmp_path, {f"var/lib/rpm/{name}": b"\0" * 100})
    assert not found and "is not listed" not in note and "not SQLite" in note


DAMAGED = {
    "dpkg, no version": ("var/lib/dpkg/status", DPKG.replace(b"Version", b"Vision")),
    "dpkg, name": ("var/lib/dpkg/status", b"Package: \x1b[31m\nVersion: 1\n"),
    "apk, name": ("lib/apk/db/installed", b"P:a b\nV:1\n"),
    "rpm, no SQLite": ("var/lib/rpm/rpmdb.sqlite", b"x" * 4096),
    "rpm, empty": ("var/lib/rpm/rpmdb.sqlite", b""),
}


@pytest.mark.parametrize(("path", "data"), DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged(tmp_path: Path, path: str, data: bytes) -> None:
    with pytest.raises(BadInput, match=f"\\({path}\\)"):
        packages(tmp_path, {path: data})


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        b"\0\0\0\1\0\0\0\1",
        struct.pack(">II", 1 << 28, 0),
        rpm_header({1000: b"x", 1001: b"1"})[:-1],
        rpm_header({}),
    ],
)
def test_damaged_headers_of_rpm(tmp_path: Path, blob: bytes) -> None:
    data = rpm_database(tmp_path / "db", blob, wal=False)
    with pytest.raises(BadInput, match="damaged"):
        packages(tmp_path, {"var/lib/rpm/rpmdb.sqlite": data})


def test_a_view_in_the_place_of_rpm_s_table(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "db")) as connection:
        connection.execute("CREATE VIEW Packages AS SELECT zeroblob(100) AS blob")
    with pytest.raises(BadInput, match="not an RPM database"):
        packages(tmp_path, {"var/lib/rpm/rpmdb.sqlite": (tmp_path / "db").read_bytes()})


def test_an_rpm_database_that_makes_its_rows(tmp_path: Path) -> None:
    """It has 8 kB, and each row 10 MB."""
    path = tmp_path / "db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob AS (zeroblob(10000000)))")
        connection.executemany("INSERT INTO Packages (hnum) VALUES (?)", [(number,) for number in range(9)])
        connection.commit()
    with pytest.raises(BadInput, match="longer than the file"):
        packages(tmp_path, {"var/lib/rpm/rpmdb.sqlite": path.read_bytes()})


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("var/lib/dpkg/status", b"Package: a\nVersion: 1\nDepends: " + b"b," * 500_000 + b"b\n"),
        ("lib/apk/db/installed", b"P:a\nV:1\np:" + b"b " * 500_000 + b"b\n"),
    ],
)
def test_more_dependencies_than_any_image_has(tmp_path: Path, path: str, data: bytes) -> None:
    with pytest.raises(BadInput, match="more than 500000 dependencies"):
        packages(tmp_path, {path: data})


def test_databases_of_all_layers_count_together(tmp_path: Path) -> None:
    """The archive is small because it is compressed."""
    layers = tuple(layer_of({f"var/lib/dpkg/status.d/{number}": bytes(3 << 20)}) for number in range(2))
    path = tmp_path / "it.tar"
    path.write_bytes(zstandard.compress(tar_of(docker_save([sample(layers=layers)]))))
    with pytest.raises(BadInput, match="bytes of package databases"):
        distribution_packages(open_image(path).layers)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
def test_compressed_bases(tmp_path: Path, shape: Shape) -> None:
    image = sample(layers=(layer_of({"etc/os-release": RELEASE, "var/lib/dpkg/status": DPKG}),))
    archive = save(shape([image]), tmp_path / "it.tar")
    assert len(distribution_packages(open_image(archive).layers)[0]) == 2
