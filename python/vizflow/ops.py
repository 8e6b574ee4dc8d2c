"""The operations of a day's pipeline: clock, returns, bins, aggregation. LazyFrame in, LazyFrame out.

They check names and build plans; every number is computed in C. Not for stateful matching: `vizflow.enrichment`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Literal, TypeAlias

import polars as pl

from vizflow import _core, _partial
from vizflow._metrics import Job, make_job
from vizflow._plans import Frame, as_lazy, column_type, plugin, require, require_new, threads
from vizflow._states import frame_of
from vizflow._stream import (
    GROUPED_ROWS,
    Function,
    ahead,
    batches,
    gathered,
    is_direct,
    origin,
    rows,
    source,
    two_pass,
    with_columns,
    with_function,
)
from vizflow.errors import ConfigError, SchemaError, near_names, translated
from vizflow.market import Day, Market, Outside, _check_outside, grace_nanoseconds

__all__ = ["aggregate", "bin", "forward_return", "mid", "near_integer", "parse_time", "time_report"]

TimeUnit: TypeAlias = Literal["HHMMSS", "HHMMSSmmm", "s", "ms", "us", "ns"]
Method: TypeAlias = Literal["backward", "forward", "nearest"]

_OUTSIDE = {"null": 0, "clip": 1, "raise": 2}
_LAYOUTS = {None: 0, "HHMMSS": 1, "HHMMSSmmm": 2}
_EPOCHS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_METHODS = {"backward": 0, "forward": 1, "nearest": 2}
_INTEGER_FORMATS: dict[type[pl.DataType], str] = {
    pl.Int8: "c", pl.Int16: "s", pl.Int32: "i", pl.Int64: "l",
    pl.UInt8: "C", pl.UInt16: "S", pl.UInt32: "I", pl.UInt64: "L",
}  # fmt: skip
_SECOND = 1_000_000_000
_YEAR_10000 = 253_402_300_800  # in seconds since 1970
_NO_END = 2**63 - 1
ELAPSED = "elapsed_seconds"

# ---- time -------------------------------------------------------------------------------------------------------


def parse_time(
    df: Frame,
    market: Market | str,
    timestamp_col: str = "timestamp",
    *,
    unit: TimeUnit | None = None,
    outside: Outside = "null",
    grace: float = 0,
    date: Day | None = None,
    date_col: str | None = None,
) -> pl.LazyFrame:
    """Add ``elapsed_seconds``: trading time since the first session's start, sessions joined end to end.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``.
    market
        A `Market`, or the name of a preset.
    timestamp_col
        Datetime (a zone is converted to the market's; without one it is local time), Time, String (ISO 8601, local) or
        an integer column.
    unit
        What integers are: ``"HHMMSS"``, ``"HHMMSSmmm"`` (93012145 is 09:30:12.145), or time since the Unix epoch in
        ``"s"``, ``"ms"``, ``"us"``, ``"ns"``. None takes 7 to 9 digits for HHMMSSmmm and up to 6 for HHMMSS, and raises
        where a value could be either or a column has both: give `unit` where you know it. A time since the epoch
        that lies past the year 9999 (a wrong unit) is null.
    outside
        What a time in no session becomes: ``"null"``, ``"clip"`` (the nearest session end) or ``"raise"``. Impossible
        digits (99:99) are null, or raise under ``"raise"``. `time_report` counts them.
    grace
        Seconds within which a time outside is moved to the session's end, whatever `outside` says: with 300, CN's
        09:25 auction print is 0.
    date
        Trading day of all rows, ``YYYYMMDD`` or a date: its own sessions count (`Market.sessions_on`), so half days,
        late openings and the hours of earlier years are right. Without `date` and `date_col` the market's usual
        sessions count on every day.
    date_col
        Column of each row's trading day, in place of `date`: Date, Datetime, strings or integers YYYYMMDD (see
        `vizflow.calendar.as_date`). A null day gives null. The day a night session belongs to is the next trading day.

    Returns
    -------
    LazyFrame
        The input's rows and columns, and ``elapsed_seconds``: Float64 where the type of `timestamp_col` can carry
        fractions of a second, Int64 where it cannot (``Datetime`` has them; integers of unit HHMMSS and s do not).
        Null where the input is null.

    Raises
    ------
    SchemaError
        The column is missing or of another type, or ``elapsed_seconds`` is there already.
    ConfigError
        An option is not accepted.
    DataError
        When collected: times outside under ``outside="raise"``, ambiguous digits, a day in `date_col` that is not
        traded (count and row are the batch's). From a bare ``collect()`` Polars raises its ``ComputeError`` with the
        same text.
    CalendarRangeError
        A day lies outside what the market's calendar knows.

    Notes
    -----
    ``elapsed = offset of the session + (time - start)``; 11:30:00 and 13:00:00 are both 7200 in CN, so nothing should
    rest its order on elapsed time alone.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"ticktime": [93000000, 112959500, 120000000, 130000000, 150000000]})
    >>> vf.parse_time(df, vf.CN, "ticktime", unit="HHMMSSmmm").collect()
    shape: (5, 2)
    ┌───────────┬─────────────────┐
    │ ticktime  ┆ elapsed_seconds │
    │ ---       ┆ ---             │
    │ i64       ┆ f64             │
    ╞═══════════╪═════════════════╡
    │ 93000000  ┆ 0.0             │
    │ 112959500 ┆ 7199.5          │
    │ 120000000 ┆ null            │
    │ 130000000 ┆ 7200.0          │
    │ 150000000 ┆ 14400.0         │
    └───────────┴─────────────────┘
    """
    lf = as_lazy(df)
    market = Market.get(market)
    report = {"unit": unit, "grace": grace, "date": date, "date_col": date_col}
    _partial.note_times(lf, partial(time_report, lf, market, timestamp_col, **report))  # type: ignore[arg-type]
    schema = lf.collect_schema()
    dtype = column_type(schema, timestamp_col, "timestamp_col")
    require_new(schema, [ELAPSED], "parse_time")
    _check_outside(outside)
    local = _local_time(pl.col(timestamp_col), dtype, market, unit)
    options: dict[str, Any] = {
        "outside": _OUTSIDE[outside],
        "grace_ns": grace_nanoseconds(grace),
        "layout": _LAYOUTS.get(unit, 0),
        "whole": outside == "raise" or (unit is None and dtype.is_integer()),
    }
    if date_col is not None:
        if date is not None:
            raise ConfigError("parse_time takes date or date_col, not both")
        day = _local_day(date_col, column_type(schema, date_col, "date_col"), market)
    if date_col is not None and market._calendar_text is not None:
        elapsed = plugin("clock_elapsed_on", [local, day], calendar=market._calendar_text, **options)
    else:
        bounds = market.bounds_ns if date is None else market.bounds_on(date)
        elapsed = plugin("clock_elapsed", [local], sessions=[edge for session in bounds for edge in session], **options)
    if unit == "s":
        elapsed = elapsed.cast(pl.Int64)
    return lf.with_columns(elapsed.alias(ELAPSED))


def _local_day(name: str, dtype: pl.DataType, market: Market, option: str = "date_col") -> pl.Expr:
    """Give a column of days as Date."""
    column = pl.col(name)
    if dtype == pl.Date:
        return column
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        column = column.dt.convert_time_zone(market._zone()).dt.replace_time_zone(None)
    elif not (isinstance(dtype, (pl.Datetime, pl.String, pl.Null)) or dtype.is_integer()):
        raise SchemaError(
            f"{option} {name!r} is {dtype}; Date, Datetime, strings or integers YYYYMMDD are accepted", column=name
        )
    return plugin("date_parse", [column])


def _local_time(column: pl.Expr, dtype: pl.DataType, market: Market, unit: str | None) -> pl.Expr:
    """Give the column in a form the C clock reads: local time without a zone, digits, or text."""
    if dtype.is_integer():
        if unit not in _LAYOUTS and unit not in _EPOCHS:
            raise ConfigError(f"unit is {unit!r}; 'HHMMSS', 'HHMMSSmmm', 's', 'ms', 'us', 'ns' or None is accepted")
        if unit not in _EPOCHS:
            return column
        last = min(_YEAR_10000 * _EPOCHS[unit], _NO_END)  # beyond it the unit is wrong, and Polars panics
        count = column.cast(pl.Int64, strict=False)
        count = pl.when(count.is_between(-last, last)).then(count)
        stamp = (
            (count * 1000).cast(pl.Datetime("ms"))
            if unit == "s"
            else count.cast(
                pl.Datetime(unit)  # type: ignore[arg-type]
            )
        )
        return stamp.dt.replace_time_zone("UTC").dt.convert_time_zone(market._zone()).dt.replace_time_zone(None)
    if not isinstance(dtype, (pl.Datetime, pl.Time, pl.String, pl.Null)):
        raise SchemaError(
            f"timestamp_col is {dtype}; Datetime, Time, String and integers are accepted, so cast it first"
            + (" (a Date has no time of day)" if dtype == pl.Date else ""),
            column=column.meta.output_name(),
        )
    if unit is not None:
        raise ConfigError(f"unit={unit!r} says what integers are, but the timestamp column is {dtype}; leave it out")
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.convert_time_zone(market._zone()).dt.replace_time_zone(None)
    return column


def time_report(
    df: Frame,
    market: Market | str,
    timestamp_col: str = "timestamp",
    *,
    unit: TimeUnit | None = None,
    grace: float = 0,
    date: Day | None = None,
    date_col: str | None = None,
) -> dict[str, int]:
    """Count what `parse_time` makes of a column: collects that column, and `date_col`.

    The parameters are those of `parse_time`: `df`, `market`, `timestamp_col`, `unit`, `grace`, `date`, `date_col`.

    Returns
    -------
    dict
        ``rows``; ``null`` in the input, the time or its day; ``invalid`` (impossible digits or text); ``outside``
        every session, of which those within `grace` seconds of one are moved into it.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> vf.time_report(pl.DataFrame({"t": [93000, 120000, 999999, None]}), vf.CN, "t", unit="HHMMSS")
    {'rows': 4, 'null': 1, 'invalid': 1, 'outside': 1}

    By the hours of a half day, 14:00 is outside:

    >>> vf.time_report(pl.DataFrame({"t": [100000, 140000]}), vf.US, "t", unit="HHMMSS", date="20241129")
    {'rows': 2, 'null': 0, 'invalid': 0, 'outside': 1}
    """
    lf = as_lazy(df)
    market = Market.get(market)
    schema = lf.collect_schema()
    local = _local_time(pl.col(timestamp_col), column_type(schema, timestamp_col, "timestamp_col"), market, unit)
    if date is not None and date_col is not None:
        raise ConfigError("time_report takes date or date_col, not both")
    wanted = [local.alias("time")]
    if date_col is not None:
        wanted.append(_local_day(date_col, column_type(schema, date_col, "date_col"), market).alias("day"))
    with translated():
        columns = lf.select(wanted).collect(engine="streaming")
    layout = _LAYOUTS.get(unit, 0)
    calendar = market._dated() if date_col is not None else None
    if calendar is not None:
        times, days = columns["time"].alias(timestamp_col), columns["day"].alias(date_col or "")
        counts = calendar.report(times, days, grace_nanoseconds(grace), layout)
    else:
        bounds = market.bounds_ns if date is None else market.bounds_on(date)
        times = columns["time"].alias(timestamp_col)
        _, counts = _core.clock_elapsed(times, bounds, _OUTSIDE["null"], grace_nanoseconds(grace), layout)
    return dict(zip(("rows", "null", "invalid", "outside"), counts, strict=True))


# ---- prices -----------------------------------------------------------------------------------------------------


def mid(bid: str | pl.Expr, ask: str | pl.Expr) -> pl.Expr:
    """Middle of a book, ``(bid + ask) / 2``: Float64, null where either side is null, NaN, infinite, or not above zero.

    A one-sided book (a stock at its price limit) has no mid; half of the other side would be a wrong number.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> book = pl.DataFrame({"BidPrice1": [9.99, 10.0, 0.0], "AskPrice1": [10.01, None, 11.0]})
    >>> book.select(mid=vf.mid("BidPrice1", "AskPrice1"))["mid"].to_list()
    [10.0, None, None]
    """
    sides = [pl.col(side) if isinstance(side, str) else side for side in (bid, ask)]
    return plugin("mid", sides)


def near_integer(
    column: str | pl.Expr, dtype: type[pl.DataType] | pl.DataType = pl.Int64, *, tolerance: float = 1e-6
) -> pl.Expr:
    """Cast floats that are integers but for noise: 1.00000002 is 1; 125.5 is an error, never 125 or 126.

    Parameters
    ----------
    column
        Float column; null stays null.
    dtype
        Integer type of the result.
    tolerance
        How far from an integer a value may lie, relative to ``max(1, |value|)``; 0 <= tolerance < 0.5. Never further
        than 0.001, or `tolerance` itself where that is more: 1500000.5 is no integer, whatever is relative about it.

    Raises
    ------
    DataError
        When collected: values that are no integers, NaN, infinite, or do not fit, with count and first row. Those are
        the batch's where the streaming engine hands rows over in batches; `run` and `load` give the file's.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> pl.DataFrame({"qty": [1.00000002, 0.99999998, None]}).select(vf.near_integer("qty"))["qty"].to_list()
    [1, 1, None]
    """
    base = dtype if isinstance(dtype, type) else type(dtype)
    if base not in _INTEGER_FORMATS:
        raise ConfigError(f"near_integer casts to an integer type, not to {dtype}")
    if not 0 <= tolerance < 0.5:
        raise ConfigError(f"tolerance is {tolerance!r}; 0 <= tolerance < 0.5 is accepted")
    expr = pl.col(column) if isinstance(column, str) else column
    return plugin("cast_integer", [expr], format=_INTEGER_FORMATS[base], tolerance=float(tolerance))


# ---- returns ----------------------------------------------------------------------------------------------------


def forward_return(
    df: Frame,
    horizons: Sequence[float],
    price_col: str = "price",
    time_col: str = ELAPSED,
    symbol_col: str = "symbol",
    *,
    method: Method = "backward",
    tolerance: float | None = None,
    end: float | Market | None = None,
    prices: Frame | None = None,
    date: Day | None = None,
) -> pl.LazyFrame:
    """Add ``return_{h}`` for each horizon: ``p(t + h) / p(t) - 1``.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, in any row order.
    horizons
        Seconds, positive, each once; fractions make names such as ``return_0.5``.
    price_col
        The row's own price p(t); any number. Without `prices` also where p(t + h) is looked up.
    time_col
        Seconds (integer or float), Duration, Time, Datetime or Date.
    symbol_col
        Instrument. A column ``date``, where the frame has one, separates days too: days never mix.
    method
        Which observation is p(t + h): ``"backward"`` the last at or before t + h, ``"forward"`` the first at or after,
        ``"nearest"`` the closest (a tie takes the earlier).
    tolerance
        Seconds that the observation may lie from t + h; None for no limit.
    end
        No return reaches past it: seconds in `time_col`'s terms, or a `Market`, the end of whose day counts: that of
        each row's ``date`` where the frame has that column, that of `date` where it is given (`Market.end_on`), so no
        return reaches past the end of a half day; else the market's usual length. ``end=market.seconds`` is its usual
        length on every day.
    prices
        A second frame, quotes for example, with `symbol_col`, `time_col`, `price_col` (and ``date``), to look up
        p(t + h) in.
    date
        Trading day of all rows of a frame without ``date``, for `end`, a `Market`.

    Returns
    -------
    LazyFrame
        The input's rows in their order, its columns unchanged, and a Float64 column a horizon. Observations are rows
        with a finite price above 0 and a time; the last row wins among equal times. Null when t + h is past the
        symbol's last observation or `end` (a late trade is never priced with the day's last quote), when the
        observation is out of `tolerance`, when there is none, or when the row's own price or time is not valid.

    Raises
    ------
    SchemaError
        A column is missing, of another type, or ``return_{h}`` is there already.
    ConfigError
        No horizon, one that is not positive, or one given twice; another option not accepted.
    DataError, CalendarRangeError
        When collected, ``end`` being a `Market`: a ``date`` is not traded, or not known (count and row: the batch's).
    ReplayError
        When collected: the input gave other rows when read a second time; ``.collect()`` it first.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"symbol": ["a"] * 4, "elapsed_seconds": [0, 60, 90, 150], "price": [100.0, 101, 102, 99]})
    >>> vf.forward_return(df, [60]).collect()["return_60"].to_list()
    [0.010000000000000009, 0.00990099009900991, -0.02941176470588236, None]
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    seconds = _check_horizons(horizons)
    names = [f"return_{_spell(h)}" for h in seconds]
    keys = [symbol_col, *(["date"] if "date" in schema and symbol_col != "date" else [])]
    _check_observations(schema, price_col, time_col, symbol_col)
    require_new(schema, names, "forward_return")
    if method not in _METHODS:
        raise ConfigError(f"method is {method!r}; 'backward', 'forward' or 'nearest' is accepted")
    number = isinstance(tolerance, (int, float)) and not isinstance(tolerance, bool)
    if tolerance is not None and not (number and 0 <= tolerance < 1e9):
        raise ConfigError(f"tolerance is {tolerance!r}; seconds >= 0, or None, are accepted")
    end_ns, left = _day_end(end, date, schema, time_col, keys)
    quotes = None
    if prices is not None:
        quotes = as_lazy(prices)
        require(quotes.collect_schema(), [price_col, time_col, *keys], "prices")
        _check_observations(quotes.collect_schema(), price_col, time_col, symbol_col)
    options: dict[str, Any] = {
        "horizons_ns": [round(h * _SECOND) for h in seconds],
        "method": _METHODS[method],
        "tolerance_ns": -1 if tolerance is None else round(tolerance * _SECOND),
        "end_ns": end_ns,
        "quotes": quotes is not None,
        "names": "".join(name + "\0" for name in names).encode(),
        "n_threads": threads(),
    }
    columns = [time_col, price_col, *keys]

    def marked(frame: pl.LazyFrame) -> pl.LazyFrame:
        return two_pass(
            frame,
            lambda wanted: _MarkStep(columns, names, options, quotes, left),
            schema={**frame.collect_schema(), **dict.fromkeys(names, pl.Float64())},
            added=names,
            name="forward_return",
            one_to_one=True,
        )

    under = origin(lf)
    if under is None or not set(columns) <= set(under.frame.collect_schema()):
        return marked(lf)
    # The frame repeats rows (FIFO pieces). Neighbours that are the same observation change no return, so the rows are
    # marked before they are repeated: the same result from fewer rows.
    return under.rebuild(marked(under.frame), [*schema.names(), *names])


