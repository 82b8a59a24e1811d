"""oras: it copies artifacts out of OCI layouts, and reads a layout in a tar without unpacking it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from tests.support.consumers.base import (
    HEAVY,
    ConsumerError,
    Form,
    Layout,
    Prefix,
    Refusing,
    Verb,
    check,
    manifest_config,
    unique,
    version_in,
)
from tests.support.consumers.skopeo import oci_tags

ONLY_COPIES = "oras only copies artifacts, between layouts in directories and registries"


@frozen
class Oras(Refusing):
    """Each tag that was copied is a layout of its own; a name is `directory:tag`, as oras takes it."""

    directory: Path
    prefix: Prefix = ()
    cannot: Mapping[Verb, str] = {"run": ONLY_COPIES, "serve": ONLY_COPIES, "save": ONLY_COPIES}
    layouts: tuple[Layout, ...] = ("oci-layout",)
    saves: tuple[Form, ...] = ()

    @property
    def copies(self) -> Path:
        return self.directory / "copies"

    def oras(self, *words: str | Path) -> str:
        return check([*self.prefix, "oras", *words], timeout=HEAVY, env={"HOME": str(self.directory)})

    def version(self) -> str:
        return version_in(self.oras("version"))

    def load(self, archive: Path) -> list[str]:
        """oras cannot list what lies in a tar, so the tags come from `index.json`."""
        return [self.copied(archive, tag) for tag in oci_tags(archive) or ["latest"] if tag]

    def copied(self, archive: Path, tag: str) -> str:
        name = f"{unique('copy')}:{tag}"
        self.oras("copy", "--from-oci-layout", f"{archive}:{tag}", "--to-oci-layout", self.copies / name)
        return name

    def push(self, archive: Path, tag: str, address: str, name: str) -> None:
        """Copy from an archive into a plain-http registry."""
        self.oras("copy", "--from-oci-layout", f"{archive}:{tag}", "--to-plain-http", f"{address}/{name}")

    def names(self) -> list[str]:
        layouts = sorted(self.copies.iterdir()) if self.copies.exists() else []
        return [f"{layout.name}:{tag}" for layout in layouts for tag in self.tags(layout)]

    def tags(self, layout: Path) -> list[str]:
        return self.oras("repo", "tags", "--oci-layout", layout).split()

    def config_digest(self, name: str) -> str:
        layout, _, tag = name.partition(":")
        if not (self.copies / layout / "index.json").exists():
            raise ConsumerError(f"oras has copied no image {name}")
        source = self.copies / f"{layout}:{tag}"
        descriptor = json.loads(self.oras("manifest", "fetch", "--descriptor", "--oci-layout", source))
        read = lambda digest: self.fetched(self.copies / layout, digest)  # noqa: E731
        return manifest_config(read, descriptor["digest"])

    def fetched(self, layout: Path, digest: str) -> bytes:
        return self.oras("manifest", "fetch", "--oci-layout", f"{layout}@{digest}").encode()

    def remove(self, name: str) -> None:
        shutil.rmtree(self.copies / name.partition(":")[0])


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Oras]:
    consumer = Oras(directory, prefix)
    consumer.version()
    yield consumer
