"""The JSON documents of an image: reading them with care, writing them the same way every time.

Sources: OCI image spec v1.1 (config.md, manifest.md, image-index.md, image-layout.md) and Docker's image spec
v1.2 (`manifest.json`).
"""

from __future__ import annotations

import contextlib
import datetime
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, NoReturn, TypeVar

from builder.digest import Digest, parse_digest
from builder.errors import BadInput
from builder.limits import JSON_BYTES, JSON_NESTING, JSON_VALUES

Json = dict[str, Any]
T = TypeVar("T")

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"

CONTAINERD_NAME = "io.containerd.image.name"
"""Annotation of an index entry: the image's whole name (containerd, core/images/annotations.go)."""
REF_NAME = "org.opencontainers.image.ref.name"
"""Annotation of an index entry: the tag, or with Skopeo and podman the whole name."""

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII)


def canonical(value: object) -> bytes:
    """JSON with sorted keys, no white space and UTF-8: equal values give equal bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def parse_json(data: bytes, where: object) -> Any:
    """The value that `data` holds.

    Raises BadInput where readers of the same bytes could differ: a repeated key, NaN, a byte order mark, half a
    surrogate pair; and for more bytes, values or nesting than any image has.
    """
    if len(data) > JSON_BYTES:
        raise BadInput(where, f"JSON of more than {JSON_BYTES} bytes", "the file is damaged or hostile")
    if sum(map(data.count, (b",", b"[", b"{"))) > JSON_VALUES:
        raise BadInput(where, f"JSON of more than {JSON_VALUES} values", "the file is damaged or hostile")
    try:
        text = data.decode()
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
        _check_nesting(value)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise BadInput(where, "JSON nested too deeply", "the file is damaged or hostile") from None
    except ValueError as error:
        raise BadInput(where, f"not JSON: {error}", "the file is damaged") from None
    return value


def read_json_file(path: Path, remedy: str = "give a file that can be read") -> Any:
    """The value in a file, for which `remedy` says what it should be. Raises BadInput."""
    try:
        with path.open("rb") as file:
            data = file.read(JSON_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadInput(path, getattr(error, "strerror", None) or str(error), remedy) from None
    return parse_json(data, path)


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return result


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _check_nesting(value: object) -> None:
    """Raises RecursionError here, and not somewhere later in whoever walks or writes the value."""
    level = [value]
    for _ in range(JSON_NESTING + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise RecursionError


def expect(value: object, kind: type[T], what: str, where: object) -> T:
    """`value`, when it is a `kind`; raises BadInput naming `what` was looked at otherwise."""
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    names = {dict: "an object", list: "an array", str: "a string", int: "a whole number"}
    found = "missing" if value is None else f"{value!r:.60}"
    raise BadInput(where, f"{what} is {found}, not {names.get(kind, kind.__name__)}", "the file is damaged")


def strings(value: object, what: str, where: object) -> list[str]:
    """An array of strings; null counts as empty, as Go reads it."""
    if value is None:
        return []
    return [expect(item, str, f"an item of {what}", where) for item in expect(value, list, what, where)]


def file_name(value: object, what: str, where: object) -> str:
    """A string that can name a file; raises BadInput."""
    text = expect(value, str, what, where)
    if not text or "\0" in text:
        raise BadInput(where, f"{what} is {text!r:.60}", "no file can have that name")
    return text


def check_timestamp(value: object, what: str, where: object) -> str:
    """`value`, when it is an RFC 3339 time, which every reader of `created` insists on; raises BadInput."""
    text = expect(value, str, what, where)
    if _RFC3339.fullmatch(text):
        with contextlib.suppress(ValueError):
            datetime.datetime.fromisoformat(text)
            return text
    raise BadInput(where, f"{what} is {text!r:.60}, not an RFC 3339 time", "write it like 1970-01-01T00:00:01Z")


def any_time(text: str, what: str, where: object) -> str:
    """An RFC 3339 time as it is; `now`; and, as dockerTools takes them too, `@SECONDS` and other forms of ISO 8601.

    Raises BadInput: none of these.
    """
    with contextlib.suppress(BadInput):
        return check_timestamp(text, what, where)
    with contextlib.suppress(ValueError, OverflowError):
        if text == "now":
            moment = datetime.datetime.now(datetime.UTC)
        elif text.startswith("@"):
            moment = datetime.datetime.fromtimestamp(int(text[1:]), datetime.UTC)
        else:
            moment = datetime.datetime.fromisoformat(text)
        zoned = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        return zoned.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return check_timestamp(text, what, where)


def seconds(text: str, what: str, where: object) -> int:
    """The same times, as a tar header has them: in seconds since 1970. Raises BadInput for those before, too."""
    result = int(datetime.datetime.fromisoformat(any_time(text, what, where)).timestamp())
    if result < 0:
        raise BadInput(where, f"{what} is {text}", "a tar header holds no time before 1970")
    return result


class Descriptor(NamedTuple):
    """What one document says of a blob that it refers to (OCI image spec, descriptor.md)."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = MappingProxyType({})
    platform: Json | None = None

    def to_json(self) -> Json:
        result: Json = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.annotations:
            result["annotations"] = dict(self.annotations)
        if self.platform:
            result["platform"] = self.platform
        return result

    @classmethod
    def from_json(cls, value: object, where: object) -> Descriptor:
        fields = expect(value, dict, "a descriptor", where)
        size = expect(fields.get("size"), int, "a descriptor's size", where)
        if not 0 <= size < 1 << 63:
            raise BadInput(where, f"a descriptor's size is {size}", "the file is damaged")
        annotations = expect(fields.get("annotations") or {}, dict, "a descriptor's annotations", where)
        return cls(
            media_type=expect(fields.get("mediaType"), str, "a descriptor's mediaType", where),
            digest=parse_digest(fields.get("digest"), where),
            size=size,
            annotations={k: v for k, v in annotations.items() if isinstance(v, str)},
            platform=expect(fields["platform"], dict, "platform", where) if fields.get("platform") else None,
        )


def oci_manifest(config: Descriptor, layers: list[Descriptor]) -> bytes:
    """An OCI image manifest (manifest.md)."""
    return canonical(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.to_json(),
            "layers": [layer.to_json() for layer in layers],
        }
    )


def oci_index(manifests: list[Descriptor]) -> bytes:
    """An OCI image index (image-index.md)."""
    entries = [manifest.to_json() for manifest in manifests]
    return canonical({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
