"""From a recipe to an image: the base below, the layers on top, the config and the history of both."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.layer import hashed
from tests.support.archives import WRAPPERS, Piece, docker_save, folder, layer_of, oci_platforms, sample, tar_of
from tests.support.recipes import base, bytes_of, image_of, names_in, recipe, root_layer, save, store_layer, tar_layer
from tests.support.trees import Store, hashed_name, make_tree, nar_size, path_info


def reasons(image: Image) -> list[Any]:
    return [entry.get("created_by") for entry in image.history]


def test_each_layer_of_a_recipe_is_a_layer_of_the_image(store: Store, tmp_path: Path) -> None:
    (tmp_path / "made.tar").write_bytes(layer_of({"made": b"x"}))
    tree = make_tree(tmp_path / "tree", {"etc/motd": b"hello"})
    paths = [store.add(name, {"f": b"x"}) for name in ("b-1.0", "a-2.0")]
    image = image_of(recipe(store_layer(*paths, uid=5), root_layer(tree, mtime=9), tar_layer(tmp_path / "made.tar")))
    assert [names_in(layer)[-1] for layer in image.layers] == [max(paths)[1:] + "/f", "etc/motd", "made"]
    assert reasons(image) == [
        "lamina: store paths a-2.0, b-1.0",
        "lamina: files at the root",
        "lamina: files made by a script",
    ]
    assert {entry["created"] for entry in image.history} == {"1970-01-01T00:00:01Z"}
    assert [name.qualified for name in image.names] == ["docker.io/library/app:1"]


def test_an_image_of_nothing_has_the_empty_layer() -> None:
    """Some consumers refuse an image without layers."""
    image = image_of(recipe())
    assert [bytes_of(layer) for layer in image.layers] == [bytes(1024)]
    assert reasons(image) == ["lamina: nothing"]


def test_what_is_on_a_base_lies_over_it(store: Store, tmp_path: Path) -> None:
    path = save(docker_save([sample("below", "above")]), tmp_path / "base.tar")
    image = image_of(recipe(store_layer(store.add("x", {"f": b"x"})), base=base(path)))
    assert [names_in(layer)[-1] for layer in image.layers[:2]] == ["file-below", "file-above"]
    assert reasons(image) == ["step 0", "step 1", None, "lamina: store paths x"]
    assert image.config["config"] == {"Env": ["PATH=/bin", "A=1"], "Cmd": ["/bin/app"]}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_a_layer_that_was_made_elsewhere_becomes_plain(wrapper: str, tmp_path: Path) -> None:
    data = layer_of({"made": b"x"})
    (tmp_path / "made").write_bytes(WRAPPERS[wrapper](data))
    assert bytes_of(image_of(recipe(tar_layer(tmp_path / "made"))).layers[0]) == data


CARRIED = [folder("nix"), folder("nix/store"), Piece(f"nix/store/{hashed_name('one')}/f", b"x")]


def with_nix_layers(*layers: list[Piece], path: Path) -> dict[str, Any]:
    image = sample(layers=tuple(tar_of(pieces) for pieces in layers))
    return base(save(docker_save([image]), path))


def test_a_path_that_the_base_carries_is_not_shipped_again(tmp_path: Path, store: Store) -> None:
    """Nor even looked at: it need not be in the store any more."""
    one, two = f"/nix/store/{hashed_name('one')}", store.add("two", {"f": b"x"})
    below = with_nix_layers(CARRIED, path=tmp_path / "base.tar")
    carried = path_info(one, nar_size(str(make_tree(tmp_path / "same", {"f": b"x"}))))
    image = image_of(recipe({"kind": "store", "paths": [carried, path_info(two)]}, base=below))
    assert names_in(image.layers[-1])[-2:] == [two[1:], two[1:] + "/f"]
    nothing = recipe({"kind": "store", "paths": [carried]}, base=below)
    assert len(image_of(nothing).layers) == 1, "a layer of nothing is left out"


def test_a_path_that_the_base_has_only_in_part_is_shipped(tmp_path: Path, store: Store) -> None:
    path = store.add("one", {"f": b"x", "g": b"y"})
    below = with_nix_layers(CARRIED, path=tmp_path / "base.tar")
    image = image_of(recipe({"kind": "store", "paths": [path_info(path, nar_size(path))]}, base=below))
    assert names_in(image.layers[-1])[-3:] == [path[1:], path[1:] + "/f", path[1:] + "/g"]


def test_a_path_that_the_base_spoils_is_shipped(tmp_path: Path) -> None:
    one = f"/nix/store/{hashed_name('one')}"
    below = with_nix_layers(CARRIED, [Piece(f"nix/store/{hashed_name('one')}/.wh.f")], path=tmp_path / "base.tar")
    with pytest.raises(BadInput, match=f"{one}: not in the store"):
        hashed(image_of(recipe(store_layer(one), base=below)).layers[-1])


@pytest.mark.parametrize("machine", ["amd64", "arm64"])
def test_the_base_is_the_one_for_the_recipe_s_machine(machine: str, tmp_path: Path) -> None:
    """Not for the machine that builds."""
    images = [sample(name, architecture=name) for name in ("amd64", "arm64")]
    path = save(oci_platforms(images), tmp_path / "base.tar")
    image = image_of(recipe(base=base(path), architecture=machine))
    assert names_in(image.layers[0]) == [f"file-{machine}"]


def test_the_diff_ids_of_the_base_are_kept_until_they_are_checked(tmp_path: Path) -> None:
    path = save(docker_save([sample()]), tmp_path / "base.tar")
    image = image_of(recipe(root_layer(make_tree(tmp_path / "t", {"f": b"x"})), base=base(path)))
    assert [bool(layer.diff_id) for layer in image.layers] == [True, True, False]
    assert [hashed(layer).diff_id for layer in image.layers[:2]] == [layer.diff_id for layer in image.layers[:2]]


def test_a_base_is_chosen_by_name(tmp_path: Path) -> None:
    images = [sample("one", names=("a:1",)), sample("two", names=("b:1",))]
    path = save(docker_save(images), tmp_path / "base.tar")
    assert names_in(image_of(recipe(base=base(path, "b"))).layers[0]) == ["file-two"]
    with pytest.raises(BadInput, match="contains 2 images that match"):
        image_of(recipe(base=base(path)))


@pytest.mark.parametrize(("architecture", "kept"), [("amd64", True), ("", False)])
def test_what_a_base_says_of_its_machine_is_kept_if_it_names_one(architecture: str, kept: bool, tmp_path: Path) -> None:
    fields = {"author": "me", "variant": "v3", "os.version": "1", "os.features": ["x"]}
    image = sample(architecture=architecture, extra={**fields, "docker_version": "20"})
    config = image_of(recipe(base=base(save(docker_save([image]), tmp_path / "base.tar")))).config
    known = {"architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:01Z"}
    assert {key: value for key, value in config.items() if key != "config"} == {**known, **(fields if kept else {})}


def test_an_empty_config_is_an_object() -> None:
    """A Mesos agent aborts without one."""
    assert image_of(recipe(config={})).config["config"] == {}


def test_a_layer_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"{tmp_path}/gone.tar: No such file or directory"):
        image_of(recipe(tar_layer(tmp_path / "gone.tar")))
    with pytest.raises(BadInput, match=f"{tmp_path}/gone.tar: No such file or directory"):
        image_of(recipe(base=base(tmp_path / "gone.tar")))


def test_a_base_that_may_not_be_read(tmp_path: Path) -> None:
    path = save(docker_save([sample()]), tmp_path / "base.tar")
    path.chmod(0)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)  # root may read everything
    try:
        with pytest.raises(BadInput, match=f"{path}: Permission denied; give a file that can be read"):
            image_of(recipe(base=base(path)))
    finally:
        os.seteuid(before)
