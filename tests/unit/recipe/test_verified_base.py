"""A script runs on bytes that have the digests which the base claims, or it does not run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.support.archives import WRAPPERS, Piece, Sample, docker_save, hexdigest, layer_of, skopeo, tar_of
from tests.support.fake_root import need_namespaces
from tests.support.fixtures import Command

LAYERS = (layer_of({"below": b"below"}), layer_of({"above": b"above"}))
CHANGED = layer_of({"above": b"other"})


def archive(path: Path, image: Sample, replaced: bytes, wrap: Callable[[bytes], bytes], write: object) -> Path:
    """An archive of the image. Its last layer's file holds other bytes, maybe compressed ones."""
    pieces = []
    for piece in write([image]):  # type: ignore[operator]
        data = piece.data
        if data in image.layers:
            data = wrap(replaced if data == image.layers[-1] else data)
        pieces.append(attrs.evolve(piece, data=data))
    path.write_bytes(tar_of(pieces))
    return path


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("write", [docker_save, skopeo])
def test_a_layer_with_another_digest(
    write: Callable[..., list[Piece]], wrapper: str, lamina: Command, tmp_path: Path
) -> None:
    need_namespaces()
    wrap = WRAPPERS[wrapper]
    for replaced, remark in ((CHANGED, b"the bytes have sha256:" + hexdigest(CHANGED).encode()), (LAYERS[1], b"")):
        base = archive(tmp_path / "base.tar", Sample(LAYERS), replaced, wrap, write)
        # There is no shell in the base, so a script that would run ends with 127.
        done = lamina("run-as-root", "/no/shell", "/script", "--base", base, "-o", "layer.tar")
        assert done.returncode == (1 if remark else 127)
        assert remark in done.stderr
        assert (b"No such file" in done.stderr) == (not remark)
        assert not (tmp_path / "layer.tar").exists()
