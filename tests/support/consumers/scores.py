"""docs/generated/checks.md, the registered checks; docs/generated/saved.md, which of them each tool's archives fail.

`python -m tests.support.consumers.scores` lets every tool save an image, and writes both pages from the results.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from lamina.compat import CHECKS
from lamina.compat.check import ALL, CONSUMERS
from lamina.media import classic, universal
from lamina.report.verify import verify
from tests.support.builds import ROOT
from tests.support.consumers.adapters import KINDS, KINDS_OF_FORKY
from tests.support.consumers.base import Form
from tests.support.doctored import archive

PAGE = ROOT / "docs/generated/saved.md"
CHECKS_PAGE = ROOT / "docs/generated/checks.md"
OURS = {
    "universal": universal.arrange,
    "docker-1.9": universal.arrange_for_docker_1_9,
    "classic": classic.arrange,
}
LAMINA = "lamina build"

CHECKS_HEAD = f"""\
# The checks of `lamina verify --for`

`make scores` writes this page from the checks in the program. The guide to the command is
[verify.md](../use/verify.md).

## Consumers

Give these names to `--for`, separated by commas. `all` means all of them except `docker-1.9`.

| name | what it is |
| --- | --- |
{chr(10).join(f"| `{name}` | {title} |" for name, title in CONSUMERS.items())}

## Checks

| check | what must hold | protects | known from |
| --- | --- | --- | --- |
"""
HEAD = f"""\
# Archives of other tools

`make scores` writes this page. Every tool saves an image with three layers, two of which are equal. Then
`lamina verify --for` applies all {len(CHECKS)} [checks](checks.md) for all {len(CONSUMERS)} consumers. "Fits" is the
number of consumers for which no check fails; "does not fit" lists the others. `make test` repeats this.

| written by | version | form | fits | failed checks | does not fit |
| --- | --- | --- | --- | --- | --- |
"""

FORMS: dict[str, tuple[Form, ...]] = {
    "docker": ("docker-archive",),
    "podman": ("docker-archive", "oci-archive"),
    "containerd": ("oci-archive",),
    "buildah": ("docker-archive", "oci-archive"),
    "skopeo": ("docker-archive", "oci-archive"),
}
PAIRS = [(kind, form) for kind in KINDS for form in FORMS.get(KINDS[kind].family, ())]
PAGE_PAIRS = [(kind, form) for kind, form in PAIRS if kind not in KINDS_OF_FORKY]
"""Those on the page. The versions of forky move."""

Row = tuple[str, str, str]
"""(written by, version, form)."""
Scores = Mapping[Row, tuple[str, ...]]
"""The checks that fail."""


def checks_page() -> str:
    rows = [f"| `{c.id}` | {c.sentence} | {_protected(c.protects)} | {c.source} |" for c in CHECKS]
    return CHECKS_HEAD + "\n".join(rows) + "\n"


def page(scores: Scores) -> str:
    rows = [f"| {' | '.join(row)} | {_result(failing)} |" for row, failing in scores.items()]
    return HEAD + "\n".join(rows) + "\n"


def _protected(names: tuple[str, ...]) -> str:
    return "all" if set(names) >= set(ALL) else ", ".join(name for name in CONSUMERS if name in names)


def _result(failing: tuple[str, ...]) -> str:
    protected = {name for check in CHECKS if check.id in failing for name in check.protects}
    hurt = [name for name in CONSUMERS if name in protected]
    return f"{len(CONSUMERS) - len(hurt)} | {', '.join(f'`{check}`' for check in failing)} | {', '.join(hurt)}"


def scores_in(text: str) -> dict[Row, tuple[str, ...]]:
    """The results in the text of the page."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    return {
        (tool, version, form): tuple(fails.replace("`", "").split(", ")) if fails else ()
        for tool, version, form, _, fails, _ in rows[2:]
    }


def failing(path: Path) -> tuple[str, ...]:
    return tuple(finding.check for finding in verify(path, consumers=CONSUMERS).findings)


def tool(kind: str) -> str:
    """The name of a consumer on the page; the version distinguishes two generations of it."""
    return KINDS[kind].title


def ours() -> dict[Row, tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "it.tar")
        return {(LAMINA, "", form): failing(archive(arrange=arrange).write(path)) for form, arrange in OURS.items()}


class Observer:
    """Collects the records of test_saved.py; all of them are of archives that are sound."""

    def __init__(self) -> None:
        self.scores: dict[Row, tuple[str, ...]] = ours()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        recorded = dict(report.user_properties)
        if report.when == "call" and "failing" in recorded:
            row = (str(recorded["tool"]), str(recorded["version"]), str(recorded["form"]))
            self.scores[row] = tuple(str(recorded["failing"]).split())


def main() -> int:
    observer = Observer()
    pytest.main(["-q", str(ROOT / "tests/consumers/test_saved.py")], plugins=[observer])
    if len(observer.scores) != len(PAGE_PAIRS) + len(OURS):
        print(f"scores: {PAGE} is unchanged; tried: {sorted(observer.scores)}", file=sys.stderr)
        return 1
    PAGE.write_text(page(observer.scores))
    CHECKS_PAGE.write_text(checks_page())
    print(f"scores: wrote {PAGE} and {CHECKS_PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
