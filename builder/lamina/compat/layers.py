"""Each layer by itself, and the layers of an image on top of each other."""

from __future__ import annotations

import functools
import posixpath
from collections.abc import Callable, Iterator

from lamina.compat.check import Check, Fault
from lamina.compat.facts import Facts
from lamina.compat.survey import OPAQUE, WHITEOUT, Survey
from lamina.tar.write import DIRECTORY, FILE, HARD_LINK

_MAX_LINKS = 8


def _of_rule(rule: str, facts: Facts) -> Iterator[Fault]:
    """The first fault of each layer against a rule, and the number of the others."""
    for path, survey in facts.surveys.items():
        if rule in survey.faults:
            first, count = survey.faults[rule]
            yield path, first + (f" (and {count - 1} more in this layer)" if count > 1 else "")


def below_links(facts: Facts) -> Iterator[Fault]:
    """A layer must have no directory where a lower layer has a symbolic link.

    Overlays keep the new directory, but tar and vfs write through the link (nixpkgs#107021).
    """
    for lower, path, survey in _stacks(facts):
        for name in survey.names:
            parents = _parents(name) if survey.names[name] != DIRECTORY else [*_parents(name), name]
            link = next((parent for parent in parents if isinstance(lower.get(parent), str)), None)
            if link:
                yield path, f"{name}: {link} is a symbolic link in a lower layer"
                break


def over_dangling(facts: Facts) -> Iterator[Fault]:
    """A file must not replace a broken link. cp refuses to write through it (provisioner/backends/copy.cpp)."""
    for lower, path, survey in _stacks(facts):
        for name, kind in survey.names.items():
            if kind in (FILE, HARD_LINK) and isinstance(lower.get(name), str) and not _exists(lower, name):
                yield path, f"{name}: replaces a broken symbolic link of a lower layer"
                break


_Tree = dict[str, str | None]
"""The names of a stack of layers; for a symbolic link, its target."""


def _stacks(facts: Facts) -> Iterator[tuple[_Tree, str, Survey]]:
    """Each layer of each image, with the names of all layers below it."""
    for image in facts.images:
        tree: _Tree = {}
        for path in image.layers:
            if path in facts.surveys:
                survey = facts.surveys[path]
                yield tree, path, survey
                tree = _applied(tree, survey)


def _applied(tree: _Tree, survey: Survey) -> _Tree:
    """The names of a stack of layers after another layer is put on top."""
    gone, emptied = set(), set()
    for name, kind in survey.names.items():
        parent, last = posixpath.split(name)
        if last == OPAQUE:
            emptied.add(parent)
        elif last.startswith(WHITEOUT):
            gone.add(posixpath.join(parent, last.removeprefix(WHITEOUT)))
        elif kind != DIRECTORY:
            gone.add(name)
    if gone or emptied:
        tree = {
            name: link
            for name, link in tree.items()
            if name not in gone and not any(parent in gone or parent in emptied for parent in _parents(name))
        }
    marks = (OPAQUE, WHITEOUT)
    added = (name for name in survey.names if not posixpath.basename(name).startswith(marks))
    tree.update((name, survey.links.get(name)) for name in added)
    return tree


def _parents(name: str) -> list[str]:
    """The directories above a name, outermost first. The root is the empty name."""
    parts = name.split("/")[:-1]
    return ["", *("/".join(parts[:end]) for end in range(1, len(parts) + 1))] if parts else [""]


def _exists(tree: _Tree, name: str, links: int = 0) -> bool:
    """Whether a path refers to a file, through links in any part of it."""
    where = ""
    parts = name.split("/")
    for place, part in enumerate(parts):
        where = posixpath.normpath(posixpath.join(where, part)) if part else where
        if where in ("", ".", "/") or where.startswith(".."):
            where = ""
            continue
        if where not in tree:
            return False
        link = tree[where]
        if link is not None:
            target = posixpath.normpath(posixpath.join("/", posixpath.dirname(where), link)).lstrip("/")
            rest = parts[place + 1 :]
            return links < _MAX_LINKS and _exists(tree, posixpath.join(target, *rest), links + 1)
    return True


def _layer(rule: str, sentence: str, protects: tuple[str, ...], source: str) -> Check:
    """The check for a rule that surveys of layers have looked at (`survey.py`)."""
    run: Callable[[Facts], Iterator[Fault]] = functools.partial(_of_rule, rule)
    return Check(rule, sentence, protects, source, run)


_STORES = (
    "docker",
    "docker-containerd",
    "podman",
    "buildah",
    "containerd",
    "kind",
    "umoci",
    "mesos",
    "buildkit",
    "apptainer",
)
"""The consumers that apply layers to a file system."""

CHECKS = (
    _layer("layer-names", "Names do not lead out of the image, and have at most 255 bytes between slashes.", _STORES,
           "moby pkg/archive/diff.go (breakoutError)"),
    _layer("layer-unique", "No path occurs twice in a layer.", ("docker", "podman", "buildah"),
           "vbatts/tar-split (duplicates of file paths not supported)"),
    _layer("layer-parents", "Directories come before their contents.", ("docker", "docker-1.9"),
           "moby v1.10 pkg/archive/diff.go makes missing ones 0600"),
    _layer("layer-alone", "No member is below a path that is a file or a link in the same layer.", _STORES,
           "Mesos image_tar_puller.cpp extractLayer: each layer is unpacked by itself, by GNU tar"),
    _layer("layer-hard-links", "A hard link refers to an earlier file of the same layer.", _STORES,
           "OCI image spec layer.md, hard links; Mesos extractLayer"),
    _layer("layer-whiteouts", "Whiteouts are empty files, for names that the layer does not contain itself.", _STORES,
           "OCI image spec layer.md, whiteouts; Mesos provisioner/utils.cpp convertWhiteouts"),
    _layer("layer-owners", "No owner has a name, except root.", ("mesos",),
           "GNU tar as root prefers the name to the number"),
    _layer("layer-global-headers", "There is no global PAX header.", ("dive",),
           "dive dive/image/docker/image_archive.go (unexpected tar file)"),
    _layer("layer-link-attributes", "Symbolic links have no extended attributes.", ("podman", "buildah"),
           "containers/storage pkg/archive (lsetxattr: operation not permitted)"),
    _layer("layer-kinds", "Members are files, links, directories, devices and pipes.", ("docker-spec", *_STORES),
           "OCI image spec layer.md, file types and sparse files"),
    Check("layer-under-links", "No layer has a directory where a lower layer has a symbolic link.", _STORES,
          "nixpkgs#107021, nixpkgs#57073", below_links),
    Check("layer-over-dangling", "No file replaces a broken symbolic link of a lower layer.", ("mesos",),
          "Mesos provisioner/backends/copy.cpp", over_dangling),
)  # fmt: skip
