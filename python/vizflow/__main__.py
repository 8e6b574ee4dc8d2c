"""``python -m vizflow``: the command line."""

import sys

from vizflow.cli import main

sys.exit(main())
