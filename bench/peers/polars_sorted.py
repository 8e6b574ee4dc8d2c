"""The job in Polars and numba with steps that can be used again: sort, one kernel, gather.

Polars reads and derives the columns; the key columns are put in order of symbol and time once, by
`arg_sort_by`; a numba kernel walks the sorted arrays and gives pieces, another looks prices up; each
step hands a whole frame on, with every column gathered by row number, as code does that is shared
between jobs. `polars_fused.py` is the job fused by hand for this benchmark alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
import polars as pl

import job
from peers.polars_fused import BUY, SELL, elapsed_ms, lots, masked, mid, side_code

if TYPE_CHECKING:
    from pathlib import Path

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


def ms() -> pl.Expr:
    return (pl.col("elapsed_seconds") * 1000).round().cast(pl.Int64)


def in_order(rows: pl.DataFrame) -> Any:
    """Row numbers by (symbol, time), stably; one packed key sorts ten times as fast as two."""
    keys = rows.select("ukey", ms=ms())
    return keys.select(pl.arg_sort_by(pl.col("ukey") * (1 << 28) + pl.col("ms"), maintain_order=True)).to_series()


def with_pieces(rows: pl.DataFrame, order: pl.Series) -> pl.DataFrame:
    """Match, and repeat every column for its pieces, by symbol and time."""
    keys = rows.select("ukey", side=side_code(), qty=pl.col("quantity").fill_null(0), ms=ms())[order]
    arrays = [keys[name].to_numpy() for name in ("ukey", "side", "qty", "ms")]
    row = order.to_numpy()
    index, entry, size, hold, closed = match(arrays[0], row, *arrays[1:])
    return rows[pl.Series(row[index])].with_columns(
        matched_entry_id=masked(entry, entry != NONE),
        matched_qty=masked(size, size >= 0),
        holding_period=pl.Series(hold).fill_nan(None),
        is_closed=masked(closed == 1, closed != 2),
    )


@nb.njit(cache=True, nogil=True)
def look_ahead(symbol: Any, ms: Any, price: Any, horizon: int, row: Any) -> Any:
    """Returns to the last observation at or before the horizon, at their rows; rows are by (symbol, time)."""
    out = np.full(len(symbol), np.nan)
    start = 0
    while start < len(symbol):
        end = start
        while end < len(symbol) and symbol[end] == symbol[start]:
            end += 1
        last = end - 1
        while last >= start and not price[last] > 0:
            last -= 1
        seen = ahead = start
        for i in range(start, last + 1):
            until = ms[i] + horizon
            if until > ms[last]:
                break
            if not price[i] > 0:
                continue
            while ahead <= last and ms[ahead] <= until:
                if price[ahead] > 0:
                    seen = ahead
                ahead += 1
            out[row[i]] = price[seen] / price[i] - 1
        start = end
    return out


def with_returns(rows: pl.DataFrame, order: pl.Series) -> pl.DataFrame:
    keys = rows.select("ukey", ms=ms(), mid=pl.col("mid").fill_null(0))[order]
    arrays = [keys[name].to_numpy() for name in ("ukey", "ms", "mid")]
    row = order.to_numpy()
    return rows.with_columns(
        pl.Series(f"return_{h}", look_ahead(*arrays, h * 1000, row)).fill_nan(None) for h in job.HORIZONS
    )


def fifo(frame: pl.DataFrame) -> pl.DataFrame:
    return with_pieces(frame, in_order(frame))


def forward(frame: pl.DataFrame) -> pl.DataFrame:
    return with_returns(frame, in_order(frame)).select(f"return_{h}" for h in job.HORIZONS)


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
        .select("ukey", "elapsed_seconds", "alpha1", "orderSide", "quantity", "fillPrice", "mid")
        .collect(engine="streaming")
    )
    if (rows["quantity"].min() or 0) < 0:
        raise ValueError("a quantity is no whole number")
    order = in_order(rows)
    group(with_pieces(with_returns(rows, order), order).lazy()).write_parquet(target)
