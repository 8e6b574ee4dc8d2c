"""Every operation, against every other implementation that there is. The seed is new each run, and printed."""

from __future__ import annotations

import pytest

from differential.core import Operation
from differential.ledger import Ledger
from differential.operations import OPERATIONS, QUOTAS

pytestmark = pytest.mark.filterwarnings("ignore::vizflow.UnlistedSideWarning")  # cases of one side, drawn at random


def test_there_are_enough_comparisons() -> None:
    assert sorted(QUOTAS) == sorted(operation.name for operation in OPERATIONS)
    assert sum(QUOTAS.values()) >= 150_000
    assert all(len(set(operation.peers) - operation.inner) >= 2 for operation in OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_implementations_agree(operation: Operation, ledger: Ledger) -> None:
    ledger.until(operation, QUOTAS[operation.name])
    found = [text for text in ledger.differences if text.startswith(f"# {operation.name}:")]
    assert not found, f"VIZFLOW_SEED={ledger.seed}\n" + "\n\n".join(found)
    assert ledger.of(operation.name) >= QUOTAS[operation.name]
    assert all(ledger.comparisons[operation.name, peer] for peer in set(operation.peers) - operation.inner)
