"""The Mesos replay accepts what Mesos accepts, and refuses what it is known to refuse."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from tests.support.replays import archives, mesos
from tests.support.replays.archives import Image, Member
from tests.support.replays.backends import Backend
from tests.support.replays.errors import MesosError
from tests.support.replays.mesos import Reference

pytestmark = pytest.mark.usefixtures("as_root")  # as Mesos' agent runs

BACKENDS: tuple[Backend, ...] = get_args(Backend)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    chosen: Backend = request.param
    return chosen


def write(tmp_path: Path, members: list[Member], name: str = "image.tar") -> Path:
    return archives.write(tmp_path / name, members)


def refused(archive: Path, reference: str = "foo:1", backend: Backend = "copy", store: str = "store") -> str:
    with pytest.raises(MesosError) as error:
        mesos.pull(archive, reference, archive.parent / store, backend)
    return str(error.value)


def spoilt_top(tmp_path: Path, **changes: object) -> Path:
    """An archive whose top json differs in some keys."""
    image = archives.image("foo:1")
    top = archives.legacy_ids(image)[-1]
    return write(tmp_path, archives.edited(archives.universal(image), f"{top}/json", **changes))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo", Reference("foo")),
        ("foo:1", Reference("foo", tag="1")),
        ("a/b:1", Reference("a/b", tag="1")),
        ("localhost/foo", Reference("foo", "localhost")),
        ("localhost:5000/foo", Reference("foo", "localhost:5000")),
        ("registry.example/a/b:1", Reference("a/b", "registry.example", "1")),
        ("foo@sha256:00", Reference("foo", digest="sha256:00")),
    ],
)
def test_reference(text: str, expected: Reference) -> None:
    assert mesos.parse_reference(text) == expected
    assert str(expected) == text
    assert mesos.archive_path(Path("/r"), expected) == Path(f"/r/{text}.tar")


def test_reference_with_two_digests_is_refused() -> None:
    with pytest.raises(MesosError, match="Multiple '@'"):
        mesos.parse_reference("foo@sha256:00@sha256:11")


@pytest.mark.parametrize("layout", archives.LAYOUTS)
@pytest.mark.parametrize("name", ["foo:1", "localhost:5000/foo:1", "registry.example/foo:1"])
def test_image_is_pulled_and_runs(tmp_path: Path, backend: Backend, layout: str, name: str) -> None:
    image = archives.image(name)
    # skopeo's `repositories` has normalised names alone, so it is asked for under the same.
    reference = archives.normal(name) if layout == "skopeo" else name
    archive = write(tmp_path, archives.LAYOUTS[layout](image))

    pulled = mesos.pull(archive, reference, tmp_path / "store", backend)

    assert list(pulled.ids) == archives.legacy_ids(image)
    assert pulled.environment == {"PATH": "/bin", "COLOUR": "blue"}
    with mesos.provision(pulled, tmp_path / "container") as rootfs:
        # Found here, since the image's PATH, which runs the command, may not lead to chroot.
        command = [shutil.which("chroot") or "chroot", str(rootfs), *pulled.command]
        done = subprocess.run(command, env=pulled.environment, capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == ("hello from an image\n", "")
    assert not rootfs.exists()
    assert list((tmp_path / "store" / "staging").iterdir()) == []


def test_repository_may_stand_without_its_registry(tmp_path: Path) -> None:
    archive = write(tmp_path, archives.universal(archives.image("foo:1")))
    assert mesos.pull(archive, "registry.example/foo:1", tmp_path / "store", "copy").ids
    # The two keys that are asked for are library/foo and docker.io/library/foo; foo is neither.
    assert "'library/foo' does not exist" in refused(archive, "docker.io/library/foo:1")


def test_compressed_archive_is_read(tmp_path: Path, backend: Backend) -> None:
    archive = write(tmp_path, archives.universal(archives.image("foo:1")))
    subprocess.run(["gzip", str(archive)], check=True, timeout=60)
    packed = archive.with_suffix(".tar.gz").rename(archive)
    assert mesos.pull(packed, "foo:1", tmp_path / "store", backend).ids


def layered(tmp_path: Path) -> Image:
    """Upper layers that hide, replace and empty what is below."""
    lower = archives.file_layer({"d/old": "old", "e/gone": "gone", "e/kept": "kept", "f": "file"})
    link = archives.tar([Member("swap", link="e/kept")])
    upper = archives.tar(
        [
            Member("d"),
            Member("d/.wh..wh..opq", b""),
            Member("d/new", b"new"),
            Member("e"),
            Member("e/.wh.gone", b""),
            Member("f"),
            Member("f/inside", b"inside"),
            Member("swap", b"regular"),
        ]
    )
    return archives.image("foo:1", extra=[lower, link, upper])


def test_whiteouts_and_changed_types(tmp_path: Path, backend: Backend) -> None:
    archive = write(tmp_path, archives.universal(layered(tmp_path)))
    pulled = mesos.pull(archive, "foo:1", tmp_path / "store", backend)
    with mesos.provision(pulled, tmp_path / "container") as rootfs:
        found = {str(path.relative_to(rootfs)) for path in rootfs.rglob("*")}
        assert (rootfs / "swap").read_text() == "regular"
        assert not (rootfs / "swap").is_symlink()
    assert {"d/new", "e/kept", "f/inside"} <= found
    assert not {"d/old", "e/gone"} & found
    assert not [path for path in found if ".wh." in path]


def test_whiteout_beside_its_own_file_is_refused_by_overlay(tmp_path: Path) -> None:
    both = archives.tar([Member("a", b"new"), Member(".wh.a", b"")])
    archive = write(tmp_path, archives.universal(archives.image("foo:1", extra=[both])))
    assert "File exists" in refused(archive, backend="overlay")


def test_regular_file_over_a_dangling_link_is_refused_by_copy(tmp_path: Path) -> None:
    link = archives.tar([Member("a", link="nowhere")])
    file = archives.tar([Member("a", b"file")])
    archive = write(tmp_path, archives.universal(archives.image("foo:1", extra=[link, file])))
    pulled = mesos.pull(archive, "foo:1", tmp_path / "store", "copy")
    with pytest.raises(MesosError, match="dangling symlink"), mesos.provision(pulled, tmp_path / "container"):
        pass


def test_images_with_a_common_base_share_it(tmp_path: Path, backend: Backend) -> None:
    images = archives.image("foo:1"), archives.image("foo:1", files={"etc/greeting": "other\n"})
    store = tmp_path / "store"
    pulls = []
    for image in images:
        archive = write(tmp_path, archives.universal(image))
        pulls.append(mesos.pull(archive, "foo:1", store, backend))
    assert pulls[0].layers[0] == pulls[1].layers[0]
    assert [(pull.layers[1] / "etc/greeting").read_text() for pull in pulls] == [
        "hello from an image\n",
        "other\n",
    ]


def test_layer_that_the_store_has_is_not_extracted(tmp_path: Path, backend: Backend) -> None:
    """So it need not be in the archive; its json must be, for the way to the bottom."""
    image = archives.image("foo:1")
    members = archives.universal(image)
    mesos.pull(write(tmp_path, members), "foo:1", tmp_path / "store", backend)
    sparse = archives.without(members, f"blobs/sha256/{image.diff_ids[0]}")
    pulled = mesos.pull(write(tmp_path, sparse), "foo:1", tmp_path / "store", backend)
    assert (pulled.layers[0] / "bin/busybox").exists()
    assert "Cannot open" in refused(write(tmp_path, sparse), backend=backend, store="empty")


def test_one_store_serves_both_backends(tmp_path: Path) -> None:
    archive = write(tmp_path, archives.universal(layered(tmp_path)))
    for backend in BACKENDS:
        pulled = mesos.pull(archive, "foo:1", tmp_path / "store", backend)
        with mesos.provision(pulled, tmp_path / backend) as rootfs:
            assert not (rootfs / "e/gone").exists()


def test_same_id_with_other_content_keeps_the_old(tmp_path: Path) -> None:
    """Why ids must come from content: Mesos never looks at a layer that it has an id of."""
    image = archives.image("foo:1")
    base = archives.legacy_ids(image)[0]
    members = archives.docker_save(image)
    store = tmp_path / "store"
    mesos.pull(write(tmp_path, members), "foo:1", store, "copy")
    other = archives.replaced(members, f"{base}/layer.tar", archives.file_layer({"other": "content"}))
    pulled = mesos.pull(write(tmp_path, other), "foo:1", store, "copy")
    assert not (pulled.layers[0] / "other").exists()


def repeated(layers: int) -> Image:
    """The same small layer many times over."""
    return archives.image("foo:1", extra=[archives.file_layer({"a": "again"})] * (layers - 2))


def test_links_to_a_shared_blob_survive_62_layers(tmp_path: Path, backend: Backend) -> None:
    archive = write(tmp_path, archives.universal(repeated(62)))
    for attempt in range(3):
        pulled = mesos.pull(archive, "foo:1", tmp_path / f"store{attempt}", backend)
        with mesos.provision(pulled, tmp_path / f"container{attempt}") as rootfs:
            assert (rootfs / "a").read_text() == "again"


@pytest.mark.parametrize("workers", [1, None], ids=["in order", "at once"])
def test_links_to_another_layer_lose_the_race(tmp_path: Path, workers: int | None) -> None:
    """With docker's own archive: the layer that the links lead to is removed once it is extracted."""
    archive = write(tmp_path, archives.docker_save(repeated(62)))
    with pytest.raises(MesosError, match=r"layer\.tar.*Cannot open: No such file"):
        mesos.pull(archive, "foo:1", tmp_path / "store", "copy", workers)


