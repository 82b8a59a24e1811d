"""What the documents show of commands: `python -m tests.support.shown` runs these and writes what they print.

A block begins with `<!-- shown: COMMAND -->` or `<!-- shown: COMMAND | head -n 20 -->`, and ends with `<!-- end -->`.
The commands run in a directory with two images, `old.tar` and `new.tar`, and a policy, the same on every machine.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.support.archives import Piece, docker_save, folder, sample, tar_of
from tests.support.builds import COMMAND, ROOT, environment
from tests.support.trees import hashed_name

PAGES = tuple(ROOT / page for page in ("README.md", "docs/use/check.md", "docs/use/inspect.md", "docs/use/sbom.md"))
BLOCK = re.compile(r"(<!-- shown: (.*?) -->\n).*?(<!-- end -->)", re.DOTALL)

POLICY = """\
[budget]
size = "7.5 MB"
update = "5 MB"

[forbidden]
paths = ["openssl-*"]

[required]
numeric-user = true
"""

Package = tuple[int, tuple[str, ...]]
LAYERS: tuple[Mapping[str, Package], ...] = (
    {"glibc-2.38": (2_400_000, ()), "zlib-1.3": (120_000, ("glibc-2.38",))},
    {"openssl-3.0.13": (900_000, ("glibc-2.38",))},
    {
        "python3-3.11.9": (4_100_000, ("openssl-3.0.13", "zlib-1.3", "glibc-2.38")),
        "tzdata-2024a": (400_000, ()),
    },
    {"shop-1.4": (60_000, ("python3-3.11.9", "tzdata-2024a"))},
)
"""The packages of the old image, by layer, with bytes and references."""

CHANGES = {"openssl-3.0.13": "openssl-3.0.14", "shop-1.4": "shop-1.5"}
REBUILT = frozenset({"openssl-3.0.13", "python3-3.11.9", "shop-1.4"})


def archive(
    path: Path,
    *,
    is_new: bool,
    packages: tuple[Mapping[str, Package], ...] = LAYERS,
    changes: Mapping[str, str] = CHANGES,
    rebuilt: frozenset[str] = REBUILT,
) -> None:
    """One of the two images. A path refers to others by their names in its bytes, as in every store."""

    def base(name: str) -> str:
        full = changes.get(name, name) if is_new else name
        return f"{hashed_name(full + ('rebuilt' if is_new and name in rebuilt else ''))[:32]}-{full}"

    layers = []
    for layer in packages:
        pieces = [folder("nix"), folder("nix/store")]
        for name, (size, references) in layer.items():
            text = " ".join(f"/nix/store/{base(other)}" for other in references)
            pieces += [
                folder(f"nix/store/{base(name)}"),
                Piece(f"nix/store/{base(name)}/it", text.encode().ljust(size)),
            ]
        layers.append(tar_of(pieces))
    layers.append(tar_of([folder("bin"), Piece("bin/shop", link=f"/nix/store/{base('shop-1.4')}/it")]))
    version = "1.5" if is_new else "1.4"
    config = {"Cmd": ["/bin/shop"], "Env": [f"SHOP_VERSION={version}"]}
    image = sample(names=(f"shop:{version}",), layers=tuple(layers), config=config)
    path.write_bytes(tar_of(docker_save([image])))


def runner(directory: Path) -> Callable[[str], str]:
    """Runs the commands where both images are."""
    archive(directory / "old.tar", is_new=False)
    archive(directory / "new.tar", is_new=True)
    (directory / "lamina-policy.toml").write_text(POLICY)

    def printed(command: str) -> str:
        command, _, count = command.partition(" | head -n ")
        program, *words = command.split()
        assert program == "lamina", command
        variables = environment(XDG_CACHE_HOME=str(directory / "cache"))
        done = subprocess.run(
            [COMMAND, *words], cwd=directory, env=variables, capture_output=True, text=True, timeout=60
        )
        return "".join((done.stdout + done.stderr).splitlines(keepends=True)[: int(count) if count else None])

    return printed


def shown(text: str, printed: Callable[[str], str]) -> str:
    """The page with what the commands print now."""

    def block(match: re.Match[str]) -> str:
        lines = [f"$ {match[2]}", *printed(match[2]).splitlines()]
        indented = "\n".join(f"    {line}".rstrip() for line in lines)
        return f"{match[1]}\n{indented}\n\n{match[3]}"

    return BLOCK.sub(block, text)


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        printed = runner(Path(directory))
        for page in PAGES:
            page.write_text(shown(page.read_text(), printed))


if __name__ == "__main__":
    main()
