"""Whatever the data and the pieces it comes in: unpacked it is the same, and cut short it is an error."""

from __future__ import annotations

import io
from collections.abc import Iterator

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lamina.data.blob import Blob, Bytes, Stream
from lamina.data.budget import Budget
from lamina.data.compression import Decompressed, compress, plain
from lamina.data.compressors import COMPRESSORS
from lamina.errors import BadInput
from tests.support.archives import WRAPPERS, layer_of

PACKERS = {"gzip": "gzip", "bzip2": "bzip2", "xz": "xz", "lzma": "xz", "zstd": "zstd"}

data = st.builds(lambda part, times: part * times, st.binary(max_size=200), st.integers(1, 300))
packers = st.sampled_from(sorted(PACKERS))


@attrs.frozen
class InPieces(Blob):
    """Bytes that come in pieces of given lengths, over and over."""

    data: bytes
    lengths: list[int]

    @property
    def size(self) -> int:
        return len(self.data)

    def pieces(self) -> Iterator[bytes]:
        start = 0
        while start < len(self.data):
            for length in self.lengths:
                if start < len(self.data):
                    yield self.data[start : start + length]
                start += length


lengths = st.lists(st.integers(1, 9000), min_size=1, max_size=4)


@given(packers, st.lists(data, min_size=1, max_size=3), lengths, st.integers(0, 1200))
def test_frames_in_any_pieces_with_padding_after_each(
    packer: str, frames: list[bytes], cuts: list[int], fours: int
) -> None:
    """xz has padding, in fours; the others have none."""
    zeros = 4 * fours if PACKERS[packer] == "xz" else 0
    packed = b"".join(WRAPPERS[packer](frame) + bytes(zeros) for frame in frames)
    assert b"".join(Decompressed(InPieces(packed, cuts), PACKERS[packer], "it", Budget(1)).chunks()) == b"".join(frames)


@given(packers, data, st.data())
def test_cut_anywhere_it_is_an_error(packer: str, content: bytes, draw: st.DataObject) -> None:
    packed = WRAPPERS[packer](content)
    cut = draw.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(BadInput, match="cut short"):
        list(Decompressed(Bytes(packed[:cut]), PACKERS[packer], "it", Budget(1)).chunks())


@given(packers, st.binary(max_size=500))
def test_whatever_the_bytes_a_decoder_ends_or_says_why(packer: str, content: bytes) -> None:
    for blob in (content, WRAPPERS[packer](b"x")[:8] + content):
        try:
            list(Decompressed(Bytes(blob), PACKERS[packer], "it", Budget(1)).chunks())
        except BadInput as error:
            assert str(error).startswith("it: ") and "\n" not in str(error)


@given(st.sampled_from(sorted(COMPRESSORS)), data, lengths)
def test_compressing_hangs_on_the_data_alone(compressor: str, content: bytes, cuts: list[int]) -> None:
    whole, pieces = io.BytesIO(), io.BytesIO()
    compress(iter([content]), compressor, whole)
    compress(InPieces(content, cuts).chunks(), compressor, pieces)
    assert pieces.getvalue() == whole.getvalue()


@given(
    st.sampled_from(["gz", "zstd"]),
    st.dictionaries(
        st.text(st.characters(codec="ascii", exclude_characters="/\0"), min_size=1, max_size=50),
        st.binary(max_size=500),
        max_size=4,
    ),
)
def test_a_layer_is_the_same_plain_and_compressed(compressor: str, files: dict[str, bytes]) -> None:
    layer = layer_of({f"d/{name}": content for name, content in files.items()})
    out = io.BytesIO()
    compress(iter([layer]), compressor, out)
    assert b"".join(plain(Bytes(out.getvalue()), "it").chunks()) == layer
    assert b"".join(plain(Bytes(layer), "it").chunks()) == layer


@given(st.binary(max_size=3000), lengths, st.lists(st.integers(0, 2000), max_size=6))
def test_a_stream_gives_the_bytes_in_whatever_pieces_one_asks_for(
    content: bytes, cuts: list[int], asked: list[int]
) -> None:
    stream = Stream(InPieces(content, cuts))
    position = 0
    for number, size in enumerate(asked):
        if number % 2:
            assert stream.skip(size) == (position + size <= len(content))
            position = min(position + size, len(content))
        else:
            assert stream.read(size) == content[position : position + size]
            position = min(position + size, len(content))
        assert stream.position == position
