"""Running nix-build as a user would, on the checkout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("LAMINA_COMMAND", ROOT / ".venv/bin/lamina"))
"""The program under test; with another Python than that of .venv, another one."""


def environment(**changes: str) -> dict[str, str]:
    """The caller's environment, with the checkout's Nix configuration where it has one (`dev/env.sh`)."""
    own = ROOT / ".state/nix"
    configured = {"NIX_CONF_DIR": str(own)} if (own / "nix.conf").exists() else {}
    return {**os.environ, **configured, **changes}


def nix(*words: str | Path, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run a program of Nix' on the checkout; it may fail."""
    arguments = [str(word) for word in words]
    return subprocess.run(
        arguments, cwd=ROOT, env=environment(**changes), capture_output=True, text=True, timeout=900, check=False
    )


def nix_build(*words: str | Path, **changes: str) -> Path:
    """The path that a build makes; a build that fails fails the test with the end of its log."""
    return nix_builds(*words, **changes)[-1]


def nix_builds(*words: str | Path, **changes: str) -> list[Path]:
    """The paths that a build of several attributes makes, in their order."""
    done = nix("nix-build", "--no-out-link", *words, **changes)
    assert done.returncode == 0, f"nix-build {' '.join(map(str, words))}:\n{done.stderr[-4000:]}"
    return [Path(path) for path in done.stdout.split()]


def expression(text: str) -> tuple[str, ...]:
    """Arguments of nix-build for an expression in which `lamina` is Lamina and `pkgs` what it builds with."""
    return ("-E", f"let lamina = import {ROOT} {{ }}; inherit (lamina) pkgs; in {text}")


def nix_error(*words: str | Path) -> str:
    """What a build that must fail says."""
    done = nix("nix-build", "--no-out-link", *words)
    assert done.returncode != 0, f"nix-build {' '.join(map(str, words))} did not fail"
    return done.stderr
