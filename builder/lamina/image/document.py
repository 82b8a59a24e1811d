"""The config document of an image: parsed, checked, and its history completed.

Source: OCI image spec v1.1, config.md.
"""

from __future__ import annotations

from lamina.errors import BadInput
from lamina.image.image import Image
from lamina.image.layer import Layer
from lamina.limits import HISTORY, LAYERS
from lamina.oci.digest import Digest, parse_digest
from lamina.oci.reference import Reference, parse_reference
from lamina.oci.strict_json import Json, expect, optional, strings


def claimed_diff_ids(document: Json, where: str) -> list[Digest]:
    """The diff IDs that a config document lists, from the bottom to the top. Raises BadInput."""
    rootfs = expect(document.get("rootfs"), dict, "rootfs", where)
    if rootfs.get("type") not in (None, "layers"):  # unpackers must fail at an unknown type (config.md)
        raise BadInput(where, f"rootfs.type is {rootfs['type']!r:.60}", "only layers are known")
    claimed = strings(rootfs.get("diff_ids"), "rootfs.diff_ids", where)
    if len(claimed) > LAYERS:
        raise BadInput(where, f"{len(claimed)} layers", f"Linux mounts at most {LAYERS} over each other")
    return [parse_digest(item, where) for item in claimed]


def make_image(original: bytes, document: Json, layers: list[Layer], names: list[str], where: str) -> Image:
    """The image that a config document describes. `names` are as the file spells them.

    Errors call the document `where`. Raises BadInput.
    """
    optional(document.get("config"), dict, "config", where)
    for key in ("os", "architecture", "variant", "os.version"):
        if document.get(key) is not None:
            expect(document[key], str, key, where)
    entries = optional(document.get("history"), list, "history", where)
    if len(entries) > HISTORY:
        raise BadInput(where, f"a history of {len(entries)} entries", f"at most {HISTORY} are read")
    history = [optional(entry, dict, "an item of history", where) for entry in entries]
    config = {"os": "linux"} | {key: value for key, value in document.items() if key not in ("rootfs", "history")}
    return Image(config, tuple(layers), tuple(history), parse_names(names), original, tuple(names), where=where)


def parse_names(texts: list[str]) -> tuple[Reference, ...]:
    """The valid names. Old tools wrote invalid ones, by which an image cannot be selected."""
    names = []
    for text in texts:
        try:
            names.append(parse_reference(text, text))
        except BadInput:
            continue
    return tuple(names)


def complete_history(history: list[Json], layers: int, created: str, where: object) -> list[Json]:
    """A base's history, with an additional entry for each layer without one.

    Readers assign entries to layers by their order, so an entry of a layer on top must not be taken for one of the
    base. The history is optional (OCI image spec, config.md), and some tools write fewer entries than the image has
    layers. Raises BadInput for more entries than layers, which Docker refuses ("too many non-empty layers in History
    section").
    """
    count = sum(1 for entry in history if not entry.get("empty_layer"))
    if count > layers:
        problem = f"the history has entries for {count} layers, the image has {layers}"
        raise BadInput(where, problem, "the image is corrupt: pull it again")
    return [*history, *({"created": created, "created_by": "base image"} for _ in range(layers - count))]
