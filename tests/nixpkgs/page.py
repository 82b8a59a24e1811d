"""docs/generated/dockertools-tests.md: which test makes which of nixpkgs' assertions about dockerTools.

`python -m tests.nixpkgs.page` writes it.
"""

from __future__ import annotations

from tests.nixpkgs.assertions import ASSERTIONS, Assertion
from tests.support.builds import ROOT

PAGE = ROOT / "docs/generated/dockertools-tests.md"
HEAD = """\
# dockerTools' own examples and tests

nixpkgs tests dockerTools with 66 example images, in a virtual machine with Docker.
[examples/dockerTools](../../examples/dockerTools) contains examples of the same names that show the same things.
The first table lists nixpkgs' assertions, and the test in [tests/nixpkgs](../../tests/nixpkgs) that makes each of them
on Docker 20.10. For the differences between dockerTools and Lamina, see
[from-dockertools.md](../use/from-dockertools.md).

    nix-build -A examples.dockerTools.bash
    make test ARGS=tests/nixpkgs

`python -m tests.nixpkgs.page` writes this page. A test compares the page with what that command would write.
"""
BETWEEN = """
If nixpkgs is available, the examples take their packages from it. A test checks that the examples evaluate with
nixpkgs' names; building them with nixpkgs is not tested. The tests use the distribution's packages, so a few examples
contain something else:
"""
DIFFERENT = (
    (
        "`nixFromDockerHub`, `testNixFromDockerHub`, `onTopOfPulledImage`",
        "busybox, from a registry that the tests start",
        "the tests use no other registry; without that registry the image is nix 2.2.1 from Docker Hub, as in nixpkgs",
    ),
    ("`editors`", "ed and nano instead of emacs, vim and nano", "they show the same, and are small"),
    ("`cross`", "a file instead of hello", "the distribution's packages are for this machine's processor"),
    (
        "`etc`",
        "files that a script creates, with or without nixpkgs",
        "nixpkgs' example is the activation of a NixOS module, and NixOS needs nixpkgs",
    ),
    (
        "`nix-shell-*`",
        "shells of derivations without stdenv, or with a small replacement for it",
        "stdenv needs nixpkgs; so nixpkgs' own `$stdenv/setup` was not tried",
    ),
)

TAIL = """
Not tried here: docker-tools-cross.nix, which builds an image on a machine with another processor and runs it there.
"""


def table(*rows: tuple[str, ...]) -> str:
    head, *rest = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rest))


def row(assertion: Assertion) -> tuple[str, ...]:
    file, _, test = assertion.test.partition("::")
    location = f"`{test}` in [{file}.py](../../tests/nixpkgs/{file}.py)"
    made_by = f"{location}; {assertion.remark}" if assertion.remark else location
    return str(assertion.number), assertion.sentence, made_by


def page() -> str:
    assertions = table(("", "nixpkgs asserts", "test"), *map(row, ASSERTIONS))
    different = table(("example", "here", "reason"), *DIFFERENT)
    return "\n".join([HEAD, assertions, BETWEEN, different, TAIL])


if __name__ == "__main__":
    PAGE.write_text(page())
