"""Recipes: the JSON with which a Nix derivation describes an image.

A recipe refers to store paths, so Nix keeps the image's content as long as the recipe. Making a recipe reads no file of
the closure. The format has a version; unknown versions and fields are errors (`docs/design/recipe.md`).
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from lamina.errors import BadInput
from lamina.limits import GRAPH_PATHS, LAYERS
from lamina.oci.config import INHERIT, check_config
from lamina.oci.reference import Reference, make_reference
from lamina.oci.strict_json import Json, expect, file_name, read_json_file
from lamina.oci.timestamps import check_timestamp
from lamina.recipe.references import named, numbered
from lamina.store.closure import PathInfo, parse_path_info, split_store_path
from lamina.store.ownership import Rule, Stamp

VERSION = 1


class Base(NamedTuple):
    """The image to build on: a file, as `open_images` reads it, and the name and tag of one image in it."""

    path: str
    name: str | None = None
    tag: str | None = None


class StoreLayer(NamedTuple):
    """A layer of store paths. `reason` says why they share a layer, for `lamina plan`."""

    paths: tuple[PathInfo, ...]
    stamp: Stamp = Stamp()
    reason: str = ""


class RootLayer(NamedTuple):
    """A layer of trees at the root of the image, as copies or as links. Later trees replace files of earlier ones.

    With `top`, the layer has an entry for the root directory itself.
    """

    trees: tuple[PathInfo, ...]
    stamp: Stamp = Stamp()
    keep_dirlinks: bool = False
    links: bool = False
    rules: tuple[Rule, ...] = ()
    top: bool = False


class TarLayer(NamedTuple):
    """A layer that another derivation made, as an uncompressed tar."""

    tar: PathInfo


RecipeLayer = StoreLayer | RootLayer | TarLayer


class OciOptions(NamedTuple):
    """The options of an image for OCI formats and registries. A compressor or level of None is Lamina's default."""

    layer_compressor: str | None = None
    layer_level: int | None = None
    annotations: Mapping[str, str] = MappingProxyType({})


class Recipe(NamedTuple):
    """Everything that determines an image, as a Nix derivation wrote it: the input of `build_image`.

    `architecture` is in Go's words (`amd64`). `created` is a time of RFC 3339. `config` is the image's own config,
    before it inherits from the base. `layers` go from the bottom to the top, above those of the base; their store paths
    have references if `has_references`. `inherit` is `docker` (every field, as `FROM` does) or `env` (only Env, as
    dockerTools does).

    Source of the format: `docs/design/recipe.md` and the JSON schema beside it.
    """

    names: tuple[Reference, ...]
    architecture: str
    created: str
    config: Json
    layers: tuple[RecipeLayer, ...]
    base: Base | None = None
    inherit: str = "docker"
    has_references: bool = False
    oci: OciOptions | None = None


def read_recipe(path: Path) -> Recipe:
    """Raises BadInput: not a recipe, of another version, or with fields that this version does not know."""
    return parse_recipe(read_json_file(path, "give a recipe, as nix-build makes it"), path)


def is_recipe(path: Path) -> bool:
    """Whether the file starts as a JSON object does. No archive does, and a layout is a directory."""
    if not os.path.isfile(path):
        return False
    with contextlib.suppress(OSError), path.open("rb") as file:
        return starts_as_recipe(file.read(512))
    return False


def starts_as_recipe(data: bytes) -> bool:
    """Whether a file with these first bytes can be a recipe: it starts as a JSON object does."""
    return data.lstrip(b" \t\r\n").startswith(b"{")


def parse_recipe(value: object, where: object) -> Recipe:
    """The recipe in a JSON value; `where` is its name in errors. Raises BadInput as `read_recipe` does."""
    fields = expect(value, dict, "a recipe", where)
    version = fields.get("version")
    if type(version) is not int or version != VERSION:
        remedy = f"this Lamina reads version {VERSION}: build the recipe again"
        raise BadInput(where, f"recipe of version {version!r:.20}", remedy)
    known = ("version", "names", "architecture", "created", "config", "layers", "base", "inherit", "references", "oci")
    _only(fields, known, "the recipe", where)
    rule = fields.get("inherit", "docker")
    if rule not in INHERIT:
        raise BadInput(where, f"inherit is {rule!r:.40}", f"write one of: {', '.join(INHERIT)}")
    base = fields.get("base")
    if len(expect(fields.get("layers"), list, "layers", where)) > LAYERS:
        raise BadInput(where, f"{len(fields['layers'])} layers", f"Linux mounts at most {LAYERS} over each other")
    names = [_name(item, where) for item in expect(fields.get("names"), list, "names", where)]
    layers = [parse_layer(item, where) for item in fields["layers"]]
    has_references = fields.get("references") is not None
    if has_references:
        listed = named(fields["references"], _store_paths(layers), where)
        layers = with_references(layers, listed)
    return Recipe(
        names=tuple(dict.fromkeys(names)),  # a repeated name counts once
        architecture=expect(fields.get("architecture"), str, "architecture", where),
        created=check_timestamp(fields.get("created"), "created", where),
        config=check_config(expect(fields.get("config"), dict, "config", where), where),
        layers=tuple(layers),
        base=None if base is None else parse_base(base, where),
        inherit=rule,
        has_references=has_references,
        oci=_oci(fields["oci"], where) if "oci" in fields else None,
    )


