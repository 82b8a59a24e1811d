"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from bench.measure import STATE

VERSIONS = {
    "GNU tar": "tar --version",
    "OpenSSL": "openssl version",
    "zstd": "zstd --version",
    "Nix": "nix --version",
    "Docker": "/usr/bin/docker --version",
    "buildah": "buildah --version",
    "umoci": "umoci --version",
    "skopeo": "skopeo --version",
}


def machine(others: float | None = None) -> str:
    """One paragraph; `others` is the share of the processors that other work had meanwhile."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    STATE.mkdir(parents=True, exist_ok=True)
    system = _first("findmnt -n -o FSTYPE -T", str(STATE)) or "an unknown file system"
    found = (
        f"{os.cpu_count()} processors ({model[1] if model else platform.machine()}), {memory:.0f} GiB of memory, "
        f"{system}, Linux {platform.release()}, Python {platform.python_version()}."
    )
    if others is None:
        return found
    return f"{found} Other work, including the kernel's own, took {others:.0%} of the processors meanwhile."


def versions() -> str:
    found = {}
    for name, words in VERSIONS.items():
        number = re.search(r"\d+(\.\d+)+", _first(words))
        found[name] = number[0] if number else "none"
    return ", ".join(f"{name} {number}" for name, number in found.items()) + "."


def _first(words: str, *more: str) -> str:
    """The first line of what a program says; nothing when it is not there."""
    try:
        done = subprocess.run([*words.split(), *more], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return ""
    return (done.stdout.splitlines() or [""])[0].strip()
