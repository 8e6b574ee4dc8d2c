"""The one ledger of a run, told at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from differential.ledger import Ledger, new_seed
from differential.operations import FIGURES, OPERATIONS

_ledger = Ledger(new_seed())


@pytest.fixture(scope="session")
def ledger() -> Ledger:
    return _ledger


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the counts and the seed, and write the figures where every operation was run."""
    if not _ledger.rounds:
        return
    terminalreporter.section("differential")
    for line in _ledger.lines():
        terminalreporter.write_line(line)
    if len(_ledger.rounds) == len(OPERATIONS):
        _ledger.write(Path(FIGURES), "make test-differential")
