"""skopeo: it copies images and runs none, so what it holds here is the configs of what it copied."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest
import zstandard
from attrs import Factory, frozen

from tests.support.consumers.base import (
    HEAVY,
    SYSTEM_PATH,
    ConsumerError,
    Form,
    Layout,
    Prefix,
    Refusing,
    Verb,
    check,
    unique,
    version_in,
)

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
REF_NAME = "org.opencontainers.image.ref.name"
ONLY_COPIES = "skopeo only copies images"


@frozen
class Skopeo(Refusing):
    """Every copy goes through all layers, and skopeo checks their digests on the way."""

    directory: Path
    prefix: Prefix = ()
    cannot: Mapping[Verb, str] = {"run": ONLY_COPIES, "serve": ONLY_COPIES}
    layouts: tuple[Layout, ...] = ("docker-archive", "oci-layout")
    saves: tuple[Form, ...] = ("docker-archive", "oci-archive")
    configs: dict[str, bytes] = Factory(dict)
    archives: dict[str, Path] = Factory(dict)

    def skopeo(self, *words: str | Path) -> list[str | Path]:
        return [*self.prefix, "skopeo", "--insecure-policy", *words]

    def version(self) -> str:
        return version_in(check(self.skopeo("--version")))

    def load(self, archive: Path) -> list[str]:
        """Copy out of every layout the archive has; all of them must give the same config."""
        config = self.docker_archive(archive)
        for tag in oci_tags(archive):
            if self.oci_archive(archive, tag) != config:
                raise ConsumerError(f"{archive}: the OCI config of {tag} is not the docker-archive's")
        names = self.listed(archive) or [digest(config)]
        self.configs.update(dict.fromkeys(names, config))
        self.archives.update(dict.fromkeys(names, archive))
        return names

    def listed(self, archive: Path) -> list[str]:
        """The names in `manifest.json`, as they are written there."""
        listing = json.loads(check(self.skopeo("list-tags", f"docker-archive:{archive}")))
        # An image without a name is listed by its place: `@0`.
        return [name for name in listing["Tags"] or () if not name.startswith("@")]

    def docker_archive(self, archive: Path) -> bytes:
        """The config's bytes, copied from `manifest.json`."""
        return self.copied(f"docker-archive:{archive}")

    def oci_archive(self, archive: Path, tag: str | None = None) -> bytes:
        """The config's bytes, copied from `index.json`; without a tag it must list one image."""
        return self.copied(f"oci-archive:{archive}" + (f":{tag}" if tag else ""))

    def pull(self, address: str, name: str) -> bytes:
        """The config's bytes, copied from a plain-http registry."""
        return self.copied(f"docker://{address}/{name}")

    def push(self, archive: Path, address: str, name: str) -> None:
        route = (f"docker-archive:{archive}", f"docker://{address}/{name}")
        check(self.skopeo("copy", "--dest-tls-verify=false", *route), timeout=HEAVY)

    def copied(self, source: str) -> bytes:
        target = self.directory / unique("copy")
        try:
            check(self.skopeo("copy", "--src-tls-verify=false", source, f"dir:{target}"), timeout=HEAVY)
            manifest = json.loads((target / "manifest.json").read_bytes())
            config: str = manifest["config"]["digest"].removeprefix("sha256:")
            return (target / config).read_bytes()
        finally:
            shutil.rmtree(target, ignore_errors=True)

    def names(self) -> list[str]:
        return sorted(self.configs)

    def config(self, name: str) -> bytes:
        try:
            return self.configs[name]
        except KeyError:
            raise ConsumerError(f"skopeo has copied no image {name}") from None

    def config_digest(self, name: str) -> str:
        return digest(self.config(name))

    def save(self, name: str, target: Path, form: Form) -> None:
        """Copy again out of the archive that was loaded, as skopeo itself keeps nothing."""
        target_name = name if form == "docker-archive" else name.rpartition(":")[2]
        route = (f"docker-archive:{self.archives[name]}:{name}", f"{form}:{target}:{target_name}")
        check(self.skopeo("copy", *route), timeout=HEAVY)

    def remove(self, name: str) -> None:
        self.config(name)
        del self.configs[name], self.archives[name]


def put_on_path(prefix: Prefix, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program `skopeo` first on PATH that runs the one behind the prefix."""
    script = directory / "skopeo"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nPATH={SYSTEM_PATH} exec {shlex.join(prefix)} skopeo "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")


def digest(config: bytes) -> str:
    return f"sha256:{sha256(config).hexdigest()}"


def oci_tags(archive: Path) -> list[str | None]:
    """The tags in `index.json`, which skopeo itself cannot list; [None] is one image without a tag."""
    with opened_tar(archive) as members:
        try:
            stream = members.extractfile("index.json")
        except KeyError:
            return []
        assert stream is not None
        manifests = json.load(stream)["manifests"]
    return list(dict.fromkeys((entry.get("annotations") or {}).get(REF_NAME) for entry in manifests))


def opened_tar(archive: Path) -> tarfile.TarFile:
    """Python's tarfile knows all compressions but zstd."""
    with archive.open("rb") as stream:
        if stream.read(len(ZSTD_MAGIC)) != ZSTD_MAGIC:
            return tarfile.open(archive)
        stream.seek(0)
        return tarfile.open(fileobj=io.BytesIO(zstandard.ZstdDecompressor().stream_reader(stream).read()))


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Skopeo]:
    consumer = Skopeo(directory, prefix)
    check(consumer.skopeo("--version"))
    yield consumer
