"""The job in Polars and numba, as an expert would write it for speed.

Polars scans, derives columns and groups; numba sorts by symbol, matches and looks up, in
parallel over symbols and with its machine code cached. It shares no code with VizFlow, and
skips, as VizFlow's planner may, whatever the result does not need.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numba as nb
import numpy as np
import polars as pl

import job

if TYPE_CHECKING:
    from pathlib import Path

CODES = {"Buy": 1, "Cancel": 2, "Sell": 3}
BUY, SELL, UNKNOWN = 1, 3, 255
NO_ENTRY = np.uint32(0xFFFFFFFF)


# ---------------------------------------------------------------- expressions


def elapsed_ms() -> pl.Expr:
    """Elapsed trading time of HHMMSSmmm on CN hours, with 300 s of grace."""
    stamp = pl.col("ticktime")
    hour, minute = stamp // 10_000_000, stamp // 100_000 % 100
    inside_minute = stamp % 100_000
    ms = hour * 3_600_000 + minute * 60_000 + inside_minute
    possible = (hour < 24) & (minute < 60) & (inside_minute < 60_000) & (stamp >= 0)
    out = pl.when(False).then(pl.lit(None, dtype=pl.Int64))
    for start, end, offset in job.SESSIONS_MS:
        near = ms.is_between(start - job.GRACE_MS, end + job.GRACE_MS)
        out = out.when(possible & near).then(ms.clip(start, end) - (start - offset))
    return out.otherwise(None)


def mid() -> pl.Expr:
    """Mid price, null where a side is 0 or null."""
    bid, ask = pl.col("BidPrice1"), pl.col("AskPrice1")
    return pl.when((bid > 0) & (ask > 0)).then((bid + ask) / 2)


def lots() -> pl.Expr:
    """Quantity as a whole number: 0 for null, -1 where it is too far from one."""
    quantity = pl.col("quantity")
    near = quantity.round()
    close = (quantity - near).abs() <= job.QTY_TOLERANCE * near.abs().clip(1.0)
    rest = pl.when(quantity.is_null()).then(0).otherwise(-1)
    return pl.when(close).then(near.cast(pl.Int64)).otherwise(rest)


def side_code() -> pl.Expr:
    """Return sides numbers in order of the alphabet, 0 for null."""
    side = pl.col("orderSide")
    out = pl.when(side.is_null()).then(pl.lit(0, pl.UInt8))
    for name, code in CODES.items():
        out = out.when(side == name).then(pl.lit(code, pl.UInt8))
    return out.otherwise(UNKNOWN)


# ------------------------------------------------------------------- kernels
#
# Rows arrive by time, work is by symbol. Each kernel therefore runs on arrays laid out by
# symbol; the way there and back walks the rows in order, which touches a cache line per
# symbol and never memory at random.


@nb.njit(cache=True, nogil=True, parallel=True)
def lay_out(key: Any, low: int, span: int, time: Any) -> Any:
    """Place each row by (symbol, time), stably: its place, each symbol's start, times.

    A counting sort, then an insertion sort that moves late prints only.
    """
    start = np.zeros(span + 1, np.int64)
    for i in range(len(key)):
        start[key[i] - low + 1] += 1
    for s in range(span):
        start[s + 1] += start[s]
    place = np.empty(len(key), np.uint32)
    row_at = np.empty(len(key), np.uint32)
    clock = np.empty(len(key), np.int32)
    cursor = start[:-1].copy()
    for i in range(len(key)):
        s = key[i] - low
        p = cursor[s]
        cursor[s] = p + 1
        place[i] = p
        row_at[p] = i
        clock[p] = time[i]
    for s in nb.prange(span):
        for i in range(start[s] + 1, start[s + 1]):
            row, at = row_at[i], clock[i]
            j = i
            while j > start[s] and clock[j - 1] > at:
                row_at[j], clock[j] = row_at[j - 1], clock[j - 1]
                place[row_at[j]] = j
                j -= 1
            if j < i:
                row_at[j], clock[j] = row, at
                place[row] = j
    return place, row_at, start, clock


@nb.njit(cache=True, nogil=True, parallel=True)
def to_symbols(place: Any, column: Any) -> Any:
    """Lay a column out by symbol."""
    out = np.empty_like(column)
    for i in nb.prange(len(place)):
        out[place[i]] = column[i]
    return out


@nb.njit(cache=True, nogil=True, parallel=True)
def to_rows(place: Any, column: Any) -> Any:
    """Bring a column back into the order of the rows."""
    out = np.empty_like(column)
    for i in nb.prange(len(place)):
        out[i] = column[place[i]]
    return out


@nb.njit(cache=True, nogil=True, parallel=True)
def match(start: Any, side: Any, qty: Any) -> Any:
    """First in, first out. The matches of an entry, or of an exit, follow each other.

    Gives the matches (entry, exit, size; those of a symbol from its start) and per place the
    first match, the number of them, and the rest; qty is used up.
    """
    total = len(side)
    entry, exit_ = np.empty(total, np.uint32), np.empty(total, np.uint32)
    size = np.empty(total, np.int64)
    first, count = np.empty(total, np.uint32), np.zeros(total, np.int32)
    for s in nb.prange(len(start) - 1):
        end = start[s + 1]
        n = start[s]
        head = start[s]
        for i in range(start[s], end):
            first[i] = n
            if side[i] != SELL:
                continue
            left = qty[i]
            while left > 0:
                while head < i and (side[head] != BUY or qty[head] == 0):
                    head += 1
                if head == i:
                    break
                take = min(left, qty[head])
                if count[head] == 0:
                    first[head] = n
                count[head] += 1
                count[i] += 1
                entry[n], exit_[n], size[n] = head, i, take
                n += 1
                left -= take
                qty[head] -= take
            qty[i] = left
    return entry, exit_, size, first, count, qty


@nb.njit(cache=True, nogil=True)
def offsets(place: Any, count: Any, rest: Any) -> Any:
    """Where each row's pieces begin: its matches and, if any or if alone, its rest."""
    at = np.empty(len(place) + 1, np.int64)
    at[0] = 0
    for i in range(len(place)):
        p = place[i]
        at[i + 1] = at[i] + count[p] + (1 if rest[p] > 0 or count[p] == 0 else 0)
    return at


