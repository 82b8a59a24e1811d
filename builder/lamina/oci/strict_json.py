"""JSON from elsewhere, read strictly: what readers of the same bytes could understand differently is an error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from lamina.errors import BadInput
from lamina.limits import JSON_BYTES, JSON_NESTING, JSON_VALUES

Json = dict[str, Any]
T = TypeVar("T")


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
    if count_values(data) > JSON_VALUES:
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


def count_values(data: bytes) -> int:
    """The number of commas and opening brackets in a JSON text: the number of its values is at most one higher."""
    return sum(map(data.count, (b",", b"[", b"{")))


def read_json_file(path: Path, remedy: str = "give a file that can be read") -> Any:
    """The value in a JSON file. `remedy` is the advice if the file cannot be read. Raises BadInput."""
    try:
        with path.open("rb") as file:
            data = file.read(JSON_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadInput(path, getattr(error, "strerror", None) or str(error), remedy) from None
    return parse_json(data, path)


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return result


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _check_nesting(value: object) -> None:
    """Raises RecursionError for a value that is nested too deeply, before code that walks or writes it would do so."""
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
    """`value`, if it is a `kind`. Raises BadInput otherwise; the error calls the value `what`."""
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    names = {dict: "an object", list: "an array", str: "a string", int: "a whole number"}
    found = "missing" if value is None else f"{value!r:.60}"
    raise BadInput(where, f"{what} is {found}, not {names.get(kind, kind.__name__)}", "the file is damaged")


def optional(value: object, kind: type[T], what: str, where: object) -> T:
    """`value`, if it is a `kind`; an empty one in place of null, as Go reads it. Raises BadInput as `expect`."""
    return kind() if value is None else expect(value, kind, what, where)


def items_of(value: object) -> list[Any]:
    """`value` if it is a list, or else an empty list."""
    return value if isinstance(value, list) else []


def strings(value: object, what: str, where: object) -> list[str]:
    """`value` as a list of strings; null counts as empty, as Go reads it. Raises BadInput as `expect`."""
    return [expect(item, str, f"an item of {what}", where) for item in optional(value, list, what, where)]


def file_name(value: object, what: str, where: object) -> str:
    """`value` as a string that can be the name of a file. Raises BadInput."""
    text = expect(value, str, what, where)
    if not text or "\0" in text:
        raise BadInput(where, f"{what} is {text!r:.60}", "no file can have that name")
    return text
