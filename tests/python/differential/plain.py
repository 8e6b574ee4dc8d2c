"""Times as nanoseconds and keys as numbers, for peers: in Python, as Polars expressions and as SQL, each on its own.

Not for arithmetic that VizFlow is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import polars as pl

from differential.core import Case
from oracle.return_oracle import to_ns

_PER = {"ms": 1_000_000, "us": 1_000, "ns": 1}
_DAY = 86_400_000_000_000


def nanoseconds(series: pl.Series) -> list[int | None]:
    """Return a column of times as whole nanoseconds, in Python."""
    dtype = series.dtype
    if dtype.is_float():
        return [to_ns(value) for value in series.cast(pl.Float64).to_list()]
    unit = _unit(dtype)
    return [None if value is None else value * unit for value in series.cast(pl.Int64).to_list()]


def _unit(dtype: Any) -> int:
    if dtype.is_integer():
        return 1_000_000_000
    if dtype == pl.Date:
        return _DAY
    return 1 if dtype == pl.Time else _PER[dtype.time_unit]


def physical(frame: pl.DataFrame) -> pl.DataFrame:
    """Return times as integers of their unit, and categories as text: what DuckDB is handed."""
    columns = []
    for series in frame:
        if series.dtype.is_temporal():
            columns.append(series.cast(pl.Int64))
        elif isinstance(series.dtype, (pl.Categorical, pl.Enum)):
            columns.append(series.cast(pl.String))
        else:
            columns.append(series)
    return pl.DataFrame(columns)


def ns_expr(name: str, dtype: Any) -> pl.Expr:
    """Return times as whole nanoseconds, as an expression."""
    column = pl.col(name)
    if dtype.is_float():
        scaled = column.cast(pl.Float64) * 1e9
        return pl.when(scaled.is_finite()).then(scaled.round(mode="half_away_from_zero")).cast(pl.Int64)
    return column.cast(pl.Int64) * _unit(dtype)


def ns_sql(name: str, dtype: Any) -> str:
    """Return times as whole nanoseconds, in SQL over `physical` columns."""
    if dtype.is_float():
        value = f"CAST({name} AS DOUBLE)"
        return f"CASE WHEN isfinite({value}) THEN CAST(round({value} * 1e9, 0) AS BIGINT) END"
    return f"CAST({name} AS BIGINT) * {_unit(dtype)}"


def seconds_ns(value: float | int | None) -> int | None:
    """Return an option in seconds as nanoseconds."""
    return None if value is None else round(value * 1_000_000_000)


def is_price(value: float | int | None) -> bool:
    """Return whether a price is one."""
    return value is not None and math.isfinite(value) and 0 < value < 1e300


def price_expr(name: str) -> pl.Expr:
    """Return the price where it is one, as an expression."""
    price = pl.col(name).cast(pl.Float64)
    return pl.when(price.is_finite() & (price > 0) & (price < 1e300)).then(price)


def price_sql(name: str) -> str:
    """Return the price where it is one, in SQL."""
    price = f"CAST({name} AS DOUBLE)"
    return f"CASE WHEN isfinite({price}) AND {price} > 0 AND {price} < 1e300 THEN {price} END"


_LARGEST = {
    pl.Float32: 3.4028234663852886e38,
    pl.Int32: 2**31 - 1,
    pl.UInt32: 2**32 - 1,
    pl.Int64: 2**63 - 1,
    pl.UInt64: 2**64 - 1,
}


def without_sentinels(peer: Callable[[Case], Any], *columns: str) -> Callable[[Case], Any]:
    """Hand a peer null for what is no price (not finite, not above zero, 1e300 and more, its type's largest value).

    What it answers that is not finite is null, too.
    """

    def cleaned(column: pl.Series) -> pl.Series:
        value, largest = column.cast(pl.Float64), _LARGEST.get(type(column.dtype))
        good = value.is_finite() & (value > 0) & (value < 1e300)
        if largest is not None:
            good &= column < largest
        return column.to_frame().select(pl.when(good).then(pl.col(column.name)))[column.name]

    def ask(case: Case) -> Any:
        frames = {
            name: frame.with_columns(cleaned(frame[column]) for column in columns if column in frame.columns)
            for name, frame in case.frames.items()
        }
        out = peer(case.but(frames=frames))
        if not isinstance(out, pl.DataFrame):
            return out
        floats = [name for name, dtype in out.schema.items() if dtype.is_float()]
        return out.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)) for name in floats)

    return ask