def _check_observations(schema: pl.Schema, price_col: str, time_col: str, symbol_col: str) -> None:
    price = column_type(schema, price_col, "price_col")
    time = column_type(schema, time_col, "time_col")
    symbol = column_type(schema, symbol_col, "symbol_col")
    if not (price.is_integer() or price.is_float() or price == pl.Null):
        raise SchemaError(f"price_col {price_col!r} is {price}; a number is needed, so cast it first", column=price_col)
    if not (time.is_integer() or time.is_float() or time.is_temporal() or time == pl.Null):
        raise SchemaError(
            f"time_col {time_col!r} is {time}; seconds, Duration, Time, Datetime and Date are accepted", column=time_col
        )
    if symbol.is_float() or symbol.is_nested() or symbol.is_decimal():
        raise SchemaError(
            f"symbol_col {symbol_col!r} is {symbol}; integers, strings, categoricals, booleans and temporal types are "
            "accepted",
            column=symbol_col,
        )


def _check_horizons(horizons: Sequence[float]) -> list[float]:
    if isinstance(horizons, (int, float)):
        raise ConfigError(f"horizons is a list of seconds, for example [{horizons}]")
    if not horizons:
        raise ConfigError("horizons is empty; seconds such as [60, 300] are accepted")
    for h in horizons:
        if isinstance(h, bool) or not isinstance(h, (int, float)) or not 0 < h < 1e9 or round(h * _SECOND) == 0:
            raise ConfigError(f"horizon {h!r}: a positive number of seconds is accepted")
    seen: set[int] = set()
    for h in horizons:
        if round(h * _SECOND) in seen:
            raise ConfigError(f"horizon {h!r} is given twice")
        seen.add(round(h * _SECOND))
    return list(horizons)


