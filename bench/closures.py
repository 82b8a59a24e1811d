"""What is measured on: closures of the distribution's packages with their real dependencies, and made ones.

`bench/closures.nix` builds what this downloads into `.state/bench`. Dependencies that go round are cut where a walk
from the roots comes back to a package that it is still in.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from bench.measure import ROOT, STATE, Setting
from tests.support.builds import environment, nix_build  # the tests' own way to build

sys.path.insert(0, str(ROOT / "nix/host"))

import fetch  # the host package set's own, which is a script and no package

ROOTS = {
    "small": ["redis-server"],
    "medium": ["nginx", "git"],
    "large": ["python3-scipy", "postgresql-15", "nginx", "redis-server", "git", "llvm-14"],
}

PLUMBING = {
    "adduser",
    "cdebconf",
    "dbus",
    "debconf",
    "debconf-2.0",
    "default-logind",
    "dpkg",
    "init-system-helpers",
    "install-info",
    "libpam-systemd",
    "logind",
    "passwd",
    "sensible-utils",
    "ssl-cert",
    "systemd",
    "ucf",
    "udev",
}
"""What only installing needs; with it every closure would hold half of the distribution."""


def walk(packages: dict[str, fetch.Package], roots: list[str]) -> dict[str, list[str]]:
    """The packages that the roots need, each with its dependencies, without cycles."""
    providers = {name: package.name for package in packages.values() for name in package.provides}
    found: dict[str, list[str]] = {}
    path: list[str] = []

    def visit(name: str) -> None:
        path.append(name)
        found[name] = []
        for alternatives in packages[name].needs:
            known = [one if one in packages else providers.get(one) for one in alternatives]
            chosen = next((one for one in known if one), None)
            if chosen is None or not PLUMBING.isdisjoint(alternatives):
                continue
            if chosen not in found:
                visit(chosen)
            if chosen not in path and chosen not in found[name]:
                found[name].append(chosen)
        path.pop()

    for root in roots:
        if root not in found:
            visit(root)
    return found


def download(names: Iterable[str]) -> None:
    """The packages of these closures; what is there already stays."""
    packages = fetch.available()
    whole = walk(packages, [root for roots in ROOTS.values() for root in roots])
    wanted = {package for name in names for package in walk(packages, ROOTS[name])}
    fetch.download([packages[name] for name in sorted(wanted)], STATE / "debs")
    described = {
        name: {"file": packages[name].file, "version": packages[name].version, "depends": depends}
        for name, depends in sorted(whole.items())
    }
    fetch.write_atomically(STATE / "closures.json", json.dumps({"packages": described, "roots": ROOTS}, indent=1))


def recipe(closure: str, edit: str, name: str, changed: str = "", image: str = "image") -> Path:
    """The recipe of the image with another application, and another release of the package that `changed` names.

    `image` is "image", or "single" for one layer of store paths.
    """
    given = {"closure": closure, "edit": edit, "name": name, "changed": changed}
    arguments = [word for key, value in given.items() for word in ("--argstr", key, value)]
    return nix_build(ROOT / "bench/closures.nix", "-A", f"{image}.recipe", *arguments)


def store_paths(made: Path) -> list[str]:
    """What a recipe names, with all that belongs to it."""
    printed = subprocess.check_output(["nix-store", "-qR", made], env=environment(), text=True)
    return [path for path in printed.split() if path != str(made)]


def on(closure: str, setting: Setting, image: str = "image") -> Setting:
    """The setting with an image of the closure: `{recipe}`, and what is in it, `{paths}` and `{relative}`."""
    made = recipe(closure, "1", "bench", image=image)
    paths = store_paths(made)
    listed, relative = setting.directory / f"{closure}.paths", setting.directory / f"{closure}.relative"
    listed.write_text("".join(f"{path}\n" for path in paths))
    relative.write_text("".join(f"{path[1:]}\n" for path in paths))
    return setting.but(recipe=made, paths=listed, relative=relative)


def census(closure: str) -> str:
    """How many store paths, files and bytes are in the closure's image."""
    paths = store_paths(recipe(closure, "1", "bench"))
    printed = subprocess.check_output(["find", *paths, "-type", "f", "-printf", "%s\n"], text=True)
    sizes = list(map(int, printed.split()))
    return f"{len(paths):,} store paths, {len(sizes):,} files, {sum(sizes) / 1e6:,.0f} MB"
