"""Documents of images with keys in doubtful spellings, read by Go's encoding/json and by us."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from lamina.errors import LaminaError
from lamina.image.document import claimed_diff_ids, make_image
from lamina.oci.config import document_faults
from lamina.oci.spelling import (
    ANY_KEY,
    CONFIG_DOCUMENT,
    DOCKER_ARCHIVE,
    LAYOUT,
    MANIFEST,
    REPOSITORIES,
    Shape,
    check_spelling,
)
from lamina.oci.strict_json import parse_json
from tests.judge.readers import go

KINDS: dict[bytes, Shape] = {
    b"m": DOCKER_ARCHIVE,
    b"c": CONFIG_DOCUMENT,
    b"i": MANIFEST,
    b"l": LAYOUT,
    b"r": REPOSITORIES,
}
"""By the judge's letter for it."""

_TIMES = ("created",)
"""Go writes them in another form than it has read."""


def disagreement(kind: bytes, data: bytes) -> str | None:
    """What Go reads that we do not; "" where both read the same, or Go refuses the types; None where we refuse."""
    try:
        ours = parse_json(data, "it")
        check_spelling(ours, KINDS[kind], "it")
        if kind == b"c" and _is_refused_by_verify(ours):
            return None
    except LaminaError:
        return None
    answer = go().ask(kind, data)
    if answer["error"]:
        # Go does not decode escapes in times, and whoever reads the value cannot see them.
        is_fault = kind == b"c" and not answer["error"].lower().startswith("parsing time")
        return f"Go refuses what we read: {answer['error']}" if is_fault else ""
    return "" if _same(ours, answer["value"], KINDS[kind]) else f"we read {ours!r}\nGo reads {answer['value']!r}"


def _is_refused_by_verify(document: Any) -> bool:
    """By its types, or before that."""
    if not isinstance(document, dict) or not isinstance(document.get("rootfs"), dict):
        return True
    claimed_diff_ids(document, "it")
    make_image(b"", document, [], [], "it")
    return any(document_faults(document))


def _same(ours: Any, theirs: Any, shape: Shape) -> bool:
    if isinstance(theirs, dict) and isinstance(shape, Mapping):
        ours = {} if ours is None else ours
        if ANY_KEY in shape:
            return ours.keys() == theirs.keys() and all(_same(ours[key], theirs[key], shape[ANY_KEY]) for key in ours)
        return all(_same(ours.get(key), value, shape.get(key)) for key, value in theirs.items() if key not in _TIMES)
    if isinstance(theirs, list):
        ours, inner = ours or [], shape[0] if isinstance(shape, list) else None
        return len(ours) == len(theirs) and all(_same(*pair, inner) for pair in zip(ours, theirs, strict=True))
    return ours == theirs or (not ours and not theirs)


_USUAL: dict[str, Any] = {
    **{key: ["x"] for key in ("Env", "Cmd", "Entrypoint", "OnBuild", "Shell", "Test", "os.features")},
    **{key: ["x"] for key in ("RepoTags", "Layers")},
    **dict.fromkeys(("empty_layer", "ArgsEscaped", "AttachStdin", "Tty", "OpenStdin", "NetworkDisabled"), True),
    **dict.fromkeys(("AttachStdout", "AttachStderr", "StdinOnce", "PublishService"), False),
    **dict.fromkeys(("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries", "StopTimeout", "Memory"), 5),
    **dict.fromkeys(("MemorySwap", "CpuShares", "Size", "size", "schemaVersion"), 5),
    **{key: {"1/tcp": {}} for key in ("ExposedPorts", "Volumes")},
    "created": "2020-01-01T00:00:00.5Z",
    "Labels": {"a": "b"},
    "diff_ids": ["sha256:" + "0" * 64],
}
"""What tools write as the values of some keys; of the others it is a text."""

_VALUES = ["a", "", 0, 5, None, True, [], {}, ["x"], ["x", None], [{}], {"a": "b"}, {"A": {}, "a": {}}]


def doubtful_document(random: Random, shape: Shape) -> bytes:
    """A document of this shape; about half of them are spelled as every tool spells them."""
    odd = random.random() < 0.5
    text = json.dumps(_value(random, shape, odd), ensure_ascii=random.random() < 0.5)
    return text.replace('"twice"', f'"{random.choice(["Config", "x", "layers"])}"').encode()


