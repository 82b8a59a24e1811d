"""References between the store paths of a recipe, in the form of the recipe: numbers instead of names.

`references` has a string for each store path of the layers of kind `store`, in their order, each path once. The string
contains the numbers of the paths to which it refers. A closure of 2,000 paths takes 60 kB in this form, and 1 MB with
names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lamina.errors import BadInput
from lamina.limits import DATABASE_REFERENCES
from lamina.oci.strict_json import strings
from lamina.store.closure import PathInfo

_REMEDY = "the recipe is damaged: build it again"


def numbered(infos: Iterable[PathInfo]) -> list[str]:
    """The value of the field `references`. References to other paths than these are left out."""
    listed = {info.path: info for info in infos}
    number = {path: str(position) for position, path in enumerate(listed)}
    return [" ".join(number[name] for name in info.references if name in number) for info in listed.values()]


def named(value: object, infos: Iterable[PathInfo], where: object) -> dict[str, tuple[str, ...]]:
    """The references of each of these paths, from the field `references`. Raises BadInput."""
    lists = strings(value, "references", where)
    paths = list(dict.fromkeys(info.path for info in infos))
    if len(lists) != len(paths):
        raise BadInput(where, f"references of {len(lists)} store paths, and there are {len(paths)}", _REMEDY)
    if sum(text.count(" ") for text in lists) > DATABASE_REFERENCES:
        raise BadInput(where, f"more than {DATABASE_REFERENCES} references", _REMEDY)
    return {path: _names(text, paths, where) for path, text in zip(paths, lists, strict=True)}


def _names(text: str, paths: Sequence[str], where: object) -> tuple[str, ...]:
    words = text.split()
    if all(len(word) < 7 and word.isascii() and word.isdigit() and int(word) < len(paths) for word in words):
        return tuple(sorted(paths[number] for number in {int(word) for word in words}))
    raise BadInput(where, f"the references {text!r:.60}", _REMEDY)
