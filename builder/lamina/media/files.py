"""The files of an image from elsewhere: members of an archive, or files in a directory.

Both are looked up by name. Names come from JSON that may be hostile, so names that leave the archive are refused here.
"""

from __future__ import annotations

import itertools
import os
import posixpath
from pathlib import Path
from typing import Any, Protocol

import attrs

from lamina.data.blob import FileRange, Source, read_all
from lamina.data.budget import Budget
from lamina.data.compression import Decompressed, detect, spool
from lamina.errors import BadInput
from lamina.limits import DOCUMENT_BYTES, DOCUMENT_VALUES, DOCUMENTS, LINKS, MEMBER_NAME, MEMBERS, NAMES_BYTES
from lamina.oci.digest import Digest, blob_path
from lamina.oci.spelling import Shape, check_spelling
from lamina.oci.strict_json import count_values, parse_json
from lamina.tar.read import Entry, entries
from lamina.tar.write import DIRECTORY, FILE, HARD_LINK, SYMLINK

_HOSTILE = "the archive is damaged or hostile"
_DIFFER = "readers would differ: make the archive again"


@attrs.frozen(eq=False)
class Documents:
    """The JSON documents of one archive. Each is read and parsed once, however many others refer to it.

    Values that are returned are shared: they must not be changed.
    """

    budget: Budget
    _known: dict[object, tuple[bytes, Any]] = attrs.field(factory=dict)

    def read(self, blob: FileRange, shape: Shape, where: str, *, each_use: bool = False) -> tuple[bytes, Any]:
        """The bytes of a document and its value. With `each_use`, its size counts for the budget each time.

        Raises BadInput; also when all documents of the archive together are too large.
        """
        key = (blob.source.identity, blob.offset, blob.size, id(shape))
        if key not in self._known:
            if blob.size > DOCUMENT_BYTES:
                raise BadInput(where, f"larger than {DOCUMENT_BYTES} bytes", "the file is damaged or hostile")
            self.budget.spend(DOCUMENTS, blob.size, where)
            data = read_all(blob, DOCUMENT_BYTES, where)
            self.budget.spend(DOCUMENT_VALUES, count_values(data), where)
            value = parse_json(data, where)
            check_spelling(value, shape, where)
            self._known[key] = data, value
        elif each_use:
            self.budget.spend(DOCUMENTS, blob.size, where)
        return self._known[key]


class Members(Protocol):
    """Where an image's files are looked up."""

    @property
    def where(self) -> str:
        """The name of the archive or the directory in errors."""

    @property
    def budget(self) -> Budget:
        """The memory and time that reading it may still cost."""

    @property
    def documents(self) -> Documents:
        """The JSON documents that were read so far."""

    def __contains__(self, name: str) -> bool: ...

    def path_of(self, digest: Digest) -> str:
        """The name of the file with the blob."""

    def blob(self, name: str) -> FileRange:
        """The bytes of the file `name`. Raises BadInput: no such file, or the name leaves the archive."""


def read_document(members: Members, name: str, shape: Shape) -> Any:
    """The JSON value in the file `name`, whose keys are spelled as `shape` has them. Raises BadInput."""
    return members.documents.read(members.blob(name), shape, f"{members.where}({name})")[1]


def clean_name(name: str, where: str) -> str:
    """The name without `./` and doubled slashes.

    Raises BadInput: it leaves the archive, or contains `..`: if `a` is a link, `a/../b` is not `b`.
    """
    if len(name) > MEMBER_NAME:
        raise BadInput(where, f"a name of {len(name)} characters", _HOSTILE)
    clean = posixpath.normpath(name)
    if name.startswith("/") or clean == ".." or clean.startswith("../") or "\0" in name:
        raise BadInput(where, f"the name {name!r:.80} leaves the archive", _HOSTILE)
    if ".." in name.split("/"):
        raise BadInput(where, f"the name {name!r:.80} goes down and up again", _DIFFER)
    return clean


def linked_name(name: str, link: str, where: str) -> str:
    """The name of a symbolic link's target. `name` is the name of the link. Raises BadInput as `clean_name` does."""
    directories = [part for part in posixpath.dirname(name).split("/") if part]
    steps = [part for part in link.split("/") if part not in ("", ".")]
    up = next((at for at, part in enumerate(steps) if part != ".."), len(steps))
    if link.startswith("/") or up > len(directories):
        raise BadInput(where, f"the link {name!r:.80} to {link!r:.80} leaves the archive", _HOSTILE)
    return clean_name("/".join([*directories[: len(directories) - up], *steps[up:]]) or ".", where)


