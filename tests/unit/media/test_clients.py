"""Clients of daemons are asked while Lamina goes on, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lamina.media.clients import CLIENTS
from lamina.media.clients.process import feed
from tests.support.archives import docker_save, sample
from tests.support.recipes import save

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


def test_an_interrupt_while_the_daemon_unpacks(tmp_path: Path) -> None:
    """The daemon goes on, so the message says that the image may still appear. No daemon is slow on demand."""
    program = tmp_path / "bin/podman"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\n[ "$1" = load ] || exit 0\ncat >/dev/null\necho $$ >read\nexec sleep 600\n')
    program.chmod(0o755)
    path = save(docker_save([sample()]), tmp_path / "it.tar")
    settings = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "lamina", "load", str(path), "--to", "podman"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, cwd=tmp_path, env=settings) as process:
        while not (read := tmp_path / "read").exists() or not read.read_text():
            time.sleep(0.01)
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.stderr and process.stderr.read() == (
            b"lamina: interrupted; podman may still finish what it has received\n"
        )
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(read.read_text()), 0)
