"""What daemons push, save and export after `lamina load` has sent them a part of an image."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.consumers.base import check
from tests.support.consumers.docker import Docker
from tests.support.consumers.loading import KINDS, Loader, loader_for
from tests.support.consumers.podman import Podman
from tests.support.consumers.registry import Registry
from tests.support.consumers.transfer import push
from tests.support.needs import need
from tests.support.recipes import recipe, store_layer, write_recipe
from tests.support.selection import quick, thorough
from tests.support.trees import Store

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"

KEEPERS = (
    "dockerd_trixie_containerd",
    "containerd",
    "containerd_trixie",
    "dockerd_forky_containerd",
    "containerd_forky",
)
"""Those that keep blobs as they come."""


@pytest.fixture
def loader(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Loader:
    (tmp_path / "loader").mkdir()
    return loader_for(request.getfixturevalue(kind), tmp_path / "loader")


@pytest.fixture
def name(registry: Registry, loader: Loader, kind: str) -> Iterator[str]:
    """The name of the image, which the daemon can push under."""
    place = f"localhost:{registry.port}/pushed-by-{kind.replace('_', '-')}"
    yield place
    for each in ("1", "2"):
        if f"{place}:{each}" in loader.consumer.names():
            loader.consumer.remove(f"{place}:{each}")


def image(store: Store, directory: Path, name: str, tag: str) -> Path:
    """An image of three layers. Another tag changes the upper one only."""
    layers = [{"low": b"below" * 40_000}, {"mid": b"between" * 40_000}, {"top": tag.encode() * 100_000}]
    paths = [store.path(f"{key}-{tag}" if key == "top" else key) for [key] in layers]
    for content, path in zip(layers, paths, strict=True):
        if not path.exists():
            store.add(path.name.partition("-")[2], content)
    (directory / tag).mkdir()
    fields = recipe(*map(store_layer, map(str, paths)), names=[{"name": name, "tag": tag}])
    return write_recipe(fields, directory / tag)


def loaded(loader: Loader, path: Path, *options: str) -> dict[str, Any]:
    done = loader.run(path, *options)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["refusal"] is None
    return result


def diff_ids(path: Path) -> list[str]:
    """Of a recipe's image."""
    listed = json.loads(check(["lamina", "digest", path, "--json", "--layer-compressor", "none"]))
    return [layer["diffId"] for layer in listed["layers"]]


def pulled(registry: Registry, name: str, directory: Path) -> list[str]:
    """The diff IDs of the image in the registry, after Skopeo has fetched and compared every blob."""
    need("skopeo", "skopeo")
    source = f"docker://{name}"
    words = ["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"]
    check([*words, source, f"oci:{directory}/pulled"])
    return diff_ids(directory / "pulled")


def saved(loader: Loader, name: str, directory: Path) -> list[str]:
    """The diff IDs of the image that the daemon saves, after `lamina verify` has read every blob."""
    target = directory / "saved.tar"
    loader.consumer.save(
        name, target, "docker-archive" if isinstance(loader.consumer, Docker | Podman) else "oci-archive"
    )
    assert tarfile.is_tarfile(target)
    check(["lamina", "verify", target])
    return diff_ids(target)


@pytest.mark.parametrize("kind", quick(KINDS, "dockerd_trixie_containerd"))
def test_every_blob_is_there_after_a_part_was_sent(
    loader: Loader, name: str, registry: Registry, store: Store, tmp_path: Path
) -> None:
    """What was not sent was there from the image before, and leaves the daemon with the rest."""
    whole = loaded(loader, image(store, tmp_path, name, "1"))
    path = image(store, tmp_path, name, "2")
    part = loaded(loader, path)
    assert part["held"] > 0 and part["sent"] < whole["sent"]
    loader.consumer.remove(f"{name}:1")
    push(loader.consumer, f"{name}:2")
    assert pulled(registry, f"{name}:2", tmp_path) == diff_ids(path)
    assert saved(loader, f"{name}:2", tmp_path) == diff_ids(path)


@pytest.mark.parametrize(("compressor", "media_type"), [("zstd", ZSTD), pytest.param("gz", GZIP, marks=thorough)])
@pytest.mark.parametrize("kind", quick(KEEPERS, "dockerd_trixie_containerd", "containerd"))
def test_compressed_layers_are_pushed_as_they_were_loaded(
    loader: Loader, name: str, registry: Registry, store: Store, tmp_path: Path, compressor: str, media_type: str
) -> None:
    """The registry has the manifest that `lamina digest` prints, also if only a part was sent."""
    options = ("--layer-compressor", compressor)
    first = image(store, tmp_path, name, "1")
    whole = loaded(loader, first, *options)
    assert loaded(loader, first, *options)["sent"] == 0
    path = image(store, tmp_path, name, "2")
    part = loaded(loader, path, *options)
    assert part["held"] > 0 and part["sent"] < whole["sent"]
    loader.consumer.remove(f"{name}:1")
    push(loader.consumer, f"{name}:2")
    repository, _, tag = f"{name}:2".partition("/")[2].rpartition(":")
    _, document, digest = registry.ask("GET", f"/v2/{repository}/manifests/{tag}")
    assert {layer["mediaType"] for layer in json.loads(document)["layers"]} == {media_type}
    assert digest == check(["lamina", "digest", path, *options]).strip()
    assert pulled(registry, f"{name}:2", tmp_path) == diff_ids(path)


@pytest.mark.parametrize("kind", quick([kind for kind in KINDS if kind not in KEEPERS], "dockerd", "podman"))
def test_stores_that_unpack_layers_get_no_compressed_ones(
    loader: Loader, name: str, store: Store, tmp_path: Path
) -> None:
    done = loader.run(image(store, tmp_path, name, "1"), "--layer-compressor", "gz")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "unpacks layers and keeps no compressed ones; load it without" in done.stderr
    assert f"{name}:1" not in loader.consumer.names()