def _value(random: Random, shape: Shape, odd: bool) -> Any:
    if isinstance(shape, list):
        return [_value(random, shape[0], odd) for _ in range(random.randint(0, 2))]
    if not isinstance(shape, Mapping):
        return random.choice(_VALUES)
    if ANY_KEY in shape:
        keys = random.sample(["a", "A", "k", "\u212a", "s", "\u017f", "cmd", "Cmd"], random.randint(0, 3))
        return {
            key: _value(random, shape[ANY_KEY], odd) if shape[ANY_KEY] else random.choice(["v", {}]) for key in keys
        }
    result = {}
    for key in random.sample(sorted(shape), min(len(shape), random.randint(0, 5))):
        spelled = _spelled(random, key) if odd and random.random() < 0.3 else key
        is_usual = (key in _USUAL or shape[key] is None) and random.random() < 0.9
        result[spelled] = _USUAL.get(key, "a") if is_usual else _value(random, shape[key], odd)
    if "rootfs" in shape and random.random() < 0.9:
        result["rootfs"] = result.get("rootfs") or {"type": "layers", "diff_ids": []}
        if odd and random.random() < 0.1:
            result[random.choice(["x", "X", "twice", "\u00e4", "\u00c4"])] = random.choice(_VALUES)
    return result


def _spelled(random: Random, key: str) -> str:
    change = random.choice([str.lower, str.upper, str.title, str.swapcase])
    letters = {"s": "\u017f", "S": "\u017f", "k": "\u212a", "K": "\u212a", "i": "\u0131", "I": "\u0130"}
    if random.random() < 0.5:
        return change(key)
    return "".join(letters.get(letter, letter) if random.random() < 0.5 else letter for letter in key)


_TEXTS = [
    *(b"1.0 1e0 10e-1 -0 01 1e400 NaN 9223372036854775808 -9223372036854775809 +1 .5 0x1 TRUE nul 'a' [] {}").split(),
    *(rb'"\u0000" "\ud800" "\uD83D\uDE00" "\udc00\ud800" "\/" "\x" "a" [1,] {"a":1,} {"a":1,"a":2}').split(),
    *(rb'{"a":{},"A":1} {"\u0061":1,"a":2} /**/1 1// "a""b"').split(),
    *(b'"%b"' % text for text in (b"a\tb", b"a\nb", b"\x7f", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbf\xbd")),
    *(b'"%b"' % text for text in (b"\xe2\x80\xa8", b"\xf4\x90\x80\x80", b"\0")),
    b"1" * 30,
    b"",
]
"""Values that parsers are known to understand differently, or to refuse."""

_AROUND = [
    *([b""] * 9),
    b" ",
    b"\n",
    b"\t\r",
    b"\0",
    b"\v",
    b"\f",
    b"\xef\xbb\xbf",
    b"\xc2\xa0",
    b"{}",
    b"]",
    b",",
    b"#",
]
"""What may stand before and behind a document."""

_SPLIT = re.compile(rb'("(?:[^"\\]|\\.)*"|[0-9]+|true|null)')


def doubtful_text(random: Random, shape: Shape) -> bytes:
    """A document as text, in which a few keys or values are written in ways that parsers doubt."""
    parts = _SPLIT.split(doubtful_document(random, shape))
    places = range(1, len(parts), 2)
    for _ in range(random.choice([0, 1, 1, 2])):
        if places:
            at = random.choice(places)
            parts[at] = _escaped(random, parts[at]) if random.random() < 0.4 else random.choice(_TEXTS)
    data = b"".join(parts)
    if random.random() < 0.1:
        data = random.choice(_AROUND) + data + random.choice(_AROUND)
    return data


def _escaped(random: Random, text: bytes) -> bytes:
    """The same string with some characters as escapes; what is no string stays."""
    if not text.startswith(b'"') or b"\\" in text:
        return text
    inner = text[1:-1].decode(errors="replace")
    return (
        b'"%b"'
        % "".join(
            f"\\u{ord(each):04{random.choice('xX')}}" if random.random() < 0.5 and ord(each) < 1 << 16 else each
            for each in inner
        ).encode()
    )