@nb.njit(cache=True, nogil=True, parallel=True)
def expand_sizes(place: Any, at: Any, side: Any, matches: Any) -> Any:
    """Row and size of each piece; a size of -1 is null."""
    _, _, size, first, count, rest = matches
    index = np.empty(at[-1], np.uint32)
    qty = np.empty(at[-1], np.int64)
    for i in nb.prange(len(place)):
        p = place[i]
        j = at[i]
        for m in range(first[p], first[p] + count[p]):
            index[j], qty[j] = i, size[m]
            j += 1
        if j < at[i + 1]:
            index[j], qty[j] = i, rest[p] if side[p] == BUY or side[p] == SELL else -1
    return index, qty


@nb.njit(cache=True, nogil=True, parallel=True)
def expand_all(place: Any, row_at: Any, at: Any, side: Any, clock: Any, matches: Any) -> Any:
    """Row and the four columns: entry, size (-1 null), holding (NaN), closed (2 null)."""
    entry, exit_, size, first, count, rest = matches
    index = np.empty(at[-1], np.uint32)
    who = np.empty(at[-1], np.uint32)
    qty = np.empty(at[-1], np.int64)
    hold = np.empty(at[-1], np.float64)
    closed = np.empty(at[-1], np.uint8)
    for i in nb.prange(len(place)):
        p = place[i]
        j = at[i]
        for m in range(first[p], first[p] + count[p]):
            index[j], qty[j], closed[j] = i, size[m], 1
            who[j] = row_at[entry[m]]
            hold[j] = (clock[exit_[m]] - clock[entry[m]]) / 1000
            j += 1
        if j < at[i + 1]:
            trade = side[p] == BUY or side[p] == SELL
            index[j], qty[j], closed[j] = i, rest[p] if trade else -1, 0 if trade else 2
            who[j] = i if side[p] == BUY else NO_ENTRY
            hold[j] = np.nan
    return index, who, qty, hold, closed


