"""Verify images of any origin: their structure and every digest, and the checks of `lamina.compat`."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

from lamina.compat import failing, known_consumers
from lamina.compat.check import Finding
from lamina.compat.facts import gather
from lamina.compat.survey import Survey, survey
from lamina.data.blob import Blob, Place, Source
from lamina.data.budget import Budget, Meter
from lamina.data.checked import Checked
from lamina.data.output import temporary_directory
from lamina.errors import BadInput, BadUsage, LaminaError
from lamina.image.document import complete_history
from lamina.image.image import Image
from lamina.image.layer import Layer, identified, read_through
from lamina.limits import LAYER_MEMBERS, LAYER_NAMES
from lamina.media import docker_archive, oci_layout
from lamina.media.absent import Absent
from lamina.media.every_manifest import contents
from lamina.media.files import Archive, Members, index_archive
from lamina.media.oci_layout import Foreign, blob_where
from lamina.media.read import has_layout, is_docker_archive, no_image
from lamina.media.tarball import fill
from lamina.media.universal import arrange
from lamina.oci.config import document_faults
from lamina.oci.digest import Digest
from lamina.oci.documents import Descriptor
from lamina.recipe.open import build_image, open_source
from lamina.recipe.recipe import Recipe
from lamina.report.agreement import Choice, Named, ambiguities, differences, two_names
from lamina.report.chunked import check_table, has_table, notes
from lamina.report.conformance import MemberRules, as_lines, layout_problems
from lamina.report.legacy import check_v1_chains
from lamina.report.specification import name_rules
from lamina.report.stored import StoredDigests
from lamina.tar.read import Entry, entries


@attrs.frozen
class Verdict:
    """The result of `verify`.

    `images` and `layers` are the numbers of distinct ones, and `size` is the bytes of all layers, uncompressed.
    `problems` are lines of text; the image is sound if there are none. `findings` are the failed checks of the
    consumers that were requested. `unchecked` are lines about what belongs to the image and was not checked: it is
    absent by design, or no image.
    """

    images: int
    layers: int
    size: int
    problems: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[str, ...] = ()


def verify(
    path: str | os.PathLike[str],
    *,
    consumers: Iterable[str] = (),
    progress: Callable[[int], None] = lambda _: None,
) -> Verdict:
    """Read every image in a file, and compare everything that it claims: structure, sizes and every digest.

    `path` is an archive, a layout, or a recipe, whose archive is made in a temporary file. `consumers` are names of
    `lamina.compat.check.CONSUMERS` (`docker`, `podman`, `mesos`, ...): the archive is also checked for what each of
    them needs. `progress` is called with the number of bytes read since the last call. A problem in one place does
    not hide problems in other places, and is not an exception.

    Raises BadUsage: an unknown consumer, or consumers for a layout in a directory, which is not an archive.
    """
    path = Path(path)
    requested = known_consumers(consumers)
    if requested and os.path.isdir(path):  # Path.is_dir raises where this is False
        raise BadUsage("consumers", f"{path} is a directory; consumers read archives", "give an archive or a recipe")
    problems: list[str] = []
    with _noted(problems):
        source = open_source(path)
        if isinstance(source, Recipe):
            return _verify_recipe(source, str(path), progress, requested, problems)
        return _verify(source, progress, requested, problems)
    return Verdict(0, 0, 0, tuple(problems))


def _verify_recipe(
    recipe: Recipe, where: str, progress: Callable[[int], None], consumers: tuple[str, ...], problems: list[str]
) -> Verdict:
    """Write the archive to an unnamed temporary file and verify it. Writing compares the digests of a base's layers."""
    with tempfile.TemporaryFile(buffering=0, dir=temporary_directory()) as file:
        buffered = io.BufferedWriter(file)  # it continues after a write that took only a part
        fill([build_image(recipe)], arrange, buffered, lambda _: None)
        buffered.detach()
        source = Source(file, where)
        return _verify(index_archive(source, Budget(source.size)), progress, consumers, problems)