def _oci(item: Any, where: object) -> OciOptions:
    from lamina.data.compressors import LAYER_COMPRESSORS

    fields = expect(item, dict, "oci", where)
    _only(fields, ("layerCompressor", "layerLevel", "annotations"), "oci", where)
    compressor, level = fields.get("layerCompressor"), fields.get("layerLevel")
    if "layerCompressor" in fields and compressor not in LAYER_COMPRESSORS:
        remedy = "write one of: " + ", ".join(LAYER_COMPRESSORS)
        raise BadInput(where, f"oci.layerCompressor is {compressor!r:.40}", remedy)
    if "layerLevel" in fields and not 1 <= expect(level, int, "oci.layerLevel", where) <= 9:
        raise BadInput(where, f"oci.layerLevel is {level}", "write a number from 1 to 9")
    annotations = expect(fields.get("annotations", {}), dict, "oci.annotations", where)
    for key, value in annotations.items():
        expect(value, str, f"the annotation {key!r:.60}", where)
    return OciOptions(compressor, level, annotations)


def _oci_json(oci: OciOptions) -> Json:
    numbers = {"layerCompressor": oci.layer_compressor, "layerLevel": oci.layer_level}
    return {key: value for key, value in numbers.items() if value is not None} | {"annotations": dict(oci.annotations)}


def with_references(layers: Iterable[RecipeLayer], references: Mapping[str, tuple[str, ...]]) -> list[RecipeLayer]:
    """The layers with these references of their store paths."""

    def completed(info: PathInfo) -> PathInfo:
        return info._replace(references=references.get(info.path, ()))

    return [
        layer._replace(paths=tuple(map(completed, layer.paths))) if isinstance(layer, StoreLayer) else layer
        for layer in layers
    ]


def _store_paths(layers: Iterable[RecipeLayer]) -> Iterator[PathInfo]:
    return (info for layer in layers if isinstance(layer, StoreLayer) for info in layer.paths)


def recipe_json(recipe: Recipe) -> Json:
    """The recipe as JSON, which `parse_recipe` reads."""
    references = {"references": numbered(_store_paths(recipe.layers))} if recipe.has_references else {}
    oci = {"oci": _oci_json(recipe.oci)} if recipe.oci else {}
    return {
        **references,
        **oci,
        "version": VERSION,
        "names": [{"name": name.familiar_name, "tag": name.tag} for name in recipe.names],
        "architecture": recipe.architecture,
        "created": recipe.created,
        "config": recipe.config,
        "base": recipe.base._asdict() if recipe.base else None,
        "inherit": recipe.inherit,
        "layers": [layer_json(layer) for layer in recipe.layers],
    }


def layer_json(layer: RecipeLayer) -> Json:
    """One item of `layers`."""
    if isinstance(layer, StoreLayer):
        paths = [_path_json(path) for path in layer.paths]
        return {
            "kind": "store",
            "paths": paths,
            **layer.stamp._asdict(),
            **({"why": layer.reason} if layer.reason else {}),
        }
    if isinstance(layer, RootLayer):
        trees = [_path_json(path) for path in layer.trees]
        rules = [rule._asdict() for rule in layer.rules]
        how = {"keepDirlinks": layer.keep_dirlinks, "links": layer.links, "rules": rules}
        how |= {"top": True} if layer.top else {}  # an older recipe has no such field, and the same layer
        return {"kind": "root", "trees": trees, **how, **layer.stamp._asdict()}
    return {"kind": "tar", **_path_json(layer.tar)}


def _path_json(info: PathInfo) -> Json:
    return {"path": info.path, "narHash": info.nar_hash, "narSize": info.nar_size}


def _only(fields: Json, known: Iterable[str], what: str, where: object) -> None:
    if unknown := sorted(set(fields) - set(known)):
        remedy = "it was made for another version of Lamina: build it again"
        raise BadInput(where, f"{what} has the unknown field {unknown[0]!r:.60}", remedy)


