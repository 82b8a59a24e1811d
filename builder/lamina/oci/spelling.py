"""Checks that the keys of an image's documents are spelled as in the specifications.

Docker, podman, containerd and Skopeo read these documents with Go's encoding/json. It matches keys without regard to
case, and uses the last of several that match. So a document with both `Cmd` and `cmd` means another command for them
than for most other readers. Such documents are refused. Keys of maps, like the names of labels, are data: Go compares
them byte by byte.

Fields: OCI image spec v1.1 (specs-go/v1), Docker's image spec v1.2 and its container config, containers/image
(docker/internal/tarfile/types.go, manifest/docker_schema2.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lamina.errors import BadInput

Shape = Mapping[str, Any] | list[Any] | None
"""How Go decodes a value: as an object with these keys, as a list of one shape, or without known keys (None).

The key `ANY_KEY` alone stands for a map whose keys are data.
"""

ANY_KEY = "*"
DATA: Shape = {ANY_KEY: None}


def _keys(text: str, **shapes: Shape) -> dict[str, Shape]:
    return {**dict.fromkeys(text.split()), **shapes}


_PLATFORM = _keys("architecture os os.version os.features variant features")
_DESCRIPTOR = _keys("mediaType digest size urls data artifactType", annotations=DATA, platform=_PLATFORM)
_HEALTHCHECK = _keys("Test Interval Timeout StartPeriod StartInterval Retries")
CONFIG = _keys(
    "Hostname Domainname User AttachStdin AttachStdout AttachStderr PublishService Tty OpenStdin StdinOnce Env Cmd"
    " ArgsEscaped Image WorkingDir Entrypoint NetworkDisabled MacAddress OnBuild StopSignal StopTimeout Shell"
    " Memory MemorySwap CpuShares Cpuset VolumeDriver PortSpecs",
    Healthcheck=_HEALTHCHECK,
    ExposedPorts=DATA,
    Volumes=DATA,
    Labels=DATA,
)
"""The `config` object of a config document."""

CONFIG_DOCUMENT = _keys(
    "id parent created comment author architecture os os.version os.features variant container docker_version Size"
    " throwaway layer_id parent_id",
    config=CONFIG,
    container_config=CONFIG,
    rootfs=_keys("type diff_ids base_layer"),
    history=[_keys("created created_by author comment empty_layer")],
)
"""The config document of an image, and the `json` of a layer in Docker's v1 format."""

DOCKER_ARCHIVE = [_keys("Config RepoTags Layers Parent", LayerSources={ANY_KEY: _DESCRIPTOR})]
"""`manifest.json`."""

MANIFEST = _keys(
    "schemaVersion mediaType artifactType",
    config=_DESCRIPTOR,
    layers=[_DESCRIPTOR],
    manifests=[_DESCRIPTOR],
    subject=_DESCRIPTOR,
    annotations=DATA,
)
"""A manifest or an index."""

LAYOUT = _keys("imageLayoutVersion")
REPOSITORIES: Shape = {ANY_KEY: DATA}

_REMEDY = "write each key once, as the specification spells it"


def fold(key: str) -> str:
    """A form of the key that is the same for all keys that Go considers equal (encoding/json, fold.go).

    Go ignores case, and also considers U+017F an s and U+212A a k.
    """
    return key.lower() if key.isascii() else "".join(map(_folded, key))


def _folded(character: str) -> str:
    folded = character.casefold()
    return folded if len(folded) == 1 else character


def check_spelling(value: object, shape: Shape, where: object) -> None:
    """Raises BadInput where Go would read a key of the document as another one."""
    waiting: list[tuple[object, Shape]] = [(value, shape)]
    while waiting:
        inner, expected = waiting.pop()
        if isinstance(inner, list):
            each = expected[0] if isinstance(expected, list) else None
            waiting += [(item, each) for item in inner if isinstance(item, dict | list)]
        elif isinstance(inner, dict):
            known = expected if isinstance(expected, Mapping) else {}
            if ANY_KEY not in known:
                _check_keys(inner, known, where)
            rest = known.get(ANY_KEY)
            waiting += [(item, known.get(key, rest)) for key, item in inner.items() if isinstance(item, dict | list)]


def _check_keys(value: Mapping[str, object], known: Mapping[str, Any], where: object) -> None:
    unknown = [key for key in value if key not in known]
    if not unknown:
        return
    spellings = {fold(key): key for key in known}
    for key in unknown:
        spelling = spellings.setdefault(fold(key), key)
        if spelling != key:
            raise BadInput(where, f"the key {key!r:.60}, which some readers take for {spelling!r:.60}", _REMEDY)