def _spell(seconds: float) -> str:
    return str(int(seconds)) if seconds == int(seconds) else repr(float(seconds))


def _day_end(
    end: float | Market | None, date: Day | None, schema: pl.Schema, time_col: str, keys: Sequence[str]
) -> tuple[int, pl.Expr | None]:
    """Give the end of all rows' days in ns; or, where each row's ``date`` has its own, what is left of it (ns)."""
    dated = "date" in keys[1:]  # the first is the symbol
    if isinstance(end, Market):
        if isinstance(schema[time_col], (pl.Datetime, pl.Date, pl.Time)):
            raise ConfigError(
                f"end={end.name} counts trading time from the open, and time_col {time_col!r} is {schema[time_col]}; "
                "take elapsed_seconds, which parse_time gives, or leave end out"
            )
        if date is not None and dated:
            raise ConfigError(f"date={date!r} is given, but the frame has a column 'date'; leave one out")
        if date is not None:
            return end.end_on(date) * _SECOND, None
        text = end._calendar_text if dated else None
        if text is None:
            return end.seconds * _SECOND, None
        day = _local_day("date", schema["date"], end, f"end={end.name} (end={end.name}.seconds reads no dates): column")
        return _NO_END, plugin("clock_left_on", [pl.col(time_col), day], calendar=text)
    if date is not None:
        raise ConfigError("date says how long a market is traded: give end=, the Market")
    if end is None:
        return _NO_END, None
    if isinstance(end, bool) or not isinstance(end, (int, float)) or not math.isfinite(end) or abs(end) > 9e9:
        raise ConfigError(f"end is {end!r}; seconds, a Market, or None are accepted")
    return round(end * _SECOND), None


