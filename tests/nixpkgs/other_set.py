"""Download the programs for test_other_set.py: `python -m tests.nixpkgs.other_set`. Tests have no network."""

from __future__ import annotations

import shutil
import subprocess
import sys

from tests.support.builds import ROOT

TOP = ROOT / ".state/other-nixpkgs"
HOST = TOP / "nix/host"
"""A copy of nix/host, with more packages."""

MORE_PROGRAMS = {
    "jshon": "jshon",
    "lndir": "xutils-dev",
    "moreutils": "moreutils",
    "patch": "patch",
    "pigz": "pigz",
    "proot": "proot",
    "rsync": "rsync",
    "sqlite": "sqlite3",
    "gnumake": "make",
}
CUT = ("perl-base", "libtimedate-perl", "libipc-run-perl", "libtime-duration-perl", "cpp")


def prepared() -> bool:
    """Whether the programs are there."""
    return (TOP / ".state/host/packages.json").exists()


def prepare() -> None:
    """Make the copy, and have it download what is not there."""
    shutil.copytree(ROOT / "nix/host", HOST, dirs_exist_ok=True)
    settings = (ROOT / "nix/host/packages.toml").read_text()
    added = "".join(f'{name} = "{package}"\n' for name, package in MORE_PROGRAMS.items())
    settings = settings.replace("[attributes]\n", f"[attributes]\n{added}", 1)
    cut = "".join(f'{package} = "scripts"\n' for package in CUT)
    (HOST / "packages.toml").write_text(settings.replace("[cut]\n", f"[cut]\n{cut}", 1))
    debs = TOP / ".state/host/debs"
    debs.mkdir(parents=True, exist_ok=True)
    for deb in (ROOT / ".state/host/debs").glob("*.deb"):
        if not (debs / deb.name).exists():
            shutil.copy(deb, debs)
    subprocess.run([sys.executable, HOST / "fetch.py"], check=True)


if __name__ == "__main__":
    prepare()
