"""Times of day as elapsed trading time, and counts of those that are not. Not for calendars."""

from __future__ import annotations

from functools import partial

import polars as pl

import vizflow._core as _core
from vizflow.dates import Day
from vizflow.errors import translated
from vizflow.lazy import notes
from vizflow.lazy.frames import Frame, as_lazy, column_type, require_new
from vizflow.market import Market, Outside, check_outside, grace_nanoseconds
from vizflow.ops import stamps
from vizflow.ops.columns import ELAPSED
from vizflow.ops.stamps import TimeUnit


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
    check_outside(outside)
    read = stamps.reading(timestamp_col, dtype, market, unit, format)
    at = stamps.hours(schema, market, date, date_col, read, "parse_time")
    options = {"outside": _core.OUTSIDE[outside], "grace_ns": grace_nanoseconds(grace)}
    whole = outside == "raise" or read.by_digits or stamps.is_doubtful(lf, read, at.market)
    elapsed = notes.note_times(timestamp_col, lf, partial(stamps.plan, read, at, options, whole))
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
    read = stamps.reading(timestamp_col, column_type(schema, timestamp_col, "timestamp_col"), market, unit, format)
    at = stamps.hours(schema, market, date, date_col, read, "time_report")
    wanted = [read.expr.alias("time")] + ([] if at.column is None else [at.column.alias("day")])
    with translated():
        columns = lf.select(wanted).collect(engine="streaming")
    times = columns["time"].alias(timestamp_col)
    if at.column is not None:
        days = columns["day"].alias(date_col or "")
        calendar = _core.Calendar(stamps.calendar_text(at.market))
        counts = stamps.counted(calendar.report(times, days, grace_nanoseconds(grace), read.layout, read.zone))
    else:
        _, counts = read.counts(times, at.market, at.number, grace_nanoseconds(grace))
        if read.by_digits and counts["rows"] > counts["null"] + counts["unreadable"]:
            read.counts(times, at.market, at.number, 0, entire=True)  # refuses digits that are ambiguous
    return {name: None if name in stamps.FIRSTS and count < 0 else count for name, count in counts.items()}
