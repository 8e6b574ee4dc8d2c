"""Dates as users write them: text, dates and lists of them, checked. Not for calendars, which know trading days."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from typing import TypeAlias

from vizflow.errors import ConfigError


def as_day(date: str | dt.date) -> dt.date:
    """Return a date of text or of a date or moment."""
    if isinstance(date, dt.date):
        return date.date() if isinstance(date, dt.datetime) else date
    text = check_date(date)
    return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))


def check_date(date: str) -> str:
    """Check a date: ``YYYYMMDD``, ASCII digits, a day that exists.

    Raises
    ------
    ConfigError
        Anything else, before it can reach a path.
    """
    if isinstance(date, str) and re.fullmatch(r"[0-9]{8}", date, re.ASCII):
        try:
            dt.date(int(date[:4]), int(date[4:6]), int(date[6:]))
        except ValueError:
            pass
        else:
            return date
    raise ConfigError(f"date {date!r} is not a day written YYYYMMDD, such as '20241001'")


Day: TypeAlias = "str | dt.date"


def check_day(date: Day) -> dt.date:
    """Return the day of a date, a datetime, or text ``YYYYMMDD``; anything else is a ConfigError."""
    if isinstance(date, dt.datetime):
        return date.date()
    if isinstance(date, dt.date):
        return date
    if isinstance(date, str) and re.fullmatch(r"[0-9]{8}", date, re.ASCII):
        try:
            return dt.date(int(date[:4]), int(date[4:6]), int(date[6:]))
        except ValueError:
            pass
    raise ConfigError(f"date {date!r} is not a day written YYYYMMDD, such as '20241001'")


def check_dates(dates: Iterable[str]) -> list[str]:
    """Check dates and leave out repeated ones."""
    if isinstance(dates, str):
        raise ConfigError(f"dates is the text {dates!r}; a list of dates written YYYYMMDD is accepted")
    return list(dict.fromkeys(check_date(date) for date in dates))
