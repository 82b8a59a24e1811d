"""What the specifications require of the documents of an image, beyond what readers need.

Sources: OCI image spec v1.1 (descriptor.md, manifest.md, image-index.md, annotations.md, config.md, layer.md), and
Docker's image spec v1.2. Types of a config's fields are in `lamina.oci.config`. Readers compare digests and sizes.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

from lamina.errors import BadInput
from lamina.oci.config import Fault, shown
from lamina.oci.digest import belongs, parse_blob_digest
from lamina.oci.documents import OCI_INDEX, REF_NAME, is_media_type
from lamina.oci.reference import parse_reference
from lamina.oci.strict_json import Json, items_of
from lamina.oci.timestamps import is_timestamp

_EMPTY = "application/vnd.oci.empty.v1+json"
_CREATED = "org.opencontainers.image.created"
_OCI_LAYER = "application/vnd.oci.image.layer."

_NOT_IN_CONFIG = "is missing in the config, and OCI requires it (config.md)"
_BUILD_AGAIN = "copies keep a config as its builder wrote it: build the image again, or an image on it, which has it"

_COMPONENT = r"[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*"
_REF_NAME = re.compile(f"{_COMPONENT}(?:/{_COMPONENT})*")
"""annotations.md, org.opencontainers.image.ref.name."""

_SUFFIXES = {None: "", "gzip": "+gzip", "zstd": "+zstd"}
"""The end of a layer's media type, by the compression of its bytes (layer.md)."""


def document_rules(document: Json, *, is_top: bool = False) -> Iterator[Fault]:
    """A manifest or an index; `is_top`: it is `index.json`."""
    if type(document.get("schemaVersion")) is not int or document["schemaVersion"] != 2:
        yield Fault("schemaVersion", f"is {shown(document.get('schemaVersion'))}", "it is 2")
    if is_top and document.get("mediaType") not in (None, OCI_INDEX):
        yield Fault("mediaType", f"is {shown(document['mediaType'])}", f"it is {OCI_INDEX}")
    yield from _media_type("artifactType", document.get("artifactType"), is_required=False)
    yield from _annotations("annotations", document.get("annotations"))
    for key in ("config", "subject"):
        yield from _descriptor(key, document.get(key))
    for key in ("layers", "manifests"):
        for number, value in enumerate(items_of(document.get(key))):
            yield from _descriptor(f"{key}[{number}]", value)
    config = document.get("config")
    if isinstance(config, dict) and config.get("mediaType") == _EMPTY and not document.get("artifactType"):
        yield Fault("artifactType", "is missing", f"a manifest whose config is of type {_EMPTY} has it")


def config_rules(document: Json) -> Iterator[Fault]:
    """A config document to which an OCI manifest refers.

    Docker, podman and Skopeo read images without these fields, and copies keep the document and so its digest.
    """
    rootfs = document.get("rootfs")
    missing = [key for key in ("architecture", "os") if not document.get(key)]
    if isinstance(rootfs, dict) and rootfs.get("type") is None:
        missing.append("rootfs.type")
    for key in missing:
        yield Fault(key, _NOT_IN_CONFIG, _BUILD_AGAIN)


def layer_rules(media_type: str, compression: str | None) -> Iterator[Fault]:
    """Whether the media type of a layer fits the compression of its bytes. Only types of OCI are checked."""
    if not media_type.startswith(_OCI_LAYER):
        return
    kind, plus, suffix = media_type.partition("+")
    if not kind.endswith(".tar") or plus + suffix != _SUFFIXES.get(compression):
        what = f"contains {compression or 'uncompressed'} data, and its media type is {shown(media_type)}"
        yield Fault("the layer", what, "write the type that layer.md has for such data")


def name_rules(names: Sequence[str]) -> Iterator[Fault]:
    """`RepoTags` in `manifest.json`: names with a tag (Docker image spec v1.2)."""
    for name in names:
        try:
            reference = parse_reference(name, name)
        except BadInput as error:
            yield Fault("RepoTags", f"has {shown(name)}", error.what)
            continue
        if reference.repository.removeprefix("library/") not in name:
            yield Fault("RepoTags", f"has {shown(name)}", "a name is in lower case")
        elif ":" not in name.rpartition("/")[2]:
            yield Fault("RepoTags", f"has {shown(name)}", "a name there has a tag, such as redis:7")


def _descriptor(field: str, value: object) -> Iterator[Fault]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield Fault(field, f"is {shown(value)}", "it takes a descriptor")
        return
    yield from _media_type(f"{field}.mediaType", value.get("mediaType"), is_required=True)
    yield from _media_type(f"{field}.artifactType", value.get("artifactType"), is_required=False)
    yield from _texts(f"{field}.urls", value.get("urls"))
    yield from _annotations(f"{field}.annotations", value.get("annotations"))
    yield from _size(f"{field}.size", value.get("size"))
    yield from _data(field, value)
    yield from _platform(f"{field}.platform", value.get("platform"))


def _size(field: str, value: object) -> Iterator[Fault]:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        yield Fault(field, f"is {shown(value)}", "it takes a number of bytes")


def _data(field: str, value: Json) -> Iterator[Fault]:
    """The content itself, if the descriptor has it (descriptor.md, "Embedded Content")."""
    if value.get("data") is None:
        return
    try:
        content = base64.b64decode(value["data"], validate=True)
        if len(content) == value.get("size") and belongs(parse_blob_digest(value.get("digest"), field), content):
            return
    except (TypeError, ValueError, binascii.Error, BadInput):
        pass
    yield Fault(f"{field}.data", "is not the content of the digest", "it takes the content in base64")


def _platform(field: str, value: object) -> Iterator[Fault]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield Fault(field, f"is {shown(value)}", "it takes an object")
        return
    for key in ("architecture", "os"):
        if not isinstance(value.get(key), str) or not value[key]:
            yield Fault(f"{field}.{key}", f"is {shown(value.get(key))}", "each platform has it, as a string")
    for key in ("os.version", "variant"):
        if not isinstance(value.get(key, ""), str):
            yield Fault(f"{field}.{key}", f"is {shown(value[key])}", "it takes a string")
    yield from _texts(f"{field}.os.features", value.get("os.features"))


def _annotations(field: str, value: object) -> Iterator[Fault]:
    if value is None:
        return
    if not isinstance(value, dict):
        yield Fault(field, f"is {shown(value)}", "it takes an object whose values are strings")
        return
    for key, text in value.items():
        if not isinstance(text, str):
            yield Fault(f"{field}.{key}", f"is {shown(text)}", "it takes a string")
        elif key == _CREATED and not is_timestamp(text):
            yield Fault(f"{field}.{key}", f"is {shown(text)}", "it takes a time like 1970-01-01T00:00:01Z")
        elif key == REF_NAME and not _REF_NAME.fullmatch(text):
            yield Fault(f"{field}.{key}", f"is {shown(text)}", "it takes a name or a tag (annotations.md)")


def _texts(field: str, value: object) -> Iterator[Fault]:
    if value is not None and not (isinstance(value, list) and all(isinstance(text, str) for text in value)):
        yield Fault(field, f"is {shown(value)}", "it takes a list of strings")


def _media_type(field: str, value: object, *, is_required: bool) -> Iterator[Fault]:
    if value is None and not is_required:
        return
    if not isinstance(value, str) or not is_media_type(value):
        yield Fault(field, f"is {shown(value)}", "it takes a media type (RFC 6838)")
