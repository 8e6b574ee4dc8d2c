"""The command line, ``vizflow COMMAND``. The same code as the Python interface.

Not for logic of its own: each command reads its words, calls, prints.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit code: 0 done, 1 the work failed, 2 wrong usage, 130 interrupted."""
    try:
        from vizflow.cli import look, options, run  # noqa: F401 (the commands of the two)
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print("vizflow: the command line needs click: pip install 'vizflow[cli]'", file=sys.stderr)
        return 2
    return options.call(argv)


if __name__ == "__main__":
    sys.exit(main())
