"""Docker, podman and containerd through their own clients, so that contexts and DOCKER_HOST work as for the user.

A client takes 20 to 60 ms for an answer, so everything is asked as early as it can be, and waited for as late. This
module imports little: the first questions are at work while the rest of Lamina is imported.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

from lamina.data.output import temporary_directory, widen
from lamina.errors import BadInput, LaminaError
from lamina.limits import ANSWER_BYTES, ERROR_BYTES, IMAGES_OF_DAEMON
from lamina.oci.digest import Digest, parse_digest, sha256
from lamina.oci.strict_json import expect, parse_json, strings

if TYPE_CHECKING:
    from lamina.data.span import Piece
    from lamina.image.cache import Cache
    from lamina.image.image import Image


_TIMEOUT = 120
"""Seconds for a question; loading takes as long as it takes."""


class Client(Protocol):
    """What differs between the daemons."""

    name: str
    load: tuple[str, ...]
    """The command that reads an archive from its standard input."""

    def __enter__(self) -> Client: ...

    def __exit__(self, *_: object) -> None: ...

    def survey(self, image: Image) -> None:
        """Begin to ask what `holds` and `held_layers` will want to know, as far as no digest is needed for it."""

    def as_sent(self, image: Image) -> Image:
        """The image with the names that the archive may tell; the others are given by `finish`."""

    def finish(self, image: Image) -> None:
        """What remains to be done when the archive has been read."""

    def holds(self, image: Image) -> bool:
        """Whether this very image is there, under all its names."""

    def held_layers(self, image: Image, cache: Cache) -> set[Digest]:
        """The diff IDs of the layers that need not be sent, which stay until the client's end."""


class Question:
    """A client at work on an answer, while we go on. Raises NoClient."""

    def __init__(self, *command: str) -> None:
        self._client = command[0]
        none, pipe = subprocess.DEVNULL, subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=none, stdout=pipe, stderr=none)
        except OSError:
            raise _no_program(self._client) from None
        assert self._process.stdout
        widen(self._process.stdout)

    def answer(self) -> str | None:
        """What the client prints; None if it fails, or prints more than ANSWER_BYTES. Raises LaminaError: too late."""
        deadline = time.monotonic() + _TIMEOUT
        printed = self._read(deadline)
        if printed is None:
            self._process.kill()
            return None
        try:
            status = self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._late() from None
        return printed.decode(errors="replace") if status == 0 else None

    def _read(self, deadline: float) -> bytes | None:
        """The output up to its end; None if it is too long."""
        assert self._process.stdout
        output = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(output, select.POLLIN)
        chunks: list[bytes] = []
        size = 0
        while poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            chunk = os.read(output, 1 << 20)
            if not chunk:
                return b"".join(chunks)
            chunks.append(chunk)
            size += len(chunk)
            if size > ANSWER_BYTES:
                return None
        raise self._late()

    def _late(self) -> LaminaError:
        return LaminaError(self._client, f"no answer in {_TIMEOUT} s", "check that the daemon is running")

    def drop(self) -> None:
        """End the client; its answer is not needed any more."""
        assert self._process.stdout
        self._process.kill()
        self._process.stdout.close()
        self._process.wait()


class NoClient(LaminaError):
    """The client of a daemon is not installed."""


def _no_program(name: str) -> NoClient:
    return NoClient(name, "the program is not installed", "install it, or choose another daemon")


