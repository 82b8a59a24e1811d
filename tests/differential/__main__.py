"""Compare for a while: `python -m tests.differential --seconds 1500`. Prints what has no reason."""

from __future__ import annotations

import argparse
import collections
import itertools
import random
import sys
import time

from tests.differential.cases import drawn
from tests.differential.compare import Disagreement, compared
from tests.differential.readers import started
from tests.differential.reasons import SEVERITIES
from tests.support.consumers import roots

BATCH = 20


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--start", type=int, default=random.randrange(1 << 40), help="the number of the first case")
    options = parser.parse_args()
    asked: collections.Counter[str] = collections.Counter()
    found: list[Disagreement] = []
    began = time.monotonic()
    with roots.entered() as prefix, started(prefix) as readers:
        for start in itertools.count(options.start, BATCH):
            if time.monotonic() - began > options.seconds:
                break
            batch = [drawn(number) for number in range(start, start + BATCH)]
            for tried in compared(batch, readers):
                asked.update(tried.readers)
                for each in tried.disagreements:
                    found.append(each)
                    if not each.reason:
                        print(each, flush=True)
    _report(asked, found, time.monotonic() - began)
    return 1 if any(not each.reason for each in found) else 0


def _report(asked: collections.Counter[str], found: list[Disagreement], seconds: float) -> None:
    for name, count in sorted(asked.items()):
        print(f"{name:<28}{count:>7} inputs, {count / seconds:.1f}/s")
    for severity in SEVERITIES:
        these = [each for each in found if each.severity == severity]
        print(f"{severity}: {len(these)}, without a reason {sum(not each.reason for each in these)}")
    for reason, count in collections.Counter(each.reason for each in found if each.reason).most_common():
        print(f"{count:>6} {reason.severity}: {reason.why}")


if __name__ == "__main__":
    sys.exit(main())
