"""Documents of images with keys in doubtful spellings, read by Go's encoding/json and by us."""

from __future__ import annotations

import json
from collections.abc import Mapping
from random import Random
from typing import Any

from lamina.errors import LaminaError
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
    except LaminaError:
        return None
    answer = go().ask(kind, data)
    if answer["error"]:
        return ""
    return "" if _same(ours, answer["value"], KINDS[kind]) else f"we read {ours!r}\nGo reads {answer['value']!r}"


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
        result[_spelled(random, key) if odd and random.random() < 0.3 else key] = _value(random, shape[key], odd)
        if odd and random.random() < 0.1:
            result[random.choice(["x", "X", "twice", "\u00e4", "\u00c4"])] = random.choice(_VALUES)
    return result


def _spelled(random: Random, key: str) -> str:
    change = random.choice([str.lower, str.upper, str.title, str.swapcase])
    letters = {"s": "\u017f", "S": "\u017f", "k": "\u212a", "K": "\u212a", "i": "\u0131", "I": "\u0130"}
    if random.random() < 0.5:
        return change(key)
    return "".join(letters.get(letter, letter) if random.random() < 0.5 else letter for letter in key)