def _name(item: Any, where: object) -> Reference:
    fields = expect(item, dict, "an item of names", where)
    _only(fields, ("name", "tag"), "a name", where)
    name = expect(fields.get("name"), str, "an image's name", where)
    return make_reference(name, expect(fields.get("tag"), str, "an image's tag", where), where)


def parse_base(item: Any, where: object) -> Base:
    """The field `base`. Raises BadInput."""
    fields = expect(item, dict, "base", where)
    _only(fields, ("path", "name", "tag"), "base", where)
    for key in ("name", "tag"):
        if fields.get(key) is not None:
            expect(fields[key], str, f"base.{key}", where)
    path = file_name(fields.get("path"), "base.path", where)
    return Base(path, fields.get("name"), fields.get("tag"))


_PATH_FIELDS = ("path", "narHash", "narSize")
_LAYER_FIELDS = {
    "store": ("paths", "uid", "gid", "mtime", "why"),
    "root": ("trees", "keepDirlinks", "links", "rules", "top", "uid", "gid", "mtime"),
    "tar": _PATH_FIELDS,
}


def parse_layer(item: Any, where: object) -> RecipeLayer:
    """One item of `layers`. Raises BadInput."""
    fields = expect(item, dict, "a layer", where)
    kind = expect(fields.get("kind"), str, "a layer's kind", where)
    if kind not in _LAYER_FIELDS:
        raise BadInput(where, f"a layer of kind {kind!r:.40}", f"write one of: {', '.join(_LAYER_FIELDS)}")
    _only(fields, ("kind", *_LAYER_FIELDS[kind]), f"a layer of kind {kind}", where)
    if kind == "tar":
        return TarLayer(parse_path_info(fields, where))
    stamp = Stamp(*(_natural(fields.get(key, default), key, where) for key, default in _STAMP))
    if kind == "root":
        keep = expect(fields.get("keepDirlinks", False), bool, "keepDirlinks", where)
        links = expect(fields.get("links", False), bool, "links", where)
        rules = tuple(parse_rule(rule, where) for rule in expect(fields.get("rules", []), list, "rules", where))
        top = expect(fields.get("top", False), bool, "top", where)
        return RootLayer(_path_infos(fields, "trees", where), stamp, keep, links, rules, top)
    infos = _path_infos(fields, "paths", where)
    if len(infos) > GRAPH_PATHS:
        raise BadInput(where, f"a layer of {len(infos)} store paths", f"at most {GRAPH_PATHS} are taken")
    for info in infos:
        split_store_path(info.path, where)
    return StoreLayer(infos, stamp, expect(fields.get("why", ""), str, "why", where))


def parse_rule(item: Any, where: object) -> Rule:
    """One item of `rules`; `mode` may be written in octal digits, as chmod takes it."""
    fields = expect(item, dict, "a rule", where)
    _only(fields, ("pattern", "uid", "gid", "mode"), "a rule", where)
    numbers = {key: fields.get(key) for key in ("uid", "gid", "mode")}
    if isinstance(numbers["mode"], str) and re.fullmatch("[0-7]{1,5}", numbers["mode"]):
        numbers["mode"] = int(numbers["mode"], 8)
    checked = {key: None if value is None else _natural(value, key, where) for key, value in numbers.items()}
    if (checked["mode"] or 0) > _MODES:
        raise BadInput(where, f"mode is {checked['mode']:o}", "write at most 7777: readers differ about more")
    pattern = expect(fields.get("pattern"), str, "a rule's pattern", where)
    try:
        re.compile(os.fsencode(pattern))  # names of files are bytes
    except (ValueError, OverflowError, RecursionError, re.error) as error:
        raise BadInput(where, f"the pattern {pattern!r:.60}: {error}", "write a regular expression") from None
    return Rule(pattern, **checked)


_MODES = 0o7777


def _path_infos(fields: Json, key: str, where: object) -> tuple[PathInfo, ...]:
    return tuple(_path_info(path, where) for path in expect(fields.get(key), list, key, where))


def _path_info(item: Any, where: object) -> PathInfo:
    fields = expect(item, dict, "a store path", where)
    _only(fields, _PATH_FIELDS, "a store path", where)
    return parse_path_info(fields, where)


_STAMP = (("uid", 0), ("gid", 0), ("mtime", 1))


def _natural(value: Any, what: str, where: object) -> int:
    number = expect(value, int, what, where)
    if not 0 <= number < 1 << 32:
        raise BadInput(where, f"{what} is {number}", "write a number from 0 to 4294967295")
    return number
