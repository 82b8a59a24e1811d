"""Bases that were damaged in any place are refused, or give exactly what they held."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lamina.errors import LaminaError
from lamina.image.layer import hashed
from tests.support.archives import SHAPES, WRAPPERS, sample, tar_of
from tests.support.reading import read_image

IMAGE = sample("below", "above", "below")
ARCHIVES = {name: tar_of(shape([IMAGE])) for name, shape in SHAPES.items()}

shapes = st.sampled_from(sorted(ARCHIVES))
wrappers = st.sampled_from(sorted(WRAPPERS))


def layers_of(data: bytes) -> Sequence[bytes] | None:
    """The layers in an archive; None when it was refused, which must be in one line."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(data)
        file.flush()
        try:
            image = read_image(Path(file.name))
            return [b"".join(hashed(layer).blob.chunks()) for layer in image.layers]
        except LaminaError as error:
            assert "\n" not in str(error) and str(error).startswith(file.name)
            return None


@given(shapes, wrappers, st.data())
def test_cut_anywhere_it_is_refused(shape: str, wrapper: str, draw: st.DataObject) -> None:
    whole = WRAPPERS[wrapper](ARCHIVES[shape])
    cut = draw.draw(st.integers(0, len(whole) - 1))
    assert layers_of(whole[:cut]) is None


@given(shapes, st.data(), st.integers(1, 255))
def test_with_one_wrong_byte_it_is_refused_or_its_layers_are_the_same(
    shape: str, draw: st.DataObject, flip: int
) -> None:
    """Many bytes count for nothing: padding, owners, times. Those of layers do."""
    whole = ARCHIVES[shape]
    place = draw.draw(st.integers(0, len(whole) - 1))
    found = layers_of(whole[:place] + bytes([whole[place] ^ flip]) + whole[place + 1 :])
    assert found in (None, list(IMAGE.layers))


@given(shapes, wrappers)
def test_whole_it_is_read(shape: str, wrapper: str) -> None:
    """Without this the tests above could hold for a reader that refuses everything."""
    assert layers_of(WRAPPERS[wrapper](ARCHIVES[shape])) == list(IMAGE.layers)