def test_missing_archive(tmp_path: Path) -> None:
    assert "Failed to find archive for image 'foo:1'" in refused(tmp_path / "absent.tar")


def test_without_repositories(tmp_path: Path) -> None:
    members = archives.universal(archives.image("foo:1"))
    archive = write(tmp_path, archives.without(members, "repositories"))
    assert refused(archive).startswith("Failed to read 'repositories'")


def test_unknown_names(tmp_path: Path) -> None:
    archive = write(tmp_path, archives.universal(archives.image("foo:1")))
    assert refused(archive, "foo:2") == "Layer id '2' is not found"
    assert refused(archive, "foo") == "Layer id 'latest' is not found"
    assert refused(archive, "bar:1") == "Repository 'bar' does not exist in 'repositories'"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[]", "Failed to parse 'repositories'"),
        (b"{} x", "Failed to parse 'repositories'"),
        (b"\xef\xbb\xbf{}", "Failed to parse 'repositories'"),
        (b'{"foo": "\\ud800"}', "Failed to parse 'repositories'"),
        (b'{"foo": []}', "Failed to find repository 'foo'"),
        (b'{"foo": {"1": 7}}', "Failed to access layer id '1'"),
        (b'{"foo": {"1": "absent"}}', "Failed to read manifest from"),
    ],
)
def test_broken_repositories(tmp_path: Path, data: bytes, message: str) -> None:
    members = archives.universal(archives.image("foo:1"))
    assert message in refused(write(tmp_path, archives.replaced(members, "repositories", data)))


