"""Two tools that push an image archive to a registry, each knowing one generation of the format only.

`push_by_manifest` is what somebody writes who has read the Docker image specification v1.2 and nothing
else; `push_by_repositories` what somebody wrote in the days of v1. Neither shares code with the
builder, and both hold the archive to their specification instead of being lenient.
"""

from __future__ import annotations

import gzip
import io
import json
import posixpath
import re
import shutil
import tarfile
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from attrs import frozen

from tests.support.replays import uploads
from tests.support.replays.uploads import Descriptor, Pushed, PushError, Repository

V1_ID = re.compile(r"[0-9a-f]{64}")
# What the v1 json says of the layer in the chain, not of the image.
CHAIN_KEYS = {"id", "parent", "layer_id", "parent_id", "Size", "throwaway"}
BLOCK = 512


@frozen
class Archive:
    """The members of an image archive by their exact names, read without unpacking."""

    tar: tarfile.TarFile
    members: dict[str, tarfile.TarInfo]

    def open(self, name: str) -> BinaryIO:
        """A regular member; links are not followed."""
        if name not in self.members:
            raise PushError(f"the archive has no member {name}")
        if not self.members[name].isreg():
            raise PushError(f"{name} is not a regular file")
        return cast(BinaryIO, self.tar.extractfile(self.members[name]))

    def read(self, name: str) -> bytes:
        with self.open(name) as stream:
            return stream.read()

    def json(self, name: str) -> Any:
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise PushError(f"{name} is not JSON: {error}") from None

    def resolve(self, name: str) -> str:
        """One symlink on: where `<id>/layer.tar` really is."""
        member = self.members.get(name)
        if member is None or not member.issym():
            return name
        return posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    # "r:" and not "r": a specification that says tar means tar.
    with tarfile.open(path, "r:") as tar:
        members = tar.getmembers()
        counts = Counter(member.name for member in members)
        if twice := sorted(name for name, count in counts.items() if count > 1):
            raise PushError(f"members that stand twice in the archive: {twice}")
        yield Archive(tar, {member.name: member for member in members})


def archive_config(path: Path) -> bytes:
    """The image's real config, as `manifest.json` names it."""
    with opened(path) as archive:
        return archive.read(only_image(archive)["Config"])


def push_by_manifest(
    path: Path,
    registry: str,
    repository: str,
    tag: str,
    *,
    compress: bool = False,
) -> Pushed:
    """By `manifest.json`: Layers are plain tars, bottom first, and the Config goes up as it is."""
    with opened(path) as archive, Repository.at(registry, repository) as target:
        image = only_image(archive)
        config = archive.read(image["Config"])
        diff_ids = json.loads(config)["rootfs"]["diff_ids"]
        names: list[str] = image["Layers"]
        if len(names) != len(diff_ids):
            raise PushError(f"{len(names)} layers, but {len(diff_ids)} diff ids")
        layers = []
        for name, diff_id in zip(names, diff_ids, strict=True):
            plain = plain_layer(archive, name)
            if plain.digest != diff_id:
                raise PushError(f"{name} is {plain.digest}, but the config says {diff_id}")
            layers.append(push_layer(archive, target, name, plain, compress=compress))
        return finish(target, tag, config, layers)


def push_by_repositories(
    path: Path, registry: str, repository: str, tag: str, *, source: str | None = None, compress: bool = False
) -> Pushed:
    """By `repositories` and the `<id>/json` chain, composing the config that v1 has not got.

    `source` is `name:tag` as `repositories` has it; without it the archive must hold one image only.
    """
    with opened(path) as archive, Repository.at(registry, repository) as target:
        ids = chain(archive, top_id(archive, source))
        layers, diff_ids = [], []
        for layer_id in ids:
            name = archive.resolve(f"{layer_id}/layer.tar")
            plain = plain_layer(archive, name)
            diff_ids.append(plain.digest)
            layers.append(push_layer(archive, target, name, plain, compress=compress))
        return finish(target, tag, compose_config(archive, ids, diff_ids), layers)