def _before_end(values: pl.Series, left: pl.Series, horizon_ns: int) -> pl.Series:
    """Null the values of rows whose t + h lies past their day's end, of which `left` ns are left."""
    both = pl.DataFrame([values.alias("values"), left.alias("left")])
    kept = both.select(pl.when(pl.col("left") >= horizon_ns).then(pl.col("values")))
    return kept.to_series().alias(values.name)


def _left(batch: pl.DataFrame, left: pl.Expr) -> pl.Series:
    with translated():
        return batch.select(left).to_series()


class _MarkStep:
    """`forward_return` for `two_pass`."""

    def __init__(
        self,
        columns: list[str],
        names: list[str],
        options: dict[str, Any],
        quotes: pl.LazyFrame | None,
        left: pl.Expr | None,
    ) -> None:
        self.columns = list(dict.fromkeys(columns))
        self._left = left
        self._horizons: dict[str, int] = dict(zip(names, options["horizons_ns"], strict=True))
        self._order = columns
        self._names = names
        self._quotes = quotes
        self._mark = _core.Mark(**options)

    def covers(self, wanted: Sequence[str]) -> bool:
        return True

    def learn(self, batch: pl.DataFrame) -> None:
        self._mark.update([batch[name] for name in self._order])

    def learnt(self) -> None:
        if self._quotes is not None:
            for batch in batches(self._quotes.select(self.columns)):
                self._mark.observe([batch[name] for name in self._order])
        self._mark.finish()

    def emit(self, batch: pl.DataFrame, row: int, wanted: list[str]) -> Callable[[], pl.DataFrame]:
        again = [batch[name] for name in self._order]
        found = zip(self._names, self._mark.emit(row, batch.height, again), strict=True)
        returns = {name: pl.Series(name, column) for name, column in found if name in wanted}
        return lambda: self._marked(batch, returns, wanted)

    def _marked(self, batch: pl.DataFrame, found: Mapping[str, pl.Series], wanted: list[str]) -> pl.DataFrame:
        returns = found
        if self._left is not None and returns:
            left = _left(batch, self._left)
            returns = {name: _before_end(values, left, self._horizons[name]) for name, values in returns.items()}
        return pl.DataFrame([returns[name] if name in returns else batch[name] for name in wanted])

    def emitted(self) -> None:
        self._mark.replayed()


