"""Running scripts as they run in a build, where they seem to be root: what they leave is a layer."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fixtures import Command
from tests.support.needs import absent, need

Layer = dict[str, tarfile.TarInfo]
Script = Callable[..., Layer]

PYTHON = sys.executable


def need_namespaces() -> None:
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"], capture_output=True, timeout=30).returncode:
        absent("the kernel gives no user namespaces here: see docs/use/runAsRoot.md, Settings")


def need_busybox() -> str:
    need("busybox", "busybox-static")
    return str(shutil.which("busybox"))


@pytest.fixture
def fake_root(lamina: Command, tmp_path: Path) -> Script:
    """Run shell commands where a directory is the root to be; the layer's members."""
    need_namespaces()
    (tmp_path / "root").mkdir()

    def run(script: str) -> Layer:
        (tmp_path / "script").write_text(script)
        done = lamina("fake-root", "root", shutil.which("bash"), "script", "-o", "layer.tar")
        assert done.returncode == 0, done.stdout + done.stderr
        with tarfile.open(tmp_path / "layer.tar") as archive:
            return {member.name: member for member in archive}

    return run


def owner(member: tarfile.TarInfo) -> tuple[int, int, int]:
    return member.uid, member.gid, member.mode


def python(text: str) -> str:
    return f"{PYTHON} - <<'E'\n{text}\nE\n"