def same_image(composed: bytes, real: bytes) -> bool:
    """Whether a config made from the v1 chain describes the same image as the archive's own."""
    ours, theirs = json.loads(composed), json.loads(real)
    if any(ours.get(key) != theirs.get(key) for key in ("config", "architecture", "os")):
        return False
    same: bool = ours["rootfs"]["diff_ids"] == theirs["rootfs"]["diff_ids"]
    return same


def only_image(archive: Archive) -> dict[str, Any]:
    manifest = archive.json("manifest.json")
    if not isinstance(manifest, list) or len(manifest) != 1:
        raise PushError("manifest.json does not describe exactly one image")
    image: dict[str, Any] = manifest[0]
    return image


def top_id(archive: Archive, source: str | None) -> str:
    table: dict[str, dict[str, str]] = archive.json("repositories")
    named = {f"{name}:{tag}": top for name, tags in table.items() for tag, top in tags.items()}
    if source is not None and source not in named:
        raise PushError(f"repositories has no {source}, only {sorted(named)}")
    tops = set(named.values()) if source is None else {named[source]}
    if len(tops) != 1:
        raise PushError(f"repositories leads to {len(tops)} images, not to one")
    return tops.pop()


def chain(archive: Archive, top: str) -> list[str]:
    """Layer ids from the bottom to `top`; the identifiers are held to the v1 specification."""
    ids: list[str] = []
    current: str | None = top
    while current:
        if not V1_ID.fullmatch(current):
            raise PushError(f"{current!r} is not a v1 id")
        if current in ids:
            raise PushError(f"the parents of {top} lead back to {current}")
        document = archive.json(f"{current}/json")
        if document.get("id") != current:
            raise PushError(f"{current}/json is of {document.get('id')}")
        if archive.read(f"{current}/VERSION").strip() != b"1.0":
            raise PushError(f"{current}/VERSION is not 1.0")
        ids.insert(0, current)
        current = document.get("parent")
    return ids


def compose_config(archive: Archive, ids: list[str], diff_ids: list[str]) -> bytes:
    """The top json without what belongs to the chain, and what the newer format asks for besides."""
    top = archive.json(f"{ids[-1]}/json")
    if not isinstance(top.get("config"), dict):
        raise PushError(f"{ids[-1]}/json has no config object")
    kept = {key: value for key, value in top.items() if key not in CHAIN_KEYS}
    kept["rootfs"] = {"type": "layers", "diff_ids": diff_ids}
    kept["history"] = [{"created": archive.json(f"{layer_id}/json").get("created")} for layer_id in ids]
    return json.dumps(kept, sort_keys=True).encode()


def plain_layer(archive: Archive, name: str) -> Descriptor:
    """Digest and size of a layer; nothing but a tar that is not compressed will do."""
    with archive.open(name) as stream:
        head = stream.read(BLOCK)
    # An empty layer is blocks of zeros, any other begins with a header.
    if head[257:262] != b"ustar" and (len(head) != BLOCK or any(head)):
        raise PushError(f"{name} is not a plain tar: it begins with {head[:4].hex(' ')}")
    with archive.open(name) as stream:
        return uploads.describe(uploads.LAYER, stream)


def push_layer(
    archive: Archive,
    target: Repository,
    name: str,
    plain: Descriptor,
    *,
    compress: bool,
) -> Descriptor:
    if not compress:
        target.put_blob(plain, lambda: archive.open(name))
        return plain
    with tempfile.TemporaryFile() as packed:
        with archive.open(name) as stream, gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as out:
            shutil.copyfileobj(stream, cast(IO[bytes], out), uploads.CHUNK)
        packed.seek(0)
        layer = uploads.describe(uploads.LAYER_GZIP, cast(BinaryIO, packed))
        packed.seek(0)
        target.put_blob(layer, lambda: cast(BinaryIO, packed))
    return layer


def finish(target: Repository, tag: str, config: bytes, layers: list[Descriptor]) -> Pushed:
    described = uploads.describe(uploads.CONFIG, io.BytesIO(config))
    target.put_blob(described, lambda: io.BytesIO(config))
    return Pushed(config, target.put_manifest(tag, described, layers))
