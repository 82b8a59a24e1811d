"""What checks say is so: the change that a check alone notices is one that the consumers it protects stumble over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from lamina.compat import CHECKS
from lamina.report.verify import verify
from tests.support.consumers.adapters import KINDS, Consumer, ConsumerError
from tests.support.doctored import CASES, File, archive, with_layer
from tests.support.replays import mesos
from tests.support.replays.errors import MesosError

REFUSED: Mapping[str, tuple[str, ...]] = {
    "outer-uncompressed": ("containerd", "skopeo", "buildah", "oras", "syft", "dive"),
    "docker-side": ("dockerd",),
    "docker-one-image": ("skopeo", "buildah", "syft"),
    "layers-regular": ("skopeo", "buildah"),
    "layers-match": ("skopeo", "buildah"),
    "tags-whole": ("dockerd", "skopeo", "buildah"),
    "config-platform": ("containerd",),
    "config-types": ("dockerd", "containerd", "podman", "umoci"),
    "config-times": ("dockerd", "containerd", "podman", "skopeo", "umoci"),
    "config-history": ("dockerd", "dive"),
    "oci-side": ("umoci", "oras"),
    "oci-version": ("containerd", "umoci", "oras"),
    "blobs-regular": ("oras", "dive"),
    "blobs-digests": ("containerd", "umoci", "oras"),
    "oci-complete": ("containerd",),
    "oci-descriptors": ("umoci", "oras"),
    "oci-config-type": ("umoci",),
    "oci-document-types": ("containerd",),
    "oras-sizes": ("oras",),
    "dive-reads": ("dive",),
    "members-found": ("skopeo", "buildah", "dive"),
    "layer-names": ("dockerd", "podman", "containerd"),
    "layer-unique": ("dockerd", "podman"),
    "layer-alone": ("dockerd", "podman", "containerd", "umoci"),
    "layer-hard-links": ("dockerd", "podman", "containerd"),
    "layer-whiteouts": ("dockerd", "podman", "containerd"),
    "layer-global-headers": ("dive",),
    "layer-link-attributes": ("podman",),
}
NAMED = {
    "podman-names": ("podman", "docker.io/library/app:1"),
    "containerd-names": ("containerd", "docker.io/library/app:1"),
    "index-tags": ("umoci", "1"),
}
"""Who loads it and has no such name then."""
NOT_PULLED = ("v1-side", "v1-names", "v1-config")


def protected(check: str) -> tuple[str, ...]:
    return next(known.protects for known in CHECKS if known.id == check)


def doctored(check: str, directory: Path) -> Path:
    case = CASES[check]
    it = case.good()
    case.edit(it)
    path = it.write(directory / "it.tar")
    path.write_bytes(case.raw(path.read_bytes()))
    return path


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return archive().write(tmp_path / "good.tar")


@pytest.mark.parametrize("kind", sorted({kind for kinds in REFUSED.values() for kind in kinds}))
def test_a_good_one_is_taken(request: pytest.FixtureRequest, kind: str, good: Path) -> None:
    consumer: Consumer = request.getfixturevalue(kind)
    names = consumer.load(good)
    for name in names:
        consumer.remove(name)
    assert list(map(KINDS[kind].reported, names)) == [KINDS[kind].spelling("docker.io/library/app:1")]


@pytest.mark.parametrize(("check", "kind"), [(check, kind) for check, kinds in REFUSED.items() for kind in kinds])
def test_refused(request: pytest.FixtureRequest, check: str, kind: str, tmp_path: Path) -> None:
    assert KINDS[kind].family in protected(check)
    consumer: Consumer = request.getfixturevalue(kind)
    with pytest.raises(ConsumerError) as raised:
        names = consumer.load(doctored(check, tmp_path))
        if kind == "umoci":  # it looks at blobs when it unpacks them
            consumer.run(names[0], ["/app"])
        for name in names:
            consumer.remove(name)
    assert "exit" in str(raised.value), "the program itself refuses it"


@pytest.mark.parametrize("kind", ["dockerd", "podman", "containerd", "umoci"])
def test_a_member_of_an_unknown_type_is_refused(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> None:
    """By consumers, and by the reader of tars, so that no check needs to look for it."""
    case = with_layer(File("file", type=b"7"))
    it = case.good()
    case.edit(it)
    path = it.write(tmp_path / "it.tar")
    assert "of the unknown type b'7'" in verify(path).problems[0]
    consumer: Consumer = request.getfixturevalue(kind)
    with pytest.raises(ConsumerError, match="exit"):
        consumer.run(consumer.load(path)[0], ["/app"])


@pytest.mark.parametrize("check", NAMED)
def test_called_otherwise(request: pytest.FixtureRequest, check: str, tmp_path: Path) -> None:
    kind, wanted = NAMED[check]
    assert KINDS[kind].family in protected(check)
    consumer: Consumer = request.getfixturevalue(kind)
    names = consumer.load(doctored(check, tmp_path))
    for name in set(names):
        consumer.remove(name)
    assert names and wanted not in map(KINDS[kind].reported, names)


@pytest.mark.parametrize("check", NOT_PULLED)
def test_not_pulled_by_mesos(check: str, tmp_path: Path) -> None:
    assert "mesos" in protected(check)
    with pytest.raises(MesosError):
        mesos.pull(doctored(check, tmp_path), "app:1", tmp_path / "store", "copy")


def test_links_to_what_mesos_deletes(tmp_path: Path) -> None:
    """One order of those in which layers may be unpacked; with another one it goes well."""
    with pytest.raises(MesosError):
        mesos.pull(doctored("links-apart", tmp_path), "app:1", tmp_path / "store", "copy", workers=1)


@pytest.mark.parametrize("backend", ["copy", "overlay"])
def test_mesos_pulls_a_good_one(backend: mesos.Backend, good: Path, tmp_path: Path) -> None:
    assert verify(good, consumers=["mesos"]).findings == ()
    assert len(mesos.pull(good, "app:1", tmp_path / "store", backend).layers) == 2
