"""Builds without a sandbox, as in most containers of CI: nothing is left in any home directory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.builds import expression, nix, nix_build

SHELTER = Path("/homeless-shelter")
ARGUMENTS = 'name = "unsandboxed"; tag = "%s"; copyToRoot = pkgs.hello; extraCommands = "echo 1 > one";'


def built(tag: str, home: Path, mode: str, attribute: str = "") -> Path:
    """Build an image that no other test builds, with `sandbox` set to that mode."""
    text = f"(lamina.buildImage {{ {ARGUMENTS % tag} }}){attribute}"
    return nix_build(*expression(text), "--option", "sandbox", mode, HOME=str(home), XDG_CACHE_HOME=str(home / "cache"))


@pytest.mark.parametrize("mode", ["false", "relaxed", "true"])
def test_nothing_is_left_at_home(mode: str, tmp_path: Path) -> None:
    """A build has HOME=/homeless-shelter: Nix refuses all builds without a sandbox if that exists."""
    assert not SHELTER.exists()
    tag = f"{mode}-{os.urandom(8).hex()}"
    image = built(tag, tmp_path, mode)
    assert image.is_file() and not SHELTER.exists()
    assert not (tmp_path / "cache" / "lamina").exists()
    again = nix("nix-store", "--realise", "--check", image, "--option", "sandbox", mode)
    assert again.returncode == 0, again.stderr


def test_a_derivation_outside_of_the_sandbox(tmp_path: Path) -> None:
    """With `relaxed`, `__noChroot` takes one derivation out of the sandbox."""
    tag = f"no-chroot-{os.urandom(8).hex()}"
    image = built(tag, tmp_path, "relaxed", attribute=".overrideAttrs (_: { __noChroot = true; })")
    assert image.is_file() and not SHELTER.exists()
    assert not [path for path in tmp_path.rglob("*") if "lamina" in path.name and not os.path.islink(path)]
