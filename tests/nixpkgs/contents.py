"""An archive's image in a form that can be compared: its config, its names, and each file with all that tar says."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import subprocess
import tarfile
from pathlib import Path
from typing import IO, Any

import attrs

from tests.support.consumers.skopeo import opened_tar


@attrs.frozen
class File:
    """A member of a layer. The data of a file is known by its digest."""

    kind: str
    mode: int
    owner: tuple[int, int]
    mtime: int
    link: str
    data: str


@attrs.frozen
class Contents:
    """An image: the files that all layers together show, by their paths without a slash at the beginning."""

    names: tuple[str, ...]
    config: dict[str, Any]
    files: dict[str, File]


def contents(archive: Path, directory: Path) -> Contents:
    """The first image of an archive, or of the archive that a program writes."""
    if archive.stat().st_mode & stat.S_IXUSR:
        streamed = directory / f"{archive.name}.tar"
        with streamed.open("wb") as out:
            subprocess.run([archive], stdout=out, stderr=subprocess.DEVNULL, check=True, timeout=120)
        archive = streamed
    with opened_tar(archive) as members:
        item = json.load(_stream(members, "manifest.json"))[0]
        files: dict[str, File] = {}
        for layer in item["Layers"]:
            with tarfile.open(fileobj=_stream(members, layer)) as opened:
                files |= {_path(info.name): _file(opened, info) for info in opened}
        return Contents(tuple(item["RepoTags"] or ()), json.load(_stream(members, item["Config"])), files)


def _path(name: str) -> str:
    return os.path.normpath(name).lstrip("/")


def _stream(members: tarfile.TarFile, name: str) -> IO[bytes]:
    found = members.extractfile(name)
    assert found
    return found


def _file(opened: tarfile.TarFile, info: tarfile.TarInfo) -> File:
    link = info.linkname if info.issym() or info.islnk() else ""
    data = opened.extractfile(info) if info.isreg() else None
    digest = hashlib.sha256(data.read()).hexdigest() if data else ""
    return File(info.type.decode(), info.mode, (info.uid, info.gid), int(info.mtime), link, digest)
