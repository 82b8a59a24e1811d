"""Constructs of the package databases of distributions, which `lamina sbom` reads."""

from __future__ import annotations

from tests.limits.archives import END, image, named
from tests.support.archives import tar_of


def package_database(path: bytes, data: bytes) -> bytes:
    return tar_of(image([named(path, data=data) + END]))


def lines_of_a_package(n: int) -> bytes:
    return package_database(b"lib/apk/db/installed", b"P:a\nV:1\n" + b"T:\n" * n)


def empty_lines_of_a_package_database(n: int) -> bytes:
    return package_database(b"var/lib/dpkg/status", b"\n" * n)


def dependencies_of_a_package(n: int) -> bytes:
    return package_database(b"var/lib/dpkg/status", b"Package: a\nVersion: 1\nDepends: " + b"a," * n + b"a\n")


def packages(n: int) -> bytes:
    data = b"".join(b"P:a%d\nV:1\n\n" % at for at in range(n))
    return package_database(b"lib/apk/db/installed", data)
