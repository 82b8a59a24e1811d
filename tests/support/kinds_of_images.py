"""One recipe for each kind of image that an archive can hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.archives import Piece, Sample, docker_save, oci_archive, sample, tar_of
from tests.support.recipes import base, recipe, root_layer, save, store_layer, tar_layer
from tests.support.trees import Link, Program, Store, make_tree

Kind = Callable[[Path], dict[str, Any]]


def _tree(directory: Path, name: str = "tree") -> Path:
    return make_tree(directory / name, {"etc/motd": b"hello\n", "bin/sh": Link("../etc/motd")})


def nothing(_: Path) -> dict[str, Any]:
    return recipe()


def one_layer(directory: Path) -> dict[str, Any]:
    return recipe(root_layer(_tree(directory)))


def store_and_root(directory: Path) -> dict[str, Any]:
    store = Store(directory / "nix" / "store")
    paths = [
        store.add("lib", {"lib/so": b"x" * 700}),
        store.add("app", {"bin/app": Program(b"#!"), "n" * 250: b"long"}),
    ]
    return recipe(store_layer(*paths), root_layer(_tree(directory), uid=1000, gid=100))


def without_names(directory: Path) -> dict[str, Any]:
    return one_layer(directory) | {"names": []}


def with_two_names(directory: Path) -> dict[str, Any]:
    names = [{"name": "app", "tag": "1"}, {"name": "localhost:5000/team/App", "tag": "latest"}]
    return one_layer(directory) | {"names": names}


def without_config(directory: Path) -> dict[str, Any]:
    return one_layer(directory) | {"config": {}}


def _on(image: Sample, directory: Path, shape: Callable[[list[Sample]], list[Piece]]) -> dict[str, Any]:
    return one_layer(directory) | {"base": base(save(shape([image]), directory / "base.tar"))}


def on_a_base(directory: Path) -> dict[str, Any]:
    return _on(sample("below", "above"), directory, docker_save)


def on_a_compressed_base(directory: Path) -> dict[str, Any]:
    return _on(sample("below", "above"), directory, oci_archive)


def on_a_base_that_repeats_a_layer(directory: Path) -> dict[str, Any]:
    return _on(sample("same", "other", "same", "same"), directory, docker_save)


def on_a_compressed_base_that_repeats_a_layer(directory: Path) -> dict[str, Any]:
    return _on(sample("same", "other", "same"), directory, oci_archive)


def with_two_equal_layers(directory: Path) -> dict[str, Any]:
    """Large ones, of bytes that are no zeros: whatever is left of a second copy would show."""
    trees = [make_tree(directory / name, {"f": b"\xff" * 9000}) for name in ("one", "two")]
    return recipe(root_layer(trees[0]), root_layer(trees[1]), root_layer(_tree(directory)))


def with_a_layer_equal_to_the_base_s(directory: Path) -> dict[str, Any]:
    fields = on_a_base(directory)
    (directory / "again.tar").write_bytes(sample("below").layers[0])
    return fields | {"layers": [tar_layer(directory / "again.tar"), *fields["layers"]]}


def with_a_layer_of_no_whole_blocks(directory: Path) -> dict[str, Any]:
    """A diff ID covers whatever follows a tar's end."""
    (directory / "odd.tar").write_bytes(tar_of([Piece("f", b"x")]) + b"odd end")
    return recipe(tar_layer(directory / "odd.tar"), tar_layer(directory / "odd.tar"), root_layer(_tree(directory)))


def with_a_name_beyond_ascii(directory: Path) -> dict[str, Any]:
    return one_layer(directory) | {"config": {"Env": ["GREETING=grüße <&> \u2028"], "Labels": {"ä": "ö"}}}


KINDS: dict[str, Kind] = {
    kind.__name__: kind
    for kind in (
        nothing,
        one_layer,
        store_and_root,
        without_names,
        with_two_names,
        without_config,
        on_a_base,
        on_a_compressed_base,
        on_a_base_that_repeats_a_layer,
        on_a_compressed_base_that_repeats_a_layer,
        with_two_equal_layers,
        with_a_layer_equal_to_the_base_s,
        with_a_layer_of_no_whole_blocks,
        with_a_name_beyond_ascii,
    )
}
