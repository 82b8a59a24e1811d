"""docs/generated/compatibility.md and .json: what each consumer, of which version, does with each case.

`python -m tests.support.consumers.compat [12] [13] [forky]` runs the matrix for these Debian releases, by default for
all, and writes both files from the results.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

import pytest

from tests.support.builds import ROOT
from tests.support.consumers.adapters import KINDS
from tests.support.consumers.matrix import CASES, Case, Refusal, done_by, refusal

PAGE = ROOT / "docs/generated/compatibility.md"
TABLE = ROOT / "docs/generated/compatibility.json"
HEAD = """\
# Compatibility

`make compat` writes this page. It gives every example image to every program below, in the versions of Debian 12,
Debian 13 and Debian forky (in testing, so its versions move), and records the result. `make test-all` repeats the same
trials, `make test` most of those with Debian 12 and 13. The images are those of [examples/](../../examples); "gz" and
"zstd" are archives that are compressed as a whole (`compressor`).

"Loads and runs" means: the image's name and ID are right, the container runs, and it prints or serves what it should.
"Copies" and "signs and verifies" mean: the config arrives unchanged.

Programs can read every single result in [compatibility.json](compatibility.json).
"""

Versions = Mapping[str, str]


def page(versions: Versions) -> str:
    """The page for people: a line for each consumer, with its exceptions."""
    reasons = list(dict.fromkeys(found for kind in KINDS for case in CASES if (found := refusal(kind, case))))
    rows = [["consumer", "Debian", "version", f"of {len(CASES)} cases", "refuses"], ["---"] * 5]
    for kind, consumer in KINDS.items():
        refused = {case: found for case in CASES if (found := refusal(kind, case))}
        count = f"all {len(CASES)}" if not refused else str(len(CASES) - len(refused))
        exceptions = [f"{case.title} ({reasons.index(found) + 1})" for case, found in refused.items()]
        done = f"{done_by(consumer)} {count}"
        rows.append([consumer.title, consumer.debian, versions[kind], done, "; ".join(exceptions)])
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    notes = "\n".join(f"{number}. It {found.reason} ({found.source})." for number, found in enumerate(reasons, 1))
    cases = ", ".join(case.title if case.compressor == "none" else f"`{case.title}`" for case in CASES)
    return f"{HEAD}\n{table}\n\nReasons for the refusals:\n\n{notes}\n\nThe cases: {cases}.\n"


def results(versions: Versions) -> str:
    """The file for programs: every consumer with every case."""
    consumers = [
        {
            "consumer": consumer.title,
            "debian": consumer.debian,
            "version": versions[kind],
            "results": {case.title: result(kind, case) for case in CASES},
        }
        for kind, consumer in KINDS.items()
    ]
    return json.dumps(consumers, indent=1) + "\n"


def result(kind: str, case: Case) -> dict[str, str]:
    """What the consumer does with the case, and the reason and its source if it refuses."""
    refused: Refusal | None = refusal(kind, case)
    if refused is None:
        return {"does": done_by(KINDS[kind])}
    return {"does": "refuses", "reason": refused.reason, "source": refused.source}


def versions_in(text: str) -> Versions:
    """The version of each kind, from the text of the file for programs."""
    kinds = {(consumer.title, str(consumer.debian)): kind for kind, consumer in KINDS.items()}
    return {
        kinds[row["consumer"], str(row["debian"])]: row["version"]
        for row in json.loads(text)
        if (row["consumer"], str(row["debian"])) in kinds
    }


class Observer:
    """Collects the records of the tests in test_examples.py that passed."""

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}
        self.seen: set[tuple[str, str]] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        recorded = dict(report.user_properties)
        if report.when == "call" and report.passed and "case" in recorded:
            self.versions[str(recorded["kind"])] = str(recorded["version"])
            self.seen.add((str(recorded["kind"]), str(recorded["case"])))


def main(releases: Sequence[str]) -> int:
    """Try the consumers of these Debian releases, by default of all, and write both files."""
    kinds = [kind for kind in KINDS if not releases or KINDS[kind].debian in releases]
    observer = Observer()
    ids = [f"{kind}-{case.title}" for kind in kinds for case in CASES]
    selected = [f"{ROOT / 'tests/consumers/test_examples.py'}::test_example[{name}]" for name in ids]
    status = pytest.main(["-q", "--newest", *selected], plugins=[observer])
    unseen = sorted({(kind, case.title) for kind in kinds for case in CASES} - observer.seen)
    if status or unseen:
        print(f"compat: {PAGE} is unchanged; these failed or were not tried: {unseen}", file=sys.stderr)
        return 1
    listed = versions_in(TABLE.read_text())
    for kind, version in observer.versions.items():
        if version != listed.get(kind):
            print(f"compat: {KINDS[kind].title}, Debian {KINDS[kind].debian}: {listed.get(kind)} is now {version}")
    versions = {**listed, **observer.versions}
    PAGE.write_text(page(versions))
    TABLE.write_text(results(versions))
    print(f"compat: wrote {PAGE} and {TABLE}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
