"""The header Range, and parts of layers that are made while they are read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lamina.data.blob import Bytes
from lamina.data.span import as_chunks
from lamina.limits import RANGES
from lamina.media.registry.ranges import Part, requested_parts
from tests.support.recipes import image_of, recipe, store_layer
from tests.support.trees import Store, Tree


@pytest.mark.parametrize(
    ("header", "parts"),
    [
        (None, None),
        ("bytes=0-0", [Part(0, 1)]),
        ("bytes=0-", [Part(0, 100)]),
        ("bytes=99-", [Part(99, 1)]),
        ("bytes=90-1000", [Part(90, 10)]),
        ("bytes=-1", [Part(99, 1)]),
        ("bytes=-1000", [Part(0, 100)]),
        ("bytes=100-", []),
        ("bytes=100-200,300-", []),
        ("bytes=-0", []),
        ("bytes=0-1, 5-6", [Part(0, 2), Part(5, 2)]),
        ("bytes=50-59,0-9,500-", [Part(50, 10), Part(0, 10)]),
        ("Bytes = 0-1", [Part(0, 2)]),
        ("bytes=", None),
        ("bytes=-", None),
        ("bytes=1", None),
        ("bytes=5-4", None),
        ("bytes=a-b", None),
        ("bytes=0-1,x", None),
        ("bytes=+1-2", None),
        ("items=0-1", None),
        ("bytes=0-99,0-99", None),
        ("bytes=" + ",".join(["0-0"] * (RANGES + 1)), None),
    ],
)
def test_range_header(header: str | None, parts: list[Part] | None) -> None:
    """RFC 9110, 14.1 and 14.2: what is not valid counts as missing; ranges that no byte is in are unsatisfiable."""
    assert requested_parts(header, 100) == parts


def test_an_empty_blob_has_no_ranges() -> None:
    assert requested_parts("bytes=0-", 0) == [] == requested_parts("bytes=-5", 0)


@given(header=st.text("bytes=0123456789-, ", max_size=40).map("bytes=".__add__), total=st.integers(0, 200))
def test_parts_exist_and_are_no_more_than_the_blob(header: str, total: int) -> None:
    parts = requested_parts(header, total) or []
    assert all(part.size > 0 and 0 <= part.start <= part.start + part.size <= total for part in parts)
    assert sum(part.size for part in parts) <= total


TREES = st.dictionaries(
    st.sampled_from(["a", "b", "c", "d/e", "d/f", "g" * 150]), st.sampled_from([0, 1, 511, 513, 65536, 65537, 200_000])
)


@given(sizes=TREES, data=st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_part_of_a_layer_is_that_part_of_its_bytes(
    tmp_path_factory: pytest.TempPathFactory, sizes: dict[str, int], data: st.DataObject
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    tree: Tree = {name: (name[0].encode() * size) for name, size in sizes.items()}
    path = store.add("app", tree or {"x": None})
    blob = image_of(recipe(store_layer(path))).layers[0].blob
    whole = b"".join(blob.chunks())
    start = data.draw(st.integers(0, len(whole)))
    size = data.draw(st.integers(0, len(whole) - start + 10))
    assert b"".join(as_chunks(blob.part(start, size))) == whole[start : start + size]
    assert b"".join(as_chunks(Bytes(whole).part(start, size))) == whole[start : start + size]


def test_a_part_reads_no_file_before_it(store: Store, tmp_path: Path) -> None:
    path = store.add("app", {"a": b"first" * 100, "b": b"second" * 100})
    blob = image_of(recipe(store_layer(path))).layers[0].blob
    whole = b"".join(blob.chunks())
    start = whole.index(b"second")
    (Path(path) / "a").write_bytes(b"other" * 100)
    assert b"".join(as_chunks(blob.part(start, 600))) == b"second" * 100
