"""The pages of the documentation."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support.builds import ROOT


def pages() -> list[Path]:
    """The Markdown files that Git tracks, or that a copy without Git contains."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = sorted(set(listed.stdout.split("\n"))) if listed.returncode == 0 else []
    found = [ROOT / name for name in names if name and (ROOT / name).exists()]
    return found or [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")]
