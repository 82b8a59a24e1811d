"""Changes of documents: fields that are missing, null, of another type, in another spelling or order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.differential.packing import Packing
from tests.support.archives import CREATED

Place = tuple[Any, Any]
"""An object or a list, and a key or an index in it."""

_TYPES: list[Any] = ["", "x", 0, 7, -1, 1.5, True, False, [], {}, [None], [""], ["x"], {"a": "b"}, {"": {}}, [[]], [{}]]
_STRINGS = ["a\0b", "\x1b[31m", "ä", "x" * 300, " ", "../x", "/x", "a:b:c", "A/B:C", "\u202e", "@", "sha256:"]
_NUMBERS = [1 << 31, 1 << 53, (1 << 63) - 1, 1 << 63, 1 << 70, -(1 << 63), 1e3, 0.1]
_DATES = ["", "2026", "2026-11-23", "2026-11-23T17:05:00", CREATED.lower(), "0001-01-01T00:00:00Z",
          "2026-11-23T17:05:00.123456789Z", "2026-11-23T17:05:00+05:30", "9999-12-31T23:59:59Z",
          "10000-01-01T00:00:00Z",
          "2026-02-30T00:00:00Z", "2026-11-23 17:05:00Z", "-001-01-01T00:00:00Z"]  # fmt: skip
_MEDIA_TYPES = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.container.image.v1+json",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.artifact.manifest.v1+json",
    "application/vnd.cncf.helm.config.v1+json",
    "application/vnd.oci.empty.v1+json",
    "text/plain",
    "application/json",
]
_PLATFORMS: list[Any] = [
    {"architecture": "amd64", "os": "linux"},
    {"architecture": "arm64", "os": "linux"},
    {"architecture": "arm64", "os": "linux", "variant": "v8"},
    {"architecture": "amd64", "os": "windows"},
    {"architecture": "unknown", "os": "unknown"},
    {"architecture": "", "os": ""},
    {"os": "linux"},
    {"architecture": "amd64"},
    {"architecture": "AMD64", "os": "Linux"},
    {"architecture": "x86_64", "os": "linux"},
    {},
    None,
]
_NAMES = [
    "one", "one:", ":1", "env/one", "Env/One:1", "env/one:1:2", "env/one@sha256:" + "0" * 64, "env//one:1", "/one:1",
    "one:" + "t" * 129, "a" * 300 + ":1", "registry.example:5000/a/b:1", "localhost/one:1", "docker.io/library/one:1",
    "docker.io/one:1", "index.docker.io/library/one:1", "one:.1", "one:-1", "one:a b", "one_:1", "o__e:1", "o___e:1",
    "<none>:<none>", "1", "0" * 64 + ":1", "one:ä", "", "127.0.0.1:80/x:1", "[::1]:5000/x:1", "a.b/c:1", "UPPER.io/c:1",
]  # fmt: skip
_FIELDS: dict[str, list[Any]] = {
    "os": ["windows", "darwin", "", "Linux", "unknown", "freebsd"],
    "architecture": ["arm64", "386", "", "AMD64", "x86_64", "unknown"],
    "variant": ["v8", "", "v2"],
    "created": _DATES,
    "mediaType": _MEDIA_TYPES,
    "schemaVersion": [1, 2, 3, 0, "2"],
    "platform": _PLATFORMS,
    "RepoTags": [[name] for name in _NAMES],
    "annotations": [{"org.opencontainers.image.ref.name": name} for name in _NAMES]
    + [{"io.containerd.image.name": name} for name in _NAMES],
    "imageLayoutVersion": ["1.0.0", "1.0.1", "1.1.0", "2.0.0", "", 1],
    "type": ["layers", "layers+base", "", "Layers"],
    "Entrypoint": [["/x"], [], "x", None],
    "User": ["0", "root", "1000:1000", "4294967296", "2147483648"],
    "Volumes": [{"/data": {}}, {"/data": None}, {"/../x": {}}, {"/a": {"b": "c"}}],
    "ExposedPorts": [{"80/tcp": {}}, {"80": {}}, {"x": {}}, {"80-90/udp": {}}],
    "Healthcheck": [{"Test": ["NONE"]}, {"Test": ["CMD", "x"], "Interval": 1}, {"Interval": "1s"}, {"Test": "x"}],
    "Labels": [{"a": "b"}, {"a": 1}, {"a": None}, [], None, {"": ""}],
    "history": [[], None, [{}], [{}, {}, {}, {}], [{"empty_layer": True}], [{"empty_layer": "x"}], [None]],
}
"""Values that a field may have besides those of other types."""


def _places(value: Any) -> Iterator[Place]:
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


Edit = Callable[[Any, Any, int], Any]
"""Changes the value at a key or an index of an object or a list, in place."""


def _edited(edit: Edit) -> Callable[[Packing, int, int], Packing]:
    """A change of one value in one of the documents."""

    def apply(packing: Packing, place: int, choice: int) -> Packing:
        found = [(at, number) for at in packing.documents() for number, _ in enumerate(_places(_value(packing, at)))]
        if not found:
            return packing
        at, number = found[place * 7919 % len(found)]
        value = _value(packing, at)
        edit(*list(_places(value))[number], choice)
        return packing.replaced(at, _text(value))

    return apply


def _value(packing: Packing, at: int) -> Any:
    try:
        return json.loads(packing.members[at][1])
    except ValueError:
        return None


def _field(packing: Packing, place: int, choice: int) -> Packing:
    """Give one known field, which may be missing so far, an unusual value."""
    name = list(_FIELDS)[place % len(_FIELDS)]
    value = _FIELDS[name][choice % len(_FIELDS[name])]
    homes = [at for at in packing.documents() if _home(name, _value(packing, at)) is not None]
    if not homes:
        return packing
    at = homes[choice % len(homes)]
    document = _value(packing, at)
    _home(name, document)[name] = value  # type: ignore[index]
    return packing.replaced(at, _text(document))


def _home(name: str, document: Any) -> dict[str, Any] | None:
    """The object in a document to which the field belongs."""
    if isinstance(document, list):
        return _home(name, document[0]) if document and name == "RepoTags" else None
    if not isinstance(document, dict):
        return None
    if name in ("mediaType", "schemaVersion"):
        return document if "schemaVersion" in document else None
    if name in ("platform", "annotations"):
        entries = document.get("manifests")
        return entries[0] if isinstance(entries, list) and entries and isinstance(entries[0], dict) else None
    if name == "imageLayoutVersion":
        return document if name in document else None
    if name == "RepoTags":
        return document if name in document else None
    if "rootfs" not in document:
        return None
    if name == "type":
        return document["rootfs"] if isinstance(document["rootfs"], dict) else None
    if name[0].isupper():
        return document.setdefault("config", {}) if isinstance(document.get("config", {}), dict) else None
    return document


def _remove(home: Any, key: Any, choice: int) -> None:
    del home[key]


def _null(home: Any, key: Any, choice: int) -> None:
    home[key] = None


def _other_type(home: Any, key: Any, choice: int) -> None:
    home[key] = _TYPES[choice % len(_TYPES)]


def _other_text(home: Any, key: Any, choice: int) -> None:
    home[key] = _STRINGS[choice % len(_STRINGS)] if isinstance(home[key], str) else _NUMBERS[choice % len(_NUMBERS)]


def _other_case(home: Any, key: Any, choice: int) -> None:
    if isinstance(key, str):
        spelled = [key.lower(), key.upper(), key.swapcase(), key.replace("s", "\u017f")][choice % 4]
        home[spelled] = home[key] if choice % 8 < 4 else home.pop(key)


def _reordered(home: Any, key: Any, choice: int) -> None:
    if isinstance(home, list):
        home.reverse()
    else:
        for name in reversed(list(home)):
            home[name] = home.pop(name)


def _unknown_key(home: Any, key: Any, choice: int) -> None:
    if isinstance(home, dict):
        home[["x", "com.example/y", "", "ä", "Comment"][choice % 5]] = _TYPES[choice % len(_TYPES)]


def _doubled_item(home: Any, key: Any, choice: int) -> None:
    if isinstance(home, list):
        home.insert(key, home[key])


def _doubled_key(packing: Packing, place: int, choice: int) -> Packing:
    """One key twice in the same object, with the same or another value."""
    known = packing.documents()
    at = known[place % len(known)] if known else 0
    value = _value(packing, at)
    keys = [key for _, key in _places(value) if isinstance(key, str)]
    if not keys:
        return packing
    key = json.dumps(keys[choice % len(keys)]).encode()
    text = packing.members[at][1]
    other = [b"null", b'"x"', b"[]", b"{}"][choice % 4]
    return packing.replaced(at, text.replace(key + b":", key + b":" + other + b"," + key + b":", 1))


def _white_space(packing: Packing, place: int, choice: int) -> Packing:
    """White space, a byte order mark or something else around a document."""
    known = packing.documents()
    if not known:
        return packing
    at = known[place % len(known)]
    text = packing.members[at][1]
    forms = [text + b"\n", b" \n" + text, text + b"\0", b"\xef\xbb\xbf" + text, text + text, text[:-1], b"", b"null",
             text.replace(b",", b" ,\n\t"), b"\xff\xfe" + text.replace(b"", b"\0")[1:]]  # fmt: skip
    return packing.replaced(at, forms[choice % len(forms)])


CHANGES = {
    "field removed": _edited(_remove),
    "field null": _edited(_null),
    "field of another type": _edited(_other_type),
    "field with an odd text or number": _edited(_other_text),
    "key in another case": _edited(_other_case),
    "keys or items in another order": _edited(_reordered),
    "unknown key": _edited(_unknown_key),
    "item doubled": _edited(_doubled_item),
    "known field with an unusual value": _field,
    "key doubled": _doubled_key,
    "text around a document": _white_space,
}
