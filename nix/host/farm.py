"""Join store paths into one tree of links.

Runs in Nix's sandbox on the bootstrap Python. `specPath` in the environment names a JSON file:

    paths             what to join; of two files at the same place the first wins if `ignoreCollisions`
    pathsToLink       only what is below these directories
    extraPrefix       the directory of the result in which the links go
    ignoreCollisions  do not stop where two paths have different files at the same place
    onlyFiles         make every directory, and link files only, so that all of it can be changed afterwards
    copy              files that must be no links to the paths
    links             links to add, place -> target
"""

import filecmp
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any


class FarmError(Exception):
    """What is wrong, in one line."""


def is_above(directory: str, wanted: list[str]) -> bool:
    """Whether something wanted is further down than this directory."""
    return any(path.startswith(directory + "/") for path in wanted)


def is_wanted(place: str, wanted: list[str]) -> bool:
    return any(path == "" or place == path or place.startswith(path + "/") for path in wanted)


class Farm:
    def __init__(self, out: Path, spec: dict[str, Any]) -> None:
        self.out = out
        self.wanted = [path.rstrip("/") for path in spec["pathsToLink"]]
        self.ignore_collisions: bool = spec["ignoreCollisions"]
        self.only_files: bool = spec["onlyFiles"]
        self.copies = ["/" + path for path in spec["copy"]]

    def join(self, place: str, sources: list[Path]) -> None:
        """Put at a place of the result what the sources have for it: one of them, or directories to be merged."""
        directories = [source for source in sources if source.is_dir()]
        above = place == "" or is_above(place, self.wanted) or is_above(place, self.copies)
        if directories and (above or self.only_files or len(directories) > 1):
            if len(directories) != len(sources) and not self.ignore_collisions:
                raise FarmError(f"{place}: a directory in {directories[0]}, but a file in another path")
            self.merge(place, directories)
        elif is_wanted(place, self.wanted):
            self.link(place, sources)

    def merge(self, place: str, directories: list[Path]) -> None:
        entries: dict[str, list[Path]] = {}
        for directory in directories:
            for name in sorted(os.listdir(directory)):
                entries.setdefault(name, []).append(directory / name)
        below = {name: sources for name, sources in entries.items() if self.has_use(f"{place}/{name}")}
        if below or is_wanted(place, self.wanted):
            (self.out / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
        for name, sources in sorted(below.items()):
            self.join(f"{place}/{name}", sources)

    def has_use(self, place: str) -> bool:
        return is_wanted(place, self.wanted) or is_above(place, self.wanted)

    def link(self, place: str, sources: list[Path]) -> None:
        first, *others = sources
        for other in others:
            if not self.ignore_collisions and not filecmp.cmp(first, other, shallow=False):
                raise FarmError(f"{first} and {other} differ; set ignoreCollisions to keep the first")
        target = self.out / place.lstrip("/")
        if place in self.copies:
            shutil.copy(first, target)
        else:
            target.symlink_to(first)


def main() -> None:
    spec = json.loads(Path(os.environ["specPath"]).read_text())  # noqa: SIM112
    out = Path(os.environ["out"] + spec["extraPrefix"])  # noqa: SIM112
    out.mkdir(parents=True)
    Farm(out, spec).join("", [Path(path) for path in dict.fromkeys(spec["paths"])])
    for place, target in spec["links"].items():
        (out / place).symlink_to(target)


if __name__ == "__main__":
    try:
        main()
    except FarmError as error:
        sys.exit(f"farm.py: {error}")
