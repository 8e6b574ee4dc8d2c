"""The operations of a day's pipeline: clock, returns, bins, aggregation. LazyFrame in, LazyFrame out.

They check names and build plans; every number is computed in C. Not for stateful matching: `vizflow.enrichment`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, TypeAlias

import polars as pl

import vizflow._core as _core
from vizflow import _clock
from vizflow._clock import TimeUnit
from vizflow._clock import local_day as _local_day
from vizflow.dates import Day
from vizflow.errors import ConfigError, DataError, SchemaError, near_names, translated
from vizflow.lazy import notes as _notes
from vizflow.lazy.frames import Frame, as_lazy, column, column_type, plugin, require, require_new, threads
from vizflow.lazy.frames import columns as selected
from vizflow.lazy.lineage import day_of, note
from vizflow.lazy.lineage import known as known_bins
from vizflow.lazy.two_pass import (
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
from vizflow.market import Market, Outside, _check_outside, grace_nanoseconds
from vizflow.numbers import real
from vizflow.partials import traced
from vizflow.partials.integers import checked
from vizflow.partials.metrics import Job, make_job
from vizflow.partials.plan import frame_of
from vizflow.schema.groups import DATE, Days, Groups, Names, Reading, groups_of, key_names, paired

__all__ = ["aggregate", "bin", "forward_return", "mid", "parse_time", "time_report"]

Method: TypeAlias = Literal["backward", "forward", "nearest"]
Gaps: TypeAlias = Literal["bridge", "null"]

_OUTSIDE = {"null": 0, "clip": 1, "raise": 2}
_METHODS = {"backward": 0, "forward": 1, "nearest": 2}
_SECOND = 1_000_000_000
_NO_END = 2**63 - 1
ELAPSED = "elapsed_seconds"

# ---- time -------------------------------------------------------------------------------------------------------


def parse_time(
    df: Frame,
    market: Market | str,
    timestamp_col: str = "timestamp",
    *,
    unit: TimeUnit | None = None,
    format: str | None = None,
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
        Datetime (a zone is converted to the market's; without one it is local time), Time, an integer column, or text:
        local time ``HH:MM[:SS[.f]]``, alone or behind a date ``2024-10-01``, ``2024/10/01``, ``2024.10.01`` or
        ``20241001`` and a T, a space or (FIX: ``20241001-09:30:00.500``) a hyphen; spaces around it do not matter.
    unit
        What integers, and text of digits, are: ``"HHMMSS"``, ``"HHMMSSmmm"`` (93012145 is 09:30:12.145); time since
        local midnight in ``"midnight_s"``, ``"midnight_ms"``, ``"midnight_us"``, ``"midnight_ns"``; a local date and
        time ``"YYYYMMDDHHMM"``, ``"YYYYMMDDHHMMSS"``, ``"YYYYMMDDHHMMSSmmm"``; or time since the Unix epoch in ``"s"``,
        ``"ms"``, ``"us"``, ``"ns"``, of the years 1970 (from 2 January on: less than a day is time since midnight) to
        2099. None takes integers of 7 to 9 digits for HHMMSSmmm and of up to 6 for HHMMSS, and raises where a value
        could be either, a column has both, or all of it could be time since midnight: give `unit` where you know it.
    format
        How other text is spelt, as in Polars' ``str.strptime``: ``"%d/%m/%Y %H:%M:%S%.f"``; with a ``%z`` it is
        converted to the market's zone.
    outside
        What a time in no session becomes: ``"null"``, ``"clip"`` (the nearest session end) or ``"raise"``. What cannot
        be read (99:99, 2024-02-30) is null, or raises under ``"raise"``, and so is a stamp of another trading day,
        which nothing clips. `time_report` counts them.
    grace
        Seconds within which a time outside is moved to the session's end, whatever `outside` says: with 300, CN's
        09:25 auction print is 0.
    date
        Trading day of all rows, ``YYYYMMDD`` or a date: its own sessions count (`Market.sessions_on`), so half days,
        late openings and the hours of earlier years are right; and a stamp that has a date and is of another trading
        day is outside. None takes the day that the market is on (`Market.on`), as a pipeline's ``ctx.market`` is on
        ``ctx.date``. Without any, the market's usual sessions count on every day, and the time of day of every stamp.
    date_col
        Column of each row's trading day, in place of `date`: Date, Datetime, strings or integers YYYYMMDD (see
        `vizflow.calendar.as_date`). A null day gives null.

    Returns
    -------
    LazyFrame
        The input's rows and columns, and ``elapsed_seconds``: Float64 where the type of `timestamp_col` can carry
        fractions of a second, Int64 where it cannot (``Datetime`` has them; integers of whole seconds do not). Null
        where the input is null.

    Raises
    ------
    SchemaError
        The column is missing or of another type, or ``elapsed_seconds`` is there already.
    ConfigError
        An option is not accepted.
    DataError
        When collected: a column of which no value can be read, with what it looks like and the `unit` or `format` that
        would read it (of integers with a `unit`, in a frame in memory and in `run`; else they are null); times outside
        under ``outside="raise"``, ambiguous digits, a day in `date_col` that is not traded (count and row are the
        batch's). From a bare ``collect()`` Polars raises its ``ComputeError`` with the
        same text.
    CalendarRangeError
        A day lies outside what the market's calendar knows.

    Notes
    -----
    ``elapsed = offset of the session + (time - start)``; 11:30:00 and 13:00:00 are both 7200 in CN, so nothing should
    rest its order on elapsed time alone.

    A stamp's trading day is its date; but what is traded in a night session, the evening before and up to the
    morning, is the next day's, over a weekend Monday's. (A weekday that the calendar has as closed ends that: what was
    traded before it is not the next day's, lest a calendar that lacks a session folds one day onto another. To
    read stamps whatever their date, give their time of day: ``pl.col("t").dt.time()``.)

    Where clocks are put forward or back within a session (a market open for 24 hours, in a zone with summer time),
    stamps with a zone and epochs count real time: such a day has 82,800 or 90,000 seconds, and a later trade is never
    before an earlier one. Local time cannot tell the hour that comes twice, and counts by the wall clock.

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

    A stamp of the day before is not this day's:

    >>> text = pl.DataFrame({"t": ["2026-01-08 14:59:58", "2026-01-09 09:30:01"]})
    >>> vf.parse_time(text, vf.CN, "t", date="20260109").collect()["elapsed_seconds"].to_list()
    [None, 1.0]
    """
    lf = as_lazy(df)
    market = Market.get(market)
    schema = lf.collect_schema()
    dtype = column_type(schema, timestamp_col, "timestamp_col")
    require_new(schema, [ELAPSED], "parse_time")
    _check_outside(outside)
    read = _clock.reading(timestamp_col, dtype, market, unit, format)
    at = _clock.hours(schema, market, date, date_col, read, "parse_time")
    options = {"outside": _OUTSIDE[outside], "grace_ns": grace_nanoseconds(grace)}
    whole = outside == "raise" or read.by_digits or _clock.is_doubtful(lf, read, at.market)
    elapsed = _notes.note_times(timestamp_col, lf, partial(_clock.plan, read, at, options, whole))
    return lf.with_columns(elapsed.alias(ELAPSED))


