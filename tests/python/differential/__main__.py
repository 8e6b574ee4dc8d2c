"""Long runs: `python -m differential --minutes 10`, and one round again: `--operation fifo --round 3`.

Not for CI: `test_differential.py`.
"""

from __future__ import annotations

import argparse
import sys
import time

from differential.ledger import Ledger, new_seed
from differential.operations import FIGURES, OPERATIONS


def main() -> int:
    """Run for some minutes, or one round; 1 where something differs."""
    parser = argparse.ArgumentParser(prog="differential", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--operation", choices=[operation.name for operation in OPERATIONS])
    parser.add_argument("--round", type=int)
    options = parser.parse_args()
    ledger = Ledger(new_seed())
    print(f"VIZFLOW_SEED={ledger.seed}", flush=True)
    chosen = [one for one in OPERATIONS if options.operation in (None, one.name)]
    if options.round is not None:
        for operation in chosen:
            ledger.round(operation, options.round)
    else:
        _run(ledger, chosen, options.minutes)
        if options.operation is None:
            ledger.write(FIGURES, f"make differential MINUTES={options.minutes:g}")
    print("\n".join(ledger.lines()))
    return 1 if ledger.differing else 0


def _run(ledger: Ledger, chosen: list, minutes: float) -> None:  # type: ignore[type-arg]
    """Return each operation the same time, a round at a time."""
    start = told = time.monotonic()
    while time.monotonic() < start + 60 * minutes:
        operation = min(chosen, key=lambda one: ledger.seconds[one.name])
        ledger.round(operation, ledger.rounds[operation.name])
        if time.monotonic() > told + 60:
            told = time.monotonic()
            print(ledger.lines()[-1], flush=True)


if __name__ == "__main__":
    sys.exit(main())
