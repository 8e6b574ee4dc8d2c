"""Time zones as the C clock takes them: the moments from which on each offset holds.

Not for users, and not a source of zones: Python's zoneinfo is.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

__all__ = ["changes_within", "offsets"]

_WEEK = 7 * 86_400
_SECOND = 1_000_000_000
_FIRST = int(dt.datetime(1900, 1, 1, tzinfo=dt.timezone.utc).timestamp())
_END = int(dt.datetime(2100, 1, 1, tzinfo=dt.timezone.utc).timestamp())
_UNKNOWN = 99_999_999
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def _offset(zone: ZoneInfo, moment: int) -> int:
    local = (_EPOCH + dt.timedelta(seconds=moment)).astimezone(zone)
    return int((local.utcoffset() or dt.timedelta()).total_seconds())


@lru_cache(maxsize=16)
def offsets(name: str) -> str:
    """Return the offsets of a zone from 1900 to 2100: "from offset " in seconds, over and over."""
    zone = ZoneInfo(name)
    now = _offset(zone, _FIRST)
    found = [(_FIRST, now)]
    for week in range(_FIRST, _END, _WEEK):
        after = _offset(zone, min(week + _WEEK, _END))
        if after != now:
            low, high = week, week + _WEEK
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset(zone, middle) == after else (middle, high)
            found.append((high, after))
            now = after
    found.append((_END, _UNKNOWN))
    return "".join(f"{moment} {offset} " for moment, offset in found)


@lru_cache(maxsize=64)
def changes_within(name: str, bounds: tuple[tuple[int, int], ...]) -> bool:
    """Return whether clocks of a zone have ever been changed within a session (of ns since midnight)."""
    numbers = [int(number) for number in offsets(name).split()]
    moments, shifts = numbers[2:-2:2], numbers[1:-2:2]
    for moment, before, after in zip(moments, shifts, shifts[1:], strict=False):
        first = (moment + min(before, after)) % 86_400
        last = first + abs(after - before)
        for start, end in bounds:
            if any((first + day) * _SECOND < end and (last + day) * _SECOND > start for day in (-86_400, 0)):
                return True
    return False