# ---- bins -------------------------------------------------------------------------------------------------------


def bin(df: Frame, widths: Mapping[str, float], *, snap: bool = False) -> pl.LazyFrame:
    """Add ``{col}_bin``: the number of the bin that a value falls in, ``round(value / width)``, half to even.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``.
    widths
        Column name to bin width, finite and above 0.
    snap
        Count a quotient within 4 ulp of a half as that half: 0.00015 / 1e-4 is 1.4999999999999998 in floating point,
        and bin 2 with `snap`, 1 without.

    Returns
    -------
    LazyFrame
        The input, and an Int64 column for each of `widths`: bit-equal to ``(x / w).round().cast(pl.Int64)`` on finite
        values without `snap`, where ``w`` is a column. (Polars divides a column by a number by multiplying it with the
        number's reciprocal, but for chunks of one row, so at a boundary its bin depends on the chunks.) Null, NaN and
        infinities give null. ``bin * width`` is the bin's centre.

    Raises
    ------
    SchemaError
        A column is missing or not numeric, or ``{col}_bin`` is there already.
    ConfigError
        A width is not finite and positive.
    DataError
        When collected: ``|value / width|`` reaches 2^53, where bins would no longer be exact. (Count and row are those
        of the batch, where the streaming engine hands rows over in batches.)

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> vf.bin(pl.DataFrame({"alpha": [0.00026, -0.0001, None]}), {"alpha": 1e-4}).collect()["alpha_bin"].to_list()
    [3, -1, None]
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    bins = {}
    for name, width in widths.items():
        dtype = column_type(schema, name, "widths")
        if not dtype.is_numeric() and dtype != pl.Null:
            raise SchemaError(f"bin: column {name!r} is {dtype}; a numeric column is needed", column=name)
        number = isinstance(width, (int, float)) and not isinstance(width, bool)
        if not number or not math.isfinite(width) or width <= 0:
            raise ConfigError(f"bin width of {name!r} is {width!r}; a finite width above 0 is accepted", column=name)
        value = pl.col(name).cast(pl.Float64) if dtype.is_decimal() else pl.col(name)
        bins[f"{name}_bin"] = plugin("bin_index", [value], width=float(width), snap=snap)
    require_new(schema, bins, "bin")
    _partial.note_bins({f"{name}_bin": float(width) for name, width in widths.items()})
    return with_columns(lf, bins)


# ---- aggregation ------------------------------------------------------------------------------------------------


def aggregate(
    df: Frame,
    group_by: Sequence[str],
    metrics: Mapping[str, pl.Expr],
    *,
    derived: Mapping[str, pl.Expr] | None = None,
    mergeable: bool = True,
) -> pl.LazyFrame:
    """Group rows and compute metrics, in a form that merges over dates.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``.
    group_by
        Columns to group by: integers, booleans, strings, categoricals, dates, times. Null is a group of its own.
        Floats are refused; `bin` them first. An empty list gives one row.
    metrics
        Name to Polars expression, such as ``pl.col("notional").sum() / pl.col("quantity").sum()``: ``pl.len()``,
        ``len``, ``count``, ``null_count``, ``sum``, ``product``, ``min``, ``max``, ``mean``, ``var``, ``std``,
        ``first``, ``last``, ``any``, ``all``, ``pl.cov`` and ``pl.corr`` of row-wise expressions, each also behind
        ``.filter(...)``; and arithmetic, comparisons, ``when/then``, ``cast``, ``round``, ``log``, ``fill_null`` and
        the like over them.
    derived
        More metrics, computed from those of `metrics` by their names: ``{"vwap": pl.col("notional") / pl.col("qty")}``.
        Of partials that are merged they are computed after the merge.
    mergeable
        Refuse a metric that cannot be merged over dates (``median``, ``n_unique``, ``rank``, ``over``, Python
        functions and so on). With False, Polars' own ``group_by`` evaluates those, and `run` saves the metrics as they
        are, which `reduce` does not take.

    Returns
    -------
    LazyFrame
        Columns ``group_by + metrics + derived``, a row a group, sorted by `group_by`, nulls first. Float sums are
        exact before rounding, so order, chunks and threads change no bit; counts are Int64, integer sums Int64 and
        checked for overflow; ``mean``, ``var``, ``std``, ``cov`` and ``corr`` are Float64. `run` and `save` write this
        frame, untouched, as the states behind its metrics, so that `reduce` gives over many dates what one aggregate
        over all their rows would.

    Raises
    ------
    SchemaError
        A column is missing, a key is a float, or two of keys, metrics and derived have one name.
    ConfigError
        No metrics, one that is not an expression, or one that cannot be merged; the message says why, and what to do.
    DataError
        When collected: an integer sum or product does not fit Int64.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"side": ["B", "S", "B"], "price": [10.0, 11, 12], "qty": [100, 50, 300]})
    >>> vf.aggregate(df, ["side"], {
    ...     "count": pl.len(),
    ...     "vwap": (pl.col("price") * pl.col("qty")).sum() / pl.col("qty").sum(),
    ... }).collect()
    shape: (2, 3)
    ┌──────┬───────┬──────┐
    │ side ┆ count ┆ vwap │
    │ ---  ┆ ---   ┆ ---  │
    │ str  ┆ i64   ┆ f64  │
    ╞══════╪═══════╪══════╡
    │ B    ┆ 2     ┆ 11.5 │
    │ S    ┆ 1     ┆ 11.0 │
    └──────┴───────┴──────┘
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    keys = [group_by] if isinstance(group_by, str) else list(group_by)
    derived = dict(derived or {})
    _check_aggregate(schema, keys, metrics, derived)
    job = make_job(metrics, schema, keys, derived=derived, mergeable=mergeable)
    out = _result_schema(schema, keys, metrics, job)

    notes = _partial.current()

    def states() -> pl.DataFrame:
        with _partial.resumed(notes):
            return _collect_states(lf, schema, keys, job)

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        yield _finish_groups(states(), lf, keys, job, list(metrics))

    frame = source(produce, out, "aggregate")
    if job.plan is not None:
        _partial.remember(frame, _partial.Traced(job.plan, states))
    _partial.note_aggregate(mergeable)
    return frame


