"""The program `lamina`, also as `python -m lamina`. Ctrl-C during the imports ends it without a traceback."""

import atexit
import gc
import sys

from lamina.commands import interrupt

interrupt.install()

# Nearly all objects of a start stay until its end, so looking for cycles among them, every 700 objects and once more at
# the end, takes a sixth of the time of the imports and finds nothing.
gc.set_threshold(50_000)
atexit.register(gc.freeze)

from lamina.commands.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
