"""Relocate one package of the benchmarks' closures, as nix/host/relocate.py does, and tolerate what is incomplete.

Programs need not run: a library that no dependency has is looked for in the package itself. The text `release` of the
specification goes into a file of the package.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "nix/host"))

from relocate import Relocation  # of the host package set, which is a script and no package

SPEC = json.loads(Path(os.environ["specPath"]).read_text())  # noqa: SIM112


class Tolerant(Relocation):
    def library_directory(self, library: str, path: Path) -> Path:
        found = [root / "lib" for root in self.dependencies.values() if (root / "lib" / library).exists()]
        return (found or [self.out / "lib"])[0]

    def patch_elf(self, path: Path, segments: set[int]) -> None:
        try:
            super().patch_elf(path, segments)
        except (subprocess.CalledProcessError, ValueError) as error:  # a program without a loader, a damaged file
            print(f"{path} stays as it is: {error}")


def main() -> None:
    out = Path(os.environ["out"])  # noqa: SIM112
    dependencies = {name: Path(path) for name, path in SPEC["dependencies"].items()}
    relocation = Tolerant(out, dependencies, SPEC["multiarch"], SPEC["patchelf"])
    out.mkdir()
    links: dict[str, str] = {}
    for deb in SPEC["debs"]:
        links |= relocation.unpack(Path(deb))
    relocation.link(links)
    relocation.patch()
    relocation.compile()
    (out / "nix-support").mkdir(exist_ok=True)
    (out / "nix-support/release").write_text("".join(f"{path}\n" for path in dependencies.values()) + SPEC["release"])


if __name__ == "__main__":
    main()
