"""`lamina provenance`: how an image was built, as SLSA provenance v1 in an in-toto statement.

Sources: SLSA v1.0 (provenance), in-toto attestation framework v1 (statement.md, resource_descriptor.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from lamina import __version__
from lamina.oci.digest import Digest, hex_of
from lamina.oci.reference import Reference
from lamina.oci.strict_json import Json
from lamina.recipe.nix_database import hex_hash
from lamina.recipe.recipe import Recipe, RootLayer, StoreLayer, TarLayer
from lamina.store.closure import PathInfo

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:lamina:recipe:v1"
"""The parameters are those of a recipe (docs/design/recipe.md)."""

_NAR = "application/x-nix-archive"


def provenance(
    recipe: Recipe, digest: Digest, names: Sequence[Reference], builder: str, derivation: str | None = None
) -> Json:
    """The statement about the image with the manifest `digest`. The same input always gives the same statement.

    Inputs are the store paths in the image's own layers, each with the SHA-256 of its NAR. A base is named by its path.
    `builder` is the URI of who is trusted to have built it.
    """
    parameters: Json = {"architecture": recipe.architecture, "created": recipe.created, "config": recipe.config}
    if recipe.base:
        parameters["base"] = {"path": recipe.base.path, "name": recipe.base.name, "tag": recipe.base.tag}
    if derivation:
        parameters["derivation"] = derivation
    definition: Json = {
        "buildType": BUILD_TYPE,
        "externalParameters": parameters,
        "internalParameters": {},
        "resolvedDependencies": list(_inputs(recipe)),
    }
    return {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": hex_of(digest)}} for name in _subjects(names)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": definition,
            "runDetails": {"builder": {"id": builder, "version": {"lamina": __version__}}},
        },
    }


def _subjects(names: Sequence[Reference]) -> list[str]:
    return sorted({name.qualified_name for name in names}) or ["image"]


def _inputs(recipe: Recipe) -> Iterator[Json]:
    """A descriptor for each store path, sorted by path."""
    hashes: dict[str, str] = {}
    for layer in recipe.layers:
        infos: tuple[PathInfo, ...] = layer.paths if isinstance(layer, StoreLayer) else ()
        if isinstance(layer, RootLayer):
            infos = layer.trees
        elif isinstance(layer, TarLayer):
            infos = (layer.tar,)
        hashes.update((info.path, info.nar_hash) for info in infos)
    for path, nar_hash in sorted(hashes.items()):
        yield {
            "name": os.path.basename(path),
            "uri": f"nix:{path}",
            "digest": {"sha256": hex_hash(nar_hash)},
            "mediaType": _NAR,
        }