def _check_aggregate(
    schema: pl.Schema, keys: list[str], metrics: Mapping[str, pl.Expr], derived: Mapping[str, pl.Expr]
) -> None:
    require(schema, keys, "group_by")
    if not metrics:
        raise ConfigError("metrics is empty; a name and a Polars expression each are needed")
    if len(set(keys)) < len(keys):
        raise ConfigError(f"group_by names a column twice: {keys}")
    for key in keys:
        dtype = schema[key]
        if dtype.is_float():
            raise SchemaError(
                f"group_by: column {key!r} is {dtype}, and floats make poor groups; bin or cast it first", column=key
            )
        if dtype.is_nested() or dtype.is_decimal() or dtype in (pl.Int128, pl.UInt128, pl.Object):
            raise SchemaError(f"group_by: column {key!r} is {dtype}, which is no key; cast it first", column=key)
    for name, metric in metrics.items():
        _check_metric(f"metric {name!r}", name, metric, schema.names(), keys)
    known = list(metrics)
    for name, metric in derived.items():
        _check_metric(f"derived {name!r}", name, metric, known, keys)
        if name in known:
            raise SchemaError(f"derived {name!r} has the name of a metric", column=name)
        known.append(name)


def _check_metric(what: str, name: str, metric: object, columns: list[str], keys: list[str]) -> None:
    if name in keys:
        raise SchemaError(f"{what} has the name of a group_by column", column=name)
    if not isinstance(metric, pl.Expr):
        raise ConfigError(f"{what} is {type(metric).__name__}; a Polars expression is needed")
    for root in metric.meta.root_names():
        if root not in columns and not metric.meta.has_multiple_outputs():
            raise SchemaError(f"{what}: there is no column {root!r}; {near_names(root, columns)}", column=root)


