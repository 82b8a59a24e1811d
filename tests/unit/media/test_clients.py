"""Clients of daemons are asked while Lamina goes on, and none is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.media.clients import CLIENTS
from lamina.media.clients.process import feed

QUESTIONS = {"docker": 2, "podman": 1, "containerd": 1}
"""How many each kind of daemon is asked before the image is read."""


@pytest.mark.parametrize("to", QUESTIONS)
def test_questions_end_with_the_command(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "bin" / {"containerd": "ctr"}.get(to, to)
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho $$ >> {asked}\nexec sleep 600\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def processes() -> list[str]:
        return asked.read_text().split() if asked.exists() else []

    with pytest.raises(KeyboardInterrupt), CLIENTS[to]():
        while len(processes()) < QUESTIONS[to]:
            time.sleep(0.01)
        raise KeyboardInterrupt
    for process in processes():
        with pytest.raises(ProcessLookupError):
            os.kill(int(process), 0)


def test_the_first_questions_need_few_imports() -> None:
    """They are at work while the rest is imported."""
    code = "import lamina.media.clients, sys; print(*sys.modules)"
    modules = set(subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert (
        not {"attr", "tempfile", "lamina.image.image", "lamina.image.cache", "lamina.store.tree", "lamina.media.files"}
        & modules
    )


def test_a_client_that_reads_nothing_is_asked_why(tmp_path: Path) -> None:
    """What is written last reaches the client only when its input is closed."""
    program = tmp_path / "client"
    program.write_text("#!/bin/sh\nexec <&-\necho no room >&2\nexit 3\n")
    program.chmod(0o755)

    def pieces() -> Iterator[bytes]:
        yield b"few bytes that stay in a buffer"
        time.sleep(0.5)

    answer = feed([str(program)], pieces())
    assert (answer.status, answer.reason()) == (3, "no room")
