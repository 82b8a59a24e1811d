"""docs/compatibility.md: what each consumer, of which version, does with each case.

`python -m tests.consumers.compat` runs the matrix and writes the page from what it saw.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import pytest

from ..builds import ROOT
from .adapters import KINDS
from .matrix import CASES, Case, Refusal, done_by, refusal

PAGE = ROOT / "docs/compatibility.md"
HEAD = """\
# Compatibility

`make compat` writes this page: it gives every example to every program below, those of Debian 12 and those of
Debian 13, and writes down what they do. `make test` tries the same. The examples are in [examples/](../examples);
"gz" and "zstd" are archives that are compressed as a whole (`compressor`).

Where an image "loads and runs", its name and its ID are right too, and what it prints or serves. What is copied or
signed arrives with the same config.
"""

Versions = Mapping[str, str]


def page(versions: Versions) -> str:
    """The page, with the version that each kind has."""
    reasons = list(dict.fromkeys(found for kind in KINDS for case in CASES if (found := refusal(kind, case))))
    rows = [["consumer", "Debian", "version", *(case.title for case in CASES)]]
    rows.append(["---"] * len(rows[0]))
    for kind, consumer in KINDS.items():
        cells = [cell(kind, case, reasons) for case in CASES]
        rows.append([consumer.title, consumer.debian, versions[kind], *cells])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    notes = "\n".join(f"{number}. It {found.reason} ({found.source})." for number, found in enumerate(reasons, 1))
    return f"{HEAD}\n{table}\n\nWhy what is refused is refused:\n\n{notes}\n"


def cell(kind: str, case: Case, reasons: list[Refusal]) -> str:
    found = refusal(kind, case)
    return f"refuses ({reasons.index(found) + 1})" if found else done_by(KINDS[kind])


def versions_in(text: str) -> Versions:
    """The versions that a page tells, by kind."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]
    kinds = {(consumer.title, str(consumer.debian)): kind for kind, consumer in KINDS.items()}
    return {kinds[title, debian]: version for title, debian, version, *_ in rows if (title, debian) in kinds}


class Observer:
    """Collects what test_examples.py records, from the tests that passed."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.seen: set[tuple[str, str]] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        told = dict(report.user_properties)
        if report.when == "call" and report.passed and "case" in told:
            self.versions[str(told["kind"])] = str(told["version"])
            self.seen.add((str(told["kind"]), str(told["case"])))


def main() -> int:
    observer = Observer()
    status = pytest.main(["-q", str(ROOT / "tests/consumers/test_examples.py")], plugins=[observer])
    unseen = sorted({(kind, case.title) for kind in KINDS for case in CASES} - observer.seen)
    if status or unseen:
        print(f"compat: {PAGE} stays as it is; not as expected, or not tried: {unseen}", file=sys.stderr)
        return 1
    PAGE.write_text(page(observer.versions))
    print(f"compat: wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
