"""The behaviour of readers that the tests cannot always run: each check does what the reader's code does."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from lamina.compat.check import Check, Fault
from lamina.compat.facts import Facts, entry_name, mapping, named, texts
from lamina.oci.documents import CONTAINERD_NAME, REF_NAME
from lamina.tar.write import DIRECTORY, FILE, SYMLINK


def apptainer(facts: Facts) -> Iterator[Fault]:
    """Apptainer unpacks as the user: directories as 0755, and files with the mode of their header.

    It reads a docker archive in this way only if there is an OCI layout.
    """
    made: dict[str, int] = {}
    for head in facts.members if facts.index is not None else ():
        name = posixpath.normpath(head.name)
        if head.entry.kind != FILE:
            continue
        if made.get(name, 0o600) & 0o600 != 0o600:
            yield head.name, f"cannot be written a second time: its mode was {made[name]:o}"
        made.setdefault(name, head.mode)
    for name, mode in made.items():
        if not mode & 0o400:
            yield name, f"cannot be read by its owner: mode {mode:o}"


def oras(facts: Facts) -> Iterator[Fault]:
    """oras reads a blob's size from the 512 bytes before the data, and ignores PAX headers."""
    for head in facts.members:
        if head.entry.kind == FILE and head.ustar_size != head.entry.size:
            yield head.name, f"the header states {head.ustar_size} bytes, but the file has {head.entry.size}"


def dive(facts: Facts) -> Iterator[Fault]:
    """dive recognises a blob by its first bytes, and stops at an empty one. Elsewhere it goes by the name."""
    for head in facts.members:
        tar = head.name.endswith(".tar") and head.entry.kind in (FILE, SYMLINK)
        if head.name.startswith("blobs/") and head.entry.kind != DIRECTORY and not head.entry.size and not tar:
            yield head.name, "is empty, so its kind cannot be recognised"
    for path, survey in facts.surveys.items():
        if path.endswith(".tar") and survey.compression:
            yield path, f"is named .tar, but contains {survey.compression} data"


def kind(facts: Facts) -> Iterator[Fault]:
    """kind reads the names from the first of the two documents, and expects them in containerd."""
    order = [head.name for head in facts.members if head.name in ("manifest.json", "repositories")]
    if facts.docker is None or order[:1] != ["repositories"]:
        return
    expected = {tag for image in facts.docker for tag in image.tags}
    names = {f"{name}:{tag}" for name, tags in mapping(facts.repositories).items() for tag in mapping(tags)}
    for tag in sorted(expected - names):
        yield "repositories", f"is before manifest.json, and does not list {tag}"


def podman(facts: Facts) -> Iterator[Fault]:
    """podman uses the name of the only index entry, or all RepoTags. A name without a registry becomes localhost/."""
    expected = _qualified(facts)
    if facts.docker is None and len(facts.entries) > 1:
        yield "index.json", "several images, of which podman can select none"
    if len(facts.entries) == 1:
        found = {name} if (name := entry_name(facts.entries[0])) else set()
    else:
        found = {tag for image in facts.docker or () for tag in image.tags}
    for name in sorted(expected - {_local(text) for text in found}):
        yield (
            "index.json" if len(facts.entries) == 1 else "manifest.json",
            f"podman would give the image another name than {name}",
        )


def _local(text: str) -> str:
    """The name that podman gives an image: without a registry, it is below localhost/."""
    first, slash, _ = text.partition("/")
    whole = bool(slash) and ("." in first or ":" in first or first == "localhost")
    name = named(text if whole else f"localhost/{text}")
    return name.qualified if name else text


def _qualified(facts: Facts) -> set[str]:
    """The qualified names of all images."""
    tags = [tag for image in facts.images for tag in image.tags]
    return {name.qualified for tag in tags if (name := named(tag))}


def containerd(facts: Facts) -> Iterator[Fault]:
    """containerd uses the name of each index entry as it is. Without a layout, it qualifies RepoTags."""
    if facts.index is None:
        for tag in (tag for image in facts.docker or () for tag in image.tags if named(tag) is None):
            yield "manifest.json", f"{tag} is not a name"
        return
    found = {name for entry in facts.entries if (name := entry_name(entry))}
    for name in sorted(_qualified(facts) ^ found):
        problem = "is not a qualified name" if name in found else "is the name of no entry"
        yield "index.json", f"{name} {problem}"


def references(facts: Facts) -> Iterator[Fault]:
    """umoci and others select an image by its tag: the first entry with that reference name."""
    found: dict[str, str] = {}
    for entry in facts.entries:
        notes, digest = mapping(entry.get("annotations")), str(entry.get("digest"))
        name, reference = notes.get(CONTAINERD_NAME), notes.get(REF_NAME)
        parsed = named(name) if isinstance(name, str) else None
        if parsed and reference != parsed.tag:
            yield "index.json", f"{parsed.qualified} has the reference name {reference!r:.100}, which is not its tag"
        if isinstance(reference, str) and found.setdefault(reference, digest) != digest:
            yield "index.json", f"two images have the reference name {reference}"


def crane(facts: Facts) -> Iterator[Fault]:
    """Each file is looked up by its clean name; hard links are looked for beside the member."""
    for image in facts.docker or ():
        for path in (image.config_path, *texts(image.fields.get("Layers"))):
            if posixpath.normpath(path) not in facts.by_name:
                yield "manifest.json", f"no member {path}"


CHECKS = (
    Check(
        "apptainer-unpacks",
        "The user who unpacks the files can write and read them.",
        ("apptainer",),
        "Apptainer internal/pkg/ociimage/fetch.go extractArchive",
        apptainer,
    ),
    Check(
        "oras-sizes",
        "The header directly before a file's data contains its size.",
        ("oras",),
        "oras-go internal/fs/tarfs/tarfs.go",
        oras,
    ),
    Check(
        "dive-reads",
        "Nothing under `blobs/` is empty, and every file named `.tar` is a plain tar.",
        ("dive",),
        "dive dive/image/docker/image_archive.go",
        dive,
        needs=("blobs-regular",),
    ),
    Check(
        "kind-names",
        "The first of `manifest.json` and `repositories` contains all names as they are loaded.",
        ("kind",),
        "kind pkg/cluster/nodeutils/util.go GetArchiveTags",
        kind,
    ),
    Check(
        "podman-names",
        "podman finds every name, at its own registry.",
        ("podman",),
        "containers/common libimage/load.go, normalize.go NormalizeName",
        podman,
    ),
    Check(
        "containerd-names",
        "The index contains every name once, in its complete form.",
        ("containerd", "docker-containerd", "kind"),
        "containerd client/import.go imageName",
        containerd,
    ),
    Check(
        "index-tags",
        "In the index, each name's tag refers to its image, and to no other.",
        ("umoci", "skopeo", "buildkit", "oras", "apptainer"),
        "BuildKit client/ociindex/ociindex.go Get; umoci oci/casext ResolveReference",
        references,
    ),
    Check(
        "members-found",
        "Every file that `manifest.json` names exists.",
        ("docker", "docker-spec", "crane", "trivy", "skopeo", "podman", "buildah", "dive"),
        "go-containerregistry pkg/v1/tarball/image.go extractFileFromTar",
        crane,
    ),
)
