"""Spans of files go into pipes and files whole, whether the kernel moves them or this process does."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import evolve

from lamina.data.span import CHUNK, Span, as_chunks, put
from lamina.errors import BadInput

DATA = bytes(range(256)) * (3 * CHUNK // 256) + b"end"


@pytest.fixture
def span(tmp_path: Path) -> Iterator[Span]:
    path = tmp_path / "source"
    path.write_bytes(b"before" + DATA + b"after")
    descriptor = os.open(path, os.O_RDONLY)
    yield Span(descriptor, 6, len(DATA), str(path))
    os.close(descriptor)


@pytest.fixture(params=["moved", "refused", "absent", "refused on the way"])
def by_kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the system's help, without, and where it ends in the middle."""
    real = os.splice

    def refuse(source: int, target: int, count: int, *, offset_src: int) -> int:
        if request.param == "refused" or offset_src > CHUNK:
            raise OSError(errno.EINVAL, "Invalid argument")
        return real(source, target, min(count, CHUNK), offset_src=offset_src)

    if request.param.startswith("refused"):
        monkeypatch.setattr("lamina.data.span.os.splice", refuse)
    elif request.param == "absent":
        monkeypatch.delattr("lamina.data.span.os.splice")
    return str(request.param)


def through_a_pipe(*given: bytes | Span) -> bytes:
    end, start = os.pipe()
    got: list[bytes] = []
    with os.fdopen(end, "rb") as reader, os.fdopen(start, "wb") as writer:
        thread = threading.Thread(target=lambda: got.append(reader.read()))
        thread.start()
        for piece in given:
            put(piece, writer)
        writer.close()
        thread.join()
    return got[0]


@pytest.mark.usefixtures("by_kernel")
def test_into_a_pipe(span: Span) -> None:
    """What was written before, and waits in a buffer, comes first."""
    assert through_a_pipe(b"one", span, b"two", span) == b"one" + DATA + b"two" + DATA


@pytest.mark.usefixtures("by_kernel")
def test_into_a_file(span: Span, tmp_path: Path) -> None:
    with (tmp_path / "target").open("wb") as file:
        for piece in (b"one", span, b"two"):
            put(piece, file)
    assert (tmp_path / "target").read_bytes() == b"one" + DATA + b"two"


@pytest.mark.usefixtures("by_kernel")
def test_a_file_that_became_shorter(span: Span) -> None:
    """It is noticed at once: by the next piece it may have its length again, with other bytes."""
    os.truncate(span.name, 6 + CHUNK)
    with pytest.raises(BadInput, match=f"{span.name}: changed its size while it was read; run again"):
        through_a_pipe(b"one", span)


def test_into_a_pipe_that_nobody_reads(span: Span) -> None:
    end, start = os.pipe()
    os.close(end)
    with os.fdopen(start, "wb", buffering=0) as writer, pytest.raises(BrokenPipeError):
        put(span, writer)


def test_all_of_it_read(span: Span) -> None:
    chunks = list(as_chunks(iter([b"one", span])))
    assert b"".join(chunks) == b"one" + DATA
    assert max(map(len, chunks)) == CHUNK
    assert list(evolve(span, size=0).chunks()) == []
