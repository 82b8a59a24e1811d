"""syft and dive: they look into archives and keep nothing, so their images here are those they reported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from attrs import Factory, frozen

from tests.support.consumers.base import (
    HEAVY,
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
from tests.support.consumers.skopeo import opened_tar

ONLY_LOOKS = "it only looks into images"

Seen = tuple[str, list[str]]
"""A config's digest, and the image's names."""


@frozen
class Scanner(Refusing):
    """`look` has the program look into an archive, in every layout that it knows."""

    look: Callable[[Path], Seen]
    tell_version: Callable[[], str]
    layouts: tuple[Layout, ...]
    cannot: Mapping[Verb, str] = {"run": ONLY_LOOKS, "serve": ONLY_LOOKS, "save": ONLY_LOOKS}
    saves: tuple[Form, ...] = ()
    seen: dict[str, str] = Factory(dict)

    def version(self) -> str:
        return self.tell_version()

    def load(self, archive: Path) -> list[str]:
        config, names = self.look(archive)
        self.seen.update(dict.fromkeys(names or [config], config))
        return names or [config]

    def names(self) -> list[str]:
        return sorted(self.seen)

    def config_digest(self, name: str) -> str:
        if name not in self.seen:
            raise ConsumerError(f"no image {name} was looked into")
        return self.seen[name]

    def remove(self, name: str) -> None:
        self.config_digest(name)
        del self.seen[name]


@contextmanager
def syft(directory: Path, prefix: Prefix = ()) -> Iterator[Scanner]:
    """It prefers the docker archive of two layouts; a call takes a second, so the other one is not tried each time."""

    def look(archive: Path) -> Seen:
        return scanned(f"docker-archive:{archive}", directory, prefix)

    def version() -> str:
        return version_in(check([*prefix, "syft", "version"], env=settings(directory)))

    version()
    yield Scanner(look, version, ("docker-archive",))


def scanned(source: str, directory: Path, prefix: Prefix = ()) -> Seen:
    """What syft reports of a source, which it squashes whole; one cataloger of packages does for that."""
    words = ("scan", source, "--output", "syft-json", "--override-default-catalogers", "dpkg-db-cataloger")
    parsed = json.loads(check([*prefix, "syft", *words], timeout=HEAVY, env=settings(directory)))
    return parsed["source"]["metadata"]["imageID"], parsed["source"]["metadata"]["tags"]


def settings(directory: Path) -> dict[str, str]:
    return {"HOME": str(directory), "SYFT_CHECK_FOR_APP_UPDATE": "false", "NO_COLOR": "1"}


@contextmanager
def dive(directory: Path, prefix: Prefix = ()) -> Iterator[Scanner]:
    """It knows an image by its layers: the digest is that of the config that lists those that it reported."""

    def look(archive: Path) -> Seen:
        report = directory / unique("report")
        check([*prefix, "dive", "--source", "docker-archive", archive, "--json", report], timeout=HEAVY)
        if not report.exists():  # a thread of its own panics, and the first one has ended before
            raise ConsumerError(f"dive {archive}: exit 0, and no report")
        layers = [layer["digestId"] for layer in json.loads(report.read_bytes())["layer"]]
        report.unlink()
        with opened_tar(archive) as members:

            def read(name: str) -> bytes:
                stream = members.extractfile(name)
                assert stream is not None
                return stream.read()

            [item] = json.loads(read("manifest.json"))
            config = read(item["Config"])
        if json.loads(config)["rootfs"]["diff_ids"] != layers:
            raise ConsumerError(f"{archive}: dive finds the layers {layers}")
        return f"sha256:{sha256(config).hexdigest()}", item["RepoTags"] or []

    def version() -> str:
        return version_in(check([*prefix, "dive", "--version"]))

    version()
    yield Scanner(look, version, ("docker-archive",))
