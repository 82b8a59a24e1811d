"""Checks of each layer by itself, from its survey, and of all layers of an image together."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator

import attrs

from lamina.compat.check import Check, Fault
from lamina.compat.facts import Facts
from lamina.compat.survey import Survey
from lamina.data.budget import Meter
from lamina.limits import STEPS
from lamina.tar.links import follow
from lamina.tar.whiteout import Effect, read_whiteout
from lamina.tar.write import DIRECTORY, FILE, HARD_LINK

_MAX_LINKS = 8


def _of_rule(rule: str, facts: Facts) -> Iterator[Fault]:
    for path, survey in facts.surveys.items():
        if rule in survey.faults:
            first, count = survey.faults[rule]
            yield path, first + (f" (and {count - 1} more in this layer)" if count > 1 else "")


def below_links(facts: Facts) -> Iterator[Fault]:
    """No layer may have a directory where a lower layer has a link to one.

    Overlays keep the new directory, but tar and vfs write through the link (nixpkgs#107021).
    """
    for lower, path, survey in _stacks(facts):
        for name, kind in survey.names.items():
            if link := lower.link_on_the_way(name, whole=kind == DIRECTORY):
                yield path, f"{name}: {link} is a symbolic link in a lower layer"
                break


def over_dangling(facts: Facts) -> Iterator[Fault]:
    """No file may replace a broken link of a lower layer.

    cp refuses to write through such a link (provisioner/backends/copy.cpp).
    """
    for lower, path, survey in _stacks(facts):
        for name, kind in survey.names.items():
            if kind in (FILE, HARD_LINK) and lower.dangles(name):
                yield path, f"{name}: replaces a broken symbolic link of a lower layer"
                break


@attrs.define(eq=False)
class _Node:
    """A name in a file system: the target of a symbolic link, or the contents of a directory."""

    link: str | None = None
    children: dict[str, _Node] = attrs.field(factory=dict)


@attrs.define(eq=False)
class _Tree:
    """All names that layers create. `step` counts each part of a path that is followed."""

    step: Callable[[int], None]
    root: _Node = attrs.field(factory=_Node)

    def apply(self, survey: Survey) -> None:
        """Put a layer on top. First apply its whiteouts, and remove what its files replace."""
        new: list[tuple[list[str], str]] = []
        for name, kind in survey.names.items():
            parts = name.split("/")
            effect, target = read_whiteout(parts[-1].encode(errors="surrogateescape"))
            if effect is Effect.EMPTIES:
                self._node(parts[:-1]).children.clear()
            elif effect is Effect.HIDES:
                self._node(parts[:-1]).children.pop(target.decode(errors="surrogateescape"), None)
            elif effect is Effect.NONE:
                if kind != DIRECTORY:
                    self._node(parts[:-1]).children.pop(parts[-1], None)
                new.append((parts, name))
        for parts, name in new:
            self.step(len(parts))
            node = self.root
            for part in parts:
                node = node.children.setdefault(part, _Node())
            node.link = survey.links.get(name)

    def _node(self, parts: list[str]) -> _Node:
        """The directory at a path; if there is none, a new one outside of the tree."""
        self.step(len(parts))
        node: _Node | None = self.root
        for part in parts:
            node = node.children.get(part) if node else None
        return node or _Node()

    def link_on_the_way(self, name: str, *, whole: bool) -> str | None:
        """The first symbolic link among the directories of a name; with `whole` the name itself may be one, too."""
        parts = name.split("/")
        self.step(len(parts))
        node = self.root
        for place, part in enumerate(parts if whole else parts[:-1]):
            inner = node.children.get(part)
            if inner is None:
                return None
            if inner.link is not None:
                return "/".join(parts[: place + 1])
            node = inner
        return None

    def dangles(self, name: str) -> bool:
        """Whether there is a symbolic link of this name that leads to nothing, through links in any part of it."""
        parts = name.split("/")
        found = self._node(parts[:-1]).children.get(parts[-1])
        if found is None or found.link is None:
            return False
        way, missing = [self.root], False

        def enter(part: bytes, _: bool) -> bytes | None:
            nonlocal missing
            self.step(1)
            node = way[-1].children.get(part.decode(errors="surrogateescape"))
            if node is not None and node.link is not None:
                return node.link.encode(errors="surrogateescape")
            missing = missing or node is None
            way.append(node or _Node())
            return None

        def leave() -> None:
            del way[max(1, len(way) - 1) :]

        def restart() -> None:
            del way[1:]

        encoded = [part.encode(errors="surrogateescape") for part in parts]
        is_followed = follow(encoded, enter, leave, restart, limit=_MAX_LINKS, count=self.step)
        return missing or not is_followed


def _stacks(facts: Facts) -> Iterator[tuple[_Tree, str, Survey]]:
    """Each layer of each image, with the tree of the layers below it. Layers that images share occur once."""
    steps = Meter(STEPS)
    stacks: dict[tuple[int, str], int] = {}
    for image in facts.images:
        paths = [path for path in image.layers if path in facts.surveys]
        tree = _Tree(lambda count: steps.count(count, facts.archive.budget, facts.archive.where))
        below, new = 0, len(stacks)
        numbers = []
        for path in paths:
            below = stacks.setdefault((below, path), len(stacks) + 1)
            numbers.append(below)
        if not numbers or max(numbers) <= new:
            continue
        for path, number in zip(paths, numbers, strict=True):
            if number > new:
                yield tree, path, facts.surveys[path]
            tree.apply(facts.surveys[path])


def _layer(rule: str, sentence: str, protects: tuple[str, ...], source: str) -> Check:
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
"""Consumers that unpack layers into a file system."""

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