def _result_schema(
    schema: pl.Schema, keys: list[str], metrics: Mapping[str, pl.Expr], job: Job
) -> dict[str, pl.DataType]:
    states = {name: dtype for state in job.states for name, dtype in state.schema().items()}
    leaves = pl.LazyFrame(schema=states).select(**job.leaf_exprs()) if job.named else pl.LazyFrame()
    types = dict(leaves.select(**job.finish).collect_schema()) if job.finish else {}
    if job.others:
        empty = pl.LazyFrame(schema=schema)
        others = empty.group_by(keys).agg(**job.others) if keys else empty.select(**job.others)
        types |= dict(others.collect_schema())
    out = {**{key: schema[key] for key in keys}, **{name: types[name] for name in metrics}}
    for name, expr in job.derived.items():
        out[name] = pl.LazyFrame(schema=out).select(expr).collect_schema().dtypes()[0]
    return out


def _finish_groups(states: pl.DataFrame, lf: pl.LazyFrame, keys: list[str], job: Job, names: list[str]) -> pl.DataFrame:
    """Metrics of the groups whose keys and states these are; those that Polars computes are joined to them."""
    with translated():
        out = states.select(*keys, **job.leaf_exprs()).select(*keys, **job.finish)
    if job.others and keys:
        others = lf.group_by(keys).agg(**job.others).collect(engine="streaming")
        out = out.join(others, on=keys, how="left", nulls_equal=True, maintain_order="left")
    elif job.others:
        others = lf.select(**job.others).collect(engine="streaming")
        out = pl.concat([out, others], how="horizontal") if job.finish else others
    for name, expr in job.derived.items():
        out = out.with_columns(expr.alias(name))
    return out.select(*keys, *names, *job.derived)


