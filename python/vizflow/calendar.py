"""Trading calendars as frames: a row a trading day, with the day before and the day after.

Bundled are the days of ``CN`` (SSE, SZSE), ``KR`` (KRX), ``HK`` (HKEX), ``US`` (NYSE), ``hkex_northbound`` and
``crypto``: `get` gives them as a frame, `info` says from when to when they are known. Every function that asks for a
calendar takes the name of one, a `Market`, or a frame of days of your own (`generate`, `load`, `from_files`). A day
outside a calendar raises `CalendarRangeError`: it is never guessed.

Not for sessions within a day: `vizflow.market`.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import polars as pl

import vizflow._core as _core
from vizflow import _calendars
from vizflow.dates import Day, check_day
from vizflow.errors import CalendarRangeError, ConfigError, SchemaError, StorageError
from vizflow.files import places
from vizflow.lazy.frames import plugin
from vizflow.market import Market, Session, session_of

__all__ = [
    "CalendarInfo", "as_date", "empty", "ends", "from_files", "generate", "get", "index", "info", "is_trading_day",
    "load", "next_day", "prev_day", "range", "sessions_on", "show", "trading_day",
]  # fmt: skip

SCHEMA = {"date": pl.Date, "prev_date": pl.Date, "next_date": pl.Date}
Calendar: TypeAlias = "str | Market | pl.DataFrame"


@dataclass(frozen=True)
class CalendarInfo:
    """What a calendar knows.

    Attributes
    ----------
    name
        The calendar's name.
    first, last
        The first and the last day that is known.
    verified
        The public calendars that it was made of and compared with had been published by then: closures decided
        later may be missing.
    trading_days
        How many days are traded.

    Examples
    --------
    See `info`.
    """

    name: str
    first: dt.date
    last: dt.date
    verified: dt.date
    trading_days: int


def get(market: str | Market = "CN") -> pl.DataFrame:
    """Return the bundled calendar of a market as a frame.

    Parameters
    ----------
    market
        ``"CN"``, ``"KR"``, ``"HK"``, ``"US"``, ``"crypto"``, ``"hkex_northbound"`` in any case, or a `Market` that
        has a calendar.

    Returns
    -------
    DataFrame
        ``date``, ``prev_date``, ``next_date`` (Date; null at the two edges), and ``sessions`` (String): the sessions of
        a date that has others than the market's usual ones, such as ``"10:00-16:30"``; null where they are the usual.

    Raises
    ------
    ConfigError
        There is no such calendar.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> vf.calendar.get("KR").filter(pl.col("date").is_between(pl.date(2024, 11, 13), pl.date(2024, 11, 14)))
    shape: (2, 4)
    ┌────────────┬────────────┬────────────┬─────────────┐
    │ date       ┆ prev_date  ┆ next_date  ┆ sessions    │
    │ ---        ┆ ---        ┆ ---        ┆ ---         │
    │ date       ┆ date       ┆ date       ┆ str         │
    ╞════════════╪════════════╪════════════╪═════════════╡
    │ 2024-11-13 ┆ 2024-11-12 ┆ 2024-11-14 ┆ null        │
    │ 2024-11-14 ┆ 2024-11-13 ┆ 2024-11-15 ┆ 10:00-16:30 │
    └────────────┴────────────┴────────────┴─────────────┘
    """
    return _frame(_market(market)).clone()


@lru_cache(maxsize=16)
def _frame(market: Market) -> pl.DataFrame:
    calendar = _of_market(market)
    date, before, after, variant = (pl.Series(column) for column in calendar.columns())
    usual = market.bounds_ns
    texts = {
        number: None if bounds == usual else ",".join(f"{s.start}-{s.end}" for s in map(session_of, bounds))
        for number, bounds in enumerate(calendar.variants())
    }
    sessions = variant.replace_strict(texts, return_dtype=pl.String).alias("sessions")
    return pl.DataFrame([date, before, after, sessions])


def info(market: Calendar = "CN") -> CalendarInfo:
    """Say what a calendar knows: from when to when, and up to when it was verified.

    Parameters
    ----------
    market
        The name of a bundled calendar, a `Market`, or a frame of days.

    Examples
    --------
    >>> import vizflow as vf
    >>> cn = vf.calendar.info("CN")
    >>> cn.first, cn.last
    (datetime.date(1990, 12, 19), datetime.date(2026, 12, 31))
    """
    name, _, first, last, verified, n_days = _of(market).describe()
    return CalendarInfo(name, _calendars.day_of(first), _calendars.day_of(last), _calendars.day_of(verified), n_days)


def empty() -> pl.DataFrame:
    """Return a calendar without days."""
    return pl.DataFrame(schema=SCHEMA)


def generate(dates: Iterable[Day]) -> pl.DataFrame:
    """Make a calendar of trading days.

    Parameters
    ----------
    dates
        ``YYYYMMDD`` strings or dates, in any order; a day given twice counts once.

    Returns
    -------
    DataFrame
        ``date``, ``prev_date``, ``next_date`` (Date), sorted; null at the two edges.

    Examples
    --------
    >>> import vizflow as vf
    >>> vf.calendar.generate(["20240102", "20240103", "20240105"])["next_date"].to_list()
    [datetime.date(2024, 1, 3), datetime.date(2024, 1, 5), None]

    A bundled calendar, extended by the days that were announced since:

    >>> known = vf.calendar.get("CN")["date"].to_list()
    >>> longer = vf.calendar.generate([*known, "20270104", "20270105"])
    >>> vf.calendar.next_day("20261231", longer)
    '20270104'
    """
    return _generate(pl.Series("date", [check_day(date) for date in dates], dtype=pl.Date))


def _generate(days: pl.Series) -> pl.DataFrame:
    if days.is_empty():
        return empty()
    columns = _core.Calendar(None, days).columns()
    return pl.DataFrame([pl.Series(column) for column in columns[:3]])


def load(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a calendar from a file with a column ``date`` (see `as_date`); other columns are not kept.

    Raises
    ------
    SchemaError
        There is no such column.
    DataError
        A value is no day; the message names count, row and value.
    """
    from vizflow import io

    frame = io.load(path)
    if "date" not in frame.columns:
        raise SchemaError(f"{os.fspath(path)}: a calendar needs a column 'date'", column="date")
    from vizflow.errors import translated

    with translated():
        dates = frame.select(plugin("date_parse", [pl.col("date")], whole=True))["date"]
    return _generate(dates.drop_nulls())


