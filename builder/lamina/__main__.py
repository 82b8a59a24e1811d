"""The program `lamina`, also as `python -m lamina`. Ctrl-C during the imports ends it without a traceback."""

import sys

from lamina.commands import interrupt

interrupt.install()

from lamina.commands.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