def _verify(
    members: Members, progress: Callable[[int], None], consumers: tuple[str, ...], problems: list[str]
) -> Verdict:
    check = _Check(members, problems, progress, with_surveys=bool(consumers))
    with _noted(problems):
        check.images()
    check.layers()
    with _noted(problems):
        if not problems:
            check_v1_chains(members, check.stacks, check.docker or check.oci, check.digests)
    findings: list[Finding] = []
    if consumers and check.absent:
        what = "leaves out layers, so what consumers need cannot be checked"
        problems.append(str(BadInput(members.where, what, "check the whole image")))
    elif consumers and isinstance(members, Archive):
        findings = failing(gather(members, check.surveys), consumers)
    return Verdict(
        images=len(check.stacks),
        layers=len(check.sizes),
        size=sum(check.sizes.values()),
        problems=tuple(dict.fromkeys(problems)),
        findings=tuple(findings),
        unchecked=tuple(dict.fromkeys(check.unchecked)),
    )


@attrs.define(eq=False)
class _Check:
    """One run of `verify`. It keeps only what identifies an image, because images may be many and documents large."""

    members: Members
    problems: list[str]
    progress: Callable[[int], None]
    with_surveys: bool
    docker: list[Named] = attrs.field(factory=list)
    oci: list[Named] = attrs.field(factory=list)
    stacks: dict[Digest, tuple[Digest, ...]] = attrs.field(factory=dict)
    unchecked: list[str] = attrs.field(factory=list)
    sizes: dict[Digest, int] = attrs.field(factory=dict)
    surveys: dict[str, Survey] = attrs.field(factory=dict)
    digests: dict[Place, Digest] = attrs.field(factory=dict)
    absent: bool = False
    _layers: dict[tuple[Digest | None, str], Layer] = attrs.field(factory=dict)
    _results: dict[object, Layer | None] = attrs.field(factory=dict)
    """The layers that were read, by their bytes; None for those that cannot be read."""
    _stored: StoredDigests = attrs.field(factory=StoredDigests)
    _tables: dict[object, Layer] = attrs.field(factory=dict)
    _blobs: list[Descriptor] = attrs.field(factory=list)
    _headers: Meter = attrs.field(factory=lambda: Meter(LAYER_MEMBERS))
    _names: Meter = attrs.field(factory=lambda: Meter(LAYER_NAMES))
    _lengths: Meter = attrs.field(factory=lambda: Meter(LAYER_NAMES))

    def images(self) -> None:
        """Read the documents of all images of all platforms, on both sides. Raises BadInput: there are none."""
        members = self.members
        is_docker = is_docker_archive(members)
        if not is_docker and not has_layout(members):
            raise no_image(members)
        before = len(self.problems)
        if is_docker:
            with _noted(self.problems):
                self._docker_side()
        if oci_layout.INDEX in members or has_layout(members):  # podman and Skopeo read it without `oci-layout`, too
            with _noted(self.problems):
                self._layout()
        if len(self.problems) == before and not self.stacks:
            raise no_image(members)
        if is_docker and oci_layout.INDEX in members and len(self.problems) == before:
            found, only_in_one = differences(self.docker, self.oci)
            self._add_problems(found)
            self.unchecked += only_in_one

    def _docker_side(self) -> None:
        where = f"{self.members.where}({docker_archive.MANIFEST})"
        for candidate in docker_archive.candidates(self.members):
            self.problems += as_lines(name_rules(candidate.names), where)
            self._read(candidate.read, candidate.names, self.docker)
        choices = (Choice(image.identity, image.labels) for image in self.docker)
        self._add_problems(ambiguities(choices, docker_archive.MANIFEST))

    def _layout(self) -> None:
        oci_layout.check_version(self.members)
        if oci_layout.LAYOUT not in self.members and docker_archive.MANIFEST not in self.members:
            self._add_problems([f"no {oci_layout.LAYOUT}, without which containerd and umoci refuse it"])
        for descriptor in oci_layout.listed(self.members):
            self._add_problems(filter(None, [two_names(descriptor.annotations)]))
        found = contents(self.members)
        self.problems += found.problems
        self.unchecked += found.unchecked
        self._blobs += found.blobs
        self.problems += layout_problems(self.members, found.documents)
        choices = [Choice.listed(each.descriptor, each.names, None, nested=each.nested) for each in found.others]
        for each, read in found.images:
            image = self._read(read, each.names, self.oci, nested=each.nested)
            choices += [Choice.listed(each.descriptor, each.names, image, nested=each.nested)] if image else []
        self._add_problems(ambiguities(choices, oci_layout.INDEX))

    def _add_problems(self, problems: Iterable[str]) -> None:
        remedy = "make the archive again"
        self.problems += [str(BadInput(self.members.where, problem, remedy)) for problem in problems]

    def _read(
        self, read: Callable[[], Image], names: Iterable[str], side: list[Named], *, nested: bool = False
    ) -> Named | None:
        named = None
        with _noted(self.problems):
            image = read()
            faults = as_lines(document_faults({**image.config, "history": list(image.history)}), image.where)
            self.problems += faults
            with _noted(self.problems):
                complete_history(list(image.history), len(image.layers), "", image.where)
            named = Named.of(image, list(names), nested=nested)
            side.append(named)
            self.stacks[named.identity] = tuple(image.diff_ids)
            # A layer that both sides have is read once; the blob's own digest is in the index only, which comes last.
            self._layers.update({(layer.diff_id, layer.where): layer for layer in image.layers})
            self._tables.update({(layer.identity, notes(layer)): layer for layer in image.layers if has_table(layer)})
        return named

    def layers(self) -> None:
        """Read every layer, and every blob that does not belong to an image, and compare their digests."""
        for layer in self._layers.values():
            if isinstance(layer.blob, Foreign):
                self.unchecked.append(f"{layer.where}: a layer that is kept elsewhere by design")
                continue
            if isinstance(layer.blob, Absent):
                self.absent = True
                needed = layer.blob.needed.name
                self.unchecked.append(f"{layer.where}: left out by design: the daemon must have {needed}")
                continue
            with _noted(self.problems):
                if measured := self._measured(layer):
                    self.sizes[measured.diff_id or Digest("")] = measured.size or 0
                    if layer.blob.place:
                        self.digests[layer.blob.place] = measured.diff_id or Digest("")
        budget = Budget(self.members.budget.packed)
        for layer in self._tables.values():
            with _noted(self.problems):
                check_table(layer, budget)
        for descriptor in self._blobs:
            where = blob_where(self.members, descriptor.digest)
            path = self.members.path_of(descriptor.digest)
            if path not in self.members:
                self.unchecked.append(f"{where}: not in the archive")
                continue
            with _noted(self.problems):
                self._stored.compare(Checked(self.members.blob(path), descriptor, where))

    def _measured(self, layer: Layer) -> Layer | None:
        """The layer with its size, its digests compared; None if the problems have the error of these bytes already.

        The same bytes are read once, even if several images contain them. Raises LaminaError.
        """
        identity = layer.identity
        if identity not in self._results:
            self._results[identity] = None
            self._results[identity] = self._checked(attrs.evolve(layer, diff_id=None))
            self._stored.passed(layer.blob)
        known = self._results[identity]
        if known is None:
            return None
        self._stored.compare(layer.blob)
        if known.where in self.surveys:
            self.surveys[layer.where] = self.surveys[known.where]
        assert known.diff_id and known.size is not None
        return identified(layer, known.diff_id, known.size)

    def _checked(self, layer: Layer) -> Layer:
        """The layer with its size and digest, its tar read from the first header to the end.

        If consumers were requested, the survey of its headers is kept in `surveys`, by the layer's name in errors.
        """
        rules = MemberRules(layer.where, layer.budget, self._lengths)
        if not self.with_surveys:
            measured = read_through(layer, lambda blob: self._counted(blob, layer, rules), self.progress)
        else:
            found = survey(layer, self.progress, self._headers, self._names, rules.see)
            measured, self.surveys[layer.where] = found
        self.problems += rules.faults
        return measured

    def _counted(self, blob: Blob, layer: Layer, rules: MemberRules) -> Iterator[Entry]:
        for entry in entries(blob, layer.where):
            self._headers.count(1, layer.budget, layer.where)
            rules.see(entry)
            yield entry


@contextlib.contextmanager
def _noted(problems: list[str]) -> Iterator[None]:
    try:
        yield
    except LaminaError as error:
        problems.append(str(error))
