"""Large closures to measure with: the distribution's packages with their real dependencies, as store paths.

`bench/closures.nix` builds what this downloads into `.state/bench`. Dependencies that go round are cut where a walk
from the roots comes back to a package that it is still in.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATE = ROOT / ".state/bench"
sys.path.insert(0, str(ROOT / "nix/host"))

import fetch  # noqa: E402 - the host package set's own, which is a script and no package

ROOTS = {
    "small": ["redis-server"],
    "medium": ["python3-scipy", "git"],
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


def main() -> None:
    packages = fetch.available()
    graphs = {name: walk(packages, roots) for name, roots in ROOTS.items()}
    wanted = sorted(set().union(*graphs.values()))
    fetch.download([packages[name] for name in wanted], STATE / "debs")
    whole = walk(packages, [root for roots in ROOTS.values() for root in roots])
    described = {
        name: {"file": packages[name].file, "version": packages[name].version, "depends": whole[name]}
        for name in wanted
    }
    STATE.mkdir(parents=True, exist_ok=True)
    fetch.write_atomically(STATE / "closures.json", json.dumps({"packages": described, "roots": ROOTS}, indent=1))
    print(", ".join(f"{name}: {len(graph)} packages" for name, graph in graphs.items()))


if __name__ == "__main__":
    main()