@nb.njit(cache=True, nogil=True, parallel=True)
def look_ahead(start: Any, clock: Any, price: Any, horizon: int) -> Any:
    """Return from now to the last observation at or before the horizon."""
    out = np.full(len(price), np.nan)
    for s in nb.prange(len(start) - 1):
        last = start[s + 1] - 1
        while last >= start[s] and not price[last] > 0:
            last -= 1
        seen = ahead = start[s]
        for i in range(start[s], last + 1):
            until = clock[i] + horizon
            if until > clock[last]:
                break
            if not price[i] > 0:
                continue
            while ahead <= last and clock[ahead] <= until:
                if price[ahead] > 0:
                    seen = ahead
                ahead += 1
            out[i] = price[seen] / price[i] - 1
    return out


# --------------------------------------------------------------------- stages


def place_rows(key: Any, time: Any) -> Any:
    """Lay rows out by (symbol, time); scattered keys are numbered first."""
    low, high = int(key.min()), int(key.max())
    if high - low > 1 << 24:
        key = pl.Series(key).rank("dense").cast(pl.Int64).to_numpy()
        low, high = int(key.min()), int(key.max())
    return lay_out(key, low, high - low + 1, time)


def elapsed_of(column: str = "elapsed_seconds") -> pl.Expr:
    """Elapsed seconds as whole milliseconds."""
    return (pl.col(column) * 1000).round().cast(pl.Int32)


def clock(frame: pl.DataFrame) -> pl.DataFrame:
    """Stage: ticktime -> elapsed_seconds."""
    return frame.lazy().select(elapsed_seconds=elapsed_ms() / 1000).collect(engine="streaming")


def fifo(frame: pl.DataFrame) -> pl.DataFrame:
    """Stage: match, and expand every column."""
    keys = frame.lazy().select("ukey", side=side_code(), qty=pl.col("quantity").fill_null(0), ms=elapsed_of())
    keys = keys.collect(engine="streaming").rechunk()
    place, row_at, start, clock = place_rows(keys["ukey"].to_numpy(), keys["ms"].to_numpy())
    side = to_symbols(place, keys["side"].to_numpy())
    matches = match(start, side, to_symbols(place, keys["qty"].to_numpy()))
    at = offsets(place, matches[4], matches[5])
    index, who, qty, hold, closed = expand_all(place, row_at, at, side, clock, matches)
    return frame.rechunk()[pl.Series(index)].with_columns(
        matched_entry_id=masked(who, who != NO_ENTRY),
        matched_qty=masked(qty, qty >= 0),
        holding_period=pl.Series(hold).fill_nan(None),
        is_closed=masked(closed == 1, closed != 2),
    )


def forward(frame: pl.DataFrame) -> pl.DataFrame:
    """Stage: two forward returns, with a kernel."""
    keys = frame.lazy().select("ukey", ms=elapsed_of(), mid=pl.col("mid").fill_null(0))
    keys = keys.collect(engine="streaming").rechunk()
    place, _, start, clock = place_rows(keys["ukey"].to_numpy(), keys["ms"].to_numpy())
    price = to_symbols(place, keys["mid"].to_numpy())
    return pl.DataFrame(
        {
            f"return_{h}": pl.Series(to_rows(place, look_ahead(start, clock, price, h * 1000))).fill_nan(None)
            for h in job.HORIZONS
        }
    )


