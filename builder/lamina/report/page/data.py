"""The data of the page, as JSON values: layers, store paths with sizes and references, the config, a difference."""

from __future__ import annotations

from lamina.oci.digest import sha256
from lamina.oci.strict_json import Json
from lamina.report.compare import Comparison
from lamina.report.contents import Contents
from lamina.report.difference import cost_tables, difference_tables, update_sentences
from lamina.report.update import Update

_FILES = 20
"""Files of a layer, outside of store paths, that the page lists: the largest."""


def page_data(contents: Contents, comparison: Comparison | None = None, update: Update | None = None) -> Json:
    """The data; `difference` is null without a comparison.

    Shape: `{name, imageId, config, layers: [{diffId, size, createdBy, files: [[path, size]], fileCount, fileBytes}],
    paths: [[path, layer, size, [references]]], hasReferences, difference: {summary, tables: [[title, heads, rows]]}}`.
    References are positions in `paths`, layers count from 0.
    """
    number = {path: position for position, path in enumerate(sorted(contents.paths))}
    layer_of = contents.layer_of()
    paths = [
        [
            path,
            layer_of.get(path),
            contents.sizes.get(path),
            sorted(number[name] for name in contents.paths[path].references or () if name in number and name != path),
        ]
        for path in number
    ]
    image = contents.image
    names = list(image.stored_names) or [name.familiar for name in image.names]
    difference = None
    if comparison and update:
        changes = list(difference_tables(comparison, update))
        tables = [*changes, *cost_tables(update)] if changes else []
        difference = {"summary": update_sentences(comparison, update), "tables": tables}
    return {
        "name": ", ".join(names) or "image without a name",
        "imageId": sha256(image.document()),
        "config": image.config,
        "layers": [_layer(contents, position) for position in range(len(contents.layers))],
        "paths": paths,
        "hasReferences": contents.has_references,
        "difference": difference,
    }


def _layer(contents: Contents, position: int) -> Json:
    layer = contents.layers[position]
    largest = sorted(layer.files or (), key=lambda file: (-file.stored, file.path))[:_FILES]
    return {
        "diffId": layer.diff_id,
        "size": layer.size,
        "createdBy": layer.created_by,
        "fileCount": layer.file_count,
        "fileBytes": layer.file_bytes,
        "files": [[file.path, file.stored] for file in largest],
    }
