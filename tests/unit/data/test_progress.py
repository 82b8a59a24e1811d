"""Progress is for a terminal and for nothing else."""

from __future__ import annotations

import io
import sys

import pytest

from lamina.data.progress import Progress, human


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO) -> str:
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr("lamina.data.progress._INTERVAL", 0.0)
    with Progress("writing x", 4000) as progress:
        progress(1000)
        progress(2000)
    return stderr.getvalue()


def test_a_terminal_sees_a_line_that_is_gone_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIX_BUILD_TOP", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = shown(monkeypatch, Terminal())
    assert "writing x: 1.0 kB of 4.0 kB" in text and "writing x: 3.0 kB of 4.0 kB" in text
    assert text.endswith("\r\x1b[K") and "\n" not in text


def test_a_log_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(monkeypatch, io.StringIO()) == ""


def test_the_log_of_a_derivation_sees_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIX_BUILD_TOP", "/build")
    assert shown(monkeypatch, Terminal()) == ""


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_499, "999.5 kB"),
        (999_500, "1.0 MB"),
        (5 * 10**9, "5.0 GB"),
        (10**15, "1000.0 TB"),
    ],
)
def test_sizes_for_eyes(size: int, text: str) -> None:
    assert human(size) == text
