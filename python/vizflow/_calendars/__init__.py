"""The calendars that come with VizFlow: their texts, and the C calendars made of them.

Not for users, who have `vizflow.calendar` and `Market`; and not for data: the texts are in ``_calendars``.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from importlib.resources import files

import vizflow._core as _core
from vizflow.errors import ConfigError

__all__ = ["EPOCH", "NAMES", "day_number", "day_of", "days_part", "name_of", "opened", "text"]

EPOCH = dt.date(1970, 1, 1)
NAMES = tuple(sorted(file.name[:-4] for file in files("vizflow._calendars").iterdir() if file.name.endswith(".txt")))


def day_number(day: dt.date) -> int:
    """Count days since 1970-01-01."""
    return (day - EPOCH).days


def day_of(number: int) -> dt.date:
    """Return the day of a number of days since 1970-01-01."""
    return EPOCH + dt.timedelta(number)


def name_of(name: str) -> str:
    """Return a bundled calendar's name, as it is spelt here."""
    for known in NAMES:
        if known.lower() == str(name).lower():
            return known
    raise ConfigError(
        f"there is no bundled calendar {name!r}: {', '.join(map(repr, NAMES))} are; make one of your own with "
        "calendar.generate, load or from_files"
    )


@lru_cache(maxsize=64)
def opened(content: str) -> _core.Calendar:
    """Open a calendar's text; a calendar does not change, so one will do."""
    return _core.Calendar(content)


@lru_cache(maxsize=16)
def text(name: str) -> str:
    """Return the text of a bundled calendar."""
    return (files("vizflow._calendars") / f"{name_of(name)}.txt").read_text(encoding="utf-8")


def days_part(content: str) -> str:
    """Return the lines of a text that say which days are traded."""
    return content.partition("\nhours ")[0] + "\n"
