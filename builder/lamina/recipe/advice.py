"""Warnings about images that are valid, but lack files that most programs need."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from lamina.oci.strict_json import Json
from lamina.recipe.recipe import Recipe, RecipeLayer, RootLayer, StoreLayer, TarLayer

_TMP = ("tmp",)
_CERTIFICATES = ("etc/ssl/certs", "etc/pki/tls/certs", "etc/ssl/cert.pem")
_VARIABLES = ("SSL_CERT_FILE", "NIX_SSL_CERT_FILE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
_TLS = ("openssl", "curl", "libssl", "libcurl")
"""Packages without their versions: `libssl3-3.0.11`."""
_BUNDLE = r"(?:nss-)?cacert(?:-|$)|ca-certificates(?:-|$)"


def advice(recipe: Recipe) -> Iterator[str]:
    """What the image lacks. Nothing for an image on a base, which may contain everything, or for an empty image.

    Raises BadInput: a layer of files cannot be read.
    """
    if recipe.base or not recipe.layers:
        return
    if not _has(recipe.layers, _TMP):
        yield "there is no /tmp, which many programs write to; add layers = [ tmp ], with the tmp of Lamina's set"
    names = [info.name for layer in recipe.layers if isinstance(layer, StoreLayer) for info in layer.paths]
    users = sorted(name for name in names if name.partition("-")[0].rstrip("0123456789") in _TLS)
    if users and not _has_certificates(recipe, names):
        yield f"{users[0]} finds no certificates of authorities; add caCertificates to the trees at the root"


def _has_certificates(recipe: Recipe, names: Iterable[str]) -> bool:
    return (
        any(re.match(_BUNDLE, name) for name in names)
        or any(item.partition("=")[0] in _VARIABLES for item in _environment(recipe.config))
        or _has(recipe.layers, _CERTIFICATES)
    )


def _environment(config: Json) -> list[str]:
    return [item for item in config.get("Env") or [] if isinstance(item, str)]


def _has(layers: Iterable[RecipeLayer], places: tuple[str, ...]) -> bool:
    """Whether one of the places at the root exists."""
    return any(_layer_has(layer, places) for layer in layers)


def _layer_has(layer: RecipeLayer, places: tuple[str, ...]) -> bool:
    if isinstance(layer, RootLayer):
        return any(os.path.lexists(os.path.join(tree.path, place)) for tree in layer.trees for place in places)
    if not isinstance(layer, TarLayer) or not os.path.isfile(layer.tar.path):
        return False
    from lamina.data.blob import FileRange, Source
    from lamina.tar.read import entries

    source = Source.open(Path(layer.tar.path))
    names = {place.encode() for place in places}
    whole = FileRange(source, 0, source.size)
    return any(entry.name.removeprefix(b"./").rstrip(b"/") in names for entry in entries(whole, layer.tar.path))
