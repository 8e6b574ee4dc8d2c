"""The public project that is called `vizflow` too (PyPI, 0.11.0), where it has the operation; it has no FIFO matching.

Imports the other project, which `run.py` installs into a folder of its own that stands first on the path. It is
called as its own documentation says; a stage's frames are made what it wants (whole milliseconds) inside the timing.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import polars as pl

import job
from peers import load as load_frames

sys.path.insert(0, os.environ["BENCH_NAMESAKE"])
import vizflow as theirs

assert hasattr(theirs, "horizon_suffix"), "this is our own vizflow"

MS = (pl.col("elapsed_seconds") * 1000).round().cast(pl.Int64)
SUFFIX = {h: theirs.horizon_suffix(h * 1000) for h in (*job.HORIZONS, *job.LOOK_UPS)}


def load(paths: Any, rows: int | None) -> list[pl.DataFrame]:
    """Number the rows of what is looked up for: it does not give them back in order."""
    frames = load_frames(paths, rows)
    return frames if paths[0].stem in ("clock", "aggregate") else [frames[0].with_row_index("row"), *frames[1:]]


def clock(frame: pl.DataFrame) -> pl.DataFrame:
    parsed = theirs.parse_time(frame.lazy(), "ticktime", implements={"Trade", "Equity", "CN"})
    return parsed.select(elapsed_seconds=pl.col("elapsed_ticktime") / 1000).collect(engine="streaming")


def forward(frame: pl.DataFrame) -> pl.DataFrame:
    rows = frame.lazy().with_columns(ms=MS)
    horizons = [h * 1000 for h in job.HORIZONS]
    return theirs.forward_return(rows, rows, horizons, trade_time_col="ms", alpha_time_col="ms").collect()


def quotes(trades: pl.DataFrame, quotes: pl.DataFrame) -> pl.DataFrame:
    rows, seen = trades.lazy().with_columns(ms=MS), quotes.lazy().with_columns(ms=MS)
    horizons = [h * 1000 for h in job.LOOK_UPS]
    return theirs.merge_forward(rows, seen, ["mid"], horizons, trade_time_col="ms", ref_time_col="ms")


def aggregate(frame: pl.DataFrame) -> pl.DataFrame:
    qty, notional = pl.col("matched_qty"), pl.col("fillPrice") * pl.col("matched_qty")
    metrics = {"count": pl.len(), "total_qty": qty.sum(), "vwap": notional.sum() / qty.sum()}
    binned = theirs.bin(frame.lazy(), {"alpha1": job.WIDTH, "return_60": job.WIDTH})
    keys = ["alpha1_bin", "return_60_bin", "orderSide"]
    return theirs.aggregate(binned, keys, metrics).collect(engine="streaming")


def days(frame: pl.DataFrame) -> pl.DataFrame:
    """Returns of two days in one frame, and of each alone."""
    alone = pl.concat([forward(day).sort("row") for day in frame.partition_by("date", maintain_order=True)])
    together = forward(frame).sort("row")
    return pl.DataFrame({"together": together[f"y_{SUFFIX[60]}"], "alone": alone[f"y_{SUFFIX[60]}"]})


def shown(case: str, result: pl.DataFrame) -> pl.DataFrame:
    """Bring a result into the order and under the names of the others."""
    if case == "forward":
        return result.sort("row").select("row", *(pl.col(f"y_{SUFFIX[h]}").alias(f"return_{h}") for h in job.HORIZONS))
    if case == "quotes":
        return result.sort("row").select(pl.col(f"mid_{SUFFIX[h]}").alias(f"mid_{h}") for h in job.LOOK_UPS)
    if case == "aggregate":
        keys = ["alpha1_bin", "return_60_bin", "orderSide"]
        return result.sort(keys).with_columns(pl.col("count").cast(pl.Int64))
    return result
