"""Debian 13's root is entered as a machine of its own, and left without a trace."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builds import ROOT
from tests.support.consumers import base
from tests.support.consumers.base import ConsumerError, Prefix
from tests.support.consumers.roots import TRIXIE, entered

ENTER_AND_DIE = """
import os
from tests.support.consumers import roots
with roots.entered() as prefix:
    print(prefix[1], flush=True)
    os.kill(os.getpid(), 9)
"""


def test_inside(trixie: Prefix, tmp_path: Path) -> None:
    """Its own programs, user namespaces, and the files of this side under the same names."""
    assert base.check([*trixie, "cat", "/etc/debian_version"]).startswith("13.")
    assert base.check([*trixie, "unshare", "--user", "--map-root-user", "--mount", "id", "--user"]) == "0\n"
    (tmp_path / "file").write_text("shared\n")
    assert base.check([*trixie, "cat", tmp_path / "file", Path(__file__)]).startswith("shared\n")


@pytest.mark.parametrize("path", ["/etc/new", "/usr/new"])
def test_root_is_not_changed(trixie: Prefix, path: str) -> None:
    with pytest.raises(ConsumerError, match="Read-only file system"):
        base.check([*trixie, "touch", path])


def test_nothing_is_left(trixie: Prefix) -> None:
    """Neither of mounts nor of what still runs in there."""
    assert trixie
    with entered() as prefix:
        sleeper = subprocess.Popen([*prefix, "sleep", "1000"])
        base.wait_for(lambda: "sleep" in command(sleeper.pid), "start of sleep", 10)
        assert str(sleeper.pid) in base.check([*prefix, "ls", "/proc"]).split()
    try:
        assert sleeper.wait(10) == -signal.SIGKILL
    finally:
        sleeper.kill()
    assert_gone(prefix[1])


def test_nothing_is_left_of_a_test_run_that_is_killed(trixie: Prefix) -> None:
    assert trixie
    died = subprocess.run([sys.executable, "-c", ENTER_AND_DIE], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert died.returncode == -signal.SIGKILL, died.stderr
    namespace = Path(died.stdout.strip().partition("=")[2])
    base.wait_for(lambda: not namespace.exists(), "end of the namespace", 10)
    assert_gone(died.stdout.strip())


def test_a_directory_that_is_no_root_is_reported(trixie: Prefix, tmp_path: Path) -> None:
    assert trixie
    with pytest.raises(ConsumerError, match=f"cannot enter {tmp_path}/none: mount: "), entered(tmp_path / "none"):
        pass


def command(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text()


def assert_gone(word: str) -> None:
    """`word` leads into the namespace: --mount=/proc/PID/ns/mnt."""
    assert base.call(["nsenter", word, "--", "true"]).returncode != 0
    assert str(TRIXIE) not in Path("/proc/self/mountinfo").read_text()