def from_files(directory: str | os.PathLike[str], pattern: str = "{date}.feather") -> pl.DataFrame:
    """Make a calendar of the days for which a folder holds a file.

    Parameters
    ----------
    directory
        The folder.
    pattern
        How the files are named, ``{date}`` for the day; it may name folders too: ``"{date}/trade.csv"``.

    Raises
    ------
    StorageError
        The folder has no such file, or cannot be read.
    """
    folder = places.local(directory)
    places.check_pattern(pattern, "pattern")
    try:
        found = places.dates(folder, pattern)
    except OSError as error:
        where = error.filename or os.fspath(directory)
        raise StorageError(f"{where}: the folder cannot be looked into ({error.strerror})") from error
    if not found:
        raise StorageError(f"{os.fspath(directory)} holds no file named like {pattern!r}")
    return generate(found)


def as_date(column: str | pl.Expr) -> pl.Expr:
    """Return a column of dates as Date, however they are spelt, to join a calendar with.

    Parameters
    ----------
    column
        Date, Datetime without zone (its day), strings ``YYYYMMDD`` or ``YYYY-MM-DD``, or integers YYYYMMDD; null
        stays null.

    Raises
    ------
    DataError
        When collected: a value is no day; the message names count, row (the batch's, where rows are handed over in
        batches) and value. From a bare ``collect()`` Polars raises its ``ComputeError`` with the same text.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> trades = pl.LazyFrame({"date": ["20240930", "20241008"], "qty": [100, 200]})
    >>> days = vf.calendar.get("CN").lazy().select("date", "next_date")
    >>> joined = trades.with_columns(vf.calendar.as_date("date")).join(
    ...     days, on="date", how="left", maintain_order="left"
    ... )
    >>> joined.collect()["next_date"].to_list()
    [datetime.date(2024, 10, 8), datetime.date(2024, 10, 9)]
    """
    return plugin("date_parse", [pl.col(column) if isinstance(column, str) else column])


