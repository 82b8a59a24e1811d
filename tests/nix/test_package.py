"""The package of the command has what a shell and `man` look for."""

from __future__ import annotations

from lamina.commands.main import COMMANDS
from tests.support.builds import nix_build


def test_completions_and_manual_pages() -> None:
    share = nix_build("-A", "lamina") / "share"
    names = {str(path.relative_to(share)) for path in share.rglob("*") if path.is_file()}
    pages = {f"man/man1/lamina-{command.name}.1" for command in COMMANDS}
    shells = {
        "bash-completion/completions/lamina",
        "zsh/site-functions/_lamina",
        "fish/vendor_completions.d/lamina.fish",
    }
    assert names == {"man/man1/lamina.1", *pages, *shells}
    assert "lamina" in (share / "bash-completion/completions/lamina").read_text()