@attrs.frozen(eq=False)
class Archive:
    """An indexed tar. `compression` is that of the whole archive before it was decompressed, or None."""

    source: Source
    entries: dict[str, Entry]
    budget: Budget
    compression: str | None = None
    documents: Documents = attrs.field(default=attrs.Factory(lambda self: Documents(self.budget), takes_self=True))

    @property
    def where(self) -> str:
        return self.source.name

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def path_of(self, digest: Digest) -> str:
        return blob_path(digest)

    def blob(self, name: str) -> FileRange:
        entry = self._file(name)
        return FileRange(self.source, entry.offset, entry.size)

    def _file(self, name: str) -> Entry:
        """The regular file `name`, or the one to which it refers through links, followed as `tar -x` follows them."""
        clean = clean_name(name, self.where)
        for _ in range(LINKS):
            entry = self._entry(clean, name)
            if entry.kind == FILE:
                return entry
            link = entry.link.decode(errors="surrogateescape")
            if entry.kind == HARD_LINK:
                target = self._entry(clean_name(link, self.where), name)
                if target.offset > entry.offset:
                    what = f"the hard link {name!r:.100} comes before {link!r:.100}, which unpackers cannot link to yet"
                    raise BadInput(self.where, what, _DIFFER)
                entry = target
                if entry.kind == FILE:
                    return entry
            if entry.kind != SYMLINK or self.entries[clean].kind != SYMLINK:
                break
            clean = linked_name(clean, link, self.where)
        raise BadInput(self.where, f"the member {name!r:.100} is no file", _HOSTILE)

    def _entry(self, clean: str, name: str) -> Entry:
        if clean not in self.entries:
            raise BadInput(self.where, f"no member {name!r:.100}", "the archive is damaged or cut short")
        return self.entries[clean]


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

    Each name belongs to one member: of two, some readers take the first, and others the last. Directories may repeat.
    Raises BadInput: no tar, or damaged, or cut short.
    """
    path = source.name
    found: dict[str, Entry] = {}
    if not source.size:
        raise BadInput(path, "an empty file", "give an image archive")
    length = 0
    for count, entry in enumerate(entries(FileRange(source, 0, source.size), path), 1):
        length += len(entry.name) + len(entry.link)
        if count > MEMBERS or length > NAMES_BYTES:
            what = f"more than {MEMBERS} members, or than {NAMES_BYTES} bytes of names"
            raise BadInput(path, what, "give an image archive")
        name = clean_name(entry.name.decode(errors="surrogateescape"), path)
        if name in found and (entry.kind, found[name].kind) != (DIRECTORY, DIRECTORY):
            raise BadInput(path, f"two members {name:.100}", _DIFFER)
        found[name] = attrs.evolve(entry, header=b"", records={})  # metadata is not kept
    _check_parents(found, path)
    return Archive(source, found, budget, compression)


def _check_parents(found: dict[str, Entry], where: str) -> None:
    """Raises BadInput: a member is below a file or a link. If `a` is a link, unpacking `a/b` would write elsewhere."""
    names = sorted(f"{name}/" for name in found)  # members below a name come directly after it
    for name, following in itertools.pairwise(names):
        if following.startswith(name) and found[name[:-1]].kind != DIRECTORY:
            what = f"the member {following[:-1]!r:.100} is below {name[:-1]!r:.100}, which is no directory"
            raise BadInput(where, what, _DIFFER)


@attrs.frozen(eq=False)
class Directory:
    """A directory, for example an OCI layout. Links in it are followed, but not out of it."""

    top: Path
    budget: Budget = attrs.field(factory=lambda: Budget(0))
    documents: Documents = attrs.field(default=attrs.Factory(lambda self: Documents(self.budget), takes_self=True))
    _open: dict[object, Source] = attrs.field(factory=dict)

    @property
    def where(self) -> str:
        return str(self.top)

    def __contains__(self, name: str) -> bool:
        return os.path.isfile(self._inside(name))

    def path_of(self, digest: Digest) -> str:
        return blob_path(digest)

    def blob(self, name: str) -> FileRange:
        opened = Source.open(self._inside(name))
        source = self._open.setdefault(opened.identity, opened)
        if source is opened:  # a file counts once, whatever links to it
            self.budget.packed += source.size
        return FileRange(source, 0, source.size)

    def _inside(self, name: str) -> Path:
        path = self.top / clean_name(name, self.where)
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.top)):
            raise BadInput(path, "a link that leaves the directory", "put a file there, or a link within it")
        return path
