"""Both pushers reach a real registry, skopeo pulls the same back, and they refuse what is not theirs."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.consumers.registry import Registry
from tests.support.consumers.skopeo import Skopeo
from tests.support.replays import archives, pushers
from tests.support.replays.archives import Image, Member
from tests.support.replays.uploads import CONFIG, LAYER, LAYER_GZIP, Descriptor, Pushed, PushError, Repository

Push = Callable[..., Pushed]
PUSHERS: list[Push] = [pushers.push_by_manifest, pushers.push_by_repositories]


def write(tmp_path: Path, members: list[Member]) -> Path:
    return archives.write(tmp_path / "image.tar", members)


def refused(push: Push, archive: Path, registry: Registry) -> str:
    with pytest.raises(PushError) as error:
        push(archive, registry.address, "refused", "1")
    return str(error.value)


@pytest.fixture
def image() -> Image:
    """With a repeated layer on top, which layouts store in different ways."""
    again = archives.file_layer({"a": "again"})
    return archives.image("foo:1", extra=[again, again])


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("layout", ["universal", "skopeo"])
def test_push_by_manifest(
    tmp_path: Path, registry: Registry, skopeo: Skopeo, image: Image, layout: str, compress: bool
) -> None:
    archive = write(tmp_path, archives.LAYOUTS[layout](image))
    name = f"by-manifest/{layout}"
    pushed = pushers.push_by_manifest(archive, registry.address, name, "1", compress=compress)
    assert pushed.config == pushers.archive_config(archive) == image.config_bytes
    assert skopeo.pull(registry.address, f"{name}:1") == image.config_bytes
    assert f"{name}:1" in registry.names()
    assert registry.config(f"{name}:1") == image.config_bytes


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("layout", archives.LAYOUTS)
def test_push_by_repositories(
    tmp_path: Path, registry: Registry, skopeo: Skopeo, image: Image, layout: str, compress: bool
) -> None:
    archive = write(tmp_path, archives.LAYOUTS[layout](image))
    name = f"by-repositories/{layout}"
    pushed = pushers.push_by_repositories(archive, registry.address, name, "1", compress=compress)
    assert skopeo.pull(registry.address, f"{name}:1") == pushed.config
    assert pushers.same_image(pushed.config, pushers.archive_config(archive))


@pytest.mark.parametrize("compress", [False, True])
def test_layers_go_up_plain_or_packed(
    tmp_path: Path,
    registry: Registry,
    image: Image,
    compress: bool,
) -> None:
    archive = write(tmp_path, archives.universal(image))
    pushed = pushers.push_by_manifest(archive, registry.address, "types", "1", compress=compress)
    layers = json.loads(pushed.manifest)["layers"]
    media_type = LAYER_GZIP if compress else LAYER
    assert {layer["mediaType"] for layer in layers} == {media_type}
    plain = [f"sha256:{diff_id}" for diff_id in image.diff_ids]
    assert ([layer["digest"] for layer in layers] == plain) is not compress


@pytest.mark.parametrize("key", ["config", "architecture", "os", "rootfs"])
def test_same_image_looks_at_every_part(image: Image, key: str) -> None:
    real = image.config_bytes
    assert pushers.same_image(real, real)
    other = json.loads(real) | {key: {"diff_ids": []}}
    assert not pushers.same_image(archives.encode(other), real)


@pytest.mark.parametrize("push", PUSHERS)
def test_compressed_layer_is_refused(tmp_path: Path, registry: Registry, push: Push) -> None:
    """Layers that are gzip under a plain name: the regression that must not come back."""
    image = archives.image("foo:1")
    base = archives.legacy_ids(image)[0]
    packed = gzip.compress(image.layers[0], mtime=0)
    members = archives.replaced(archives.docker_save(image), f"{base}/layer.tar", packed)
    assert "is not a plain tar: it begins with 1f 8b" in refused(push, write(tmp_path, members), registry)


@pytest.mark.parametrize("push", PUSHERS)
def test_member_that_stands_twice_is_refused(tmp_path: Path, registry: Registry, push: Push) -> None:
    members = archives.universal(archives.image("foo:1"))
    assert "stand twice" in refused(push, write(tmp_path, [*members, members[0]]), registry)


def test_manifest_pusher_reads_no_links(tmp_path: Path, registry: Registry, image: Image) -> None:
    archive = write(tmp_path, archives.docker_save(image))
    assert "is not a regular file" in refused(pushers.push_by_manifest, archive, registry)


def test_manifest_pusher_checks_every_layer(tmp_path: Path, registry: Registry) -> None:
    image = archives.image("foo:1")
    members = archives.universal(image)
    config, layers = f"blobs/sha256/{archives.sha256(image.config_bytes)}", image.diff_ids
    for paths, message in (
        (layers[:1], "1 layers, but 2 diff ids"),
        (layers[::-1], "but the config says"),
        (["0" * 64, layers[1]], "the archive has no member"),
    ):
        document = [{"Config": config, "Layers": [f"blobs/sha256/{path}" for path in paths], "RepoTags": []}]
        broken = archives.replaced(members, "manifest.json", archives.encode(document))
        assert message in refused(pushers.push_by_manifest, write(tmp_path, broken), registry)


def test_manifest_pusher_needs_one_image(tmp_path: Path, registry: Registry) -> None:
    members = archives.replaced(archives.universal(archives.image("foo:1")), "manifest.json", b"[]")
    assert "exactly one image" in refused(pushers.push_by_manifest, write(tmp_path, members), registry)


def test_repositories_pusher_wants_the_source_named(tmp_path: Path, registry: Registry) -> None:
    archive = write(tmp_path, archives.universal(archives.image("foo:1", "foo:2")))
    pushed = pushers.push_by_repositories(archive, registry.address, "named", "1", source="foo:2")
    assert json.loads(pushed.config)["config"]["Env"] == ["PATH=/bin", "COLOUR=blue"]
    with pytest.raises(PushError, match="repositories has no foo:3"):
        pushers.push_by_repositories(archive, registry.address, "named", "1", source="foo:3")


def test_repositories_pusher_refuses_two_images(tmp_path: Path, registry: Registry) -> None:
    image = archives.image("foo:1")
    table = archives.encode({"foo": {"1": "0" * 64, "2": "1" * 64}})
    members = archives.replaced(archives.universal(image), "repositories", table)
    assert "leads to 2 images" in refused(pushers.push_by_repositories, write(tmp_path, members), registry)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "0" * 64}, "/json is of 000"),
        ({"config": None}, "has no config object"),
        ({"parent": "short"}, "'short' is not a v1 id"),
    ],
)
def test_repositories_pusher_checks_the_chain(
    tmp_path: Path, registry: Registry, changes: dict[str, object], message: str
) -> None:
    image = archives.image("foo:1")
    top = archives.legacy_ids(image)[-1]
    members = archives.edited(archives.universal(image), f"{top}/json", **changes)
    assert message in refused(pushers.push_by_repositories, write(tmp_path, members), registry)


def test_repositories_pusher_finds_a_cycle(tmp_path: Path, registry: Registry) -> None:
    image = archives.image("foo:1")
    bottom, top = archives.legacy_ids(image)
    members = archives.edited(archives.universal(image), f"{bottom}/json", parent=top)
    assert "lead back" in refused(pushers.push_by_repositories, write(tmp_path, members), registry)


def test_registry_refuses_a_manifest_without_its_blobs(registry: Registry) -> None:
    absent = Descriptor(CONFIG, f"sha256:{'0' * 64}", 1)
    refusal = pytest.raises(PushError, match=r"manifests/1: 40[04]")
    with Repository.at(registry.address, "absent") as target, refusal:
        target.put_manifest("1", absent, [])
