"""Fetch the distribution packages of the host package set into .state/host.

Run by `make setup`, outside of any sandbox; the derivations in this directory use what it leaves:

    debs/            the packages as the distribution ships them
    packages.json    what each is, and which others it needs
    bootstrap/       a static busybox, the only program that runs before packages are relocated
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STATE = HERE.parent.parent / ".state" / "host"
# Root's apt otherwise downloads as a user who may not write into the checkout.
APT_GET = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
SHELL = "bash"


class HostError(Exception):
    """What is wrong and what to do, in one line."""


@dataclass
class Package:
    name: str
    version: str
    file: str
    sha256: str
    needs: list[list[str]]
    """Alternatives of each dependency."""
    provides: list[str]
    depends: list[str] = field(default_factory=list)


def parse_relation(text: str) -> list[list[str]]:
    """`a (>= 1) | b, c` -> [[a, b], [c]]"""
    clauses = [[re.split(r"[\s(:\[]", one.strip())[0] for one in clause.split("|")] for clause in text.split(",")]
    return [alternatives for alternatives in clauses if alternatives != [""]]


def parse_package(fields: dict[str, str]) -> Package:
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        file=Path(fields["Filename"]).name,
        sha256=fields["SHA256"],
        needs=parse_relation(fields.get("Pre-Depends", "")) + parse_relation(fields.get("Depends", "")),
        provides=[names[0] for names in parse_relation(fields.get("Provides", ""))],
    )


def available() -> dict[str, Package]:
    """Every package that apt would install, by name."""
    wanted = re.compile(r"(Package|Version|Filename|SHA256|Pre-Depends|Depends|Provides): (.*)")
    packages: dict[str, Package] = {}
    listing = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    for stanza in listing.split("\n\n"):
        fields = {found[1]: found[2] for line in stanza.splitlines() if (found := wanted.match(line))}
        if {"Package", "Version", "Filename", "SHA256"} <= fields.keys():
            packages.setdefault(fields["Package"], parse_package(fields))
    return packages


class Resolver:
    """Works out which packages are needed, and which of them each needs, without cycles."""

    def __init__(self, packages: dict[str, Package], settings: dict[str, Any]) -> None:
        self.packages = packages
        self.cut = set(settings["cut"])
        self.added: dict[str, list[str]] = settings["add"]
        self.merge: dict[str, str] = settings["merge"]
        self.providers: dict[str, str] = {}
        for package in sorted(packages.values(), key=lambda package: package.name):
            for name in package.provides:
                self.providers.setdefault(name, package.name)
        self.done: dict[str, Package] = {}
        self.path: list[str] = []

    def choose(self, alternatives: list[str]) -> str | None:
        """The package that satisfies a dependency; none where it is cut."""
        if not self.cut.isdisjoint(alternatives):
            return None
        for name in alternatives:
            if name in self.packages:
                return name
            if name in self.providers:
                return self.providers[name]
        raise HostError(f"{' -> '.join(self.path)}: apt knows no {' or '.join(alternatives)}; run `apt-get update`")

    def members(self, name: str) -> list[str]:
        """A package and those that are merged into it."""
        return [name, *(part for part, whole in self.merge.items() if whole == name)]

    def add(self, name: str) -> None:
        name = self.merge.get(name, name)
        if name in self.done:
            return
        if name in self.path:
            cycle = " -> ".join([*self.path[self.path.index(name) :], name])
            raise HostError(f"{HERE / 'packages.toml'}: dependency cycle {cycle}; cut or merge one of them")
        self.path.append(name)
        chosen = list(self.added.get(name, []))
        for member in self.members(name):
            if member not in self.packages:
                raise HostError(f"{HERE / 'packages.toml'}: apt knows no package {member}; run `apt-get update`")
            for alternatives in self.packages[member].needs:
                dependency = self.choose(alternatives)
                if dependency is not None:
                    chosen.append(self.merge.get(dependency, dependency))
        depends = [dependency for dependency in dict.fromkeys(chosen) if dependency != name]
        for dependency in depends:
            self.add(dependency)
        self.packages[name].depends = depends
        self.done[name] = self.packages[name]
        self.path.pop()

    def closure(self, name: str) -> set[str]:
        return {name}.union(*(self.closure(dependency) for dependency in self.done[name].depends))


def resolve(settings: dict[str, Any]) -> Resolver:
    resolver = Resolver(available(), settings)
    python = settings["python"]
    for name in [
        *settings["attributes"].values(),
        *settings["others"].values(),
        *python["packages"],
        *python["modules"].values(),
        *settings["bootstrap"]["packages"],
    ]:
        resolver.add(name)
    # Nobody declares a dependency on the shell, since every Debian system has one.
    under_shell = resolver.closure(SHELL)
    for package in resolver.done.values():
        if package.name not in under_shell and SHELL not in package.depends:
            package.depends.append(SHELL)
    return resolver


def sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_complete(debs: Path, package: Package) -> bool:
    path = debs / package.file
    return path.is_file() and sha256(path) == package.sha256


def download(packages: list[Package], debs: Path) -> None:
    """Download beside and rename, so that an interrupted run leaves no half of a package."""
    debs.mkdir(parents=True, exist_ok=True)
    for leftover in debs.glob(".download-*"):
        shutil.rmtree(leftover)
    missing = [package for package in packages if not is_complete(debs, package)]
    if not missing:
        return
    print(f"host packages: downloading {len(missing)} of {len(packages)}", flush=True)
    with tempfile.TemporaryDirectory(dir=debs, prefix=".download-") as beside:
        names = [f"{package.name}={package.version}" for package in missing]
        if subprocess.run([*APT_GET, "download", *names], cwd=beside, check=False).returncode:
            raise HostError("apt-get download failed; run `apt-get update` and try again")
        for package in missing:
            path = Path(beside) / package.file
            # apt writes the epoch of the version into the name, the archive does not.
            for written in Path(beside).glob(f"{package.name}_*.deb"):
                written.rename(path)
            if not path.is_file() or sha256(path) != package.sha256:
                raise HostError(f"{package.file}: not what apt's lists promise; run `apt-get update`")
            path.replace(debs / package.file)


def describe(resolver: Resolver) -> dict[str, Any]:
    return {
        name: {
            "version": package.version,
            "debs": [
                {"package": member, "file": resolver.packages[member].file, "sha256": resolver.packages[member].sha256}
                for member in resolver.members(name)
            ],
            "depends": package.depends,
        }
        for name, package in sorted(resolver.done.items())
    }


def write_atomically(path: Path, data: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(data)
    beside.replace(path)


def unpack_bootstrap(deb: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".bootstrap-") as beside:
        subprocess.run(["dpkg-deb", "-x", str(deb), beside], check=True)
        (target / "bin").mkdir(parents=True, exist_ok=True)
        (Path(beside) / "bin" / "busybox").replace(target / "bin" / "busybox")


def is_fresh(state: Path, inputs: str) -> bool:
    """Whether a previous run finished for the same settings; newer packages are fetched after `make clean`."""
    try:
        known = json.loads((state / "packages.json").read_text())
    except (OSError, ValueError):
        return False
    if known.get("inputs") != inputs or not (state / "bootstrap" / "bin" / "busybox").is_file():
        return False
    files = [deb["file"] for package in known["packages"].values() for deb in package["debs"]]
    return all((state / "debs" / file).is_file() for file in files)


def fetch(state: Path) -> None:
    settings = tomllib.loads((HERE / "packages.toml").read_text())
    inputs = hashlib.sha256((HERE / "packages.toml").read_bytes() + Path(__file__).read_bytes()).hexdigest()
    if is_fresh(state, inputs):
        return
    print("host packages: resolving dependencies", flush=True)
    resolver = resolve(settings)
    needed = [resolver.packages[member] for name in resolver.done for member in resolver.members(name)]
    download(needed, state / "debs")
    busybox = resolver.packages[settings["bootstrap"]["busybox"]]
    unpack_bootstrap(state / "debs" / busybox.file, state / "bootstrap")
    described = {"inputs": inputs, "packages": describe(resolver)}
    write_atomically(state / "packages.json", json.dumps(described, indent=1) + "\n")
    for path in set((state / "debs").glob("*.deb")) - {state / "debs" / package.file for package in needed}:
        path.unlink()
    print(f"host packages: {len(resolver.done)} ready", flush=True)


def main() -> int:
    try:
        fetch(STATE)
    except HostError as error:
        print(f"fetch.py: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        print(f"fetch.py: {error.cmd[0]} failed with status {error.returncode}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
