"""Trading calendars as frames: a row a trading day, with the day before and the day after.

Not for sessions within a day: `vizflow.market`.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from vizflow.config import check_date
from vizflow.errors import CalendarRangeError, ConfigError, SchemaError, StorageError

__all__ = ["empty", "from_files", "generate", "is_trading_day", "load", "next_day", "prev_day", "range"]

SCHEMA = {"date": pl.Date, "prev_date": pl.Date, "next_date": pl.Date}
Day = str | dt.date


def empty() -> pl.DataFrame:
    """Give a calendar without days."""
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
    """
    days = pl.Series("date", sorted({_day(date) for date in dates}), dtype=pl.Date)
    return days.to_frame().with_columns(prev_date=pl.col("date").shift(1), next_date=pl.col("date").shift(-1))


def load(path: str | os.PathLike[str]) -> pl.DataFrame:
    """Read a calendar from a file with a column ``date`` (Date, ``YYYYMMDD`` or ISO text, or integer YYYYMMDD).

    Raises
    ------
    SchemaError
        There is no such column.
    """
    from vizflow import io

    frame = io.load(path)
    if "date" not in frame.columns:
        raise SchemaError(f"{os.fspath(path)}: a calendar needs a column 'date'", column="date")
    dates = frame["date"]
    if dates.dtype != pl.Date:
        dates = dates.cast(pl.String).str.replace_all("-", "")
    return generate(dates.drop_nulls().to_list())


def from_files(directory: str | os.PathLike[str], pattern: str = "{date}.feather") -> pl.DataFrame:
    """Make a calendar of the days for which a folder holds a file.

    Raises
    ------
    StorageError
        The folder has no such file.
    """
    head, _, tail = pattern.partition("{date}")
    form = re.compile(re.escape(head) + r"([0-9]{8})" + re.escape(tail))
    folder = Path(directory)
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    found = [match.group(1) for name in names if (match := form.fullmatch(name))]
    if not found:
        raise StorageError(f"{os.fspath(directory)} holds no file named like {pattern!r}")
    return generate(found)


def range(start: Day, end: Day, calendar: pl.DataFrame) -> list[str]:
    """Give the trading days from `start` to `end`, both included, as ``YYYYMMDD``.

    Raises
    ------
    CalendarRangeError
        `start` or `end` lies outside what the calendar knows.
    """
    first, last = _day(start), _day(end)
    if first > last:
        raise ConfigError(f"the range starts on {first} and ends before, on {last}")
    _known(first, calendar), _known(last, calendar)
    return calendar.filter(pl.col("date").is_between(first, last))["date"].dt.strftime("%Y%m%d").to_list()


def is_trading_day(date: Day, calendar: pl.DataFrame) -> bool:
    """Tell whether a day is in the calendar; a day outside its range raises CalendarRangeError."""
    return _known(_day(date), calendar) in calendar["date"]


def next_day(date: Day, calendar: pl.DataFrame) -> str:
    """Give the first trading day after a day."""
    return _beside(date, calendar, forward=True)


def prev_day(date: Day, calendar: pl.DataFrame) -> str:
    """Give the last trading day before a day."""
    return _beside(date, calendar, forward=False)


def _beside(date: Day, calendar: pl.DataFrame, *, forward: bool) -> str:
    day = _known(_day(date), calendar)
    dates = calendar["date"]
    found = dates.filter(dates > day).min() if forward else dates.filter(dates < day).max()
    if not isinstance(found, dt.date):
        raise CalendarRangeError(
            f"{day} is at the calendar's edge: no trading day {'after' if forward else 'before'} it"
        )
    return found.strftime("%Y%m%d")


def _known(day: dt.date, calendar: pl.DataFrame) -> dt.date:
    days: list[dt.date] = calendar["date"].to_list()
    if days and min(days) <= day <= max(days):
        return day
    known = f"{min(days)} to {max(days)}" if days else "no day"
    raise CalendarRangeError(
        f"{day} lies outside the calendar, which knows {known}; extend it with calendar.generate, load or from_files"
    )


def _day(date: Day) -> dt.date:
    if isinstance(date, dt.date):
        return date.date() if isinstance(date, dt.datetime) else date
    text = check_date(date)
    return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))
