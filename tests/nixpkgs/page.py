"""docs/from-dockertools-tests.md, which tells what test makes which of nixpkgs' assertions.

`python -m tests.nixpkgs.page` writes it.
"""

from __future__ import annotations

from ..builds import ROOT
from .assertions import ASSERTIONS, Assertion

PAGE = ROOT / "docs/from-dockertools-tests.md"
HEAD = """\
# dockerTools' own examples and tests

nixpkgs tests dockerTools by 66 example images, in a virtual machine with Docker.
[examples/dockerTools](../examples/dockerTools) has them under their names: what each shows is nixpkgs', what is in it
is Lamina's. The first table tells which test in [tests/nixpkgs](../tests/nixpkgs) makes which of nixpkgs' assertions,
on Docker 20.10; [from-dockertools.md](from-dockertools.md) tells what is the same, what is better, and what differs.

    nix-build -A examples.dockerTools.bash
    make test ARGS=tests/nixpkgs

`python -m tests.nixpkgs.page` writes this page, and a test compares it with what it would write.
"""
BETWEEN = """
Where there is nixpkgs, the examples take their packages from it; that they evaluate with its names is tested, building
with it is not. The tests take the distribution's packages, so that some examples hold something else:
"""
DIFFERENT = (
    (
        "`nixFromDockerHub`, `testNixFromDockerHub`, `onTopOfPulledImage`",
        "busybox, out of a registry that the tests start",
        "tests reach no other registry; where none is given it is nix 2.2.1 of Docker Hub, as in nixpkgs",
    ),
    ("`editors`", "ed and nano in the place of emacs, vim and nano", "they show the same, and are small"),
    ("`cross`", "a file in the place of hello", "the distribution's packages are for this machine's processor"),
    (
        "`etc`",
        "files that a script puts together, with or without nixpkgs",
        "nixpkgs' is the activation of a NixOS module, and there is no NixOS without nixpkgs",
    ),
    (
        "`nix-shell-*`",
        "shells of derivations without stdenv, or with a small stand-in for it",
        "there is no stdenv without nixpkgs; so nixpkgs' own `$stdenv/setup` was not tried",
    ),
)

TAIL = """
Not made here: docker-tools-cross.nix, which builds an image on a machine with another processor and runs it there.
"""


def table(*rows: tuple[str, ...]) -> str:
    head, *rest = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rest))


def row(assertion: Assertion) -> tuple[str, ...]:
    file, _, test = assertion.test.partition("::")
    made = f"`{test}` in [{file}.py](../tests/nixpkgs/{file}.py)"
    return str(assertion.number), assertion.sentence, f"{made}; {assertion.remark}" if assertion.remark else made


def page() -> str:
    assertions = table(("", "nixpkgs asserts", "made by"), *map(row, ASSERTIONS))
    different = table(("example", "here", "because"), *DIFFERENT)
    return "\n".join([HEAD, assertions, BETWEEN, different, TAIL])


if __name__ == "__main__":
    PAGE.write_text(page())
