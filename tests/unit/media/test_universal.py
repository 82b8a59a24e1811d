"""Each kind of image, in both layouts: the archive is one that every consumer can read."""

from __future__ import annotations

import functools
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.archive_checks import CLASSIC, EVERY, UNIVERSAL, Check, Opened, layers_are_lawful
from tests.support.kinds_of_images import KINDS
from tests.support.recipes import LAYOUTS, archive_of

Open = Callable[[str, str], Opened]

CHECKS = {"universal": (*EVERY, *UNIVERSAL), "classic": (*EVERY, *CLASSIC)}


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """The archive of a kind of image in a layout, made once."""

    @functools.cache
    def make(kind: str, layout: str) -> Opened:
        directory = tmp_path_factory.mktemp(kind)
        return Opened.at(archive_of(KINDS[kind](directory), directory / "out.tar", layout))

    return make


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("layout", "check"),
    [(layout, check) for layout, checks in CHECKS.items() for check in checks],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_check(layout: str, check: Check, kind: str, opened: Open) -> None:
    check(opened(kind, layout))


@pytest.mark.parametrize("kind", KINDS)
def test_its_layers_are_lawful(kind: str, opened: Open) -> None:
    layers_are_lawful(opened(kind, "universal"))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_lies_where(layout: str, opened: Open) -> None:
    """The members' kinds in order, so that a change of the arrangement is one that somebody decided on."""
    kinds = [info.type.decode() for info in opened("store_and_root", layout).infos]
    documents, layer, legacy = {
        "universal": ("0000" + "55" + "00", "0", "5002"),
        "classic": ("000", "", "5000"),
    }[layout]
    assert "".join(kinds) == documents + layer * 2 + legacy * 2


def test_a_repeated_layer_has_one_blob_and_two_identities(opened: Open) -> None:
    it = opened("on_a_base_that_repeats_a_layer", "universal")
    paths = it.listing["Layers"]
    assert len(paths) == 5 and paths[0] == paths[2] == paths[3] and len(set(paths)) == 3
    assert len({fields["id"] for fields in it.chain}) == 5
    links = list(it.links.values())
    assert links == paths


def test_two_layers_that_came_out_equal_are_one_blob(opened: Open) -> None:
    it = opened("with_two_equal_layers", "universal")
    assert len(it.listing["Layers"]) == 3 and len(set(it.listing["Layers"])) == 2


def test_a_compressed_base_gives_the_archive_that_a_plain_one_gives(opened: Open) -> None:
    """The very regression: a layer's bytes in the archive are those of its diff ID."""
    for layout in LAYOUTS:
        assert opened("on_a_compressed_base", layout).raw == opened("on_a_base", layout).raw


def test_python_s_and_gnu_tar_s_owners_are_kept(opened: Open) -> None:
    with tarfile.open(fileobj=io.BytesIO(opened("store_and_root", "universal").layers[1])) as archive:
        assert {(info.uid, info.gid) for info in archive} == {(1000, 100)}


@pytest.mark.parametrize("check", [*EVERY, *UNIVERSAL, *CLASSIC], ids=lambda check: check.__name__)
def test_every_check_can_fail(check: Check, opened: Open, tmp_path: Path) -> None:
    """A few wrong archives, of which each check must refuse one at least."""
    universal, classic = (opened("on_a_base_that_repeats_a_layer", layout) for layout in LAYOUTS)
    assert any(_fails(check, broken) for it in (universal, classic) for broken in _broken(it, tmp_path))


def _fails(check: Check, it: Opened) -> bool:
    try:
        check(it)
    except (AssertionError, KeyError, ValueError, IndexError):
        return True
    return False


def _broken(it: Opened, directory: Path) -> list[Opened]:
    """The archive with a prefix before all names, with other bytes, without documents, with other ones."""

    def rebuilt(
        rename: Callable[[str], str], change: Callable[[str, bytes], bytes], form: int = tarfile.PAX_FORMAT
    ) -> Opened:
        path = directory / "broken.tar"
        with tarfile.open(path, "w", format=form) as archive:
            for info in it.infos:
                data = change(info.name, it.data.get(info.name, b""))
                copy = tarfile.TarInfo(rename(info.name))
                copy.type, copy.linkname, copy.size = info.type, "../" + info.linkname, len(data)
                copy.pax_headers = {"comment": "x"}
                archive.addfile(copy, io.BytesIO(data))
        return Opened.at(path)

    def same(name: str) -> str:
        return name

    def keep(_: str, data: bytes) -> bytes:
        return data

    def replacing(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
        return lambda name, data: data.replace(old, new)

    edits = [
        (b'"created":', b'"erased":'),
        (b'"config":{', b'"config":null,"x":{'),
        (b'"RepoTags":[', b'"RepoTags":["A:1",'),
        (b'"parent":', b'"child":'),
        (b'"Layers":[', b'"Layers":["nowhere",'),
        (b'"imageLayoutVersion":"1.0.0"', b'"imageLayoutVersion":"2"'),
        (b'"size":', b'"size":1'),
        (b"io.containerd.image.name", b"name"),
        (b'[{"Config"', b'[{"More":1,"Config"'),
        (b",", b", "),
        (b"file-", b"FILE-"),
        (b"1.0", b"1.1"),
    ]
    return [
        rebuilt(lambda name: "./" + name, keep),
        rebuilt(lambda name: name.upper(), keep),
        rebuilt(lambda name: "x" * 120 + name, keep),
        rebuilt(same, keep, tarfile.GNU_FORMAT),
        *(rebuilt(same, replacing(old, new)) for old, new in edits),
    ]