def ends(column: str | pl.Expr, market: str | Market) -> pl.Expr:
    """Return the elapsed time at the end of each row's day: `Market.end_on` of a column.

    Parameters
    ----------
    column
        Date column (see `as_date`); null stays null.
    market
        The name of a bundled calendar, or a `Market` that has one.

    Returns
    -------
    Expr
        Duration (ns).

    Raises
    ------
    DataError
        When collected: a day is not traded.
    CalendarRangeError
        When collected: a day lies outside the calendar.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> days = pl.DataFrame({"date": ["20241129", "20241202"]}).with_columns(vf.calendar.as_date("date"))
    >>> days.select(vf.calendar.ends("date", "US").dt.total_seconds())["date"].to_list()
    [12600, 23400]
    """
    expr = pl.col(column) if isinstance(column, str) else column
    of = _market(market)
    return plugin("clock_end_on", [expr], calendar=_text_of_market(of), zone=of._zone_text)


def trading_day(column: str | pl.Expr, market: str | Market) -> pl.Expr:
    """Return the trading day of timestamps: the day itself, or the next for what is traded in its night session.

    Parameters
    ----------
    column
        Datetime without zone, local to the market; null stays null.
    market
        The name of a bundled calendar, or a `Market` that has one; `Market.cn_futures` has nights.

    Returns
    -------
    Expr
        Date. From the night's start on the next trading day; up to the night's end in the morning the day itself, or
        the next where it is not traded (Saturday's first hours are Monday's). Any other time keeps its day, traded
        or not. Null for a night that a closed weekday follows: the eve of a holiday has none, and a calendar that
        lacks a session would else fold it onto the next day.

    Raises
    ------
    CalendarRangeError
        When collected: the calendar does not know the next trading day.

    Examples
    --------
    >>> import datetime as dt, polars as pl, vizflow as vf
    >>> gold = vf.Market.cn_futures("02:30")
    >>> friday = dt.datetime(2024, 5, 31)
    >>> ticks = pl.DataFrame({"time": [friday + dt.timedelta(hours=h) for h in (9, 21, 25)]})
    >>> ticks = ticks.with_columns(date=vf.calendar.trading_day("time", gold))
    >>> vf.parse_time(ticks, gold, "time", date_col="date").collect()
    shape: (3, 3)
    ┌─────────────────────┬────────────┬─────────────────┐
    │ time                ┆ date       ┆ elapsed_seconds │
    │ ---                 ┆ ---        ┆ ---             │
    │ datetime[μs]        ┆ date       ┆ f64             │
    ╞═════════════════════╪════════════╪═════════════════╡
    │ 2024-05-31 09:00:00 ┆ 2024-05-31 ┆ 19800.0         │
    │ 2024-05-31 21:00:00 ┆ 2024-06-03 ┆ 0.0             │
    │ 2024-06-01 01:00:00 ┆ 2024-06-03 ┆ 14400.0         │
    └─────────────────────┴────────────┴─────────────────┘
    """
    expr = pl.col(column) if isinstance(column, str) else column
    return plugin("clock_trading_day", [expr], calendar=_text_of_market(_market(market)))


def range(start: Day, end: Day, market: Calendar = "CN") -> list[str]:
    """Return the trading days from `start` to `end`, both included, as ``YYYYMMDD``.

    Parameters
    ----------
    start, end
        ``YYYYMMDD`` strings or dates; they need not be traded.
    market
        The name of a bundled calendar, a `Market`, or a frame of days.

    Raises
    ------
    CalendarRangeError
        `start` or `end` lies outside what the calendar knows.

    Examples
    --------
    >>> import vizflow as vf
    >>> vf.calendar.range("20240927", "20241009")
    ['20240927', '20240930', '20241008', '20241009']
    >>> len(vf.calendar.range("20240101", "20241231"))
    242
    """
    first, last = check_day(start), check_day(end)
    numbers = _of(market).range(_calendars.day_number(first), _calendars.day_number(last))
    return [_text(number) for number in numbers]


def is_trading_day(date: Day, market: Calendar = "CN") -> bool:
    """Return whether a day is traded; a day outside the calendar raises CalendarRangeError.

    Parameters are those of `next_day`.
    """
    return _of(market).is_trading_day(_number(date))


