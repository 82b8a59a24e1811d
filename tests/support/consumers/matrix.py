"""The table of what is tried on each consumer, and what each is expected to do with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from attrs import frozen

from tests.support.consumers.adapters import KINDS, Kind
from tests.support.consumers.base import Layout
from tests.support.examples import BY_ATTRIBUTE, EXAMPLES, Example
from tests.support.selection import first_of_family

Compressor = Literal["none", "gz", "zstd"]


@frozen
class Case:
    """An example, as it is or with its archive compressed as a whole."""

    example: Example
    compressor: Compressor = "none"

    @property
    def title(self) -> str:
        return self.example.attribute + ("" if self.compressor == "none" else f", {self.compressor}")

    @property
    def layouts(self) -> tuple[Layout, ...]:
        return ("docker-archive",) if self.example.layout == "classic" else ("docker-archive", "oci-layout")


CASES = (
    *(Case(example) for example in EXAMPLES),
    Case(BY_ATTRIBUTE["hello"], "gz"),
    Case(BY_ATTRIBUTE["hello"], "zstd"),
)


SHAPES = ("hello", "layered", "compressedBase", "upperCase", "registryName", "noTag", "classic")
"""Examples that differ in what a reader sees: layers, names, the form of the archive. Others differ when they run."""


def is_thorough(kind: str, case: Case) -> bool:
    """Whether only `make test-all` tries it: a program that runs nothing, or is not the first of its family, needs only
    the shapes of archives in `make test`."""
    return case.example.attribute not in SHAPES and not (KINDS[kind].runs and first_of_family(kind))


@frozen
class Refusal:
    """Something that a consumer itself cannot do: `says` is in its error, `source` says where that is known from."""

    reason: str
    says: str
    source: str


NO_OCI_LAYOUT = Refusal(
    "reads OCI layouts only, which a classic archive is not",
    r"invalid (image detected|OCI Image Layout)",
    "OCI image specification, image-layout.md",
)
NO_COMPRESSION = Refusal(
    "takes the archive for a plain tar",
    r"archive/tar: invalid tar header",
    "containerd images/archive/importer.go, oras-go content/oci, dive image/docker/image_archive.go, syft by way of "
    "go-containerregistry pkg/v1/tarball: all give the file to Go's archive/tar at once",
)
LOST_BEGINNING = Refusal(
    "loses the beginning of gzip'ed archives",
    r"loading tar component manifest\.json: archive/tar: invalid tar header",
    "mended by klauspost/pgzip#50, containers/image#1668",
)
NO_ZSTD = Refusal(
    "knows no zstd before 23.0",
    r"archive/tar: invalid tar header",
    "moby/moby#41759",
)


def refusal(kind: str, case: Case) -> Refusal | None:
    consumer = KINDS[kind]
    if consumer.family in ("umoci", "oras") and "oci-layout" not in case.layouts:
        return NO_OCI_LAYOUT
    if kind == "containerd_forky":
        return None  # 2.1 unpacks archives
    if kind == "registry_crane_forky" and case.compressor != "none":
        return NO_COMPRESSION
    if consumer.family in ("containerd", "oras", "syft", "dive") and case.compressor != "none":
        return NO_COMPRESSION
    if kind in ("skopeo", "registry", "buildah") and case.compressor == "gz":
        return LOST_BEGINNING
    if kind == "dockerd" and case.compressor == "zstd":
        return NO_ZSTD
    return None


def done_by(kind: Kind) -> str:
    """What the consumer does with an archive that it takes, in words."""
    if kind.runs:
        return "loads and runs"
    if kind.family in ("syft", "dive"):
        return "reads"
    return "signs and verifies" if kind.family == "cosign" else "copies"


def pairs() -> Iterator[tuple[str, Case]]:
    """Every consumer with every case."""
    return ((kind, case) for kind in KINDS for case in CASES)