def time_report(
    df: Frame,
    market: Market | str,
    timestamp_col: str = "timestamp",
    *,
    unit: TimeUnit | None = None,
    format: str | None = None,
    grace: float = 0,
    date: Day | None = None,
    date_col: str | None = None,
) -> dict[str, int | None]:
    """Count what `parse_time` makes of a column: collects that column, and `date_col`.

    The parameters are those of `parse_time`: `df`, `market`, `timestamp_col`, `unit`, `format`, `grace`, `date`,
    `date_col`. Nothing is refused here that cannot be read: it is counted.

    Returns
    -------
    dict
        ``rows``; ``null`` in the input, the time or its day; ``unreadable`` (impossible digits, text or dates);
        ``outside`` every session, of which those within `grace` seconds of one are moved into it; ``other_date``:
        stamps of another trading day than the row's; and of the last three the row of the first,
        ``first_unreadable``, ``first_outside``, ``first_other_date``, None where there is none.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> vf.time_report(pl.DataFrame({"t": [93000, 120000, 999999, None]}), vf.CN, "t", unit="HHMMSS")
    {'rows': 4, 'null': 1, 'unreadable': 1, 'outside': 1, 'other_date': 0,
     'first_unreadable': 2, 'first_outside': 1, 'first_other_date': None}

    By the hours of a half day, 14:00 is outside:

    >>> vf.time_report(pl.DataFrame({"t": [100000, 140000]}), vf.US, "t", unit="HHMMSS", date="20241129")["outside"]
    1
    """
    lf = as_lazy(df)
    market = Market.get(market)
    schema = lf.collect_schema()
    read = _clock.reading(timestamp_col, column_type(schema, timestamp_col, "timestamp_col"), market, unit, format)
    at = _clock.hours(schema, market, date, date_col, read, "time_report")
    wanted = [read.expr.alias("time")] + ([] if at.column is None else [at.column.alias("day")])
    with translated():
        columns = lf.select(wanted).collect(engine="streaming")
    times = columns["time"].alias(timestamp_col)
    if at.column is not None:
        days = columns["day"].alias(date_col or "")
        calendar = _core.Calendar(_clock.calendar_text(at.market))
        counts = _clock.counted(calendar.report(times, days, grace_nanoseconds(grace), read.layout, read.zone))
    else:
        _, counts = read.counts(times, at.market, at.number, grace_nanoseconds(grace))
        if read.by_digits and counts["rows"] > counts["null"] + counts["unreadable"]:
            read.counts(times, at.market, at.number, 0, entire=True)  # refuses digits that are ambiguous
    return {name: None if name in _clock.FIRSTS and count < 0 else count for name, count in counts.items()}


