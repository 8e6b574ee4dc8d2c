"""Columns of another frame at times relative to each row's. Not for returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

import polars as pl

import vizflow._core as _core
from vizflow.dates import Day
from vizflow.errors import ConfigError
from vizflow.lazy.frames import Frame, as_lazy, require, require_new, threads
from vizflow.lazy.two_pass import batches, source
from vizflow.market import Market
from vizflow.numbers import real
from vizflow.ops.columns import ELAPSED, FLOAT32_NONE, METHODS, SECOND, check_time, collect, once, slices
from vizflow.ops.forward import Gaps, Method, before_end, day_end, left_of
from vizflow.schema.groups import Names, paired


def merge_forward(
    df: Frame,
    quotes: Frame,
    columns: Sequence[str],
    horizons: Sequence[float] = (0,),
    time_col: str = ELAPSED,
    symbol_col: Names = "symbol",
    *,
    method: Method = "backward",
    tolerance: float | None = None,
    end: float | Market | None = None,
    strict: bool = False,
    past_last: Literal["null", "keep"] = "null",
    gaps: Gaps = "null",
    date: Day | None = None,
    date_col: str | None = "date",
) -> pl.LazyFrame:
    """Add columns of a quote frame as they are at t + h: ``{col}_{h}`` for each of `columns` and `horizons`.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, in any row order.
    quotes
        Frame to look up in, in any row order, with `time_col`, `symbol_col` and `columns`. Those columns are held in
        memory. Both frames have the column ``date``, or neither; or `date` says of which day the one without it is.
    columns
        Columns of `quotes`, of any type.
    horizons
        Seconds from the row's own time, each once: positive ahead, negative back, 0 as of the row. Names are
        ``mid_60``, ``mid_0``, ``mid_-60``, ``mid_0.5``.
    time_col
        In both frames: seconds (integer or float), Duration, Time, Datetime or Date.
    symbol_col
        In both frames: instrument: a column's name, a list of names, or None for one instrument. A column ``date``
        separates days too: days never mix.
    method
        Which quote: ``"backward"`` the last at or before t + h, ``"forward"`` the first at or after, ``"nearest"`` the
        closest (a tie takes the earlier).
    tolerance
        Seconds that the quote may lie from t + h; None for no limit.
    end
        Nothing is looked up at a t + h past it: seconds in `time_col`'s terms, or a `Market`, the end of whose day
        counts, as in `forward_return`: of each row's ``date``, of `date`, or else its usual one.
    strict
        A quote exactly at t + h does not count: with ``horizons=[0]``, only what was known before.
    past_last
        What h > 0 gives where t + h is past the symbol's last quote: ``"null"``, as `forward_return`, for what comes
        then is not known; or ``"keep"``, the quote that the method finds. For h <= 0 the last quote is known, and kept.
    gaps
        What a quote without a value in one of `columns` is: ``"null"``, a quote like any other, which gives null; or
        ``"bridge"``, none at all for that column, so that the quote before it (or after it: `method`) is taken, as
        `forward_return` does unless told otherwise (its example shows both). The default differs because a column here
        need not be a price: that there is no value may be what is asked for.
    date
        Trading day of all rows of a frame without ``date``: for `end`, a `Market`, and to look up in a frame that has
        the column (or where only `df` has it: each of its rows must then be of that day).
    date_col
        Column of the day; ``"date"`` need not be there. None: no column of the frames is a day.

    Returns
    -------
    LazyFrame
        The input's rows in their order, its columns unchanged, and for each horizon in order one column for each of
        `columns`, in the type it has in `quotes`. A quote is a row with a symbol (and date) and a time; of equal times
        the last row wins, also where its value is null (`gaps` has it otherwise). Null where the row's own symbol or
        time is null, and where no quote is found. Of columns of floats NaN, infinities and numbers of 1e300 and more
        (Float32: its largest), which vendors write where there is no price, are null; zero and numbers below it are
        not, since a column need not be a price: `mid` knows of these.

    Raises
    ------
    SchemaError
        A column is missing, of another type, or would be overwritten.
    ConfigError
        No column, no horizon, or one given twice; another option not accepted.
    DataError, CalendarRangeError
        When collected, ``end`` being a `Market`: a ``date`` is not traded, or not known (count and row: the batch's).

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> trades = pl.DataFrame({"symbol": ["a", "a"], "elapsed_seconds": [10, 70]})
    >>> quotes = pl.DataFrame({"symbol": ["a"] * 3, "elapsed_seconds": [0, 60, 120], "mid": [10.0, 10.5, 11.0]})
    >>> vf.merge_forward(trades, quotes, ["mid"], [-10, 0, 60]).collect()
    shape: (2, 5)
    ┌────────┬─────────────────┬─────────┬───────┬────────┐
    │ symbol ┆ elapsed_seconds ┆ mid_-10 ┆ mid_0 ┆ mid_60 │
    │ ---    ┆ ---             ┆ ---     ┆ ---   ┆ ---    │
    │ str    ┆ i64             ┆ f64     ┆ f64   ┆ f64    │
    ╞════════╪═════════════════╪═════════╪═══════╪════════╡
    │ a      ┆ 10              ┆ 10.0    ┆ 10.0  ┆ 10.5   │
    │ a      ┆ 70              ┆ 10.5    ┆ 10.5  ┆ null   │
    └────────┴─────────────────┴─────────┴───────┴────────┘
    """
    lf, seen = as_lazy(df), as_lazy(quotes)
    schema, quote_schema = lf.collect_schema(), seen.collect_schema()
    wanted_columns = _check_columns(columns)
    seconds = _check_horizons(horizons)
    groups, quoted = paired(schema, quote_schema, symbol_col, date_col, date, ("symbol_col", "df", "quotes"))
    for one, option in ((schema, "df"), (quote_schema, "quotes")):
        check_time(one, time_col, f"time_col of {option}")
    require(quote_schema, wanted_columns, "quotes")
    added = {f"{name}_{_seconds(h)}": (name, i) for i, h in enumerate(seconds) for name in wanted_columns}
    require_new(schema, added, "merge_forward")
    end_ns, left = day_end(end, date, schema, time_col, groups)
    if gaps not in ("bridge", "null"):
        raise ConfigError(f"gaps is {gaps!r}; 'null' or 'bridge' is accepted")
    options = _asof_options(seconds, method, tolerance, end_ns, strict, past_last)

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        new = [name for name in wanted if name in added]
        if not new:
            yield from batches(lf.select(wanted))
            return
        held = once(*(added[name][0] for name in new))
        table = collect(seen.select(once(time_col, *quoted.names, *held)))
        reading, read = quoted.reading(), groups.reading()
        order = [table[time_col], *reading.keys(table)]
        reading.done()
        looks = _lookups(order, {name: _known(table[name]) for name in held}, options, bridge=gaps == "bridge")
        del table, order
        needed = once(time_col, *groups.names, *(name for name in wanted if name not in added))
        for part in slices(lf.select(needed)):
            asked, found = [part[time_col], *read.keys(part)], {}
            for index, values in looks:
                rows = [pl.Series(column) for column in index.find(asked)]
                if left is not None:
                    room = left_of(part, left)
                    rows = [before_end(one, room, h) for one, h in zip(rows, options["horizons_ns"], strict=True)]
                for name in new:
                    column, i = added[name]
                    if column in values:
                        found[name] = values[column].gather(rows[i]).alias(name)
            yield pl.DataFrame([found[name] if name in found else part[name] for name in wanted])

    out = {**schema, **{name: quote_schema[column] for name, (column, _) in added.items()}}
    return source(produce, out, "merge_forward", lf)


def _known(column: pl.Series) -> pl.Series:
    """Null what is no number in a column of floats: NaN, infinities, and what vendors write for "none"."""
    if not column.dtype.is_float():
        return column.rechunk()
    value = pl.col("value")
    most = pl.lit(FLOAT32_NONE if column.dtype == pl.Float32 else 1e300)
    known = column.alias("value").to_frame().select(pl.when(value.is_finite() & (value.abs() < most)).then(value))
    return known.to_series().rechunk()


def _lookups(
    order: Sequence[pl.Series], columns: dict[str, pl.Series], options: dict[str, Any], *, bridge: bool
) -> list[tuple[_core.Asof, dict[str, pl.Series]]]:
    """Make an index of the quotes with what they hold; where gaps are bridged, one for each column's own quotes."""
    out = []
    for names in [[name] for name in columns] if bridge else [list(columns)]:
        there = columns[names[0]].is_not_null() if bridge else None
        index = _core.Asof(**options)
        index.observe([*order] if there is None else [one.filter(there) for one in order])
        index.finish()
        held = {name: columns[name] if there is None else columns[name].filter(there) for name in names}
        out.append((index, held))
    return out


def _check_columns(columns: Sequence[str]) -> list[str]:
    if isinstance(columns, str):
        raise ConfigError(f"columns is a list of names, for example [{columns!r}]")
    names = list(columns)
    if not names:
        raise ConfigError("columns is empty; names of columns of `quotes` are needed")
    if len(set(names)) < len(names):
        raise ConfigError(f"columns names one twice: {names}")
    return names


def _check_horizons(horizons: Sequence[float]) -> list[float]:
    if real(horizons) is not None:
        raise ConfigError(f"horizons is a list of seconds, for example [{horizons}]")
    seconds = []
    for given in horizons:
        h = real(given)
        if h is None or not abs(h) < 1e9:
            raise ConfigError(f"horizon {given!r}: a number of seconds above -1e9 and below 1e9 is accepted")
        seconds.append(h)
    if not seconds:
        raise ConfigError("horizons is empty; seconds such as [-60, 0, 60] are accepted")
    seen: set[int] = set()
    for h in seconds:
        if (round(h * SECOND) == 0) != (h == 0):
            raise ConfigError(f"horizon {h!r} is less than a nanosecond")
        if round(h * SECOND) in seen:
            raise ConfigError(f"horizon {h!r} is given twice")
        seen.add(round(h * SECOND))
    return [h + 0 for h in seconds]  # -0.0 is 0.0


def _seconds(h: float) -> str:
    return str(int(h)) if h == int(h) else repr(float(h))


def _asof_options(
    seconds: list[float],
    method: str,
    tolerance: float | None,
    end_ns: int,
    strict: bool,
    past_last: str,
) -> dict[str, Any]:
    if method not in METHODS:
        raise ConfigError(f"method is {method!r}; 'backward', 'forward' or 'nearest' is accepted")
    if past_last not in ("null", "keep"):
        raise ConfigError(f"past_last is {past_last!r}; 'null' or 'keep' is accepted")
    within = real(tolerance)
    if tolerance is not None and (within is None or not 0 <= within < 1e9):
        raise ConfigError(f"tolerance is {tolerance!r}; seconds from 0 to below 1e9, or None, are accepted")
    return {
        "horizons_ns": [round(h * SECOND) for h in seconds],
        "method": METHODS[method],
        "tolerance_ns": -1 if within is None else round(within * SECOND),
        "end_ns": end_ns,
        "strict": strict,
        "past_last": past_last == "keep",
        "unique": False,
        "n_threads": threads(),
    }
