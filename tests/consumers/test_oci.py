"""OCI archives, layouts and indexes in real programs: they take them, and find the digests that Lamina printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest

from lamina.image.hashing import with_digests
from lamina.image.image import Image
from lamina.image.index import index_of
from lamina.media.oci_content import oci_content
from lamina.media.write import write
from lamina.oci.digest import sha256
from lamina.oci.reference import make_reference
from tests.support.consumers.adapters import KINDS as CONSUMERS
from tests.support.consumers.base import check, unique
from tests.support.consumers.containerd import Containerd
from tests.support.consumers.docker import Docker
from tests.support.consumers.podman import Podman
from tests.support.consumers.registry import Registry
from tests.support.consumers.skopeo import Skopeo
from tests.support.consumers.umoci import Umoci
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import image_of
from tests.support.selection import quick, thorough

COMPRESSORS = ("gz", "zstd", "zstd:chunked")
compressors = pytest.mark.parametrize("compressor", COMPRESSORS)


def of_family(family: str) -> list[Any]:
    """All consumers of the family, of which `make test` uses Debian 12's with this machine's programs."""
    return quick([kind for kind in CONSUMERS if CONSUMERS[kind].family == family], family)


@pytest.fixture
def consumer(request: pytest.FixtureRequest, kind: str) -> Any:
    return request.getfixturevalue(kind)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """With a name of its own."""
    fields = KINDS["store_and_root"](tmp_path)
    return image_of(fields | {"names": [{"name": unique("image"), "tag": "1"}]})


def saved(image: Image, path: Path, compressor: str, form: str = "oci-archive") -> Path:
    write(image, path, format=form, layer_compressor=compressor)
    return path


def config_digest(image: Image) -> str:
    return sha256(with_digests(image, None).document())


def manifest_digest(image: Image, compressor: str) -> str:
    from lamina.image.encoding import LayerEncoding

    [top] = oci_content([image], LayerEncoding(compressor)).tops
    return top.digest


@compressors
@pytest.mark.parametrize("kind", of_family("skopeo"))
def test_skopeo_reads_both_forms(image: Image, compressor: str, consumer: Skopeo, tmp_path: Path) -> None:
    """It compares every digest when it copies."""
    skopeo = consumer
    saved(image, tmp_path / "a.tar", compressor)
    saved(image, tmp_path / "layout", compressor, "oci-layout")
    for place in (f"oci-archive:{tmp_path}/a.tar", f"oci:{tmp_path}/layout"):
        raw = check(skopeo.skopeo("inspect", "--raw", place))
        assert sha256(raw.encode()) == manifest_digest(image, compressor)
        check(skopeo.skopeo("copy", place, f"dir:{tmp_path}/{unique('dir')}"))


@pytest.mark.parametrize("kind", of_family("skopeo"))
def test_a_registry_gets_the_digest_that_was_printed(
    image: Image, consumer: Skopeo, registry: Registry, tmp_path: Path
) -> None:
    skopeo = consumer
    saved(image, tmp_path / "a.tar", "gz")
    name = f"docker://{registry.address}/{unique('pushed')}:1"
    no_tls = ("--dest-tls-verify=false",)
    check(skopeo.skopeo("copy", "--preserve-digests", *no_tls, f"oci-archive:{tmp_path}/a.tar", name))
    found = check(skopeo.skopeo("inspect", "--tls-verify=false", "--format", "{{.Digest}}", name)).strip()
    assert found == manifest_digest(image, "gz")


@compressors
@pytest.mark.parametrize("kind", of_family("podman"))
def test_podman_loads_it(image: Image, compressor: str, consumer: Podman, tmp_path: Path) -> None:
    [name] = consumer.load(saved(image, tmp_path / "a.tar", compressor))
    assert consumer.config_digest(name) == config_digest(image)
    consumer.remove(name)


@compressors
@pytest.mark.parametrize("kind", of_family("containerd"))
def test_containerd_loads_it(image: Image, compressor: str, consumer: Containerd, tmp_path: Path) -> None:
    [name] = consumer.load(saved(image, tmp_path / "a.tar", compressor))
    assert consumer.target(name) == manifest_digest(image, compressor)
    consumer.remove(name)


@pytest.mark.parametrize(
    ("kind", "compressor"),
    [
        ("umoci", "gz"),
        pytest.param("umoci_trixie", "gz", marks=thorough),
        *(("umoci_forky", each) for each in COMPRESSORS),
    ],
)
def test_umoci_unpacks_the_layout(image: Image, consumer: Umoci, compressor: str, tmp_path: Path) -> None:
    """umoci 0.4 knows no zstd."""
    saved(image, tmp_path / "layout", compressor, "oci-layout")
    assert consumer.tags(tmp_path / "layout") == ["layout:1"]
    check([*consumer.prefix, "umoci", "unpack", "--image", f"{tmp_path}/layout:1", tmp_path / "bundle"])
    assert (tmp_path / "bundle/rootfs/etc/motd").read_bytes() == b"hello\n"


@compressors
@pytest.mark.parametrize("kind", ["dockerd_trixie_containerd", "dockerd_forky_containerd"])
def test_docker_with_containerd_s_store_loads_it(
    image: Image, compressor: str, consumer: Docker, tmp_path: Path
) -> None:
    """Docker's classic store takes docker archives only: it looks for `manifest.json`."""
    [name] = consumer.load(saved(image, tmp_path / "a.tar", compressor))
    assert consumer.config_digest(name) == config_digest(image)
    consumer.remove(name)


@pytest.mark.parametrize(("copier", "runner"), [("skopeo", "podman"), ("skopeo_forky", "podman_forky")])
def test_an_index_of_two_platforms(
    request: pytest.FixtureRequest, image: Image, copier: str, runner: str, tmp_path: Path
) -> None:
    """skopeo copies all of it; each platform is chosen by those who ask for it, and podman takes this machine's."""
    skopeo: Skopeo = request.getfixturevalue(copier)
    podman: Podman = request.getfixturevalue(runner)
    other = attrs.evolve(image, config={**image.config, "architecture": "arm64"})
    name = make_reference(unique("index"), "1", "test")
    write(index_of([("a", image), ("b", other)], [name]), tmp_path / "index.tar", format="oci-archive")
    place = f"oci-archive:{tmp_path}/index.tar"
    check(skopeo.skopeo("copy", "--all", place, f"dir:{tmp_path}/all"))
    listed = json.loads((tmp_path / "all/manifest.json").read_text())["manifests"]
    assert [each["platform"]["architecture"] for each in listed] == ["amd64", "arm64"]
    for each in listed:
        assert (tmp_path / "all" / f"{each['digest'].removeprefix('sha256:')}.manifest.json").exists()
    for architecture, expected in (("amd64", image), ("arm64", other)):
        to = tmp_path / architecture
        check(skopeo.skopeo("--override-arch", architecture, "copy", place, f"dir:{to}"))
        manifest = json.loads((to / "manifest.json").read_text())
        assert manifest["config"]["digest"] == config_digest(expected)
    [loaded] = podman.load(tmp_path / "index.tar")
    assert podman.config_digest(loaded) == config_digest(image)
    podman.remove(loaded)
