"""The form in which an image is sent to a daemon: here with plain layers, in `loadable_compressed` with others."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Protocol

import attrs

from lamina.data.progress import Progress
from lamina.data.span import Piece
from lamina.image.cache import Cache
from lamina.image.image import Image
from lamina.media import universal
from lamina.media.tarball import ArchiveMember, stream_members
from lamina.oci.digest import Digest
from lamina.tar.write import END, stored_size


class Loadable(Protocol):
    """An image, its manifest, and the size of each layer by the digest that the manifest has."""

    @property
    def image(self) -> Image: ...

    @property
    def manifest(self) -> bytes: ...

    @property
    def layers(self) -> Mapping[Digest, int]: ...

    def archive(self, image: Image, held: Collection[Digest], progress: Progress) -> Iterator[Piece]:
        """The archive without the held layers; `image` is this one, perhaps with fewer names. Raises BadInput."""


@attrs.frozen(eq=False)
class PlainImage(Loadable):
    """The universal archive without its v1 files. All digests and sizes must be known.

    `cache` and `check` are those of `stream_members`.
    """

    image: Image
    cache: Cache
    check: bool

    @property
    def manifest(self) -> bytes:
        return universal.manifest(self.image)

    @property
    def layers(self) -> Mapping[Digest, int]:
        return dict(zip(self.image.diff_ids, (item.size or 0 for item in self.image.layers), strict=True))

    def archive(self, image: Image, held: Collection[Digest], progress: Progress) -> Iterator[Piece]:
        members = members_without(image, held)
        progress.total = progress.done + archive_size(members)
        return stream_members(image.layers, members, lambda _: None, self.cache, check=self.check)


def members_without(image: Image, held: Collection[Digest]) -> list[ArchiveMember]:
    """The members of the plain archive without the held layers."""
    sent = {position for position, diff_id in enumerate(image.diff_ids) if diff_id not in held}
    members = universal.arrange_for_loading([image])
    return [item for item in members if item.layer is None or item.layer in sent]


def archive_size(members: Iterable[ArchiveMember]) -> int:
    return sum(stored_size(item.member) for item in members) + len(END)