def next_day(date: Day, market: Calendar = "CN") -> str:
    """Return the first trading day after a day.

    Parameters
    ----------
    date
        ``YYYYMMDD``, or a date; it need not be traded.
    market
        The name of a bundled calendar, a `Market`, or a frame of days.

    Raises
    ------
    CalendarRangeError
        The day lies outside the calendar, or it knows no trading day after it.

    Examples
    --------
    >>> import vizflow as vf
    >>> vf.calendar.next_day("20240930"), vf.calendar.prev_day("20240930", "US")
    ('20241008', '20240927')
    """
    return _text(_of(market).next(_number(date)))


def prev_day(date: Day, market: Calendar = "CN") -> str:
    """Return the last trading day before a day. Parameters are those of `next_day`."""
    return _text(_of(market).prev(_number(date)))


def index(date: Day, market: Calendar = "CN") -> int:
    """Count the trading days before a day, so that differences count trading days.

    Parameters are those of `next_day`.

    Examples
    --------
    >>> import vizflow as vf
    >>> vf.calendar.index("20241008") - vf.calendar.index("20240930")
    1
    """
    return _of(market).index(_number(date))


def sessions_on(date: Day, market: str | Market = "CN") -> tuple[Session, ...]:
    """Return a market's sessions of a date: `Market.sessions_on` of a market by its name.

    Parameters
    ----------
    date
        ``YYYYMMDD``, or a date.
    market
        The name of a bundled calendar, or a `Market`.

    Examples
    --------
    See `Market.sessions_on`.
    """
    return _market(market).sessions_on(date)


def show(market: str | Market = "CN", start: Day | None = None, end: Day | None = None) -> str:
    """Describe a calendar in words, and list its days from `start` to `end`: what ``vizflow calendar`` prints.

    Parameters
    ----------
    market
        The name of a bundled calendar, or a `Market` that has one.
    start, end
        Days to list, a line each; without `end` only `start`; without both none.

    Examples
    --------
    >>> import vizflow as vf
    >>> print(vf.calendar.show("HK", "20241223", "20241227"))
    HK: 9132 trading days, known 1990-01-01 to 2026-12-31, verified to 2026-10-05
    sessions 09:30-12:00,13:00-16:00; on 5524 days others
    20241223
    20241224 09:30-12:00
    20241227
    """
    found = _market(market)
    frame, known = get(found), info(found)
    usual = ",".join(f"{session.start}-{session.end}" for session in found.sessions)
    others = frame["sessions"].count()
    lines = [
        f"{known.name}: {known.trading_days} trading days, known {known.first} to {known.last}, "
        f"verified to {known.verified}",
        f"sessions {usual}; on {others} days others" if others else f"sessions {usual}",
    ]
    if start is not None:
        days = set(range(start, start if end is None else end, found))
        listed = frame.filter(pl.col("date").dt.strftime("%Y%m%d").is_in(days))
        lines += [f"{date:%Y%m%d} {sessions or ''}".rstrip() for date, _, _, sessions in listed.iter_rows()]
    return "\n".join(lines)


# ---- calendars, however they are given --------------------------------------------------------------------------


def _market(market: str | Market) -> Market:
    if isinstance(market, str):
        return Market.get(_calendars.name_of(market))
    if not isinstance(market, Market):
        raise ConfigError(f"market is {market!r}; the name of a bundled calendar, or a Market, is accepted")
    return market


def _of(calendar: Calendar) -> _core.Calendar:
    if isinstance(calendar, pl.DataFrame):
        return _of_frame(calendar)
    return _of_market(_market(calendar))


def _of_market(market: Market) -> _core.Calendar:
    return _calendars.opened(_text_of_market(market))


def _text_of_market(market: Market) -> str:
    content = market._calendar_text if market.calendar is not None else None
    if content is None:
        raise ConfigError(
            f"market {market.name!r} has no calendar; give it one, Market(..., calendar='CN'), or use a frame of days "
            "from calendar.generate, load or from_files"
        )
    return content


def _of_frame(frame: pl.DataFrame) -> _core.Calendar:
    if "date" not in frame.columns:
        raise SchemaError("a calendar needs a column 'date'", column="date")
    if frame.is_empty():
        raise CalendarRangeError(
            "the calendar knows no day; make one with calendar.generate, calendar.load or calendar.from_files, or name "
            "a bundled one"
        )
    return _core.Calendar(None, frame["date"])


def _number(date: Day) -> int:
    return _calendars.day_number(check_day(date))


def _text(number: int) -> str:
    return _calendars.day_of(number).strftime("%Y%m%d")
