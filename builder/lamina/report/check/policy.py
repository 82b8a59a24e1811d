"""The policy file: TOML with one table for each kind of rule. Unknown keys are errors that name the nearest key."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from lamina.errors import BadInput
from lamina.limits import POLICY_BYTES

_UNITS = {"": 1, "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kKMGT]i?B|B)?")


@attrs.frozen
class Policy:
    """The rules; None, false and the empty tuple stand for no rule. Sizes are bytes.

    `forbidden_paths` are patterns of store path names without the hash, `forbidden_files` of files. `allowed` are
    patterns of both, to which the rules of the table `forbidden` do not apply.
    """

    size: int | None = None
    layers: int | None = None
    update: int | None = None
    forbidden_paths: tuple[str, ...] = ()
    forbidden_files: tuple[str, ...] = ()
    compilers: bool = False
    dev_outputs: bool = False
    secrets: bool = False
    setuid: bool = False
    allowed: tuple[str, ...] = ()
    certificates: bool = False
    tmp: bool = False
    numeric_user: bool = False
    required_files: tuple[str, ...] = ()
    licenses_allowed: tuple[str, ...] = ()
    licenses_forbidden: tuple[str, ...] = ()
    unknown_licenses: bool = True


FIELDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "budget": {"size": ("size", "size"), "layers": ("layers", "number"), "update": ("update", "size")},
    "forbidden": {
        "paths": ("forbidden_paths", "texts"),
        "files": ("forbidden_files", "texts"),
        "compilers": ("compilers", "flag"),
        "dev-outputs": ("dev_outputs", "flag"),
        "secrets": ("secrets", "flag"),
        "setuid": ("setuid", "flag"),
        "except": ("allowed", "texts"),
    },
    "required": {
        "certificates": ("certificates", "flag"),
        "tmp": ("tmp", "flag"),
        "numeric-user": ("numeric_user", "flag"),
        "files": ("required_files", "texts"),
    },
    "licenses": {
        "allowed": ("licenses_allowed", "texts"),
        "forbidden": ("licenses_forbidden", "texts"),
        "unknown": ("unknown_licenses", "flag"),
    },
}
"""For each table and key the field of `Policy`, and the kind of its value."""

_KINDS = {
    "size": 'a number of bytes, or a text like "120 MB"',
    "number": "a whole number",
    "texts": "a list of texts",
    "flag": "true or false",
}


def read_policy(path: Path) -> Policy:
    """Raises BadInput: the file cannot be read, or something in it is wrong."""
    return parse_policy(policy_text(path), path)


def policy_text(path: Path) -> str:
    remedy = "give a policy"
    try:
        with path.open("rb") as file:
            data = file.read(POLICY_BYTES + 1)
        if len(data) > POLICY_BYTES:
            raise BadInput(path, f"larger than {POLICY_BYTES} bytes", remedy)
        return data.decode()
    except UnicodeDecodeError:
        raise BadInput(path, "is not UTF-8, so it is not TOML", remedy) from None
    except (OSError, ValueError) as error:
        raise BadInput(path, getattr(error, "strerror", None) or str(error), remedy) from None


def parse_policy(text: str, where: object) -> Policy:
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number of over 4,300 digits
        raise BadInput(where, f"is not TOML: {error}", "docs/use/check.md describes the policy") from None
    values: dict[str, Any] = {}
    for table, content in tables.items():
        fields = FIELDS[_known(table, FIELDS, "table", where)]
        if not isinstance(content, dict):
            raise BadInput(where, f"{table} is {content!r:.40}, not a table", f"write [{table}] on a line of its own")
        for key, value in content.items():
            name, kind = fields[_known(key, fields, f"key of [{table}]", where)]
            values[name] = _value(value, kind, f"{table}.{key}", where)
    return Policy(**values)


def _known(word: str, names: Mapping[str, object], what: str, where: object) -> str:
    if word in names:
        return word
    from difflib import get_close_matches

    near = get_close_matches(word, names, 1, 0.5)
    remedy = f"did you mean {near[0]}?" if near else f"the names are: {', '.join(names)}"
    raise BadInput(where, f"{word!r:.60} is no {what}", remedy)


def _value(value: object, kind: str, name: str, where: object) -> object:
    if kind == "flag" and isinstance(value, bool):
        return value
    if kind in ("size", "number") and type(value) is int and 0 <= value < 1 << 63:
        return value
    if kind == "size" and isinstance(value, str) and (match := _SIZE.fullmatch(value)) and (match[2] or "") in _UNITS:
        size = float(match[1]) * _UNITS[match[2] or ""]
        if size < 1 << 63:
            return round(size)
    if kind == "texts" and isinstance(value, list) and all(isinstance(item, str) and item for item in value):
        return tuple(value)
    shown = str(value).lower() if isinstance(value, bool) else f"{value!r:.60}"
    raise BadInput(where, f"{name} is {shown}", f"write {_KINDS[kind]}")
