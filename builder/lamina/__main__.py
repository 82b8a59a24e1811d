"""`python -m lamina` is the command `lamina`."""

import sys

from lamina.commands.main import main

sys.exit(main())
