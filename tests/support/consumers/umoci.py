"""umoci on an unpacked OCI layout; what it unpacks from there is run by runc."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.support.consumers.base import (
    HEAVY,
    QUICK,
    Completed,
    ConsumerError,
    Form,
    Layout,
    Prefix,
    Refusing,
    Verb,
    call,
    check,
    in_background,
    manifest_config,
    require_free,
    unique,
    version_in,
    wait_for_service,
)
from tests.support.consumers.skopeo import REF_NAME


@frozen
class Umoci(Refusing):
    """Each loaded archive is a directory; a name is `directory:tag`, as umoci's own --image takes it."""

    directory: Path
    prefix: Prefix = ()
    cannot: Mapping[Verb, str] = {"save": "umoci only works on layouts in directories"}
    layouts: tuple[Layout, ...] = ("oci-layout",)
    saves: tuple[Form, ...] = ()

    @property
    def archives(self) -> Path:
        return self.directory / "layouts"

    def version(self) -> str:
        return version_in(check([*self.prefix, "umoci", "--version"]))

    def load(self, archive: Path) -> list[str]:
        layout = self.archives / unique("layout")
        layout.mkdir(parents=True)
        try:
            check([*self.prefix, "tar", "-x", "-f", archive, "-C", layout], timeout=HEAVY)
            return self.tags(layout)
        except ConsumerError:
            shutil.rmtree(layout)
            raise

    def tags(self, layout: Path) -> list[str]:
        tags = check([*self.prefix, "umoci", "list", "--layout", layout]).split()
        return [f"{layout.name}:{tag}" for tag in tags]

    def names(self) -> list[str]:
        layouts = self.archives.iterdir() if self.archives.exists() else ()
        return sorted(name for layout in layouts for name in self.tags(layout))

    def config_digest(self, name: str) -> str:
        directory, _, tag = name.partition(":")
        layout = self.archives / directory
        if not (layout / "index.json").exists():
            raise ConsumerError(f"no image {name}")
        for entry in json.loads((layout / "index.json").read_bytes())["manifests"]:
            if entry.get("annotations", {}).get(REF_NAME) == tag:
                return manifest_config(lambda digest: blob(layout, digest), entry["digest"])
        raise ConsumerError(f"no image {name}")

    def remove(self, name: str) -> None:
        """The layout goes with its last name: umoci itself would leave the blobs."""
        check([*self.prefix, "umoci", "remove", "--image", self.archives / name])
        layout = self.archives / name.partition(":")[0]
        if not self.tags(layout):
            shutil.rmtree(layout)

    def run(self, name: str, argv: Sequence[str] | None = None, timeout: float = QUICK) -> Completed:
        container = unique("run")
        try:
            bundle = self.bundle(name, container, argv, host_network=False)
            return call(self.runc("run", "--bundle", bundle, container), timeout=timeout)
        finally:
            self.destroy(container)

    @contextmanager
    def serve(self, name: str, port: int, timeout: float = QUICK) -> Iterator[None]:
        require_free(port)
        container = unique("serve")
        try:
            bundle = self.bundle(name, container, None, host_network=True)
            with in_background(self.runc("run", "--bundle", bundle, container), bundle / "log") as process:
                try:
                    wait_for_service(name, port, timeout, lambda: process.poll() is None)
                    yield
                finally:
                    call(self.runc("kill", container, "KILL"))
        finally:
            self.destroy(container)

    def bundle(self, name: str, container: str, argv: Sequence[str] | None, *, host_network: bool) -> Path:
        """Unpack a root file system with runc's settings, and adapt those."""
        bundle = self.directory / container
        check([*self.prefix, "umoci", "unpack", "--image", self.archives / name, bundle], timeout=HEAVY)
        settings = bundle / "config.json"
        document = json.loads(settings.read_bytes())
        document["process"]["terminal"] = False
        if argv is not None:
            document["process"]["args"] = [*self.entrypoint(name), *argv]
        if host_network:
            spaces = document["linux"]["namespaces"]
            document["linux"]["namespaces"] = [space for space in spaces if space["type"] != "network"]
        settings.write_text(json.dumps(document))
        return bundle

    def entrypoint(self, name: str) -> list[str]:
        """umoci joins Entrypoint and Cmd, so where the one ends is only in the image's config."""
        layout = self.archives / name.partition(":")[0]
        document: dict[str, Any] = json.loads(blob(layout, self.config_digest(name)))
        return (document.get("config") or {}).get("Entrypoint") or []

    def runc(self, *words: str | Path) -> list[str | Path]:
        return [*self.prefix, "runc", "--root", self.directory / "runc", *words]

    def destroy(self, container: str) -> None:
        """A container that is gone, or never came to be, is not an error."""
        call(self.runc("delete", "--force", container))
        shutil.rmtree(self.directory / container, ignore_errors=True)


def blob(layout: Path, digest: str) -> bytes:
    return (layout / "blobs" / digest.replace(":", "/")).read_bytes()


@contextmanager
def started(directory: Path, prefix: Prefix = ()) -> Iterator[Umoci]:
    check([*prefix, "umoci", "--version"])
    yield Umoci(directory, prefix)