# ---- prices -----------------------------------------------------------------------------------------------------


def mid(bid: str | pl.Expr, ask: str | pl.Expr) -> pl.Expr:
    """Middle of a book, ``(bid + ask) / 2``: Float64, null where either side is no price.

    A one-sided book (a stock at its price limit) has no mid; half of the other side would be a wrong number. A price,
    here and in every operation that takes one, is finite, above zero and below 1e300: vendors write
    1.7976931348623157e308 where there is none. Nor is the largest value of a 32 or 64 bit column (Float32's 3.4e38,
    Int32's 2147483647, Int64's 9223372036854775807) a price. What is no price is as if it were null. Integers, floats
    and decimals are taken, decimals as the closest Float64.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> book = pl.DataFrame({"BidPrice1": [9.99, 10.0, 0.0, 9.99], "AskPrice1": [10.01, None, 11.0, 1.79e308]})
    >>> book.select(mid=vf.mid("BidPrice1", "AskPrice1"))["mid"].to_list()
    [10.0, None, None, None]
    """
    sides = [pl.col(side) if isinstance(side, str) else side for side in (bid, ask)]
    return plugin("mid", sides)


# ---- returns ----------------------------------------------------------------------------------------------------


def forward_return(
    df: Frame,
    horizons: Sequence[float],
    price_col: str = "price",
    time_col: str = ELAPSED,
    symbol_col: Names = "symbol",
    *,
    method: Method = "backward",
    tolerance: float | None = None,
    end: float | Market | None = None,
    prices: Frame | None = None,
    gaps: Gaps = "bridge",
    date: Day | None = None,
    date_col: str | None = "date",
) -> pl.LazyFrame:
    """Add ``return_{h}`` for each horizon: ``p(t + h) / p(t) - 1``.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``, in any row order.
    horizons
        Seconds, positive, each once; fractions make names such as ``return_0.5``.
    price_col
        The row's own price p(t); any number or decimal. Without `prices` also where p(t + h) is looked up. What a price
        is: see `mid`.
    time_col
        Seconds (integer or float), Duration, Time, Datetime or Date.
    symbol_col
        Instrument: a column's name, a list of names, or None for one instrument. A column ``date``, where the frame has
        one, separates days too: days never mix.
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
        A second frame, quotes for example, with `symbol_col`, `time_col`, `price_col`, to look up p(t + h) in. Both
        frames have the column ``date``, or neither; or `date` says of which day the one without it is.
    gaps
        What a row without a price is, where p(t + h) is looked up: ``"bridge"``, none at all, so that the observation
        before it (or after it: `method`) is taken, if it is within `tolerance`; or ``"null"``, an observation of no
        price, so that the return is null: while a stock is at its price limit its mid is not known.
    date
        Trading day of all rows of a frame without ``date``: for `end`, a `Market`, and to look up in a frame that has
        the column (or where only `df` has it: each of its rows must then be of that day).
    date_col
        Column of the day; ``"date"`` need not be there. None: no column of the frame is a day.

    Returns
    -------
    LazyFrame
        The input's rows in their order, its columns unchanged, and a Float64 column a horizon. Observations are rows
        with a price (under ``gaps="null"`` also those without) and a time; the last row wins among equal times. Null
        when t + h is past the symbol's last observation or `end` (a late trade is never priced with the day's last
        quote), when the observation is out of `tolerance`, when there is none, when the row's own price or time is
        missing, or where the quotient leaves Float64. Never NaN or infinite.

    Raises
    ------
    SchemaError
        A column is missing, of another type, or ``return_{h}`` is there already.
    ConfigError
        No horizon, one that is not positive, or one given twice; another option not accepted.
    DataError, CalendarRangeError
        When collected, ``end`` being a `Market`: a ``date`` is not traded, or not known (count and row: the batch's);
        or `date` is not the day of the rows that it is said to be (count and row: the batch's).
    ReplayError
        When collected: the input gave other rows when read a second time; ``.collect()`` it first.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"symbol": ["a"] * 4, "elapsed_seconds": [0, 60, 90, 150], "price": [100.0, 101, 102, 99]})
    >>> vf.forward_return(df, [60]).collect()["return_60"].to_list()
    [0.010000000000000009, 0.00990099009900991, -0.02941176470588236, None]

    The stock is at its limit at 60 s, so its mid is missing. The return is bridged with the mid of 0 s, or null, which
    is what `merge_forward` gives of the same quotes:

    >>> mids = pl.DataFrame({"symbol": ["a"] * 3, "elapsed_seconds": [0, 60, 120], "price": [10.0, None, 11.0]})
    >>> vf.forward_return(mids, [60]).collect()["return_60"].to_list()
    [0.0, None, None]
    >>> vf.forward_return(mids, [60], gaps="null").collect()["return_60"].to_list()
    [None, None, None]
    >>> vf.merge_forward(mids, mids, ["price"], [60]).collect()["price_60"].to_list()
    [None, 11.0, None]
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    seconds = _check_horizons(horizons)
    names = [f"return_{_spell(h)}" for h in seconds]
    _check_observations(schema, price_col, time_col)
    quotes = None if prices is None else as_lazy(prices)
    if quotes is None:
        groups, quoted = groups_of(schema, symbol_col, date_col, "symbol_col"), None
    else:
        require(quotes.collect_schema(), [price_col, time_col, *key_names(symbol_col, "symbol_col")], "prices")
        _check_observations(quotes.collect_schema(), price_col, time_col)
        named = ("symbol_col", "the frame", "prices")
        groups, quoted = paired(schema, quotes.collect_schema(), symbol_col, date_col, date, named)
    require_new(schema, names, "forward_return")
    if method not in _METHODS:
        raise ConfigError(f"method is {method!r}; 'backward', 'forward' or 'nearest' is accepted")
    within = real(tolerance)
    if tolerance is not None and (within is None or not 0 <= within < 1e9):
        raise ConfigError(f"tolerance is {tolerance!r}; seconds from 0 to below 1e9, or None, are accepted")
    if gaps not in ("bridge", "null"):
        raise ConfigError(f"gaps is {gaps!r}; 'bridge' or 'null' is accepted")
    end_ns, left = _day_end(end, date, schema, time_col, groups)
    options: dict[str, Any] = {
        "horizons_ns": [round(h * _SECOND) for h in seconds],
        "method": _METHODS[method],
        "tolerance_ns": -1 if within is None else round(within * _SECOND),
        "end_ns": end_ns,
        "quotes": quotes is not None,
        "gaps": gaps == "null",
        "names": "".join(name + "\0" for name in names).encode(),
        "n_threads": threads(),
    }
    columns = [time_col, price_col, *groups.names]

    def marked(frame: pl.LazyFrame) -> pl.LazyFrame:
        return two_pass(
            frame,
            lambda wanted: _MarkStep([time_col, price_col], groups, quoted, names, options, quotes, left),
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


def _check_observations(schema: pl.Schema, price_col: str, time_col: str) -> None:
    price = column_type(schema, price_col, "price_col")
    time = column_type(schema, time_col, "time_col")
    if not (price.is_numeric() or price == pl.Null):
        raise SchemaError(f"price_col {price_col!r} is {price}; a number is needed, so cast it first", column=price_col)
    if not (time.is_integer() or time.is_float() or time.is_temporal() or time == pl.Null):
        raise SchemaError(
            f"time_col {time_col!r} is {time}; seconds, Duration, Time, Datetime and Date are accepted", column=time_col
        )


def _check_horizons(horizons: Sequence[float]) -> list[float]:
    if real(horizons) is not None:
        raise ConfigError(f"horizons is a list of seconds, for example [{horizons}]")
    seconds = []
    for given in horizons:
        h = real(given)
        if h is None or not 0 < h < 1e9 or round(h * _SECOND) == 0:
            raise ConfigError(f"horizon {given!r}: a positive number of seconds, below 1e9, is accepted")
        seconds.append(h)
    if not seconds:
        raise ConfigError("horizons is empty; seconds such as [60, 300] are accepted")
    seen: set[int] = set()
    for h in seconds:
        if round(h * _SECOND) in seen:
            raise ConfigError(f"horizon {h!r} is given twice")
        seen.add(round(h * _SECOND))
    return seconds


def _spell(seconds: float) -> str:
    return str(int(seconds)) if seconds == int(seconds) else repr(float(seconds))


def _day_end(
    end: float | Market | None, date: Day | None, schema: pl.Schema, time_col: str, groups: Groups
) -> tuple[int, pl.Expr | None]:
    """Give the end of all rows' days in ns; or, where each row's ``date`` has its own, what is left of it (ns)."""
    column = groups.date if groups.said is None else None
    if isinstance(end, Market):
        if isinstance(schema[time_col], (pl.Datetime, pl.Date, pl.Time)):
            raise ConfigError(
                f"end={end.name} counts trading time from the open, and time_col {time_col!r} is {schema[time_col]}; "
                "take elapsed_seconds, which parse_time gives, or leave end out"
            )
        if date is not None and column is not None:
            raise ConfigError(f"date={date!r} is given, but the frame has a column {column!r}; leave one out")
        if date is not None:
            return end.end_on(date) * _SECOND, None
        text = end._ends_text if column is not None else None
        if text is None or column is None:
            return end.seconds * _SECOND, None
        day = _local_day(column, schema[column], end, f"end={end.name} (end={end.name}.seconds reads no dates): column")
        return _NO_END, plugin("clock_left_on", [pl.col(time_col), day], calendar=text, zone=end._zone_text)
    if date is not None and groups.said is None:
        raise ConfigError(
            "date says how long a market is traded (give end=, the Market), or of which day a frame without a column "
            "of days is where the other has one; here it says nothing: leave it out"
        )
    if end is None:
        return _NO_END, None
    seconds = real(end)
    if seconds is None or not abs(seconds) <= 9e9:
        raise ConfigError(f"end is {end!r}; seconds, a Market, or None are accepted")
    return round(seconds * _SECOND), None


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
        values: list[str],
        groups: Groups,
        quoted: Groups | None,
        names: list[str],
        options: dict[str, Any],
        quotes: pl.LazyFrame | None,
        left: pl.Expr | None,
    ) -> None:
        self.columns = list(dict.fromkeys([*values, *groups.names]))
        self._groups, self._quoted = groups, quoted
        self._learnt = groups.reading()
        self._left = left
        self._horizons: dict[str, int] = dict(zip(names, options["horizons_ns"], strict=True))
        self._values = values
        self._names = names
        self._quotes = quotes
        self._mark = _core.Mark(**options)

    def covers(self, wanted: Sequence[str]) -> bool:
        return True

    def learn(self, batch: pl.DataFrame) -> None:
        self._mark.update(self._columns(batch, self._learnt))

    def _columns(self, batch: pl.DataFrame, reading: Reading) -> list[pl.Series]:
        return [*(batch[name] for name in self._values), *reading.keys(batch)]

    def learnt(self) -> None:
        self._learnt.done()
        if self._quotes is not None and self._quoted is not None:
            reading = self._quoted.reading()
            for batch in batches(self._quotes.select(list(dict.fromkeys([*self._values, *self._quoted.names])))):
                self._mark.observe(self._columns(batch, reading))
            reading.done()
        self._mark.finish()

    def emit(self, batch: pl.DataFrame, row: int, wanted: list[str]) -> Callable[[], pl.DataFrame]:
        again = self._columns(batch, self._groups.reading(row))
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

    def counts(self) -> dict[str, int]:
        return {}


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
        wide = real(width)
        if wide is None or not 0 < wide < math.inf:
            raise ConfigError(f"bin width of {name!r} is {width!r}; a finite width above 0 is accepted", column=name)
        told = note({f"{name}_bin": float(wide)})
        bins[f"{name}_bin"] = plugin("bin_index", [pl.col(name), told], width=float(wide), snap=snap)
    require_new(schema, bins, "bin")
    _notes.note_bins({f"{name}_bin": float(width) for name, width in widths.items()})
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

    notes = _notes.current()

    bins = known_bins(lf)
    known = day_of(bins, ELAPSED)
    days = Days(DATE if job.plan is not None and known is None and DATE in schema else None)

    def states() -> pl.DataFrame:
        with _notes.resumed(notes):
            states, entered = _collect_states(lf, schema, keys, job, days)
            _notes.note_entered(id(job.plan or job), entered)
            return states

    def produce(wanted: list[str], limited: bool) -> Iterator[pl.DataFrame]:
        yield _finish_groups(states(), lf, keys, job, list(metrics))

    frame = source(produce, out, "aggregate")
    if job.plan is not None:
        bins = {name: what for name, what in bins.items() if name in keys and day_of(bins, name) is None}
        dates = () if known is None else (known,)
        traced.remember(frame, traced.Traced(job.plan, states, bins, dates, days.met))
    _notes.note_aggregate(mergeable)
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
    if "\0" in name:
        raise SchemaError(f"{what}: the name has a NUL character in it; give it another", column=name)
    for root in metric.meta.root_names():
        if "\0" in root:
            raise SchemaError(f"{what}: the name of column {root!r} has a NUL character in it; rename it", column=root)
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
        others = empty.group_by(selected(keys)).agg(**job.others) if keys else empty.select(**job.others)
        types |= dict(others.collect_schema())
    out = {**{key: schema[key] for key in keys}, **{name: types[name] for name in metrics}}
    for name, expr in job.derived.items():
        empty = pl.LazyFrame(schema=out)
        job.derived[name] = checked(expr, empty, f"derived {name!r}")
        out[name] = empty.select(job.derived[name]).collect_schema().dtypes()[0]
    return out


def _finish_groups(states: pl.DataFrame, lf: pl.LazyFrame, keys: list[str], job: Job, names: list[str]) -> pl.DataFrame:
    """Metrics of the groups whose keys and states these are; those that Polars computes are joined to them."""
    with translated():
        finished = states.select(**job.leaf_exprs()).select(**job.finish) if job.finish else pl.DataFrame()
        found = {**{key: states[key] for key in keys}, **{name: finished[name] for name in job.finish}}
        if job.others:
            with _totals_named(job.others):
                found |= _others(found, lf, keys, job)
        out = pl.DataFrame({name: found[name] for name in [*keys, *names]})
        for name, expr in job.derived.items():
            out = out.with_columns(expr.alias(name))
    return out


@contextmanager
def _totals_named(metrics: Mapping[str, pl.Expr]) -> Iterator[None]:
    """Name the metrics where a total of integers that Polars takes in 128 bits does not fit Int64."""
    try:
        yield
    except pl.exceptions.InvalidOperationError as error:
        if "from `i128` to `i64`" not in str(error):
            raise
        names = ", ".join(map(repr, metrics))
        raise DataError(
            f"a total of integers in metric {names} does not fit Int64: cast to Float64 first",
            column=next(iter(metrics)),
        ) from None


def _others(states: Mapping[str, pl.Series], lf: pl.LazyFrame, keys: list[str], job: Job) -> dict[str, pl.Series]:
    """Metrics that Polars evaluates, of the groups in the states' order: their own names are no hindrance there."""
    safe = {name: f"__vf_metric_{index}" for index, name in enumerate(job.others)}
    exprs = [expr.alias(safe[name]) for name, expr in job.others.items()]
    _core.tally_turn()
    if not keys:
        out = lf.select(exprs).collect(engine="streaming")
    else:
        by = [column(key).alias(f"__vf_key_{index}") for index, key in enumerate(keys)]
        groups = pl.DataFrame([states[key].alias(f"__vf_key_{index}") for index, key in enumerate(keys)])
        others = lf.group_by(by).agg(exprs).collect(engine="streaming")
        out = groups.join(others, on=groups.columns, how="left", nulls_equal=True, maintain_order="left")
    return {name: out[safe[name]] for name in job.others}


