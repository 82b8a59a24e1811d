"""`python -m builder` is the command `lamina`."""

import sys

from builder.cli import main

sys.exit(main())
