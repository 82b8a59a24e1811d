"""Unpack distribution packages into one store path and make it run from there.

Runs in Nix's sandbox on the bootstrap Python. `specPath` in the environment names a JSON file:

    debs          files to unpack
    dependencies  name -> store path of the packages that may be referred to
    multiarch     the directory name of this machine's libraries, such as x86_64-linux-gnu
    patchelf      command
    links, drop, edits   as in packages.toml
"""

import compileall
import io
import json
import os
import posixpath
import py_compile
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Documentation, and what only a running Debian reads.
UNWANTED = re.compile(
    r"share/(man|info|locale|lintian|bug|doc-base)(/|$)|share/doc/(?![^/]+/copyright$)"
    r"|etc/(default|init\.d|ld\.so\.conf\.d|logrotate\.d|profile\.d|ufw)(/|$)|lib/(systemd/system|tmpfiles\.d)(/|$)"
)
PT_DYNAMIC, PT_INTERP = 2, 3


class RelocationError(Exception):
    """What is wrong, in one line."""


def data_archive(deb: Path) -> tarfile.TarFile:
    """The files of a package: the member data.tar.* of an ar archive."""
    content = deb.read_bytes()
    position = 8
    while position < len(content):
        name = content[position : position + 16].decode().rstrip(" /")
        size = int(content[position + 48 : position + 58])
        if name.startswith("data.tar"):
            return tarfile.open(fileobj=io.BytesIO(content[position + 60 : position + 60 + size]))
        position += 60 + size + size % 2
    raise RelocationError(f"{deb}: has no member data.tar; fetch it again")


def flat(path: str, multiarch: str) -> str:
    """Where nixpkgs would put what the distribution has at this path."""
    parts = path.strip("/").split("/")
    if parts[0] == "usr":
        del parts[0]
    if parts and parts[0] in ("sbin", "games"):
        parts[0] = "bin"
    if parts and parts[0] in ("lib32", "lib64"):
        parts[0] = "lib"
    if parts[:2] == ["lib", multiarch]:
        del parts[1]
    return "/".join(parts)


def program_headers(path: Path) -> set[int] | None:
    """The types of an ELF file's segments; None for any other file."""
    with path.open("rb") as stream:
        header = stream.read(64)
        if header[:5] != b"\x7fELF\x02":
            return None
        offset = struct.unpack_from("<Q", header, 32)[0]
        size, count = struct.unpack_from("<HH", header, 54)
        stream.seek(offset)
        table = stream.read(size * count)
    return {struct.unpack_from("<I", table, size * index)[0] for index in range(count)}


