"""The calendars that come with VizFlow: their texts, and the C calendars made of them.

Not for users, who have `vizflow.calendar` and `Market`; and not for data: the texts are in ``_calendars``.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from importlib.resources import files

import vizflow._core as _core
from vizflow.errors import ConfigError

__all__ = ["EPOCH", "NAMES", "day_number", "day_of", "days_part", "hours_part", "name_of", "opened", "text"]

EPOCH = dt.date(1970, 1, 1)
NORTHBOUND = "hkex_northbound"
NAMES = ("CN", "KR", "HK", "US", "crypto", NORTHBOUND)

# The first day of northbound trading, and the first under the rule that Hong Kong need not be open on the next day.
_NORTHBOUND_START = dt.date(2014, 11, 17)
_NORTHBOUND_CHANGE = dt.date(2023, 4, 24)

_MINUTE = 60 * 10**9
_HK_OPENS, _HK_CLOSES = 570 * _MINUTE, 960 * _MINUTE  # 09:30 and 16:00, since before there was a link


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
    name = name_of(name)
    if name == NORTHBOUND:
        return _northbound()
    return (files("vizflow") / "_calendars" / f"{name}.txt").read_text(encoding="utf-8")


def days_part(content: str) -> str:
    """Return the lines of a text that say which days are traded."""
    return content.partition("\nhours ")[0] + "\n"


def hours_part(content: str) -> str:
    """Return the lines of a text that say when."""
    return "hours " + content.partition("\nhours ")[2]


def _northbound() -> str:
    """Northbound trading follows from the days of both markets, so its text is made, not kept."""
    home, abroad = opened(text("CN")), opened(text("HK"))
    both = home.northbound(abroad, day_number(_NORTHBOUND_START), day_number(_NORTHBOUND_CHANGE))
    name, _, first, last, verified, _ = both.describe()
    days = both.range(first, last)
    closed: dict[int, list[str]] = {}
    for number in sorted(set(range(first, last + 1)).difference(days)):
        day = day_of(number)
        if day.weekday() < 5:
            closed.setdefault(day.year, []).append(f"{day:%m%d}")
    lines = [f"calendar {name}", f"first {day_of(first)}", f"last {day_of(last)}", f"verified {day_of(verified)}"]
    lines += ["closed", *(" ".join([str(year), *found]) for year, found in closed.items())]
    lines += hours_part(text("CN")).splitlines()
    for number in days:  # where Hong Kong opened late, so did its link, and where its afternoon was cut short
        sessions = abroad.sessions(number)
        opens, closes = sessions[0][0], sessions[-1][1]
        cut = len(sessions) > 1 and closes < _HK_CLOSES  # on its half days the link goes on till the close at home
        if opens > _HK_OPENS or cut:
            until = closes if cut else 2**62
            hours = [(max(a, opens), min(b, until)) for a, b in home.sessions(number) if b > opens and a < until]
            lines += ["special " + " ".join(map(_hhmm, hours)), f"{day_of(number):%Y %m%d}"]
    return "\n".join(lines) + "\n"


def _hhmm(bounds: tuple[int, int]) -> str:
    return "-".join(f"{minute // 60:02d}{minute % 60:02d}" for minute in (edge // _MINUTE for edge in bounds))
