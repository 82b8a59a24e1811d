"""Reading docker archives: what docker save, podman save, Skopeo and nixpkgs' dockerTools write.

Everything starts from `manifest.json` (Docker image spec v1.2): a list with, for each image, the path of its
config, its names and the paths of its layers, bottom first. Those paths may be symbolic links: docker save uses
links for repeated layers, and Skopeo for `<id>/layer.tar`. The layers may be compressed, whatever their names are.
"""

from __future__ import annotations

import functools
import re

import attrs

from lamina.data.blob import Blob, FileRange
from lamina.data.compression import plain
from lamina.errors import BadInput
from lamina.image.document import claimed_diff_ids, make_image
from lamina.image.image import Image
from lamina.image.layer import Layer, Stored, stored_form
from lamina.limits import IMAGE_NAMES, IMAGES, LAYER_PLACES
from lamina.media.absent import needed_image
from lamina.media.choice import Candidate
from lamina.media.files import Members, read_document
from lamina.oci.digest import Digest, blob_path, hex_of, sha256
from lamina.oci.documents import Descriptor
from lamina.oci.spelling import CONFIG_DOCUMENT, DOCKER_ARCHIVE
from lamina.oci.strict_json import Json, expect, strings

MANIFEST = "manifest.json"
_NAMED_BY_DIGEST = re.compile(r"(?:.*/)?(?:sha256:)?([0-9a-f]{64})(?:\.json)?", re.DOTALL)


def candidates(members: Members) -> list[Candidate]:
    """The images of an archive that has a `manifest.json`. Raises BadInput."""
    where = f"{members.where}({MANIFEST})"
    found = []
    value = read_document(members, MANIFEST, DOCKER_ARCHIVE)
    items = expect([] if value is None else value, list, "manifest.json", where)  # Go reads null as an empty list
    if len(items) > IMAGES:
        raise BadInput(where, f"{len(items)} images", f"at most {IMAGES} are read")
    for item in items:
        fields = expect(item, dict, "an item of manifest.json", where)
        names = strings(fields.get("RepoTags"), "RepoTags", where)
        members.budget.spend(IMAGE_NAMES, len(names), where)
        found.append(Candidate(tuple(names), functools.partial(_image, members, fields, where)))
    return found


def _image(members: Members, fields: Json, where: str) -> Image:
    config_path = expect(fields.get("Config"), str, "Config", where)
    config_where = f"{members.where}({config_path})"
    data, value = members.documents.read(members.blob(config_path), CONFIG_DOCUMENT, config_where, each_use=True)
    _check_digest(config_path, data, config_where)
    document = expect(value, dict, "the config", config_where)
    paths = strings(fields.get("Layers"), "Layers", where)
    members.budget.spend(LAYER_PLACES, len(paths), where)
    diff_ids = claimed_diff_ids(document, config_where)
    if len(paths) != len(diff_ids):
        what = f"{len(paths)} layers in manifest.json, {len(diff_ids)} diff IDs in the config"
        raise BadInput(members.where, what, "the archive is damaged: pull it again")
    layers = []
    needed = needed_image(members)
    for path, diff_id in zip(paths, diff_ids, strict=True):
        if needed and path == blob_path(diff_id) and path not in members:
            layers.append(needed.layer(path, diff_id))
            continue
        name = f"{members.where}({path})"
        packed = members.blob(path)
        blob = plain(packed, name, members.budget)
        stored = _stored(path, packed, blob)
        layers.append(attrs.evolve(Layer.of(blob, name, diff_id, budget=members.budget), stored=stored))
    names = strings(fields.get("RepoTags"), "RepoTags", where)
    return make_image(data, document, layers, names, config_where)


def _stored(path: str, packed: FileRange, tar: Blob) -> Stored | None:
    """The compressed layer, if its path contains its digest, as in archives of Docker 25 and later; else None."""
    named = _NAMED_BY_DIGEST.fullmatch(path)
    if tar is packed or named is None or path.endswith(".json"):
        return None
    return stored_form(packed, tar, Descriptor("", Digest(f"sha256:{named[1]}"), packed.size))


def _check_digest(path: str, data: bytes, where: str) -> None:
    """Raises BadInput: the path of a config contains a digest that is not the digest of its bytes."""
    named = _NAMED_BY_DIGEST.fullmatch(path)
    if named and hex_of(sha256(data)) != named[1]:
        raise BadInput(where, f"the config's bytes have the digest {sha256(data)}", "the archive is damaged")
