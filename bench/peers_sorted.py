"""The job as most quants who know Polars and numba write it: sort, one numba kernel, gather.

Polars reads, derives the columns and sorts the day by symbol and time; a numba kernel walks the
sorted arrays and gives the pieces; every column is gathered by their row numbers; returns are
`join_asof` on the sorted frame; Polars groups. Each step gives a whole frame that the next can
use, which is what such a program looks like when its steps are reused from job to job.
`peers_polars.py` is the same job written for this benchmark alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
import polars as pl

import job
from peers_polars import BUY, SELL, elapsed_ms, lots, masked, mid, side_code

if TYPE_CHECKING:
    from pathlib import Path

NAME = "Polars + numba: sort, match, gather"
NONE = np.uint32(0xFFFFFFFF)


@nb.njit(cache=True, nogil=True)
def match(symbol: Any, row: Any, side: Any, qty: Any, ms: Any) -> Any:
    """Walk rows sorted by (symbol, time): a first pass counts each row's pieces, a second writes them."""
    n = len(symbol)
    count = np.zeros(n, np.int64)
    rest = qty.copy()
    head = 0
    for i in range(n):
        if i == 0 or symbol[i] != symbol[i - 1]:
            head = i
        if side[i] != SELL:
            continue
        while rest[i] > 0:
            while head < i and (side[head] != BUY or rest[head] == 0):
                head += 1
            if head == i:
                break
            take = min(rest[i], rest[head])
            rest[i] -= take
            rest[head] -= take
            count[i] += 1
            count[head] += 1
    at = np.empty(n + 1, np.int64)
    at[0] = 0
    for i in range(n):
        at[i + 1] = at[i] + count[i] + (1 if rest[i] > 0 or count[i] == 0 else 0)
    index = np.empty(at[n], np.uint32)
    entry = np.empty(at[n], np.uint32)
    size = np.empty(at[n], np.int64)
    hold = np.empty(at[n], np.float64)
    closed = np.empty(at[n], np.uint8)
    write = at[:n].copy()
    left = qty.copy()
    for i in range(n):
        if i == 0 or symbol[i] != symbol[i - 1]:
            head = i
        if side[i] == SELL:
            while left[i] > 0:
                while head < i and (side[head] != BUY or left[head] == 0):
                    head += 1
                if head == i:
                    break
                take = min(left[i], left[head])
                left[i] -= take
                left[head] -= take
                for leg in (i, head):
                    j = write[leg]
                    write[leg] += 1
                    index[j], entry[j], size[j] = leg, row[head], take
                    hold[j], closed[j] = (ms[i] - ms[head]) / 1000, 1
    for i in range(n):
        j = write[i]
        if j < at[i + 1]:
            trade = side[i] == BUY or side[i] == SELL
            index[j], size[j], hold[j] = i, rest[i] if trade else -1, np.nan
            entry[j] = row[i] if side[i] == BUY else NONE
            closed[j] = 0 if trade else 2
    return index, entry, size, hold, closed


def with_pieces(rows: pl.DataFrame) -> pl.DataFrame:
    """Match rows sorted by (ukey, elapsed_seconds), and repeat every column for its pieces; in row order."""
    keys = rows.select("ukey", "row", side=side_code(), qty=pl.col("quantity").fill_null(0), ms=ms())
    arrays = [keys[name].rechunk().to_numpy() for name in ("ukey", "row", "side", "qty", "ms")]
    index, entry, size, hold, closed = match(*arrays)
    pieces = rows[pl.Series(index)].with_columns(
        matched_entry_id=masked(entry, entry != NONE),
        matched_qty=masked(size, size >= 0),
        holding_period=pl.Series(hold).fill_nan(None),
        is_closed=masked(closed == 1, closed != 2),
    )
    return pieces.sort("row", maintain_order=True).drop("row")


def ms() -> pl.Expr:
    return (pl.col("elapsed_seconds") * 1000).round().cast(pl.Int64)


def with_returns(rows: pl.DataFrame) -> pl.DataFrame:
    """Returns of mid on rows sorted by (ukey, elapsed_seconds)."""
    price = pl.col("mid")
    seen = (
        rows.lazy()
        .select("ukey", "mid", ms=ms())
        .filter((price > 0) & price.is_finite())
        .with_columns(last=pl.col("ms").last().over("ukey"))
        .collect()
    )
    out = rows.with_columns(ms=ms())
    for h in job.HORIZONS:
        found = (
            out.lazy()
            .select("ukey", "mid", until=pl.col("ms") + h * 1000)
            .join_asof(
                seen.lazy().rename({"mid": "later", "ms": "at"}),
                left_on="until", right_on="at", by="ukey", check_sortedness=False,
            )
            .join(seen.lazy().group_by("ukey").agg(end=pl.col("last").first()), on="ukey", how="left", maintain_order="left")
            .select(pl.when((pl.col("until") <= pl.col("end")) & (price > 0)).then(pl.col("later") / price - 1))
            .collect()
            .to_series()
        )
        out = out.with_columns(found.alias(f"return_{h}"))
    return out.drop("ms")


def fifo(frame: pl.DataFrame) -> pl.DataFrame:
    rows = frame.with_row_index("row").sort("ukey", "elapsed_seconds", maintain_order=True)
    return with_pieces(rows)


def forward(frame: pl.DataFrame) -> pl.DataFrame:
    rows = frame.with_row_index("row").sort("ukey", "elapsed_seconds", maintain_order=True)
    return with_returns(rows).sort("row").select(f"return_{h}" for h in job.HORIZONS)


def group(pieces: pl.LazyFrame) -> pl.DataFrame:
    qty, notional = pl.col("matched_qty"), pl.col("fillPrice") * pl.col("matched_qty")
    keys = ["alpha1_bin", "return_60_bin", "orderSide"]
    bins = [(pl.col(c) / job.WIDTH).round().cast(pl.Int64).alias(f"{c}_bin") for c in ("alpha1", "return_60")]
    return (
        pieces.with_columns(bins)
        .group_by(keys)
        .agg(count=pl.len().cast(pl.Int64), total_qty=qty.sum(), vwap=notional.sum() / qty.sum())
        .collect(engine="streaming")
        .sort(keys)
    )


def aggregate(frame: pl.DataFrame) -> pl.DataFrame:
    return group(frame.lazy())


def day(source: Path, target: Path) -> None:
    rows = (
        pl.scan_ipc(source)
        .with_columns(
            elapsed_seconds=elapsed_ms() / 1000,
            mid=mid(),
            quantity=pl.when(pl.col("quantity").is_not_null()).then(lots()),
        )
        .filter(pl.col("elapsed_seconds").is_not_null())
        .with_row_index("row")
        .select("row", "ukey", "elapsed_seconds", "alpha1", "orderSide", "quantity", "fillPrice", "mid")
        .sort("ukey", "elapsed_seconds", maintain_order=True)
        .collect(engine="streaming")
    )
    if (rows["quantity"].min() or 0) < 0:
        raise ValueError("a quantity is no whole number")
    pieces = with_pieces(with_returns(rows))
    del rows
    group(pieces.lazy()).write_parquet(target)
