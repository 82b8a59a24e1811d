"""docs/verify.md: the command, its checks as they are registered, and which of them each tool's archives fail.

`python -m tests.consumers.scores` has every tool save an image and writes the page from what it saw.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.checks import CHECKS
from builder.checks.check import ALL, CONSUMERS
from builder.media import classic, universal
from builder.verify import verify

from ..builds import ROOT
from ..unit.doctored import archive
from .adapters import KINDS

PAGE = ROOT / "docs/verify.md"
OURS = {
    "universal": universal.arrange,
    "docker-1.9": universal.arrange_for_docker_1_9,
    "classic": classic.arrange,
}
LAMINA = "lamina build"

HEAD = f"""\
# Verifying

    lamina verify image.tar                      # structure and every digest
    lamina verify image.tar --for mesos,podman   # and what these need of an archive
    lamina verify image.json --for all           # the archive that a recipe makes

`IMAGE` is a docker archive or an OCI archive of any tool, an OCI layout in a directory, or a recipe. Of a recipe the
universal archive is made, into a file without a name below `TMPDIR`: store paths that are gone and a base that is
damaged are found on the way. Exit status 1 says that something was found, 2 that the command makes no sense.

Without `--for` an image is sound when its documents can be read, its layers have the digests that are claimed of them
and are tars to the end, and its sides do not contradict each other, whoever made it.

With `--for`, an archive is also held to what each consumer needs, as far as the file alone can show it. What fails is
told in a line each: the check, where in the archive, what is there, and who of those that were asked for is hurt. With
`--json` the report has them as `findings`, of objects with `check`, `where`, `what`, `more` (in how many other places)
and `hurts`. Each layer is read once, one that is stored compressed twice; memory goes by the number of names in the
layers, not by their bytes.

What hurts need not be a refusal: another name, a layer that looks empty or a file that ends up elsewhere hurts too. The
tests change a good archive in one place for each check, see that it alone notices, and see real consumers
refuse what it says that they refuse, where they can be run (`tests/consumers/test_checks.py`). Of Mesos, Apptainer,
stereoscope, BuildKit, go-containerregistry and kind, what they do with an archive is told again in `tests/replays/`.

`all` stands for all consumers but `docker-1.9`, whose files no other reader wants
([archive.md](archive.md), "Docker up to 1.9"). A `classic` archive has no OCI side on purpose: `--for all` says so
(`oci-side`), and it fits all others.

## Consumers

| name | what it is |
| --- | --- |
{chr(10).join(f"| `{name}` | {title} |" for name, title in CONSUMERS.items())}

## Checks

| check | what must hold | protects | known from |
| --- | --- | --- | --- |
"""
SCORES = f"""
## What tools write

`make scores` has each tool save an image of three layers, of which two are the same, and writes down which of the
{len(CHECKS)} checks the archive fails, who is hurt by that, and how many of the {len(CONSUMERS)} consumers are not.
`make test` compares.

| written by | version | form | fits | fails | hurts |
| --- | --- | --- | --- | --- | --- |
"""

Row = tuple[str, str, str]
"""(written by, version, form)."""
Scores = Mapping[Row, tuple[str, ...]]
"""The checks that fail."""


def page(scores: Scores) -> str:
    checks = [f"| `{c.id}` | {c.sentence} | {_protected(c.protects)} | {c.source} |" for c in CHECKS]
    rows = [f"| {' | '.join(row)} | {_told(failing)} |" for row, failing in scores.items()]
    return HEAD + "\n".join(checks) + "\n" + SCORES + "\n".join(rows) + "\n"


def _protected(names: tuple[str, ...]) -> str:
    return "all" if set(names) >= set(ALL) else ", ".join(name for name in CONSUMERS if name in names)


def _told(failing: tuple[str, ...]) -> str:
    protected = {name for check in CHECKS if check.id in failing for name in check.protects}
    hurt = [name for name in CONSUMERS if name in protected]
    return f"{len(CONSUMERS) - len(hurt)} | {', '.join(f'`{check}`' for check in failing)} | {', '.join(hurt)}"


def scores_in(text: str) -> dict[Row, tuple[str, ...]]:
    """What a page tells."""
    lines = text.partition("## What tools write")[2].splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    return {
        (tool, version, form): tuple(fails.replace("`", "").split(", ")) if fails else ()
        for tool, version, form, _, fails, _ in rows[2:]
    }


def failing(path: Path) -> tuple[str, ...]:
    return tuple(finding.check for finding in verify(path, consumers=CONSUMERS).findings)


def tool(kind: str) -> str:
    """How the page calls a consumer that saves; two generations are told apart by their versions."""
    return KINDS[kind].title


def ours() -> dict[Row, tuple[str, ...]]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "it.tar")
        return {(LAMINA, "", form): failing(archive(arrange=arrange).write(path)) for form, arrange in OURS.items()}


class Observer:
    """Collects what test_saved.py records, of archives that are sound."""

    def __init__(self) -> None:
        self.scores: dict[Row, tuple[str, ...]] = ours()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if report.when == "call" and "failing" in told:
            row = (str(told["tool"]), str(told["version"]), str(told["form"]))
            self.scores[row] = tuple(str(told["failing"]).split())


def main() -> int:
    from .test_saved import PAIRS

    observer = Observer()
    pytest.main(["-q", str(ROOT / "tests/consumers/test_saved.py")], plugins=[observer])
    if len(observer.scores) != len(PAIRS) + len(OURS):
        print(f"scores: {PAGE} stays as it is; seen: {sorted(observer.scores)}", file=sys.stderr)
        return 1
    PAGE.write_text(page(observer.scores))
    print(f"scores: wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
