"""Readers that cannot run here, as short as possible, after their own sources.

Each takes an archive and gives what it found of one image. What a reader leaves to a library that others here use for
real (containerd, containers/image) is left out.
"""

from __future__ import annotations

import gzip
import json
import os
import posixpath
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from attrs import frozen

NAME = "io.containerd.image.name"
GZIP = b"\x1f\x8b"
REF_NAME = "org.opencontainers.image.ref.name"


class ReaderError(Exception):
    """The reader would refuse the archive; the message says where."""


@frozen
class Read:
    """An image: its config's bytes, and the diff ID of each layer as the bytes have it."""

    config: bytes
    diff_ids: tuple[str, ...]


def digest(data: bytes) -> str:
    return "sha256:" + sha256(data).hexdigest()


def apptainer(archive: Path, name: str, directory: Path) -> Read:
    """FetchToLayout of internal/pkg/ociimage/fetch.go: unpacked, then read as go-containerregistry reads a layout."""
    unpack(archive, directory)
    return image(directory, REF_NAME, tag(name))


def stereoscope(archive: Path, name: str, directory: Path) -> Read:
    """pkg/image/oci/tarball_provider.go: unpacked, then the one image that index.json leads to, under all its names."""
    unpack(archive, directory)
    if len({entry["digest"] for entry in document(directory, "index.json")["manifests"]}) != 1:
        raise ReaderError("index.json leads to several images")
    return image(directory, NAME, name)


def unpack(archive: Path, directory: Path) -> None:
    """extractArchive of Apptainer and UntarToDirectory of stereoscope (pkg/file/tarutil.go) do the same.

    They make a directory where a member is one, open a file for reading and writing, and pass over all else.
    """
    with tarfile.open(archive, "r:") as members:
        for info in members:
            path = directory / info.name
            stream = members.extractfile(info) if info.isreg() else None
            if info.isdir():
                path.mkdir(0o755, parents=True, exist_ok=True)
            elif stream:
                allowed(path, 0o600)
                with opening(path, os.O_CREAT | os.O_RDWR, info.mode) as file:
                    file.write(stream.read())


def allowed(path: Path, mode: int) -> None:
    """Root is stopped by no mode; whoever runs these readers is."""
    if path.exists() and path.stat().st_mode & mode != mode:
        raise ReaderError(f"{path}: permission denied")


@contextmanager
def opening(path: Path, flags: int = os.O_RDONLY, mode: int = 0) -> Iterator[BinaryIO]:
    try:
        descriptor = os.open(path, flags, mode)
    except OSError as error:
        raise ReaderError(f"{path}: {error.strerror}") from None
    with os.fdopen(descriptor, "r+b" if flags & os.O_RDWR else "rb") as file:
        yield file


def buildkit(archive: Path, name: str, directory: Path) -> Read:
    """client/ociindex/ociindex.go Get, on the archive unpacked: by a name or by a tag."""
    subprocess.run(["tar", "-x", "-f", archive, "-C", directory], check=True, timeout=60)
    by_name = image(directory, NAME, name)
    if image(directory, REF_NAME, tag(name)) != by_name:
        raise ReaderError(f"{name} is another image by its tag")
    return by_name


def tag(name: str) -> str:
    return name.rpartition(":")[2]


def image(directory: Path, key: str, wanted: str) -> Read:
    """The first image of a layout whose entry has this annotation."""
    if document(directory, "oci-layout").get("imageLayoutVersion") != "1.0.0":
        raise ReaderError("no layout of version 1.0.0")
    for entry in document(directory, "index.json")["manifests"]:
        if entry.get("annotations", {}).get(key) == wanted:
            break
    else:
        raise ReaderError(f"index.json has no {wanted}")
    manifest = json.loads(blob(directory, entry))
    config = blob(directory, manifest["config"])
    return Read(config, tuple(digest(unpacked(blob(directory, layer))) for layer in manifest["layers"]))


def document(directory: Path, name: str) -> dict[str, Any]:
    with opening(directory / name) as file:
        found: dict[str, Any] = json.load(file)
    return found


def blob(directory: Path, descriptor: dict[str, Any]) -> bytes:
    """openBlob of go-containerregistry's pkg/v1/layout/blob.go follows no link; digest and size are compared."""
    path = directory / "blobs" / descriptor["digest"].replace(":", "/")
    if path.is_symlink():
        raise ReaderError(f"{path} is a symbolic link")
    allowed(path, 0o400)
    with opening(path) as file:
        data = file.read()
    if (digest(data), len(data)) != (descriptor["digest"], descriptor["size"]):
        raise ReaderError(f"{path} is not what its descriptor says")
    return data


def unpacked(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer.startswith(GZIP) else layer


def crane(archive: Path, name: str, directory: Path) -> Read:
    """pkg/v1/tarball/image.go: one image, or the one that has the name; the first layer says whether all are packed."""
    parsed = json.loads(extracted(archive, "manifest.json"))
    found = parsed if len(parsed) == 1 else [item for item in parsed if name in (item.get("RepoTags") or [])]
    if len(found) != 1:
        raise ReaderError("manifest.json has several images")
    config = extracted(archive, found[0]["Config"])
    layers = [extracted(archive, path) for path in found[0]["Layers"]]
    packed = bool(layers) and layers[0].startswith(GZIP)
    if any(layer.startswith(GZIP) != packed for layer in layers):
        raise ReaderError("layers are packed and plain")
    diff_ids = tuple(digest(unpacked(layer)) for layer in layers)
    if list(diff_ids) != json.loads(config)["rootfs"]["diff_ids"]:
        raise ReaderError("layers are not those of the config")
    return Read(config, diff_ids)


def extracted(archive: Path, path: str, steps: int = 8) -> bytes:
    """A member by its clean name. Hard links, too, are looked for beside the member, which is not where they lead."""
    with tarfile.open(archive, "r:") as members:
        info = next((info for info in members if posixpath.normpath(info.name) == posixpath.normpath(path)), None)
        if info is None or not steps:
            raise ReaderError(f"file {path} not found in tar")
        if info.issym() or info.islnk():
            return extracted(archive, posixpath.join(posixpath.dirname(info.name), info.linkname), steps - 1)
        stream = members.extractfile(info)
        if stream is None:
            raise ReaderError(f"{path} is no file")
        return stream.read()


def kind_tags(archive: Path) -> Iterator[str]:
    """GetArchiveTags of pkg/cluster/nodeutils/util.go: of whichever of two documents comes first."""
    with tarfile.open(archive, "r:") as members:
        for info in members:
            stream = members.extractfile(info) if info.name in ("manifest.json", "repositories") else None
            if stream and info.name == "manifest.json":
                for image in json.load(stream):
                    yield from image["RepoTags"] or ()
                return
            if stream:
                for name, tags in json.load(stream).items():
                    yield from (f"{name}:{tag}" for tag in tags)
                return
    raise ReaderError("could not find image metadata")
