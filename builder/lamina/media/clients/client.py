"""Docker, podman and containerd through their own clients, so that contexts and DOCKER_HOST work as for the user.

A client needs 20 to 60 ms for an answer. So each query starts as early as possible, and its answer is read as late as
possible. This module imports little, so that the first queries run while the rest of Lamina is imported.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from lamina.errors import BadInput, LaminaError
from lamina.limits import IMAGES_OF_DAEMON
from lamina.media.clients.process import Answer, Question
from lamina.oci.digest import Digest, parse_digest, sha256
from lamina.oci.strict_json import expect, parse_json, strings

if TYPE_CHECKING:
    from lamina.image.cache import Cache
    from lamina.image.image import Image


class Client(Protocol):
    """The differences between the daemons."""

    name: str
    load: tuple[str, ...]
    """The command that reads an archive from its standard input."""

    remedy: str
    """What the user can do to learn more about a failed load."""

    unpacks: str | None
    """Why the store does not keep compressed layers; None if it keeps them. Known after `survey`."""

    repeated: set[Digest]
    """Diff IDs of layers that the daemon has and still needs again; known after `held_layers`."""

    def __enter__(self) -> Client: ...

    def __exit__(self, *_: object) -> None: ...

    def survey(self, image: Image) -> None:
        """Start the queries for `holds` and `held_layers` that need no digest.

        Raises LaminaError: the daemon does not answer.
        """

    def as_sent(self, image: Image) -> Image:
        """The image with the names that the archive may contain; `finish` adds the others."""

    def failure(self, answer: Answer) -> str | None:
        """Why the load failed, from the output of the load command; None if it succeeded."""

    def check_running(self) -> None:
        """Raises LaminaError: the daemon does not answer."""

    def finish(self, image: Image) -> None:
        """Called after the archive has been read: add the other names."""

    def holds(self, image: Image, manifest: bytes) -> bool:
        """Whether the daemon has exactly this image under all its names, complete and ready to run.

        `manifest` is the manifest with which the image is sent.
        """

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        """The digests of layers that need not be sent. The daemon keeps these layers until the client ends."""


class CommandClient:
    """Runs the commands of a client. At the end of the context, queries are stopped, and temporary names are removed.

    containerd moves a name to the new image, and then unpacks that image. Meanwhile it may delete snapshots that only
    the old image used, and that the new image needs ("parent snapshot does not exist"). With images of a hundred
    layers, one import in two failed with ctr, and one in forty with Docker on containerd's store. So the old image gets
    another name until the load is finished.
    """

    name: str

    tag: tuple[str, ...] = ()
    """The command that gives the image with the first name a second name."""

    untag: tuple[str, ...] = ()
    """The command that removes names. Images that containers use stay."""

    version: tuple[str, ...] = ()
    """A command that succeeds only if the daemon answers."""

    address: str = ""
    """The settings with the daemon's address."""

    remedy: str = ""

    unpacks: str | None = None

    def __init__(self) -> None:
        self.repeated: set[Digest] = set()
        self._questions: list[Question] = []
        self._kept: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept:
            self.ask(*self.untag, *self._kept).answer()
        for question in self._questions:
            question.drop()

    def ask(self, *command: str, request: bytes = b"") -> Question:
        question = Question(*command, request=request)
        self._questions.append(question)
        return question

    def check_running(self) -> None:
        answer = self.ask(*self.version).full_answer()
        if answer and answer.status != 0:
            remedy = f"check that it is running, and its address ({self.address})"
            raise LaminaError(self.name, f"the daemon does not answer: {answer.reason()}", remedy)

    def failure(self, answer: Answer) -> str | None:
        return answer.reason() if answer.status else None

    def keep(self, image: Image) -> None:
        """Give the images that now have the image's names a second name until the end."""
        names = [name.qualified for name in image.names]
        tagging = [self.ask(*self.tag, name, _kept_as(name)) for name in names]
        self._kept = [_kept_as(name) for name, asked in zip(names, tagging, strict=True) if asked.answer() is not None]


def _kept_as(name: str) -> str:
    """The temporary name: the same for every load of a name, so the next load removes it if this one is killed."""
    return f"lamina.invalid/being-replaced:{sha256(name.encode())[7:19]}"


def identities(image: Image, manifest: bytes) -> set[str]:
    """The possible IDs of an image: the config's digest, or with a containerd store the manifest's."""
    return {sha256(image.document()), sha256(manifest)}


class StoredImage(NamedTuple):
    """An image that a daemon has: its ID, which is a digest, and the diff IDs of its layers."""

    id: Digest
    diff_ids: list[Digest]


class InspectingClient(CommandClient):
    """Docker and podman, which can inspect images by name, and all of them."""

    name: str

    def __init__(self) -> None:
        super().__init__()
        self._ids: Question | None = self.ask(self.name, "image", "ls", "--quiet", "--no-trunc")
        self._all: Question | None = None
        self._named: Question | None = None

    def survey(self, image: Image) -> None:
        if image.names:
            self._named = self._inspect([name.qualified for name in image.names])
        listed = self._ids.full_answer() if self._ids else None
        self._ids = None
        if listed and listed.status:
            self.check_running()
        if listed and (ids := digests(listed.output)):
            self._all = self._inspect(ids[:IMAGES_OF_DAEMON])

    def holds(self, image: Image, manifest: bytes) -> bool:
        expected = identities(image, manifest)
        names = [name.qualified for name in image.names] or sorted(expected)
        found = self._images(self._named or self._inspect(names))
        self._named = None
        same = all(stored.diff_ids == image.diff_ids and stored.id in expected for stored in found)
        return same and len(found) == len(image.names or found[:1] or [None])

    def all_images(self) -> list[StoredImage]:
        """The images that the daemon had when the survey began."""
        return self._images(self._all) if self._all else []

    def _inspect(self, names: Iterable[str]) -> Question:
        return self.ask(self.name, "image", "inspect", *names)

    def _images(self, question: Question) -> list[StoredImage]:
        """The images in the answer that can be parsed.

        If one image is missing, or podman cannot inspect one (such as a manifest list), the client prints all others
        and fails.
        """
        images: list[StoredImage] = []
        answer = question.full_answer()
        with contextlib.suppress(BadInput):
            listed = parse_json((answer.output if answer else "").encode() or b"[]", self.name)
            for item in expect(listed, list, "the answer", self.name):
                with contextlib.suppress(BadInput):
                    images.append(_stored_image(item, self.name))
        return images


def _stored_image(item: object, where: str) -> StoredImage:
    """Raises BadInput: an ID or a diff ID that is no digest. Podman writes IDs without `sha256:`."""
    fields = expect(item, dict, "an image", where)
    identity = expect(fields.get("Id"), str, "Id", where)
    rootfs = expect(fields.get("RootFS") or {}, dict, "RootFS", where)
    return StoredImage(
        parse_digest(f"sha256:{identity.removeprefix('sha256:')}", where),
        [parse_digest(diff_id, where) for diff_id in strings(rootfs.get("Layers"), "Layers", where)],
    )


def digests(text: str) -> list[Digest]:
    """The distinct digests among the words of a client's answer, sorted; all other words are ignored."""
    found: set[Digest] = set()
    for word in text.split():
        with contextlib.suppress(BadInput):
            found.add(parse_digest(word, "a client"))
    return sorted(found)