_GROUP, _DAY = "__vf_group", "__vf_day"


def _collect_states(
    lf: pl.LazyFrame, schema: pl.Schema, keys: list[str], job: Job, days: Days
) -> tuple[pl.DataFrame, int]:
    """Keys and states of every group, sorted by the keys, and how many rows there were.

    One pass, in any order where no bit depends on it.
    """
    numbered = _numbered(lf, keys, job, days)
    if numbered is None:
        agg, entered = _aggregated(lf, keys, job, days)
        return frame_of(agg, {key: schema[key] for key in keys}, job.states), entered
    frame, numbers = numbered
    agg, entered = _aggregated(frame, [_GROUP], job, days)
    states = frame_of(agg, {_GROUP: pl.UInt32()}, job.states)
    found = {key: pl.Series(made).cast(schema[key]) for key, made in zip(keys, numbers.finish(), strict=True)}
    return pl.DataFrame(found)[states[_GROUP]].hstack(states.drop(_GROUP)).sort(selected(keys)), entered


def _numbered(lf: pl.LazyFrame, keys: list[str], job: Job, days: Days) -> tuple[pl.LazyFrame, _core.Agg] | None:
    """Give a frame that repeats rows with a number for each row's keys, made before the rows are repeated."""
    under = origin(lf)
    if under is None or not keys or not set(keys) <= set(under.frame.collect_schema()):
        return None
    numbers = _core.Agg(leaves=[], n_keys=len(keys), n_values=0, n_threads=1)

    def number(batch: pl.DataFrame) -> pl.Series:
        return pl.Series(numbers.number([batch[key] for key in keys], [], batch.height))

    number(pl.DataFrame(schema=under.frame.select(selected(keys)).collect_schema()))  # types, should no rows come
    frame = with_function(under.frame, _GROUP, Function(keys, number, pl.UInt32()))
    return under.rebuild(frame, list(dict.fromkeys([_GROUP, *_roots(job.values), *days.names]))), numbers


