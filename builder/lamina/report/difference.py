"""`lamina diff` as JSON, as text for a terminal, and as Markdown for a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lamina.data.progress import human
from lamina.errors import printable
from lamina.image.image import Image
from lamina.oci.digest import sha256
from lamina.oci.strict_json import Json
from lamina.report.compare import Comparison, ConfigChange, PathChange
from lamina.report.contents import Contents, StorePath
from lamina.report.style import Style
from lamina.report.update import LayerUpdate, Update

_SHOWN = 10
"""Rows of a list in the text; the JSON has all."""

_VALUE = 70
"""Characters of a value of the config in the text."""


def difference_json(comparison: Comparison, update: Update) -> Json:
    """Shape: `{old, new, same, config, paths, files, layers, update, packages}`: see docs/use/inspect.md."""
    return {
        "old": _image_json(comparison.old),
        "new": _image_json(comparison.new),
        "same": comparison.is_same,
        "config": [{"field": item.field, "old": item.old, "new": item.new} for item in comparison.config],
        "paths": {
            "added": [_path_json(path, comparison.new) for path in comparison.added],
            "removed": [_path_json(path, comparison.old) for path in comparison.removed],
            "changed": [_change_json(change, comparison) for change in comparison.changed],
        },
        "files": {
            "added": ["/" + path for path in comparison.files_added],
            "removed": ["/" + path for path in comparison.files_removed],
            "changed": ["/" + path for path in comparison.files_changed],
        },
        "layers": [_layer_json(layer) for layer in update.layers],
        "update": {
            "pull": update.pull,
            "compressed": update.is_compressed,
            "newLayers": update.new_layers,
            "load": dict(update.load),
        },
        "packages": [{"name": item.name, "size": item.size, "changed": item.changed} for item in update.packages],
    }


def _image_json(contents: Contents) -> Json:
    image = contents.image
    return {
        "names": _names(image),
        "configDigest": sha256(image.document()),
        "layers": len(contents.layers),
        "size": contents.size,
    }


def _path_json(path: StorePath, contents: Contents) -> Json:
    size = contents.sizes.get(path.path)
    return {"path": path.path, "name": path.package.name, "version": path.package.version, "size": size}


def _change_json(change: PathChange, comparison: Comparison) -> Json:
    return {
        "name": change.new.package.name,
        "output": change.new.package.output,
        "rebuild": change.is_rebuild,
        "because": list(change.because),
        "old": _path_json(change.old, comparison.old),
        "new": _path_json(change.new, comparison.new),
    }


def _layer_json(layer: LayerUpdate) -> Json:
    return {
        "diffId": layer.diff_id,
        "size": layer.size,
        "new": layer.is_new,
        "pull": layer.pull,
        "compressed": layer.compressed,
        "reasons": list(layer.reasons),
    }


def _names(image: Image) -> list[str]:
    return list(image.stored_names) or [name.qualified for name in image.names]


def difference_text(comparison: Comparison, update: Update, style: Style) -> Iterator[str]:
    """For a terminal: what changed, then what the update costs and why."""
    if comparison.is_same:
        yield "the same image"
        return
    yield from _config_text(comparison.config, style)
    yield from _paths_text(comparison, style)
    yield from _files_text(comparison, style)
    yield style.line(_size_line(comparison), "title")
    yield from _update_text(update, style)


def _config_text(changes: Sequence[ConfigChange], style: Style) -> Iterator[str]:
    if changes:
        yield style.line("config", "title")
    for item in changes:
        if item.old is not None and item.new is not None:
            yield style.line(f"  {item.field}: {_short(item.old)} -> {_short(item.new)}", "changed")
        elif item.new is not None:
            yield style.line(f"  {item.field}: {_short(item.new)} (new)", "added")
        else:
            yield style.line(f"  {item.field}: {_short(item.old or '')} (removed)", "removed")


def _short(text: str) -> str:
    return text if len(text) <= _VALUE else f"{text[: _VALUE - 3]}..."


def _paths_text(comparison: Comparison, style: Style) -> Iterator[str]:
    versions = [change for change in comparison.changed if not change.is_rebuild]
    rebuilt = [change for change in comparison.changed if change.is_rebuild]
    old, new = comparison.old.sizes, comparison.new.sizes
    rows = [(f"  {_version_line(change)}{_delta(comparison, change)}", "changed") for change in versions]
    yield from _section("packages with another version", rows, style)
    rows = [(f"  {_rebuild_line(change)}{_delta(comparison, change)}", "changed") for change in rebuilt]
    yield from _section("packages rebuilt with the same version", rows, style)
    rows = [(f"  {path.full_name}  +{_size(new.get(path.path))}", "added") for path in comparison.added]
    yield from _section("packages added", rows, style)
    rows = [(f"  {path.full_name}  -{_size(old.get(path.path))}", "removed") for path in comparison.removed]
    yield from _section("packages removed", rows, style)


def _section(title: str, rows: list[tuple[str, str]], style: Style) -> Iterator[str]:
    if not rows:
        return
    yield style.line(title, "title")
    for text, kind in rows[:_SHOWN]:
        yield style.line(text, kind)
    if len(rows) > _SHOWN:
        yield style.line(f"  and {len(rows) - _SHOWN} more")


def _version_line(change: PathChange) -> str:
    return f"{change.new.package.label}  {change.old.package.version or '?'} -> {change.new.package.version or '?'}"


def _rebuild_line(change: PathChange) -> str:
    return change.new.full_name + (f"  for {', '.join(change.because[:3])}" if change.because else "")


def _delta(comparison: Comparison, change: PathChange) -> str:
    before = comparison.old.sizes.get(change.old.path)
    after = comparison.new.sizes.get(change.new.path)
    return "" if before is None or after is None or before == after else f"  {_signed(after - before)}"


def _signed(size: int) -> str:
    return f"{'-' if size < 0 else '+'}{human(abs(size))}"


def _files_text(comparison: Comparison, style: Style) -> Iterator[str]:
    rows = [(f"  /{path} (changed)", "changed") for path in comparison.files_changed]
    rows += [(f"  /{path} (added)", "added") for path in comparison.files_added]
    rows += [(f"  /{path} (removed)", "removed") for path in comparison.files_removed]
    yield from _section("files outside the store", rows, style)


def _size_line(comparison: Comparison) -> str:
    before, after = comparison.old.size, comparison.new.size
    change = "" if before == after else f" ({_signed(after - before)})"
    return f"size: {human(before)} -> {human(after)}{change}"


def _update_text(update: Update, style: Style) -> Iterator[str]:
    new, total = update.new_layers, len({layer.diff_id for layer in update.layers})
    how = "" if not new or update.is_compressed else ", layers not compressed"
    yield style.line(f"update: {new} of {total} layers are new", "title")
    yield style.line(f"  {'pull from a registry':<31} {human(update.pull):>9}{how}")
    for store, size in update.load.items():
        yield style.line(f"  {f'lamina load, {store}':<31} {human(size):>9}")
    for layer in _new_layers(update)[:_SHOWN]:
        yield style.line(f"  layer {layer.number:<3} {human(layer.pull):>9}  {'; '.join(layer.reasons)}", "changed")
    left = len(_new_layers(update)) - _SHOWN
    if left > 0:
        yield style.line(f"  and {left} more layers")
    rows = [(f"  {human(item.size):>9}  {item.name}{_note(item.changed)}", "") for item in update.packages]
    yield from _section("bytes of the new layers, by package", rows, style)


def _new_layers(update: Update) -> list[LayerUpdate]:
    return sorted((layer for layer in update.layers if layer.is_new), key=lambda layer: (-layer.pull, layer.number))


def _note(changed: bool) -> str:
    return "" if changed else "  (unchanged, in the same layer as a change)"


def _size(size: int | None) -> str:
    return "?" if size is None else human(size)


Table = tuple[str, tuple[str, ...], Sequence[tuple[str, ...]]]
"""A title, the headings of the columns, and the rows."""


def difference_tables(comparison: Comparison, update: Update) -> Iterator[Table]:
    """What changed and what the update costs, as tables, for a page. Tables without rows are left out."""
    tables = (
        _config_table(comparison),
        _packages_table(comparison),
        _rebuilt_table(comparison),
        _layers_table(update),
        _files_table(comparison),
    )
    yield from (table for table in tables if table[2])


def _config_table(comparison: Comparison) -> Table:
    rows = [(item.field, item.old or "", item.new or "") for item in comparison.config]
    return "Config", ("field", "before", "after"), rows


def _packages_table(comparison: Comparison) -> Table:
    rows = [
        (change.new.package.label, change.old.package.version, change.new.package.version, _delta(comparison, change))
        for change in comparison.changed
        if not change.is_rebuild
    ]
    old, new = comparison.old.sizes, comparison.new.sizes
    rows += [(path.package.label, "", path.package.version, f"+{_size(new.get(path.path))}")
             for path in comparison.added]  # fmt: skip
    rows += [(path.package.label, path.package.version, "", f"-{_size(old.get(path.path))}")
             for path in comparison.removed]  # fmt: skip
    return "Packages", ("package", "before", "after", "change of size"), [tuple(map(str.strip, row)) for row in rows]


def _rebuilt_table(comparison: Comparison) -> Table:
    rows = [(change.new.full_name, ", ".join(change.because), _delta(comparison, change).strip())
            for change in comparison.changed if change.is_rebuild]  # fmt: skip
    return "Rebuilt with the same version", ("package", "because of", "change of size"), rows


def _layers_table(update: Update) -> Table:
    rows = [(str(layer.number), human(layer.pull), "; ".join(layer.reasons)) for layer in _new_layers(update)]
    return "New layers", ("layer", "pull", "why"), rows


def _files_table(comparison: Comparison) -> Table:
    rows = [(f"/{path}", "changed") for path in comparison.files_changed]
    rows += [(f"/{path}", "added") for path in comparison.files_added]
    rows += [(f"/{path}", "removed") for path in comparison.files_removed]
    return "Files outside the store", ("file", "change"), rows


def cost_tables(update: Update) -> Iterator[Table]:
    """The costs of the update as tables: by way of transfer, and by package. Tables without rows are left out."""
    ways = [("pull from a registry", human(update.pull))]
    ways += [(f"lamina load, {store}", human(size)) for store, size in update.load.items()]
    yield "Bytes that an update transfers", ("way", "size"), ways
    rows = [(item.name, human(item.size), _note(item.changed).strip(" ()")) for item in update.packages]
    if rows:
        yield "Bytes of the new layers, by package", ("package", "size", "note"), rows


def update_sentences(comparison: Comparison, update: Update) -> str:
    """The sizes of both images, and what a pull of the new one costs."""
    if comparison.is_same:
        return "No change: the same image."
    return f"{_size_line(comparison)[:1].upper()}{_size_line(comparison)[1:]}. {_pull_sentence(update)}"


def difference_markdown(comparison: Comparison, update: Update) -> Iterator[str]:
    """For a comment in a pull request: one line first, then tables that can be unfolded."""
    names = ", ".join(_names(comparison.new.image)) or "image"
    yield f"### {_cell(names)}"
    yield ""
    yield update_sentences(comparison, update)
    if comparison.is_same:
        return
    yield ""
    for title, head, rows in difference_tables(comparison, update):
        yield from _table(title, head, rows)


def _pull_sentence(update: Update) -> str:
    packed = "" if update.is_compressed else " (not compressed)"
    return f"An update pulls {human(update.pull)}{packed}: {update.new_layers} of {len(update.layers)} layers are new."


def _table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"<details><summary>{title}: {len(rows)}</summary>"
    yield ""
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    for row in rows[: 20 * _SHOWN]:
        yield f"| {' | '.join(map(_cell, row))} |"
    if len(rows) > 20 * _SHOWN:
        yield f"| and {len(rows) - 20 * _SHOWN} more |{' |' * (len(head) - 1)}"
    yield ""
    yield "</details>"
    yield ""


def _cell(text: str) -> str:
    """Text that Markdown and HTML take as it is."""
    text = printable(text if len(text) <= 200 else f"{text[:197]}...")
    return "".join(f"&#{ord(c)};" if c in "|<>&`*_[]\\@#~" else c for c in text)
