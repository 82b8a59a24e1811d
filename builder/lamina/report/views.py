"""The views of `lamina inspect` beside the summary: layers in detail, the tree of references, the largest, files."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping

from lamina.data.budget import Meter
from lamina.data.progress import counted, human
from lamina.limits import SHOWN_FILES
from lamina.oci.strict_json import Json
from lamina.report.contents import Contents, LayerContents, StorePath
from lamina.report.graph import Root, roots_of
from lamina.report.members import File, every_file
from lamina.report.style import Style
from lamina.store.closure import name_of
from lamina.tar.write import BLOCK_DEVICE, CHARACTER, DIRECTORY, FIFO, HARD_LINK, SYMLINK

_KINDS = {DIRECTORY: "directory", SYMLINK: "link", HARD_LINK: "hard link", FIFO: "pipe"}
_KINDS |= dict.fromkeys((CHARACTER, BLOCK_DEVICE), "device")


def layers_json(contents: Contents) -> list[Json]:
    """Shape: `[{diffId, size, compressedSize, why, createdBy, storePaths, files, filesSize}]`, the lowest layer first.

    `storePaths` are `{path, size, hidden}`; `files` is the number of files that are in no store path.
    """
    return [
        {
            "diffId": layer.diff_id,
            "size": layer.size,
            "compressedSize": layer.stored,
            "why": layer.origin.reason if layer.origin else "",
            "createdBy": layer.created_by,
            "storePaths": [{"path": held.path, "size": held.size, "hidden": held.hidden} for held in layer.paths],
            "files": layer.file_count,
            "filesSize": layer.file_bytes,
        }
        for layer in contents.layers
    ]


def layers_text(contents: Contents, style: Style) -> Iterator[str]:
    """A line for each layer, and one for each of its store paths, the largest first."""
    for number, layer in enumerate(contents.layers, 1):
        packed = "" if layer.stored is None else f", {human(layer.stored)} compressed"
        about = (layer.origin.reason if layer.origin else "") or layer.created_by
        size = "size unknown" if layer.size is None else human(layer.size)
        digest = (layer.diff_id or "")[7:19]
        yield style.line(f"layer {number}  {digest}  {size}{packed}{about and f'  {about}'}", "title")
        for held in sorted(layer.paths, key=lambda held: (-(held.size or 0), held.path)):
            note = "  deleted or changed by a layer above" if held.hidden else ""
            yield style.line(f"  {_size(held.size):>9}  {name_of(held.path)}{note}", "hidden" if held.hidden else "")
        if layer.file_count:
            yield style.line(f"  {human(layer.file_bytes):>9}  {_files(layer)}")


def _files(layer: LayerContents) -> str:
    count = counted(layer.file_count, "file")
    return f"{count} outside the store" if layer.paths else count


def paths_json(contents: Contents) -> list[Json]:
    """Shape: `[{path, name, version, output, size, narSize, narHash, references, layer, hidden}]`, largest first."""
    sizes, layers = contents.sizes, contents.layer_of()
    return [
        {
            "path": path.path,
            "name": path.package.name,
            "version": path.package.version,
            "output": path.package.output,
            "size": sizes[path.path],
            "narSize": path.nar_size,
            "narHash": path.nar_hash,
            "references": None if path.references is None else list(path.references),
            "layer": layers[path.path] + 1,
            "hidden": path.hidden,
        }
        for path in by_size(contents)
    ]


def by_size(contents: Contents) -> list[StorePath]:
    """The store paths, the largest first."""
    sizes = contents.sizes
    return sorted(contents.paths.values(), key=lambda path: (-(sizes[path.path] or 0), path.path))


def largest_text(contents: Contents, count: int, style: Style) -> Iterator[str]:
    """The largest store paths, with their layer and their share of the image, and what all others take."""
    sizes, layers, total = contents.sizes, contents.layer_of(), contents.size or 1
    rows = [(name_of(path.path), sizes[path.path], f"layer {layers[path.path] + 1}") for path in by_size(contents)]
    outside = sum(layer.file_bytes for layer in contents.layers)
    if outside:
        rows.append(("files outside the store", outside, ""))
    rows.sort(key=lambda row: -(row[1] or 0))
    for name, size, layer in rows[:count]:
        share = f"{100 * (size or 0) / total:5.1f}%"
        yield style.line(f"{_size(size):>9}  {share}  {name}{layer and f'  ({layer})'}")
    rest = sum(size or 0 for _, size, _ in rows[count:])
    if rest:
        yield style.line(f"{human(rest):>9}  {100 * rest / total:5.1f}%  {len(rows) - count} others")


def tree_text(contents: Contents, style: Style) -> Iterator[str]:
    """The store paths as trees, each below the path that refers to it. `...`: its references were shown before."""
    sizes = contents.sizes
    shown: set[str] = set()
    for root in roots_of(contents):
        yield style.line(root_text(root), "title")
        yield from _below(contents.paths, root.paths, sizes, shown, style)


def root_text(root: Root) -> str:
    """The title of a root."""
    if root.kind == "config":
        return f"config: {root.where}"
    return f"{root.where} (layer {(root.layer or 0) + 1})" if root.kind == "file" else f"{root.where} lists"


def _below(
    paths: Mapping[str, StorePath],
    top: Iterable[str],
    sizes: Mapping[str, int | None],
    shown: set[str],
    style: Style,
) -> Iterator[str]:
    waiting = [(path, "  ") for path in sorted(top, key=name_of, reverse=True)]
    while waiting:
        path, indent = waiting.pop()
        below = [name for name in paths[path].references or () if name != path and name in paths]
        again = " ..." if path in shown and below else ""
        yield style.line(f"{indent}{name_of(path)}  {_size(sizes[path])}{again}")
        if path not in shown:
            shown.add(path)
            deeper = indent + "  " if len(indent) < 80 else indent
            waiting += [(name, deeper) for name in sorted(below, key=name_of, reverse=True)]


def found_files(contents: Contents, pattern: str, headers: Meter) -> Iterator[tuple[int, File]]:
    """The files of all layers, in store paths or not, whose path or name matches the pattern, with their layer."""
    matches = re.compile(fnmatch.translate(pattern.lstrip("/"))).match
    for layer, file in every_file(contents.image.layers, headers):
        if matches(file.path) or matches(file.path.rpartition("/")[2]):
            yield layer, file


def files_json(contents: Contents, pattern: str, headers: Meter) -> list[Json]:
    """Shape: `[{path, layer, kind, size, link}]`."""
    return [
        {"path": "/" + file.path, "layer": layer + 1, "kind": kind(file), "size": file.size, "link": file.link or None}
        for layer, file in found_files(contents, pattern, headers)
    ][:SHOWN_FILES]


def files_text(contents: Contents, pattern: str, style: Style, headers: Meter) -> Iterator[str]:
    count = 0
    for layer, file in found_files(contents, pattern, headers):
        count += 1
        link = f" -> {file.link}" if file.link else ""
        about = human(file.size) if kind(file) == "file" else kind(file)
        yield style.line(f"{about:>9}  layer {layer + 1:<3}  /{file.path}{link}")
    if not count:
        yield style.line(f"no file {pattern!r}")


def kind(file: File) -> str:
    """The type of a member in words."""
    return _KINDS.get(file.kind, "file")


def _size(size: int | None) -> str:
    return "?" if size is None else human(size)