def _roots(exprs: Sequence[pl.Expr]) -> list[str]:
    return list(dict.fromkeys(root for expr in exprs for root in expr.meta.root_names()))


def _aggregated(lf: pl.LazyFrame, keys: list[str], job: Job, days: Days) -> tuple[_core.Agg, int]:
    """Every row of a frame, in C, and how many there were."""
    values = job.value_names()
    key_names = [f"__vf_key_{index}" for index in range(len(keys))]
    agg = _core.Agg(
        leaves=[leaf.spec(state.name) for leaf, state in zip(job.leaves, job.states, strict=True)],
        n_keys=len(keys),
        n_values=len(values),
        n_threads=threads(),
    )
    columns = [column(key).alias(name) for key, name in zip(keys, key_names, strict=True)]
    columns += [value.alias(name) for value, name in zip(job.values, values, strict=True)]
    columns += [pl.col(name).alias(_DAY) for name in days.names]
    rows_only = not columns
    frame = lf.select(pl.len().cast(pl.Int64)) if rows_only else lf.select(columns)
    empty = pl.DataFrame(schema=[] if rows_only else frame.collect_schema())  # types, should no rows come
    agg.update([empty[name] for name in key_names], [empty[name] for name in values], 0)
    direct = is_direct(lf) and not rows_only
    if direct:
        plain = rows(lf, list(dict.fromkeys([*keys, *_roots(job.values), *days.names])))
    else:
        plain = batches(frame, ordered=job.in_order, rows_of=None if rows_only else lf)
    given = plain if direct else gathered(plain, GROUPED_ROWS)  # an update starts its threads once for so many rows
    entered = 0
    for given_batch in ahead(given):
        batch = given_batch.select(columns) if direct else given_batch
        height = batch.item() if rows_only else batch.height
        if _DAY in batch.columns:
            days.see(batch[_DAY])
        agg.update([batch[name] for name in key_names], [batch[name] for name in values], height)
        entered += height
    return agg, entered