@dataclass
class Relocation:
    out: Path
    dependencies: dict[str, Path]
    multiarch: str
    patchelf: list[str]

    def files(self) -> Iterator[Path]:
        for directory, names, files in os.walk(self.out):
            names.sort()
            for file in sorted(files):
                path = Path(directory, file)
                if not path.is_symlink():
                    yield path

    def find(self, path: str) -> Path | None:
        """The file of this package or of a dependency that the distribution has at an absolute path."""
        inside = flat(path, self.multiarch)
        for root in (self.out, *self.dependencies.values()):
            if inside and os.path.lexists(root / inside):
                return root / inside
        return None

    def unpack(self, deb: Path) -> dict[str, str]:
        """Write files and directories; return the links, name -> absolute target, both the distribution's."""
        links: dict[str, str] = {}
        with data_archive(deb) as archive:
            for member in archive:
                name = posixpath.normpath("/" + member.name)
                target = self.out / flat(name, self.multiarch)
                if UNWANTED.match(flat(name, self.multiarch)) or member.isdir():
                    continue
                if member.issym():
                    links[name] = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
                    continue
                content = archive.extractfile(member)
                if content is None:
                    raise RelocationError(f"{deb}: {name} is neither a file nor a link; drop the package")
                target.parent.mkdir(parents=True, exist_ok=True)
                with target.open("wb") as stream:
                    shutil.copyfileobj(content, stream)
                target.chmod(0o755 if member.mode & 0o111 else 0o644)
        return links

    def link(self, links: dict[str, str]) -> None:
        """Make links; one that leads nowhere in the store is left out."""
        places = {flat(name, self.multiarch): target for name, target in links.items()}
        # A link may lead to another one, which has to be there first.
        waiting = dict(places)
        while waiting:
            ready = {place: found for place, target in waiting.items() if (found := self.find(target))}
            if not ready:
                return
            for place, found in ready.items():
                del waiting[place]
                self.link_one(self.out / place, found)

    def link_one(self, place: Path, found: Path) -> None:
        if os.path.lexists(place):
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        inside = found.is_relative_to(self.out)
        place.symlink_to(os.path.relpath(found, place.parent) if inside else found)

    def edit(self, file: str, replacements: dict[str, str]) -> None:
        names = {"out": self.out, "multiarch": self.multiarch, **self.dependencies}

        def expand(text: str) -> str:
            return re.sub(r"@([a-z0-9.+-]+)@", lambda found: str(names[found[1]]), text)

        path = self.out / file
        text = path.read_text()
        for old, new in replacements.items():
            if expand(old) not in text:
                raise RelocationError(f"{file}: does not hold `{old}`; correct packages.toml")
            text = text.replace(expand(old), expand(new))
        path.write_text(text)

    def run_patchelf(self, *arguments: str | Path) -> str:
        command = [*self.patchelf, *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def library_directory(self, library: str, path: Path) -> Path:
        for root in (self.out, *self.dependencies.values()):
            if (root / "lib" / library).exists():
                return root / "lib"
        raise RelocationError(f"{path}: needs {library}, which no dependency has; correct packages.toml")

    def patch_elf(self, path: Path, segments: set[int]) -> None:
        needed = self.run_patchelf("--print-needed", path).split()
        directories = dict.fromkeys(self.library_directory(library, path) for library in needed)
        # DT_RPATH and not DT_RUNPATH: it comes before LD_LIBRARY_PATH and also counts for what dlopen asks for.
        arguments = ["--force-rpath", "--set-rpath", ":".join(map(str, directories))]
        if PT_INTERP in segments:
            [loader] = [
                candidate
                for root in self.dependencies.values()
                for candidate in sorted((root / "lib").glob("ld-linux-*.so.*"))
            ]
            arguments += ["--set-interpreter", str(loader)]
        self.run_patchelf(*arguments, path)

    def patch_shebang(self, path: Path) -> None:
        content = path.read_bytes()
        line, newline, rest = content.partition(b"\n")
        words = line[2:].decode().split()
        if words and words[0] == "/usr/bin/env" and len(words) > 1:
            words = ["/usr/bin/" + words[1], *words[2:]]
        program = self.find(words[0]) if words else None
        if program is not None:
            path.write_bytes(" ".join([f"#!{program}", *words[1:]]).encode() + newline + rest)

    def patch(self) -> None:
        """Point programs, libraries and scripts at the store."""
        if list((self.out / "lib").glob("ld-linux-*.so.*")):
            return  # libc itself: it is loaded before anything else, and must not be touched
        for path in self.files():
            segments = program_headers(path)
            if segments is None:
                with path.open("rb") as stream:
                    if stream.read(2) == b"#!":
                        self.patch_shebang(path)
            elif PT_DYNAMIC in segments:
                self.patch_elf(path, segments)

    def compile(self) -> None:
        """Compile Python modules; the store never changes, so that nobody has to check the source's date."""
        for directory in sorted((self.out / "lib").glob("python3*")):
            compileall.compile_dir(
                directory, quiet=2, maxlevels=20, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
            )

    def drop(self, pattern: str) -> None:
        found = sorted(self.out.glob(pattern))
        if not found:
            raise RelocationError(f"no file {pattern} to drop; correct packages.toml")
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def main() -> None:
    spec = json.loads(Path(os.environ["specPath"]).read_text())  # noqa: SIM112
    dependencies = {name: Path(path) for name, path in spec["dependencies"].items()}
    out = Path(os.environ["out"])  # noqa: SIM112
    relocation = Relocation(out, dependencies, spec["multiarch"], spec["patchelf"])
    relocation.out.mkdir()
    links: dict[str, str] = {}
    for deb in spec["debs"]:
        links |= relocation.unpack(Path(deb))
    for pattern in spec["drop"]:
        relocation.drop(pattern)
    for name, target in spec["links"].items():
        links["/" + name] = posixpath.normpath(posixpath.join("/", posixpath.dirname(name), target))
    relocation.link(links)
    for file, replacements in spec["edits"].items():
        relocation.edit(file, replacements)
    relocation.patch()
    relocation.compile()


if __name__ == "__main__":
    try:
        main()
    except RelocationError as error:
        sys.exit(f"relocate.py: {error}")
