"""What some consumers do beyond the verbs that all have: push a layout, scan one, build on an image, sign."""

from __future__ import annotations

from pathlib import Path

import pytest

from lamina.report.verify import verify
from tests.support.consumers.adapters import ConsumerError
from tests.support.consumers.base import check, unique
from tests.support.consumers.buildah import Buildah
from tests.support.consumers.cosign import Cosign
from tests.support.consumers.oras import Oras
from tests.support.consumers.podman import Podman
from tests.support.consumers.registry import Registry
from tests.support.consumers.scanners import Scanner, scanned
from tests.support.consumers.skopeo import Skopeo
from tests.support.reading import read_image
from tests.support.replays import archives
from tests.support.replays.archives import Image


@pytest.fixture
def image() -> Image:
    return archives.image(f"{unique('image')}:1", files={"etc/greeting": "hello\n", "etc/name": unique("content")})


@pytest.fixture
def archive(image: Image, tmp_path: Path) -> Path:
    return archives.write(tmp_path / "image.tar", archives.universal(image))


@pytest.mark.parametrize(
    ("kind", "keeper"), [("oras", "registry"), ("oras", "registry_trixie"), ("oras_forky", "registry_forky")]
)
def test_oras_pushes(request: pytest.FixtureRequest, image: Image, archive: Path, kind: str, keeper: str) -> None:
    """Out of the archive as it is, nothing unpacked."""
    oras: Oras = request.getfixturevalue(kind)
    registry: Registry = request.getfixturevalue(keeper)
    name = f"pushed/{unique('image')}:1"
    oras.push(archive, "1", registry.address, name)
    assert registry.config_digest(name) == image.config_digest
    registry.remove(name)


def test_syft_reads_the_layout_too(image: Image, archive: Path, syft: Scanner, tmp_path: Path) -> None:
    """It unpacks a layout for that, and makes no directories of its own."""
    seen, _ = scanned(f"oci-archive:{archive}", tmp_path)
    assert seen == image.config_digest
    bare = [member for member in archives.universal(image) if member.name not in ("blobs", "blobs/sha256")]
    with pytest.raises(ConsumerError, match="file does not exist: oci-archive"):
        scanned(f"oci-archive:{archives.write(tmp_path / 'bare.tar', bare)}", tmp_path)


@pytest.mark.parametrize("builder", ["buildah", "buildah_trixie", "buildah_forky"])
def test_buildah_builds_on_it(request: pytest.FixtureRequest, archive: Path, builder: str) -> None:
    buildah: Buildah = request.getfixturevalue(builder)
    [name] = buildah.load(archive)
    with buildah.container(name) as container:
        written = buildah.isolated("none", container, ["sh", "-c", "echo more > /etc/greeting"])
        buildah.check(*written)
        built = buildah.commit(container, unique("built"))
    assert buildah.run(built).stdout == "more\n"
    buildah.remove(built)
    buildah.remove(name)


@pytest.mark.parametrize("kind", ["cosign", "cosign_forky"])
def test_cosign_verifies_only_what_it_signed(request: pytest.FixtureRequest, archive: Path, kind: str) -> None:
    cosign: Cosign = request.getfixturevalue(kind)
    other = archives.image(f"{unique('image')}:1", files={"etc/greeting": "not signed\n"})
    [signed] = cosign.load(archive)
    assert cosign.verified(signed).startswith("sha256:")
    [unsigned] = cosign.registry.load(archives.write(archive.with_name("other.tar"), archives.universal(other)))
    with pytest.raises(ConsumerError, match="no signatures found"):
        cosign.verified(unsigned)
    for name in (signed, unsigned):
        cosign.remove(name)


@pytest.mark.parametrize("copier", ["skopeo", "skopeo_trixie", "skopeo_forky"])
def test_a_directory_that_skopeo_copied(
    request: pytest.FixtureRequest, image: Image, archive: Path, tmp_path: Path, copier: str
) -> None:
    skopeo: Skopeo = request.getfixturevalue(copier)
    for layout in ("docker-archive", "oci-archive"):
        target = tmp_path / layout
        check(skopeo.skopeo("copy", f"{layout}:{archive}", f"dir:{target}"))
        check_directory(target, image)


@pytest.mark.parametrize("form", ["docker-dir", "oci-dir"])
@pytest.mark.parametrize("kind", ["podman", "podman_forky"])
def test_a_directory_that_podman_saved(
    request: pytest.FixtureRequest, image: Image, archive: Path, kind: str, form: str, tmp_path: Path
) -> None:
    podman: Podman = request.getfixturevalue(kind)
    [name] = podman.load(archive)
    check(podman.program("save", "--format", form, "--output", tmp_path / form, name))
    podman.remove(name)
    check_directory(tmp_path / form, image)


def check_directory(path: Path, image: Image) -> None:
    assert read_image(path).diff_ids == [f"sha256:{diff_id}" for diff_id in image.diff_ids]
    verdict = verify(path)
    assert (verdict.images, verdict.problems) == (1, ())
