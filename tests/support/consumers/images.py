"""Small images of one layer, as `docker save` wrote them before Docker 25."""

from __future__ import annotations

import io
import json
import tarfile
from hashlib import sha256
from pathlib import Path
from typing import Any

SIZE = 300_000
"""Bytes of the only file, unless a test gives others."""

RunConfig = dict[str, Any]


def tar(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, data in members.items():
            item = tarfile.TarInfo(name)
            item.size = len(data)
            archive.addfile(item, io.BytesIO(data))
    return buffer.getvalue()


def archive(path: Path, *names: str, files: dict[str, bytes] | None = None, config: RunConfig | None = None) -> Path:
    """What `docker save` wrote before 25, of an image with one layer."""
    return archive_of_several(path, {name: (files or {"a": bytes(SIZE)}, config or {"Cmd": ["/a"]}) for name in names})


def archive_of_several(path: Path, images: dict[str, tuple[dict[str, bytes], RunConfig]]) -> Path:
    items: list[dict[str, Any]] = []
    members: dict[str, bytes] = {}
    for name, (files, config) in images.items():
        layer = tar(files)
        identity = sha256(layer).hexdigest()
        document = {"architecture": "amd64", "os": "linux", "created": "1970-01-01T00:00:01Z", "config": config}
        document["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{identity}"]}
        text = json.dumps(document | {"history": [{"created": "1970-01-01T00:00:01Z"}]}).encode()
        file = f"{sha256(text).hexdigest()}.json"
        members |= {file: text, f"{identity}/layer.tar": layer}
        items.append({"Config": file, "RepoTags": [name], "Layers": [f"{identity}/layer.tar"]})
    path.write_bytes(tar(members | {"manifest.json": json.dumps(items).encode()}))
    return path
