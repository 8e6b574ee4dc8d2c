"""Runs operations round by round, counts what was compared, and writes the figures down.

A comparison is one small case (an instrument's day of 1 to 60 rows, seldom of thousands; a group; a calendar's day) of
one operation, VizFlow's whole answer for it against one implementation's. What VizFlow is compared with that is VizFlow
again is counted apart. Not for what is compared: `core`.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import time
from collections import Counter
from pathlib import Path

from differential.core import Compared, Difference, Operation, compare
from differential.shrink import reproduction, shrink

MOST_SHRUNK = 3  # differences of an operation that are made small; the others are counted


def new_seed() -> str:
    """Return the seed of this run: VIZFLOW_SEED, or a new one."""
    return os.environ.get("VIZFLOW_SEED") or str(secrets.randbelow(10**9))


class Ledger:
    """Counts by operation and implementation, and what differed."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.comparisons: Counter[tuple[str, str]] = Counter()
        self.inner: Counter[tuple[str, str]] = Counter()
        self.values: Counter[str] = Counter()
        self.rounds: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.differences: list[str] = []
        self.differing: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return sum(self.comparisons.values())

    def of(self, operation: str) -> int:
        return sum(n for (name, _), n in self.comparisons.items() if name == operation)

    # ---- running

    def round(self, operation: Operation, number: int) -> None:
        """Run one round: a frame of many cases, every implementation. The seed and the number decide it all."""
        start = time.monotonic()
        origin = f"VIZFLOW_SEED={self.seed} PYTHONPATH=tests/python python -m differential"
        origin += f" --operation {operation.name} --round {number}"
        case = operation.make(random.Random(f"{self.seed}/{operation.name}/{number}"))
        try:
            ours = operation.ours(case)
        except Exception:
            ours = None  # compare asks again, and tells
        for peer in operation.peers:
            try:
                compared = compare(operation, case, peer, ours)
            except Exception as error:
                raise RuntimeError(f"the peer {peer!r} failed, not VizFlow: {origin}") from error
            self._count(operation, peer, compared)
            if compared.difference is not None:
                self._note(operation, compared.difference, origin)
        self.rounds[operation.name] += 1
        self.seconds[operation.name] += time.monotonic() - start  # type: ignore[assignment]

    def until(self, operation: Operation, comparisons: int) -> None:
        """Run rounds until an operation has so many comparisons."""
        number = 0
        while self.of(operation.name) < comparisons and self.differing[operation.name] < MOST_SHRUNK:
            self.round(operation, number)
            number += 1

    def _count(self, operation: Operation, peer: str, compared: Compared) -> None:
        counter = self.inner if peer in operation.inner else self.comparisons
        counter[operation.name, peer] += compared.units
        self.values[operation.name] += compared.values

    def _note(self, operation: Operation, found: Difference, origin: str) -> None:
        self.differing[operation.name] += 1
        if self.differing[operation.name] <= MOST_SHRUNK:
            text = reproduction(operation, shrink(operation, found), origin)
            self.differences.append(text)
            print(f"\n{text}\n", flush=True)

    # ---- told

    def lines(self) -> list[str]:
        """Return the counts as text, the whole last."""
        peers = list(dict.fromkeys(peer for _, peer in self.comparisons))
        out = [f"{'comparisons':18}" + "".join(f"{peer:>10}" for peer in peers) + f"{'values':>12}{'seconds':>9}"]
        for name in self.rounds:
            counts = "".join(f"{self.comparisons.get((name, peer), 0):>10}" for peer in peers)
            out.append(f"{name:18}{counts}{self.values[name]:>12}{self.seconds[name]:>9.1f}")
        sums = [sum(n for (_, one), n in self.comparisons.items() if one == peer) for peer in peers]
        out.append(f"{'all':18}" + "".join(f"{n:>10}" for n in sums) + f"{sum(self.values.values()):>12}")
        out.append(
            f"{self.total} comparisons, {sum(self.inner.values())} more of VizFlow with itself, "
            f"{sum(self.differing.values())} differences; VIZFLOW_SEED={self.seed}"
        )
        return out

    def write(self, path: Path, command: str) -> None:
        """Write the figures as JSON."""
        rows: list[dict[str, object]] = [
            {"what": "comparisons", "value": self.total, "detail": "small cases, each with one other implementation"},
            {"what": "differences", "value": sum(self.differing.values()), "detail": "; ".join(self.differing)},
            {"what": "values compared", "value": sum(self.values.values()), "detail": "cells of the answers"},
            {"what": "seed", "value": self.seed, "detail": "VIZFLOW_SEED repeats the run"},
            {
                "what": "comparisons of VizFlow with itself",
                "value": sum(self.inner.values()),
                "detail": "; ".join(f"{name} with {peer}: {n}" for (name, peer), n in self.inner.items())
                + " (not among the comparisons)",
            },
        ]
        for peer in dict.fromkeys(peer for _, peer in self.comparisons):
            n = sum(n for (_, one), n in self.comparisons.items() if one == peer)
            rows.append({"what": f"comparisons with {peer}", "value": n, "detail": "all operations"})
        for name in self.rounds:
            by = ", ".join(f"{peer} {n}" for (one, peer), n in self.comparisons.items() if one == name)
            detail = f"{by}; {self.rounds[name]} frames, {self.values[name]} values, {self.seconds[name]:.1f} s"
            rows.append({"what": f"comparisons of {name}", "value": self.of(name), "detail": detail})
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"title": "Differential tests", "command": command, "rows": rows}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