class AskingClient:
    """A context at whose end no question is left at work, and what was replaced has no name of ours any more.

    containerd gives an image's name to the new image and unpacks that then. In between it may collect what only the
    name's old image needed, and that is what the new one is to be unpacked on ("parent snapshot does not exist"): of
    a hundred layers one import in two failed with ctr, and one in forty with Docker, which keeps its images there
    too. So the old image can have another name meanwhile.
    """

    tag: tuple[str, ...] = ()
    """The command that gives the first of two names a second one."""

    untag: tuple[str, ...] = ()
    """The command that takes names away; images that containers use lose nothing else by it."""

    def __init__(self) -> None:
        self._questions: list[Question] = []
        self._kept: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._kept:
            self.ask(*self.untag, *self._kept).answer()
        for question in self._questions:
            question.drop()

    def ask(self, *command: str) -> Question:
        question = Question(*command)
        self._questions.append(question)
        return question

    def keep(self, image: Image) -> None:
        """Let what the image's names mean now stay until the end."""
        names = [name.qualified for name in image.names]
        tagging = [self.ask(*self.tag, name, _kept_as(name)) for name in names]
        self._kept = [_kept_as(name) for name, asked in zip(names, tagging, strict=True) if asked.answer() is not None]


def _kept_as(name: str) -> str:
    """The same for every load of a name, so that one which was killed leaves nothing that the next does not remove."""
    return f"lamina.invalid/being-replaced:{sha256(name.encode())[7:19]}"


def feed(command: Iterable[str], pieces: Iterator[Piece]) -> None:
    """Give the pieces to a client. Raises LaminaError with what it said when it failed."""
    import tempfile

    from lamina.data.span import put

    words = list(command)
    with tempfile.TemporaryFile(dir=temporary_directory()) as said:
        try:
            client = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=said, stderr=said)
        except OSError:
            raise _no_program(words[0]) from None
        try:
            with client, contextlib.suppress(BrokenPipeError):  # its exit status tells what it thought of the rest
                assert client.stdin
                widen(client.stdin)
                for piece in pieces:
                    put(piece, client.stdin)
        except BaseException:
            client.kill()
            raise
        if client.returncode == 0:
            return
        said.seek(max(0, said.seek(0, os.SEEK_END) - ERROR_BYTES))
        lines = said.read().decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise LaminaError(words[0], f"refused the image: {lines[-1]}", "see the daemon's log")


def identities(image: Image) -> set[str]:
    """What an image's ID may be: the config's digest, or with a containerd store the manifest's."""
    from lamina.media.universal import manifest

    return {sha256(image.document()), sha256(manifest(image))}


class StoredImage(NamedTuple):
    """An image that a daemon has: its ID, which is a digest, and the diff IDs of its layers."""

    id: Digest
    diff_ids: list[Digest]


class InspectingClient(AskingClient):
    """Docker and podman: their images are inspected, by name and all of them."""

    name: str

    def __init__(self) -> None:
        super().__init__()
        self._ids: Question | None = self.ask(self.name, "image", "ls", "--quiet", "--no-trunc")
        self._all: Question | None = None
        self._named: Question | None = None

    def survey(self, image: Image) -> None:
        if image.names:
            self._named = self._inspect([name.qualified for name in image.names])
        ids = digests((self._ids.answer() if self._ids else None) or "")
        self._ids = None
        if ids:
            self._all = self._inspect(ids[:IMAGES_OF_DAEMON])

    def holds(self, image: Image) -> bool:
        names = [name.qualified for name in image.names] or [sha256(image.document())]
        found = self._images(self._named or self._inspect(names))
        self._named = None
        same_layers = all(stored.diff_ids == image.diff_ids for stored in found)
        return len(found) == len(names) and {stored.id for stored in found} <= identities(image) and same_layers

    def all_images(self) -> list[StoredImage]:
        """The images that the daemon had when the survey began."""
        return self._images(self._all) if self._all else []

    def _inspect(self, names: Iterable[str]) -> Question:
        return self.ask(self.name, "image", "inspect", *names)

    def _images(self, question: Question) -> list[StoredImage]:
        """The images in the answer: none if one of the names is missing, and only those that can be understood."""
        images: list[StoredImage] = []
        with contextlib.suppress(BadInput):
            answer = parse_json((question.answer() or "[]").encode(), self.name)
            for item in expect(answer, list, "the answer", self.name):
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
