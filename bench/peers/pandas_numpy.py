"""The job in pandas and NumPy, as an expert writes it who has no compiler at hand: whole columns, no Python loop.

Looking up is `merge_asof`, grouping `groupby` on one packed key. FIFO matching is done as in SQL: running sums of
entries and of exits (less what ran beyond the inventory) are two rulers laid on each other, and each gap is one match.
pandas works on one core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

import job

if TYPE_CHECKING:
    from pathlib import Path

HALF = 1 << 29  # bins are within it; a field of 0 is null
SIDES = ["Buy", "Cancel", "Sell"]


def load(paths: list[Path], rows: int | None) -> list[pd.DataFrame]:
    """Read frames as pandas holds them; sides are categories, as in any frame that is grouped by them."""
    return [read(path, None, rows) for path in paths]


def read(path: Path, columns: list[str] | None, rows: int | None = None) -> pd.DataFrame:
    table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
    table = table if columns is None else table.select(columns)
    table = table if rows is None else table.slice(0, rows)
    if "orderSide" in table.column_names:
        at = table.column_names.index("orderSide")
        table = table.set_column(at, "orderSide", table["orderSide"].cast(pa.string()).dictionary_encode())
    frame = table.to_pandas(self_destruct=True, split_blocks=True)
    if "orderSide" in frame:
        frame["orderSide"] = frame["orderSide"].cat.set_categories(SIDES)
    return frame


def shown(case: str, result: pd.DataFrame) -> pl.DataFrame:
    """Make a result a Polars frame; pandas has no null of its own in columns of numbers, so NaN is one."""
    frame = pl.from_pandas(result, nan_to_null=case != "aggregate")
    if "orderSide" in frame.columns:
        frame = frame.with_columns(pl.col("orderSide").cast(pl.String))
    if case != "fifo":
        return frame
    return frame.with_columns(
        pl.col("quantity", "matched_qty").cast(pl.Int64),
        pl.col("matched_entry_id").cast(pl.UInt32),
        is_closed=pl.col("is_closed").replace(2, None).cast(pl.Boolean),
    )


# ---- columns ----------------------------------------------------------------------


def elapsed_ms(stamp: Any) -> Any:
    """Elapsed trading time of HHMMSSmmm in ms; -1 where it is impossible or outside."""
    hour, rest = np.divmod(stamp, 10_000_000)
    minute, inside = np.divmod(rest, 100_000)
    ms = hour * 3_600_000 + minute * 60_000 + inside
    out = np.full(len(stamp), -1, np.int64)
    possible = (hour < 24) & (minute < 60) & (inside < 60_000) & (stamp >= 0)
    for start, end, offset in job.SESSIONS_MS:
        near = possible & (ms >= start - job.GRACE_MS) & (ms <= end + job.GRACE_MS)
        out[near] = np.clip(ms[near], start, end) - (start - offset)
    return out


def whole_ms(frame: pd.DataFrame) -> Any:
    return np.rint(frame["elapsed_seconds"].to_numpy() * 1000).astype(np.int64)


def bins(values: Any) -> Any:
    """Bin numbers, rounded half to even, as fields of a packed key: 0 for null."""
    index = np.rint(values / job.WIDTH)
    return np.where(np.isnan(index), 0, index + HALF).astype(np.int64)


# ---- match ------------------------------------------------------------------------


def match(symbol: Any, ms: Any, side: Any, qty: Any) -> tuple[Any, Any, Any, Any, Any]:
    """Row, entry (-1: none), size (-1: null), holding time (-1: none) and state (0, 1, 2: null) of every piece.

    `side` is the code of a category: 0 buys, 2 sells.
    """
    trades = np.flatnonzero((side == 0) | (side == 2))
    trades = trades[np.lexsort((ms[trades], symbol[trades]))]
    key, buys, size = symbol[trades], side[trades] == 0, qty[trades]
    sums = pd.DataFrame({"bought": np.where(buys, size, 0), "net": np.where(buys, size, -size)})
    sums = sums.groupby(key, sort=False).cumsum()
    bought, net = sums["bought"].to_numpy(), sums["net"].to_numpy()
    begins = np.r_[True, key[1:] != key[:-1]]
    before = np.r_[0, net[:-1]]
    before[begins] = 0
    low = np.minimum(pd.Series(before).groupby(key, sort=False).cummin().to_numpy(), 0)
    upto = np.where(buys, bought, bought - net + np.minimum(low, net))
    excess = np.where(buys, 0, np.maximum(0, low - net))

    counts = np.flatnonzero(size > excess)
    counts = counts[np.lexsort((upto[counts], key[counts]))]
    key_at, upto_at, buys_at = key[counts], upto[counts], buys[counts]
    first = np.r_[True, key_at[1:] != key_at[:-1]]
    gap = upto_at - np.where(first, 0, np.r_[0, upto_at[:-1]])
    entry, exit_ = next_of(buys_at, key_at), next_of(~buys_at, key_at)
    matched = (gap > 0) & (entry >= 0) & (exit_ >= 0)
    still = (gap > 0) & (entry >= 0) & (exit_ < 0)
    row_of = trades[counts]
    opened, closed = row_of[entry[matched]], row_of[exit_[matched]]
    resting = row_of[entry[still]]
    alone = np.flatnonzero((excess > 0) | (size == 0))
    others = np.flatnonzero((side != 0) & (side != 2))
    held = ms[closed] - ms[opened]
    none = np.full(len(others), -1)
    return (
        np.concatenate([opened, closed, resting, trades[alone], others]),
        np.concatenate([opened, opened, resting, np.where(buys[alone], trades[alone], -1), none]),
        np.concatenate([gap[matched], gap[matched], gap[still], excess[alone], none]),
        np.concatenate([held, held, np.full(len(resting) + len(alone) + len(others), -1)]),
        np.repeat(np.array([1, 0, 2], np.int8), [2 * len(opened), len(resting) + len(alone), len(others)]),
    )


def next_of(is_one: Any, key: Any) -> Any:
    """Place of the first true at or after each place within its group, -1 for none."""
    n = len(is_one)
    at = np.where(is_one, np.arange(n), n)
    at = np.minimum.accumulate(at[::-1])[::-1]
    found = at < n
    found[found] = key[at[found]] == key[found]
    return np.where(found, at, -1)


# ---- stages -----------------------------------------------------------------------


def clock(frame: pd.DataFrame) -> pd.DataFrame:
    ms = elapsed_ms(frame["ticktime"].to_numpy())
    return pd.DataFrame({"elapsed_seconds": np.where(ms < 0, np.nan, ms / 1000)})


def fifo(frame: pd.DataFrame) -> pd.DataFrame:
    side = frame["orderSide"].cat.codes.to_numpy()
    qty = frame["quantity"].fillna(0).to_numpy().astype(np.int64)
    row, entry, size, held, state = match(frame["ukey"].to_numpy(), whole_ms(frame), side, qty)
    out = frame.take(row)
    out["matched_entry_id"] = np.where(entry < 0, np.nan, entry)
    out["matched_qty"] = np.where(size < 0, np.nan, size)
    out["holding_period"] = np.where(held < 0, np.nan, held / 1000)
    out["is_closed"] = state
    return out


def forward(frame: pd.DataFrame) -> pd.DataFrame:
    ms = whole_ms(frame)
    return pd.DataFrame(returns(frame["ukey"].to_numpy(), ms, frame["mid"].to_numpy(), job.HORIZONS))


def returns(symbol: Any, ms: Any, mid: Any, horizons: tuple[int, ...]) -> dict[str, Any]:
    """Forward returns by `merge_asof`, which wants both sides in order of time."""
    order = np.argsort(ms, kind="stable")
    rows = pd.DataFrame({"ukey": symbol[order], "ms": ms[order], "mid": mid[order]})
    seen = rows[(rows["mid"] > 0) & np.isfinite(rows["mid"])]
    last = seen.groupby("ukey")["ms"].max()
    end = rows["ukey"].map(last).to_numpy()
    seen = seen.rename(columns={"mid": "later"})
    out = {}
    for h in horizons:
        until = rows["ms"].to_numpy() + h * 1000
        left = pd.DataFrame({"ukey": rows["ukey"], "ms": until})
        later = pd.merge_asof(left, seen, on="ms", by="ukey")["later"].to_numpy()
        price = rows["mid"].to_numpy()
        with np.errstate(divide="ignore", invalid="ignore"):
            change = np.where((price > 0) & (until <= end), later / price - 1, np.nan)
        column = np.empty(len(change))
        column[order] = change
        out[f"return_{h}"] = column
    return out


def quotes(trades: pd.DataFrame, quotes: pd.DataFrame) -> pd.DataFrame:
    """Mids of quotes for trades: a join a horizon, both sides in order of time, and back."""
    ms, at = whole_ms(trades), whole_ms(quotes)
    order, sorted_ = np.argsort(ms, kind="stable"), np.argsort(at, kind="stable")
    seen = pd.DataFrame(
        {"ukey": quotes["ukey"].to_numpy()[sorted_], "ms": at[sorted_], "mid": quotes["mid"].to_numpy()[sorted_]}
    )
    symbol = trades["ukey"].to_numpy()[order]
    out = {}
    for h in job.LOOK_UPS:
        left = pd.DataFrame({"ukey": symbol, "ms": ms[order] + h * 1000})
        column = np.empty(len(left))
        column[order] = pd.merge_asof(left, seen, on="ms", by="ukey")["mid"].to_numpy()
        out[f"mid_{h}"] = column
    return pd.DataFrame(out)


def aggregate(frame: pd.DataFrame) -> pd.DataFrame:
    codes = frame["orderSide"].cat.codes.to_numpy() + np.int64(1)
    key = bins(frame["alpha1"].to_numpy()) << 33 | bins(frame["return_60"].to_numpy()) << 2 | codes
    return grouped(key, frame["matched_qty"].to_numpy(), frame["fillPrice"].to_numpy())


def grouped(key: Any, qty: Any, price: Any) -> pd.DataFrame:
    """Group by the packed key, whose order is that of the three keys, nulls first."""
    groups = pd.DataFrame({"qty": qty, "notional": price * qty}).groupby(key, sort=True)
    sums, count = groups.sum(), groups.size().to_numpy()
    key = sums.index.to_numpy()
    alpha, change, side = key >> 33, key >> 2 & (1 << 31) - 1, key & 3
    total = sums["qty"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        vwap = sums["notional"].to_numpy() / total
    return pd.DataFrame(
        {
            "alpha1_bin": nullable(alpha),
            "return_60_bin": nullable(change),
            "orderSide": pd.Categorical.from_codes(side - 1, SIDES),
            "count": count.astype(np.int64),
            "total_qty": total.astype(np.int64),
            "vwap": vwap,
        }
    )


def nullable(field: Any) -> Any:
    return pd.arrays.IntegerArray(field - HALF, field == 0)


def day(source: Path, target: Path) -> None:
    """Run the whole job, from Feather to Parquet."""
    frame = read(source, job.DAY_COLUMNS)
    ms = elapsed_ms(frame.pop("ticktime").to_numpy())
    inside = ms >= 0
    if not inside.all():
        frame, ms = frame[inside], ms[inside]
    quantity = frame.pop("quantity").to_numpy()
    whole = np.rint(quantity)
    if (np.abs(quantity - whole) > job.QTY_TOLERANCE * np.maximum(1, np.abs(whole))).any():
        raise ValueError("a quantity is no whole number")
    bid, ask = frame.pop("BidPrice1").to_numpy(), frame.pop("AskPrice1").to_numpy()
    mid = np.where((bid > 0) & (ask > 0), (bid + ask) / 2, np.nan)
    symbol, price = frame.pop("ukey").to_numpy(), frame.pop("fillPrice").to_numpy()
    side = frame.pop("orderSide").cat.codes.to_numpy()
    change = returns(symbol, ms, mid, job.HORIZONS[:1])["return_60"]
    key = bins(frame.pop("alpha1").to_numpy()) << 33 | bins(change) << 2 | side.astype(np.int64) + 1
    qty = np.where(np.isnan(whole), 0, whole).astype(np.int64)
    row, _, size, _, _ = match(symbol, ms, side, qty)
    result = grouped(key[row], np.where(size < 0, np.nan, size), price[row])
    result["orderSide"] = result["orderSide"].astype("str")
    table = pa.Table.from_pandas(result, preserve_index=False)
    vwap = pa.array(result["vwap"].to_numpy(), from_pandas=False)  # 0 / 0 is NaN, and not null
    pq.write_table(table.set_column(table.column_names.index("vwap"), "vwap", vwap), target)
