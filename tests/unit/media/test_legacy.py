"""Legacy identities stand for content: Mesos keeps layers by them for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.archive_checks import Opened
from tests.support.archives import docker_save, layer_of, sample
from tests.support.recipes import LAYOUTS, archive_of, base, recipe, save, tar_layer


def chain(directory: Path, *contents: str, layout: str = "universal", **changes: Any) -> list[dict[str, Any]]:
    """The v1 documents of an image with a layer for each content, bottom first."""
    layers = []
    for number, text in enumerate(contents):
        path = directory / f"{number}.tar"
        path.write_bytes(layer_of({"f": text.encode()}))
        layers.append(tar_layer(path))
    return Opened.at(archive_of(recipe(*layers, **changes), directory / "out.tar", layout)).chain[::-1]


def identities(directory: Path, *contents: str, **changes: Any) -> list[str]:
    return [fields["id"] for fields in chain(directory, *contents, **changes)]


def test_another_config_is_another_top_and_nothing_else(tmp_path: Path) -> None:
    one = identities(tmp_path, "a", "b", "c", config={"Env": ["A=1"]})
    two = identities(tmp_path, "a", "b", "c", config={"Env": ["A=2"]})
    assert one[:2] == two[:2] and one[2] != two[2]


def test_another_layer_changes_all_above_it_and_none_below(tmp_path: Path) -> None:
    one, two = identities(tmp_path, "a", "b", "c", "d"), identities(tmp_path, "a", "B", "c", "d")
    assert one[0] == two[0]
    assert not set(one[1:]) & set(two)


def test_a_name_changes_nothing(tmp_path: Path) -> None:
    assert identities(tmp_path, "a", "b") == identities(tmp_path, "a", "b", names=[])


def test_a_layer_in_another_place_is_another(tmp_path: Path) -> None:
    ids = identities(tmp_path, "a", "a", "a")
    assert len(set(ids)) == 3
    assert not set(identities(tmp_path, "b", "a")) & set(identities(tmp_path, "a", "b"))


def test_a_shared_bottom_is_shared(tmp_path: Path) -> None:
    """Two images on one base share its layers in a store of v1 layers, but for a top, which has the config."""
    path = save(docker_save([sample("x", "y")]), tmp_path / "base.tar")
    one = identities(tmp_path, "a", base=base(path))
    two = identities(tmp_path, "b", base=base(path))
    assert one[:2] == two[:2] and one[2] != two[2]


def test_both_layouts_have_the_same_identities(tmp_path: Path) -> None:
    universal, classic = (identities(tmp_path, "a", "b", layout=layout) for layout in LAYOUTS)
    assert universal == classic


@pytest.mark.parametrize("config", [{}, {"Cmd": ["x"]}])
def test_only_the_top_has_the_config(config: dict[str, Any], tmp_path: Path) -> None:
    bottom, top = chain(tmp_path, "a", "b", config=config)
    assert set(bottom) == {"id", "created", "container_config", "os"}
    assert set(top) == {"id", "created", "container_config", "os", "parent", "architecture", "config"}
    assert json.dumps(top["config"]) == json.dumps(config)