def day(source: Path, target: Path) -> None:
    """Run the whole job, from Feather to Parquet."""
    frame = (
        pl.scan_ipc(source)
        .select(
            "ukey",
            "fillPrice",
            side=side_code(),
            qty=lots(),
            ms=elapsed_ms().cast(pl.Int32),
            mid=mid().fill_null(0),
            key=alpha_field() + side_code(),
        )
        .filter(pl.col("ms").is_not_null())
        .collect(engine="streaming")
    )
    if frame["qty"].min() < 0 or frame["side"].max() == UNKNOWN:
        raise ValueError("a quantity is no whole number, or a side is unknown")
    place, _, start, clock = place_rows(pop(frame, "ukey"), pop(frame, "ms"))
    price = to_symbols(place, pop(frame, "mid"))
    change = to_rows(place, look_ahead(start, clock, price, job.HORIZONS[0] * 1000))
    key = frame.select(pl.col("key") + change_field(pl.lit(pl.Series(change)).fill_nan(None))).to_series()
    del price, change, clock
    side = to_symbols(place, pop(frame, "side"))
    matches = match(start, side, to_symbols(place, pop(frame, "qty")))
    at = offsets(place, matches[4], matches[5])
    index, qty = expand_sizes(place, at, side, matches)
    del place, matches, at, side
    rows = pl.DataFrame([key, frame["fillPrice"]]).rechunk()
    del frame, key
    pieces = rows[pl.Series(index)].with_columns(matched_qty=masked(qty, qty >= 0))
    del index, rows, qty
    group(pieces.lazy()).write_parquet(target)


def pop(frame: pl.DataFrame, column: str) -> Any:
    """Take a column out of a frame as one contiguous array."""
    return frame.drop_in_place(column).rechunk().to_numpy()


def masked(values: Any, valid: Any) -> pl.Series:
    """Make a column whose values count only where valid."""
    frame = pl.DataFrame({"values": values, "valid": valid})
    return frame.select(pl.when("valid").then("values")).to_series()


def aggregate(frame: pl.DataFrame) -> pl.DataFrame:
    """Stage: bin two columns, group by them and the side."""
    key = alpha_field() + change_field(pl.col("return_60")) + side_code()
    return group(frame.lazy().select("matched_qty", "fillPrice", key=key))


HALF = 1 << 29  # bins are within it; a field of 0 is null


def bin_field(value: pl.Expr) -> pl.Expr:
    """Bin index, rounded half to even, as a field of the packed key."""
    return ((value / job.WIDTH).round().cast(pl.Int64) + HALF).fill_null(0)


def alpha_field() -> pl.Expr:
    """High bits of the packed key: its order is that of the three keys, nulls first."""
    return bin_field(pl.col("alpha1")) * (1 << 33)


def change_field(value: pl.Expr) -> pl.Expr:
    """Middle bits of the packed key."""
    return bin_field(value) * 4


def group(pieces: pl.LazyFrame) -> pl.DataFrame:
    """Group by the packed key and give the result of the job."""
    key, mask = pl.col("key"), (1 << 31) - 1
    notional = pl.col("fillPrice") * pl.col("matched_qty")
    groups = (
        pieces.group_by("key")
        .agg(
            count=pl.len().cast(pl.Int64),
            total_qty=pl.col("matched_qty").sum(),
            notional=notional.sum(),
        )
        .collect(engine="streaming")
        .sort("key")
    )
    code = (key & 3).cast(pl.UInt8)

    def bin_of(field: pl.Expr) -> pl.Expr:
        return pl.when(field != 0).then(field - HALF)

    return groups.select(
        bin_of(key // (1 << 33)).alias("alpha1_bin"),
        bin_of(key // 4 & mask).alias("return_60_bin"),
        code.replace_strict({code: name for name, code in CODES.items()}, default=None, return_dtype=pl.String).alias(
            "orderSide"
        ),
        "count",
        "total_qty",
        (pl.col("notional") / pl.col("total_qty")).alias("vwap"),
    )
