"""The job that is timed: its figures, its cases, who takes part, and what counts as the same result.

What every contestant must agree on stands here; how each does it stands in its own file under `peers/`.

The job, from one day's Feather file to a small Parquet file:

1. read the columns; make ``quantity`` whole lots (within 1e-6, else an error);
2. ``elapsed_seconds`` of CN from ``HHMMSSmmm`` with 300 s of grace; drop rows outside;
3. ``mid``, null on a one-sided book;
4. FIFO matching of buys and sells per symbol in order of (elapsed, row), every row kept, both
   legs split into their pieces;
5. return of ``mid`` after 60 and 300 s: last observation at or before, null past the last;
6. bin ``alpha1`` and ``return_60`` at 1e-4; group by both and the side: count, total matched
   quantity and volume-weighted price; sort; write.

Whoever finds that the result does not need something (the 300 s return, the holding period)
may leave it out; the stages, timed alone, must deliver all of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

SESSIONS_MS = ((34_200_000, 41_400_000, 0), (46_800_000, 54_000_000, 7_200_000))
"""Start, end and elapsed time at the start of each CN session, ms."""

GRACE_MS = 300_000
HORIZONS = (60, 300)
LOOK_UPS = (0, 60)
WIDTH = 1e-4
QTY_TOLERANCE = 1e-6

CASES = {
    "day": "The whole day, Feather to Parquet",
    "clock": "Clock: `HHMMSSmmm` to elapsed seconds",
    "fifo": "FIFO: match and expand every column",
    "forward": "Forward returns of mid, 60 and 300 s",
    "quotes": "Quotes looked up for trades, now and 60 s later",
    "aggregate": "Bin and aggregate",
}

INPUTS = {
    "clock": {"clock": ["ticktime"]},
    "fifo": {"fifo": ["id", "ukey", "elapsed_seconds", "alpha1", "mid", "orderSide", "quantity", "fillPrice"]},
    "forward": {"forward": ["ukey", "elapsed_seconds", "mid"]},
    "quotes": {"trades": ["ukey", "elapsed_seconds"], "quotes": ["ukey", "elapsed_seconds", "mid"]},
    "aggregate": {"aggregate": ["alpha1", "return_60", "orderSide", "matched_qty", "fillPrice"]},
    "days": {"days": ["date", "ukey", "elapsed_seconds", "mid"]},
}
"""The frames that each stage gets, in memory, and their columns. `days` is not timed: see findings.py."""

DAY_COLUMNS = ["ticktime", "ukey", "alpha1", "BidPrice1", "AskPrice1", "orderSide", "quantity", "fillPrice"]
"""The columns of the file that the whole job reads."""

PIECE = ["id", "matched_entry_id", "holding_period", "matched_qty", "is_closed"]
"""What orders the pieces of a row."""


@dataclass(frozen=True)
class Peer:
    """A contestant: its file, and the function there that does each case it takes part in."""

    title: str
    module: str
    work: dict[str, str]
    ordered: bool = True
    """Rows come in the order of the input; SQL leaves that open."""
    differs: dict[str, str] = field(default_factory=dict)
    """Cases whose result is known to be another one, and why: a finding, not a failure."""


def _all(*cases: str) -> dict[str, str]:
    return {case: case for case in cases}


PEERS = {
    "vizflow": Peer("VizFlow", "ours", _all(*CASES, "days")),
    "polars-sorted": Peer(
        "Polars + numba: sort, match, gather",
        "polars_sorted",
        _all("day", "fifo", "forward", "aggregate"),
        ordered=False,
    ),
    "polars": Peer(
        "Polars + numba, fused for this job", "polars_fused", _all("day", "clock", "fifo", "forward", "aggregate")
    ),
    "polars-asof-by": Peer(
        "Polars `join_asof` by symbol, sort included",
        "polars_asof",
        {"forward": "by_symbol", "quotes": "quotes", "days": "days"},
    ),
    "polars-asof": Peer("Polars `join_asof` on a packed key, sort included", "polars_asof", {"forward": "packed"}),
    "duckdb": Peer("DuckDB", "duckdb_sql", _all(*CASES), ordered=False),
    "pandas": Peer("pandas and NumPy", "pandas_numpy", _all(*CASES), ordered=False),
    "namesake": Peer(
        "the `vizflow` of PyPI",
        "namesake",
        _all("clock", "forward", "quotes", "aggregate", "days"),
        differs={
            "clock": "times outside the sessions go on counting, and nothing is checked",
            "forward": "the nearest quote within 5 s, earlier or later, also past the last; rows are given back sorted",
        },
    ),
}


def same(case: str, ordered: bool, left: pl.DataFrame, right: pl.DataFrame) -> None:
    """Raise unless two results are the same: integers and text exactly, floats to 1e-12 or so.

    Prices are averaged over up to millions of rows in an order of each engine's own, so theirs is
    a relative 1e-9; everything else is one or two roundings away.
    """
    from polars.testing import assert_frame_equal

    if case == "fifo" and not ordered:
        left, right = left.sort(PIECE), right.sort(PIECE)
    close = 1e-9 if case in ("aggregate", "day") else 1e-12
    assert_frame_equal(left, right, rel_tol=close, abs_tol=1e-12, check_column_order=False)