_GROUP = "__vf_group"


def _collect_states(lf: pl.LazyFrame, schema: pl.Schema, keys: list[str], job: Job) -> pl.DataFrame:
    """Keys and states of every group, sorted by the keys: one pass, in any order where no bit depends on it."""
    numbered = _numbered(lf, keys, job)
    if numbered is None:
        agg = _aggregated(lf, keys, job)
        return frame_of(agg, {key: schema[key] for key in keys}, job.states)
    frame, numbers = numbered
    states = frame_of(_aggregated(frame, [_GROUP], job), {_GROUP: pl.UInt32()}, job.states)
    found = [pl.Series(column).alias(key).cast(schema[key]) for key, column in zip(keys, numbers.finish(), strict=True)]
    return pl.DataFrame(found)[states[_GROUP]].hstack(states.drop(_GROUP)).sort(keys)


def _numbered(lf: pl.LazyFrame, keys: list[str], job: Job) -> tuple[pl.LazyFrame, _core.Agg] | None:
    """Give a frame that repeats rows with a number for each row's keys, made before the rows are repeated."""
    under = origin(lf)
    if under is None or not keys or not set(keys) <= set(under.frame.collect_schema()):
        return None
    numbers = _core.Agg(leaves=[], n_keys=len(keys), n_values=0, n_threads=1)

    def number(batch: pl.DataFrame) -> pl.Series:
        return pl.Series(numbers.number([batch[key] for key in keys], [], batch.height))

    number(pl.DataFrame(schema=under.frame.select(keys).collect_schema()))  # types, should no rows come
    frame = with_function(under.frame, _GROUP, Function(keys, number, pl.UInt32()))
    return under.rebuild(frame, [_GROUP, *_roots(job.values)]), numbers


def _roots(exprs: Sequence[pl.Expr]) -> list[str]:
    return list(dict.fromkeys(root for expr in exprs for root in expr.meta.root_names()))


def _aggregated(lf: pl.LazyFrame, keys: list[str], job: Job) -> _core.Agg:
    """Every row of a frame, in C."""
    values = job.value_names()
    key_names = [f"__vf_key_{index}" for index in range(len(keys))]
    agg = _core.Agg(
        leaves=[leaf.spec(state.name) for leaf, state in zip(job.leaves, job.states, strict=True)],
        n_keys=len(keys),
        n_values=len(values),
        n_threads=threads(),
    )
    columns = [pl.col(key).alias(name) for key, name in zip(keys, key_names, strict=True)]
    columns += [value.alias(name) for value, name in zip(job.values, values, strict=True)]
    rows_only = not columns
    frame = lf.select(pl.len().cast(pl.Int64)) if rows_only else lf.select(columns)
    empty = pl.DataFrame(schema=[] if rows_only else frame.collect_schema())  # types, should no rows come
    agg.update([empty[name] for name in key_names], [empty[name] for name in values], 0)
    direct = is_direct(lf) and not rows_only
    plain = rows(lf, _roots(columns)) if direct else batches(frame, ordered=job.in_order)
    given = plain if direct else gathered(plain, GROUPED_ROWS)  # an update starts its threads once for so many rows
    entered = 0
    for given_batch in ahead(given):
        batch = given_batch.select(columns) if direct else given_batch
        height = batch.item() if rows_only else batch.height
        agg.update([batch[name] for name in key_names], [batch[name] for name in values], height)
        entered += height
    _partial.note_rows("aggregate", entered)
    return agg
