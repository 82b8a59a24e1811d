"""The layers of a recipe, with their sizes and known digests: as JSON, and as text."""

from __future__ import annotations

from lamina.data.progress import fitted, human
from lamina.errors import LaminaError, printable
from lamina.image.cache import Cache, recall
from lamina.image.layer import Layer
from lamina.oci.strict_json import Json
from lamina.recipe.open import own_layers
from lamina.recipe.recipe import Recipe, RecipeLayer, RootLayer, StoreLayer
from lamina.store.closure import PathInfo, name_of

_SHOWN = 4
"""Names of a layer in the table."""

_NAMES_WIDTH = 60


def planned(recipe: Recipe, cache: Cache | None = None, *, measure: bool = True) -> list[Json]:
    """The recipe's own layers, from the bottom to the top, without those of its base.

    Shape: `[{paths, size, exact, diffId, why}]`. `paths` are store paths, the largest first. `size` is the bytes of
    the layer's tar, 0 if the base already contains everything in it. If store paths or the base are missing, or without
    `measure`, `exact` is false and `size` the bytes of the paths as Nix archives (NAR). `diffId` is null unless the
    cache contains it.
    """
    if not measure:
        return [_planned(layer, None, False) for layer in recipe.layers]
    try:
        made = own_layers(recipe)
    except LaminaError:  # no base, no way to know what it contains
        return [_planned(layer, None, False) for layer in recipe.layers]
    known = [recall((layer,), cache)[0] if layer and cache else layer for layer in made]
    return [_planned(layer, own, True) for layer, own in zip(recipe.layers, known, strict=True)]


def _planned(layer: RecipeLayer, made: Layer | None, base_is_known: bool) -> Json:
    infos, why = _contents(layer)
    paths = [info.path for info in sorted(infos, key=lambda info: (-info.nar_size, info.path))]
    size = _size(made) if base_is_known else None
    if base_is_known and made is None:
        why = f"{why}; already in the base"
    nar_sizes = sum(info.nar_size for info in infos)
    return {
        "paths": paths,
        "size": nar_sizes if size is None else size,
        "exact": size is not None,
        "diffId": made.diff_id if made else None,
        "why": why,
    }


def _contents(layer: RecipeLayer) -> tuple[tuple[PathInfo, ...], str]:
    if isinstance(layer, StoreLayer):
        return layer.paths, layer.reason
    if isinstance(layer, RootLayer):
        return layer.trees, "files at the root"
    return (layer.tar,), "made by a derivation of its own"


def _size(layer: Layer | None) -> int | None:
    """Bytes of the layer's tar, from the sizes of all its files; None if one of these is missing."""
    if layer is None:
        return 0
    if layer.size is not None:
        return layer.size
    try:
        return layer.blob.size
    except LaminaError:
        return None


def layer_table(layers: list[Json], width: int | None = None) -> str:
    """The plan as text, for a terminal of that many columns: a line for each layer, with its largest paths.

    `~` stands before sizes that are not exact.
    """
    lines = []
    for number, layer in enumerate(layers, 1):
        names = [name_of(path) for path in layer["paths"]]
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        size = f"{'' if layer['exact'] else '~'}{human(layer['size'])}"
        digest = (layer["diffId"] or "").removeprefix("sha256:")[:12] or "-"
        lines.append((f"{number:>4}  {size:>9}  {digest:<12}  ", ", ".join(names[:_SHOWN]) + more, layer["why"]))
    reasons = max((len(reason) for _, _, reason in lines), default=0)
    space = _NAMES_WIDTH if width is None else max(16, min(_NAMES_WIDTH, width - 33 - reasons - 2))
    rows = [f"{start}{fitted(names, space):<{space}}  {why}" if width else f"{start}{names:<{space}}  {why}"
            for start, names, why in lines]  # fmt: skip
    return "\n".join(printable(row) if width is None else fitted(printable(row), width) for row in rows)
