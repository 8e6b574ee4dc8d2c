"""The job that is timed: its figures, its stages and what counts as the same result.

What every contestant must agree on stands here; how each does it stands in its own file.

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

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

SESSIONS_MS = ((34_200_000, 41_400_000, 0), (46_800_000, 54_000_000, 7_200_000))
"""Start, end and elapsed time at the start of each CN session, ms."""

GRACE_MS = 300_000
HORIZONS = (60, 300)
WIDTH = 1e-4
QTY_TOLERANCE = 1e-6

STAGES = {
    "clock": ["ticktime"],
    "fifo": ["id", "ukey", "elapsed_seconds", "alpha1", "mid", "orderSide", "quantity", "fillPrice"],
    "forward": ["ukey", "elapsed_seconds", "mid"],
    "aggregate": ["alpha1", "return_60", "orderSide", "matched_qty", "fillPrice"],
}
"""The columns that each stage gets, in memory."""

DAY_COLUMNS = ["ticktime", "ukey", "alpha1", "BidPrice1", "AskPrice1", "orderSide", "quantity", "fillPrice"]
"""The columns of the file that the whole job reads."""

PIECE = ["id", "matched_entry_id", "holding_period", "matched_qty", "is_closed"]


def same(stage: str, ordered: bool, left: pl.DataFrame, right: pl.DataFrame) -> None:
    """Raise unless two results are the same: integers and text exactly, floats to 1e-12 or so.

    Prices are averaged over up to millions of rows in an order of each engine's own, so theirs is
    a relative 1e-9; everything else is one or two roundings away.
    """
    from polars.testing import assert_frame_equal

    if stage == "fifo" and not ordered:
        left, right = left.sort(PIECE), right.sort(PIECE)
    close = 1e-9 if stage in ("aggregate", "day") else 1e-12
    assert_frame_equal(left, right, rel_tol=close, abs_tol=1e-12, check_column_order=False)
