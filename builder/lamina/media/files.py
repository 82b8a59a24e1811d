"""The files of an image that came from elsewhere: members of an archive, or files below a directory.

Both answer the same questions by name. Names come from hostile JSON, so one that leads out is refused here.
"""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from typing import Any, Protocol

import attrs

from lamina.data.blob import Blob, FileRange, Source, read_all
from lamina.data.compression import Budget, Decompressed, detect, spool
from lamina.errors import BadInput
from lamina.limits import DOCUMENT_BYTES, LINKS, MEMBER_NAME, MEMBERS, NAMES_BYTES
from lamina.oci.strict_json import parse_json
from lamina.tar.read import Entry, entries
from lamina.tar.write import FILE, HARD_LINK, SYMLINK


class Members(Protocol):
    """Where an image's files are looked up."""

    @property
    def where(self) -> str:
        """What errors call the whole."""

    @property
    def budget(self) -> Budget:
        """What its compressed parts may unpack to."""

    def __contains__(self, name: str) -> bool: ...

    def blob(self, name: str) -> Blob:
        """The bytes of the file `name`. Raises BadInput: no such file, or the name leads out."""


def read_json(members: Members, name: str) -> Any:
    """The JSON value in the file `name`. Raises BadInput."""
    where = f"{members.where}({name})"
    return parse_json(read_all(members.blob(name), DOCUMENT_BYTES, where), where)


def clean_name(name: str, where: str) -> str:
    """The name without `./` and doubled slashes. Raises BadInput when it leads out of the archive."""
    clean = posixpath.normpath(name)
    if len(name) > MEMBER_NAME:
        raise BadInput(where, f"a name of {len(name)} characters", "the archive is damaged or hostile")
    if name.startswith("/") or clean == ".." or clean.startswith("../") or "\0" in name:
        raise BadInput(where, f"the name {name!r:.80} leaves the archive", "the archive is damaged or hostile")
    return clean


@attrs.frozen(eq=False)
class Archive:
    """A tar, indexed in place. `compression` is what it was stored in as a whole, before it was unpacked."""

    source: Source
    entries: dict[str, Entry]
    budget: Budget
    compression: str | None = None

    @property
    def where(self) -> str:
        return self.source.name

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def blob(self, name: str) -> FileRange:
        entry = self._target(name)
        return FileRange(self.source, entry.offset, entry.size)

    def _target(self, name: str) -> Entry:
        """The regular member that `name` leads to, through links as `tar -x` would make them."""
        clean = clean_name(name, self.where)
        for _ in range(LINKS):
            entry = self.entries.get(clean)
            if entry is None:
                raise BadInput(self.where, f"no member {name!r:.100}", "the archive is damaged or cut short")
            if entry.kind == FILE:
                return entry
            link = entry.link.decode(errors="surrogateescape")
            if entry.kind == SYMLINK:
                clean = clean_name(posixpath.join(posixpath.dirname(clean), link), self.where)
            elif entry.kind == HARD_LINK:
                clean = clean_name(link, self.where)
            else:
                break
        raise BadInput(self.where, f"the member {name!r:.100} is no file", "the archive is damaged or hostile")


def open_archive(path: Path) -> Archive:
    """Index an archive: plain in place, compressed after one decompression into a nameless temporary file.

    Raises BadInput: no tar, or damaged, or cut short.
    """
    return archive_in(Source.open(path))


def archive_in(source: Source) -> Archive:
    """Index the archive in an open file. Raises BadInput as `open_archive` does."""
    whole = FileRange(source, 0, source.size)
    budget = Budget(source.size)
    kind = detect(whole, source.name)
    if kind:
        source = spool(Decompressed(whole, kind, source.name, budget), source.name).source
    return index_archive(source, budget, kind)


def index_archive(source: Source, budget: Budget, compression: str | None = None) -> Archive:
    """Index a plain tar in place.

    Of members with one name the last counts, as it does for whoever extracts them; but the documents that say
    what the image is may stand only once. Raises BadInput: no tar, or damaged, or cut short.
    """
    path = source.name
    found: dict[str, Entry] = {}
    length = 0
    for count, entry in enumerate(entries(FileRange(source, 0, source.size), path, need_end=True), 1):
        length += len(entry.name) + len(entry.link)
        if count > MEMBERS or length > NAMES_BYTES:
            what = f"more than {MEMBERS} members, or than {NAMES_BYTES} bytes of names"
            raise BadInput(path, what, "give an image archive")
        name = clean_name(entry.name.decode(errors="surrogateescape"), path)
        if name in found and name in ("manifest.json", "index.json", "repositories", "oci-layout"):
            raise BadInput(path, f"two members {name}", "readers would differ: make the archive again")
        found[name] = attrs.evolve(entry, header=b"", records={})  # of what a member is like nothing is kept
    return Archive(source, found, budget, compression)


@attrs.frozen(eq=False)
class Directory:
    """A directory, for example an OCI layout. Its links are followed, but not out of it."""

    top: Path
    budget: Budget = attrs.field(factory=lambda: Budget(0))
    _known: set[str] = attrs.field(factory=set)

    @property
    def where(self) -> str:
        return str(self.top)

    def __contains__(self, name: str) -> bool:
        return os.path.isfile(self._inside(name))

    def blob(self, name: str) -> Blob:
        path = self._inside(name)
        source = Source.open(path)
        if name not in self._known:
            self._known.add(name)
            self.budget.packed += source.size
        return FileRange(source, 0, source.size)

    def _inside(self, name: str) -> Path:
        path = self.top / clean_name(name, self.where)
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.top)):
            raise BadInput(path, "a link that leaves the directory", "put a file there, or a link within it")
        return path
