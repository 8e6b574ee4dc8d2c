"""Makes days of trades, quotes and prices of many shapes, from a generator of random numbers.

A frame holds many small problems side by side, each its own `unit`, drawn with a character of its own: ties, nulls,
runs, emptiness, odd numbers. Not for what is expected of them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from differential.core import UNIT, Case

Rng = random.Random
NS = 1_000_000_000
PER_UNIT = {"ms": 10**6, "us": 10**3, "ns": 1}
ODD_PRICES = [None, None, math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 5e-324, 1e308, -1e308]
ODD_FLOATS = [*ODD_PRICES, 1e-300, -5e-324, 1e16, -1e16, 0.1, 1 / 3]
INTEGERS = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]


def integer_range(dtype: Any) -> tuple[int, int]:
    """Return the least and the greatest value of an integer type."""
    bits = int(str(dtype).lstrip("UInt"))
    return (0, 2**bits - 1) if str(dtype).startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


# ---- units: how many rows each small problem has ---------------------------------------------------------------------


FEW = 3


def many(rng: Rng, low: int, high: int) -> int:
    """Draw how many units a day has: many small ones, or seldom a few of thousands of rows, one, or none."""
    kind = rng.random()
    return FEW if kind < 0.02 else rng.randint(0, 1) if kind < 0.04 else rng.randint(low, high)


def sizes(rng: Rng, units: int) -> list[int]:
    """Draw how many rows each unit has: none, one, two, some, a few many."""
    if units == FEW:
        return [rng.randint(1, 5000) for _ in range(units)]
    few = [0, 1, 1, 2, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24]
    return [rng.choice(few) if rng.random() < 0.97 else rng.randint(20, 60) for _ in range(units)]


def units_of(rng: Rng, units: int) -> list[int]:
    """Draw the unit of each row: in blocks, taking turns, or mixed."""
    out = [unit for unit, n in enumerate(sizes(rng, units)) for _ in range(n)]
    kind = rng.randrange(4)
    if kind == 1:
        rng.shuffle(out)
    elif kind == 2:
        seen: dict[int, int] = {}
        turns = []
        for unit in out:
            seen[unit] = seen.get(unit, 0) + 1
            turns.append(seen[unit])
        out = [unit for _, unit in sorted(zip(turns, out, strict=True))]
    elif kind == 3:
        out.reverse()
    return out


def each(rng: Rng, units: Sequence[int], draw: Callable[[Rng], Callable[[], Any]]) -> list[Any]:
    """Draw a value for each row; `draw` gives each unit a source of its own character."""
    sources: dict[int, Callable[[], Any]] = {}
    out = []
    for unit in units:
        if unit not in sources:
            sources[unit] = draw(rng)
        out.append(sources[unit]())
    return out


def sprinkled(rng: Rng, source: Callable[[], Any], odd: Sequence[Any], most: float = 0.3) -> Callable[[], Any]:
    """Put odd values between those of a source: none in most units, some in others, nothing else in a few."""
    share = rng.choice([0.0, 0.0, 0.0, most / 3, most, 1.0 if rng.random() < 0.2 else most])
    if share == 0.0:
        return source
    return lambda: rng.choice(odd) if rng.random() < share else source()


def counting(rng: Rng, low: int, high: int) -> Callable[[], int]:
    """Return a source of integers: spread, tied, rising, falling or all the same."""
    kind = rng.randrange(6)
    span = max(1, high - low)
    if kind == 0:
        one = rng.randint(low, high)
        return lambda: one
    if kind == 1:
        few = [rng.randint(low, high) for _ in range(rng.randint(1, 4))]
        return lambda: rng.choice(few)
    if kind in (2, 3):
        state = [low if kind == 2 else high]
        step = max(1, span // 40)

        def walk() -> int:
            state[0] += rng.randint(0, step) * (1 if kind == 2 else -1)
            return min(max(state[0], low), high)

        return walk
    return lambda: rng.randint(low, high)


# ---- columns ---------------------------------------------------------------------------------------------------------


def prices(rng: Rng) -> Callable[[], Any]:
    """Return a source of prices."""
    kind = rng.randrange(4)
    if kind == 0:
        return lambda: rng.randint(1, 200) / 8
    if kind == 1:
        return lambda: rng.uniform(1e-3, 1e6)
    if kind == 2:
        return lambda: round(rng.uniform(1, 100), 2)
    level = [rng.uniform(5, 50)]

    def walk() -> float:
        level[0] = max(0.01, level[0] * (1 + rng.gauss(0, 0.01)))
        return level[0]

    return walk


PRICE_TYPES = [pl.Float64, pl.Float64, pl.Float64, pl.Float32, pl.Int64, pl.Int32, pl.UInt16, pl.UInt64]


def price_series(rng: Rng, name: str, units: Sequence[int], dtype: Any = None) -> pl.Series:
    """Draw a column of prices, of any number type."""
    dtype = dtype or rng.choice(PRICE_TYPES)
    if rng.random() < 0.01:
        return pl.Series(name, [None] * len(units), dtype=pl.Null)
    if dtype in (pl.Float64, pl.Float32):
        values = each(rng, units, lambda rng: sprinkled(rng, prices(rng), ODD_PRICES))
        if dtype == pl.Float32:
            values = [None if v is None else v if not math.isfinite(v) else max(-3e38, min(3e38, v)) for v in values]
        return pl.Series(name, values, dtype=pl.Float64).cast(dtype)
    low, high = integer_range(dtype)
    odd = [None, 0, max(low, -3), 1, 2, high]
    values = each(rng, units, lambda rng: sprinkled(rng, counting(rng, 1, min(high, 2000)), odd))
    return pl.Series(name, values, dtype=dtype)


TIME_TYPES: list[Any] = [
    pl.Int64, pl.Int64, pl.Float64, pl.Float64, pl.Int32, pl.UInt16, pl.Float32, pl.UInt64, pl.Int16,
    pl.Duration("ms"), pl.Duration("us"), pl.Duration("ns"),
    pl.Datetime("ms"), pl.Datetime("us"), pl.Datetime("ns"), pl.Datetime("us", "UTC"),
    pl.Datetime("ns", "Asia/Shanghai"), pl.Time, pl.Date,
]  # fmt: skip


def time_series(rng: Rng, name: str, units: Sequence[int], dtype: Any, span: int) -> pl.Series:
    """Draw a column of times within `span` seconds (days, of dates), of any type that tells a time."""
    early = 0 if dtype.is_unsigned_integer() or dtype == pl.Time else rng.choice([0, 0, 0, -(span // 2)])
    if dtype.is_integer():
        values = each(rng, units, lambda rng: sprinkled(rng, counting(rng, early, span), [None]))
        return pl.Series(name, values, dtype=dtype)
    if dtype.is_float():
        step = rng.choice([1, 4, 100, 1000])
        odd = [None, math.nan] if dtype == pl.Float32 else [None, math.nan, 0.1 + 0.2, 1e-9, 0.5e-9, -0.0, -1.5e-9]
        counts = each(rng, units, lambda rng: sprinkled(rng, counting(rng, early * step, span * step), odd))
        values = [value / step if isinstance(value, int) else value for value in counts]
        return pl.Series(name, values, dtype=pl.Float64).cast(dtype)
    if dtype == pl.Date:
        start = 19_724
        values = each(rng, units, lambda rng: sprinkled(rng, counting(rng, start, start + min(span, 400)), [None]))
        return pl.Series(name, values, dtype=pl.Int32).cast(pl.Date)
    per = NS // (1 if dtype == pl.Time else PER_UNIT[dtype.time_unit])
    start = early
    if isinstance(dtype, pl.Datetime):
        start += -2_000_000_000 if dtype.time_unit == "ms" else 1_704_153_600
    step = rng.choice([1, 4, 1000, per])  # of a second
    step = min(step, per)
    low, high = start * step, (start + span) * step
    counts = each(rng, units, lambda rng: sprinkled(rng, counting(rng, low, high - 1), [None]))
    values = [None if count is None else count * (per // step) for count in counts]
    return pl.Series(name, values, dtype=pl.Int64).cast(dtype)


def quantities(rng: Rng) -> Callable[[], Any]:
    """Return a source of whole quantities."""
    kind = rng.randrange(4)
    if kind == 0:
        return lambda: rng.randint(0, 12)
    if kind == 1:
        return lambda: rng.choice([100, 200, 300, 500])
    if kind == 2:
        return lambda: rng.choice([0, 1, 2, 3])
    return lambda: rng.randint(1, 120)


# ---- instruments -----------------------------------------------------------------------------------------------------

SYMBOL_TYPES: list[Any] = ["text", "text", "long text", "nul", "code", "category", "enum"]
SYMBOL_TYPES += [pl.Int64, pl.UInt16, pl.Int32, pl.UInt64, pl.Date, pl.Datetime("us"), pl.Time]


def symbols(rng: Rng, units: Sequence[int], kind: Any = None) -> Callable[[Sequence[int | None]], pl.Series]:
    """Return what writes units as symbols: text, codes, categories, numbers, times. None is a null."""
    kind = kind if kind is not None else rng.choice(SYMBOL_TYPES)
    many = max(units, default=0) + 1
    if isinstance(kind, str):
        stem = {"long text": "a symbol longer than twelve bytes, ", "code": "", "nul": "s\0"}.get(kind, "s")
        names = [f"{stem}{600_000 + unit:06d}" if kind == "code" else f"{stem}{unit}" for unit in range(many)]
        if kind == "text" and many > 2 and rng.random() < 0.3:
            names[0], names[1] = "", "日本"
        dtype: Any = {"category": pl.Categorical, "enum": pl.Enum(names)}.get(kind, pl.String)
        return lambda some: pl.Series("symbol", [None if u is None else names[u] for u in some], dtype=dtype)
    low, high = integer_range(kind) if kind in INTEGERS else (0, 40_000)
    high = min(high, 2**63 - 1)  # beyond it a key is refused
    base = rng.choice([0, low, high - many])
    whole = kind if kind in INTEGERS else pl.Int64
    return lambda some: pl.Series("symbol", [None if u is None else base + u for u in some], dtype=whole).cast(kind)


NOBODY = 1_000_000  # the unit of rows without a symbol, or a day


def instruments(rng: Rng, count: int, *, dates: bool | None = None, kind: Any = None) -> Instruments:
    """Draw how units are told apart: by symbol alone, or by symbol and date."""
    dated = rng.random() < 0.35 if dates is None else dates
    return Instruments(rng, count, dated, kind)


class Instruments:
    """Units as symbols, and dates where there are several days."""

    def __init__(self, rng: Rng, count: int, dated: bool, kind: Any) -> None:
        self.rng = rng
        self.count = count
        self.days = rng.randint(2, 4) if dated else 1
        self._names = symbols(rng, range(-(-count // self.days)), kind)
        self._spelling = rng.choice([pl.Date, pl.Date, pl.Int32, pl.String])
        self.dates: list[str] = ["20241127", "20241129", "20241224", "20241226"]  # two half days of US among them

    def frame(self, *, orphans: bool = True) -> pl.DataFrame:
        """Draw rows: `unit`, `symbol`, and `date` where there are several."""
        units = units_of(self.rng, self.count)
        lost = self.rng.choice([0.0, 0.0, 0.02]) if orphans else 0.0
        gone = [self.rng.random() < lost for _ in units]
        symbols = self._names([None if g else unit // self.days for g, unit in zip(gone, units, strict=True)])
        known = [NOBODY if g else unit for g, unit in zip(gone, units, strict=True)]
        columns = [pl.Series(UNIT, known, dtype=pl.Int64), symbols]
        if self.days > 1:
            columns.append(self.date_series([self.dates[unit % self.days] for unit in units]))
        return pl.DataFrame(columns)

    def date_series(self, dates: Sequence[str | None]) -> pl.Series:
        """Write dates as this frame spells them."""
        text = pl.Series("date", dates, dtype=pl.String)
        if self._spelling == pl.Date:
            return text.str.to_date("%Y%m%d")
        return text.cast(self._spelling)


# ---- chunks ----------------------------------------------------------------------------------------------------------


def chunk_lengths(rng: Rng, rows: int) -> list[int]:
    """Draw how a frame is cut: not at all, evenly, anyhow; at most 40 chunks."""
    kind = rng.randrange(4)
    if rows == 0 or kind == 0:
        return []
    if kind == 1:
        step = rng.choice([1, 2, 3, 7, 64, 100])
        return [min(step, rows)] * min(40, rows // step)
    out, left = [], rows
    while left > 0 and len(out) < 20:
        out.append(rng.randint(0, max(1, left // rng.randint(1, 8))))
        left -= out[-1]
    return out if left >= 0 else []


def case_of(rng: Rng, frames: dict[str, pl.DataFrame], options: dict[str, Any] | None = None) -> Case:
    """Make a case of frames, each cut into chunks anyhow."""
    whole = {name: frame.rechunk() for name, frame in frames.items()}
    chunks = {name: chunk_lengths(rng, frame.height) for name, frame in whole.items()}
    source = rng.choice(["frame", "frame", "frame", "lazy", "parquet", "ipc"])
    return Case(whole, options or {}, chunks, source, rng.choice(["in-memory", "streaming"]))