def test_archive_of_docker_25_has_no_chain(tmp_path: Path) -> None:
    """It keeps `repositories`, but the id in it is a diff id without a directory."""
    image = archives.image("foo:1")
    members = [*archives.oci_members(image), archives.repositories(image, image.diff_ids[-1], image.names)]
    assert "Failed to read manifest" in refused(write(tmp_path, members))


def test_cycle(tmp_path: Path) -> None:
    image = archives.image("foo:1")
    bottom, top = archives.legacy_ids(image)
    members = archives.edited(archives.universal(image), f"{bottom}/json", parent=top)
    assert "never ends" in refused(write(tmp_path, members))


def test_parent_that_is_no_string(tmp_path: Path) -> None:
    assert "Unexpected 'parent' type" in refused(spoilt_top(tmp_path, parent=7))


def test_empty_parent_is_none(tmp_path: Path) -> None:
    archive = spoilt_top(tmp_path, parent="")
    assert len(mesos.pull(archive, "foo:1", tmp_path / "store", "copy").ids) == 1


@pytest.mark.parametrize("config", [b'"config":null,', b""])
def test_no_config_object_ends_the_agent(tmp_path: Path, backend: Backend, config: bytes) -> None:
    image = archives.image("foo:1")
    top = archives.legacy_ids(image)[-1]
    data = b"{" + config + b'"id":"%s"}' % top.encode()
    members = archives.replaced(archives.universal(image), f"{top}/json", data)
    assert "has no config object" in refused(write(tmp_path, members), backend=backend)


def test_empty_config_object_is_enough_to_pull(tmp_path: Path) -> None:
    pulled = mesos.pull(spoilt_top(tmp_path, config={}), "foo:1", tmp_path / "store", "copy")
    with pytest.raises(MesosError, match="No executable is found"):
        _ = pulled.command


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"created": 7}, "Not expecting a JSON number for field 'created'"),
        ({"architecture": ["amd64"]}, "Not expecting a JSON array for field 'architecture'"),
        ({"os": True}, "Not expecting a JSON boolean for field 'os'"),
        ({"Size": True}, "Not expecting a JSON boolean for field 'Size'"),
        ({"Size": "7"}, "Not expecting a JSON string for field 'Size'"),
        ({"config": []}, "Not expecting a JSON array for field 'config'"),
        ({"config": {"Env": {"A": "b"}}}, "Not expecting a JSON object for field 'Env'"),
        ({"config": {"Cmd": ["a", 7]}}, "Not expecting a JSON number for field 'Cmd'"),
        ({"config": {"Labels": {"a": 7}}}, "Not expecting a JSON number for field 'a'"),
        ({"container_config": "x"}, "Not expecting a JSON string for field 'container_config'"),
    ],
)
def test_wrong_types_in_the_top_json(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    assert message in refused(spoilt_top(tmp_path, **changes))


def test_what_the_types_allow(tmp_path: Path) -> None:
    config = {"Cmd": "one", "Entrypoint": ["a", None, "b"], "Labels": {"k": None}, "Unknown": 7}
    archive = spoilt_top(tmp_path, Size=5 << 30, config=config)
    pulled = mesos.pull(archive, "foo:1", tmp_path / "store", "copy")
    assert pulled.command == ("a", "b", "one")
    assert pulled.manifest.size == 1 << 30
    assert pulled.manifest.config is not None
    assert pulled.manifest.config.labels == {"k": ""}
