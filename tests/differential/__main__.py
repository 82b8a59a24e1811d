"""Compare for a while: `python -m tests.differential --seconds 1500`. Prints what has no reason, and counts.

Ctrl-C or SIGTERM ends it early; the counts are printed all the same.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from tests.differential.cases import drawn
from tests.differential.compare import compared
from tests.differential.readers import NAMES, started
from tests.differential.tally import Tally
from tests.support.consumers import roots

MEMORY = Path("/dev/shm")
ROOM = 4 << 30
LESS_COLLECTION = "400"
"""Docker 20.10 starts itself again for each layer, and without this that takes a third longer."""
NEWER = "docker 26"
"""Its programs are those of Debian 13."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--start", type=int, default=random.randrange(1 << 40), help="the number of the first case")
    parser.add_argument("--cases", type=int, default=sys.maxsize, help="so many for each reader, and then end")
    parser.add_argument("--daemons", type=int, default=1, help="how many of each reader work side by side")
    parser.add_argument("--reader", action="append", choices=NAMES, help="only these readers")
    options = parser.parse_args()
    names = options.reader or list(NAMES)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    _work_in_memory()
    os.environ.setdefault("GOGC", LESS_COLLECTION)
    tally = Tally()
    with ExitStack() as stack:
        prefix = stack.enter_context(roots.entered()) if any(NEWER in name for name in names) else ()
        readers = started(prefix, names, options.daemons, stack)
        began = time.monotonic()
        cases = lambda: map(drawn, itertools.count(options.start))  # noqa: E731
        results = stack.enter_context(closing(compared(cases, readers, options.cases)))
        try:
            print(f"cases from number {options.start}", flush=True)
            for tried in results:
                tally.add(tried)
                if tried.disagreement and not tried.disagreement.reason:
                    print(tried.disagreement, flush=True)
                if time.monotonic() - began > options.seconds:
                    break
        except KeyboardInterrupt:
            print("interrupted")
        finally:
            print(*tally.lines(time.monotonic() - began), sep="\n", flush=True)
    unused = tally.unused(NAMES)
    for reason in unused:
        print(f"not used: {reason.severity}: {reason.why}")
    return 1 if unused or tally.without_reason() else 0


def _work_in_memory() -> None:
    """Daemons write every layer to disk, and wait for it. Images are small, so memory holds all that they keep."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM:
        tempfile.tempdir = str(MEMORY)


if __name__ == "__main__":
    sys.exit(main())
