"""Readers that cannot run here, on every example, and on each change that a check says hurts them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lamina.compat import CHECKS
from tests.support.built_examples import Built
from tests.support.doctored import CASES, archive
from tests.support.examples import EXAMPLES
from tests.support.replays import readers
from tests.support.replays.pushers import archive_config
from tests.support.replays.readers import Read, ReaderError

Reader = Callable[[Path, str, Path], Read]

READERS: dict[str, Reader] = {
    "apptainer": readers.apptainer,
    "syft": readers.stereoscope,
    "buildkit": readers.buildkit,
    "crane": readers.crane,
}
"""By what `--for` calls them."""
REFUSED = {
    "outer-directories": ("apptainer", "syft"),
    "docker-side": ("crane",),
    "docker-one-image": ("crane",),
    "layers-match": ("crane",),
    "layers-alike": ("crane",),
    "oci-side": ("buildkit",),
    "oci-version": ("buildkit",),
    "blobs-regular": ("apptainer", "syft"),
    "blobs-digests": ("apptainer", "buildkit"),
    "oci-complete": ("syft",),
    "oci-descriptors": ("apptainer", "buildkit"),
    "apptainer-unpacks": ("apptainer",),
    "index-tags": ("apptainer", "buildkit"),
    "members-found": ("crane",),
}
NAME = "docker.io/library/app:1"


@pytest.fixture
def there(tmp_path: Path) -> Path:
    """Where a reader unpacks."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("attribute", [example.attribute for example in EXAMPLES])
def test_examples(attribute: str, reader: str, build: Callable[[str], Built], there: Path) -> None:
    built = build(attribute)
    config = archive_config(built.archive)
    wanted = Read(config, tuple(json.loads(config)["rootfs"]["diff_ids"]))
    if built.example.layout == "classic" and reader != "crane":
        with pytest.raises(ReaderError, match=r"oci-layout|index\.json"):
            READERS[reader](built.archive, built.qualified, there)
    else:
        assert READERS[reader](built.archive, built.qualified, there) == wanted


@pytest.mark.parametrize("attribute", [example.attribute for example in EXAMPLES])
def test_kind_finds_the_name(attribute: str, build: Callable[[str], Built]) -> None:
    built = build(attribute)
    assert built.qualified in readers.kind_tags(built.archive)


@pytest.mark.parametrize("reader", READERS)
def test_a_good_one_is_read(reader: str, tmp_path: Path, there: Path) -> None:
    path = archive().write(tmp_path / "good.tar")
    assert len(READERS[reader](path, NAME, there).diff_ids) == 2


@pytest.mark.parametrize(("check", "reader"), [(check, reader) for check, found in REFUSED.items() for reader in found])
def test_refused(check: str, reader: str, tmp_path: Path, there: Path) -> None:
    assert reader in next(known.protects for known in CHECKS if known.id == check)
    case = CASES[check]
    it = case.good()
    case.edit(it)
    with pytest.raises(ReaderError):
        READERS[reader](it.write(tmp_path / "it.tar"), NAME, there)


def test_kind_finds_the_names_of_the_first_document(tmp_path: Path) -> None:
    it = archive()
    assert list(readers.kind_tags(it.write(tmp_path / "good.tar"))) == [NAME]
    CASES["kind-names"].edit(it)
    assert NAME not in readers.kind_tags(it.write(tmp_path / "it.tar"))
