"""The archive as a tar: its members' names, kinds and headers."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator

from lamina.compat.check import ALL, Check, Fault
from lamina.compat.facts import Facts
from lamina.tar.write import DIRECTORY, FILE, SYMLINK


def uncompressed(facts: Facts) -> Iterator[Fault]:
    """The archive as a whole must not be compressed."""
    if facts.archive.compression:
        yield "the archive", f"compressed as a whole ({facts.archive.compression})"


def names(facts: Facts) -> Iterator[Fault]:
    """Member names must be relative and in their shortest form, as readers compare them byte by byte."""
    for head in facts.members:
        if head.name.startswith("/") or head.name != posixpath.normpath(head.name) or ".." in head.name.split("/"):
            yield head.name, "not a relative name in its shortest form, which readers compare with"


def unique(facts: Facts) -> Iterator[Fault]:
    """A member name must occur once."""
    counts = Counter(posixpath.normpath(head.name) for head in facts.members)
    for name, count in counts.items():
        if count > 1:
            yield name, f"{count} members of this name"


def directories(facts: Facts) -> Iterator[Fault]:
    """Directories must be members, before their contents. Apptainer and Syft unpack archives with an OCI layout."""
    known = {""}
    for head in facts.members if facts.index is not None else ():
        name = posixpath.normpath(head.name)
        if posixpath.dirname(name) not in known:
            yield head.name, "no member before it is its directory"
        if head.entry.kind == DIRECTORY:
            known.add(name)


def kinds(facts: Facts) -> Iterator[Fault]:
    """Members must be files, directories or symbolic links."""
    for head in facts.members:
        if head.entry.kind not in (FILE, DIRECTORY, SYMLINK):
            yield head.name, f"a member of type {head.kind!r}"


def plain_headers(facts: Facts) -> Iterator[Fault]:
    """Members must not need a header of PAX or GNU tar, except for a size."""
    for head in facts.members:
        if any(kind != b"x" for kind in head.extensions) or any(key != b"size" for key in head.keys):
            yield head.name, "needs a header of PAX or GNU tar"


def one_step_links(facts: Facts) -> Iterator[Fault]:
    """A symbolic link must refer to a file of the archive, and not to another link."""
    for head in facts.members:
        if head.entry.kind == SYMLINK and not facts.is_file(facts.target(posixpath.normpath(head.name))):
            yield head.name, f"links to {head.link}, which is not a file of the archive"


def links_apart(facts: Facts) -> Iterator[Fault]:
    """A symbolic link must not refer to a `layer.tar`."""
    for head in facts.members:
        if head.entry.kind == SYMLINK and posixpath.basename(head.link) == "layer.tar":
            yield head.name, f"links to {head.link}, which Mesos deletes after extracting it"


def stored_once(facts: Facts) -> Iterator[Fault]:
    """A layer must not be stored both under `blobs/` and as `layer.tar`. Classic archives have no blobs."""
    blobs = {survey.digest for path, survey in facts.surveys.items() if path.startswith("blobs/")}
    for head in facts.members:
        name = posixpath.normpath(head.name)
        is_layer = blobs and posixpath.basename(name) == "layer.tar" and facts.is_file(name)
        if is_layer and facts.digest(name) in blobs:
            yield head.name, "a second copy of a layer under blobs/"


CHECKS = (
    Check(
        "outer-uncompressed",
        "The archive is not compressed as a whole.",
        ("containerd", "kind", "oras", "skopeo", "buildah", "dive", "syft", "apptainer", "docker-spec"),
        "containerd core/images/archive/importer.go ImportIndex; skopeo 1.9 with containers/image#1668",
        uncompressed,
    ),
    Check(
        "outer-names",
        "Member names are relative, without `./`, `..` and doubled slashes.",
        ("dive", "syft", "kind", "containerd", "docker-containerd", "apptainer", "docker", "docker-spec"),
        "dive dive/image/docker/image_archive.go; kind pkg/cluster/nodeutils; containerd importer.go",
        names,
    ),
    Check(
        "outer-unique",
        "No member name occurs twice.",
        ("apptainer", "crane", "trivy", "skopeo", "podman", "buildah", "oras", "docker-spec"),
        "readers that look up a name use the first, readers that unpack keep the last",
        unique,
    ),
    Check(
        "outer-directories",
        "If there is an OCI layout, every directory is a member, before its contents.",
        ("apptainer", "syft"),
        "Apptainer internal/pkg/ociimage/fetch.go extractArchive; stereoscope pkg/file/tarutil.go UntarToDirectory",
        directories,
    ),
    Check(
        "outer-kinds",
        "Members are files, directories and symbolic links only.",
        ("crane", "trivy", "containerd", "docker-containerd", "skopeo", "podman", "buildah", "dive"),
        "go-containerregistry pkg/v1/tarball/image.go followLinks; containerd importer.go (hard links are skipped)",
        kinds,
    ),
    Check(
        "outer-headers",
        "No member needs a header of PAX or GNU tar for its name.",
        ("docker-spec",),
        "readers that support only what the specification needs",
        plain_headers,
    ),
    Check(
        "links-in-one-step",
        "Every symbolic link points directly to a file of the archive.",
        ("containerd", "docker-containerd", "skopeo", "podman", "buildah", "mesos", "docker-1.9"),
        "containerd importer.go (no target for symlink); containers/image docker/internal/tarfile/reader.go",
        one_step_links,
    ),
    Check(
        "links-apart",
        "No symbolic link points to a `layer.tar`.",
        ("mesos",),
        "Mesos image_tar_puller.cpp extractLayer: all layers at once, and each file is deleted after extraction",
        links_apart,
    ),
    Check(
        "layers-once",
        "A layer under `blobs/` is not stored as `layer.tar` again.",
        ALL,
        "a program that unpacks or copies the archive needs space for both",
        stored_once,
    ),
)
