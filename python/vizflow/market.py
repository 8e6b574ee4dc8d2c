"""Markets: trading sessions, and the clock that runs only while they are open.

Not for calendars: which days a market trades is `vizflow.calendar`'s matter.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from vizflow import _core
from vizflow.errors import ConfigError, DataError

__all__ = ["CN", "CRYPTO", "HK", "HKEX_NORTHBOUND", "KR", "US", "Market", "Outside", "Session"]

Outside = Literal["null", "clip", "raise"]

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_CLOCK = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")


def _nanoseconds(text: str) -> int:
    found = _CLOCK.fullmatch(text) if isinstance(text, str) else None
    hour, minute, second = (int(part or 0) for part in found.groups()) if found else (99, 0, 0)
    if hour > 24 or minute > 59 or second > 59 or (hour == 24 and minute + second > 0):
        raise ConfigError(f"session time {text!r}: 'HH:MM' or 'HH:MM:SS' from '00:00' to '24:00' is accepted")
    return (hour * 3600 + minute * 60 + second) * _SECOND


@dataclass(frozen=True)
class Session:
    """One stretch of continuous trading, closed at both ends.

    Parameters
    ----------
    start, end
        Local time, ``"HH:MM"`` or ``"HH:MM:SS"``, up to ``"24:00"``. An end at or before the start crosses midnight,
        which only a market's first session may do (a futures night).

    Examples
    --------
    See `Market`.
    """

    start: str
    end: str

    def __post_init__(self) -> None:
        _nanoseconds(self.start), _nanoseconds(self.end)

    @property
    def bounds_ns(self) -> tuple[int, int]:
        """Nanoseconds since midnight of the trading day; the start is negative when the session crosses midnight."""
        start, end = _nanoseconds(self.start), _nanoseconds(self.end)
        return (start if start < end else start - _DAY), end


@dataclass(frozen=True)
class Market:
    """A market's trading sessions, and its clock.

    Parameters
    ----------
    name
        What the market is called.
    sessions
        One or more `Session`, in order, without overlap.
    timezone
        IANA name, for example ``"Asia/Shanghai"``. Needed only to read timestamps that carry a zone or count from the
        epoch; without one those are refused.

    Raises
    ------
    ConfigError
        When sessions overlap, are out of order, or do not fit a day.

    Examples
    --------
    >>> import vizflow as vf
    >>> vf.Market("lunch", [vf.Session("09:00", "12:00"), vf.Session("13:00", "17:30")]).seconds
    27000
    """

    name: str
    sessions: Sequence[Session]
    timezone: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "sessions", tuple(self.sessions))
        if not all(isinstance(session, Session) for session in self.sessions):
            raise ConfigError(f"market {self.name!r}: sessions are Session objects, not {self.sessions!r}")
        if self.timezone is not None:
            try:
                ZoneInfo(self.timezone)
            except (KeyError, ValueError, OSError) as error:
                raise ConfigError(f"market {self.name!r}: {self.timezone!r} is not an IANA time zone") from error
        try:
            _core.sessions_check(self.bounds_ns)
        except ConfigError as error:
            raise ConfigError(f"market {self.name!r}: {error}") from error

    @property
    def bounds_ns(self) -> list[tuple[int, int]]:
        """(start, end) of each session in nanoseconds since midnight."""
        return [session.bounds_ns for session in self.sessions]

    @property
    def seconds(self) -> int:
        """Length of a trading day in seconds."""
        return int(_core.sessions_check(self.bounds_ns)) // _SECOND

    def elapsed_seconds(
        self, time: dt.datetime | dt.time, *, outside: Outside = "raise", grace: float = 0
    ) -> int | float | None:
        """Convert wall-clock time to continuous trading seconds.

        Parameters
        ----------
        time
            Local time of day; a datetime with a zone is converted to the market's.
        outside
            What a time in no session gives: ``"raise"``, ``"null"`` (None) or ``"clip"`` (the nearest session end).
        grace
            Seconds within which a time outside is moved to the session's end, whatever `outside` says.

        Returns
        -------
        int or float or None
            Seconds since the first session's start, sessions joined end to end; int when whole.

        Raises
        ------
        DataError
            A ValueError: the time is in no session.

        Examples
        --------
        >>> import datetime as dt, vizflow as vf
        >>> vf.CN.elapsed_seconds(dt.time(13, 0, 1))
        7201
        """
        _check_outside(outside)
        if isinstance(time, dt.datetime) and time.tzinfo is not None:
            time = time.astimezone(ZoneInfo(self._zone()))
        of_day = (time.hour * 3600 + time.minute * 60 + time.second) * _SECOND + time.microsecond * 1000
        grace_ns = _DAY if outside == "clip" else grace_nanoseconds(grace)
        elapsed = _core.sessions_elapsed(self.bounds_ns, grace_ns, of_day)
        if elapsed is None:
            if outside == "null":
                return None
            open_hours = ", ".join(f"{session.start}-{session.end}" for session in self.sessions)
            raise DataError(f"{time} is outside the sessions of market {self.name!r} ({open_hours})")
        whole, rest = divmod(int(elapsed), _SECOND)
        return whole if rest == 0 else int(elapsed) / 1e9

    def _zone(self) -> str:
        if self.timezone is None:
            raise ConfigError(
                f"market {self.name!r} has no time zone, so a timestamp that carries one cannot be read; give "
                "Market(..., timezone='Area/City') or local timestamps"
            )
        return self.timezone

    @staticmethod
    def get(market: str | Market) -> Market:
        """Give a market by its name, in any case; a `Market` passes through.

        Raises
        ------
        ConfigError
            When no preset has that name.
        """
        if isinstance(market, Market):
            return market
        found = PRESETS.get(str(market).lower())
        if found is None:
            names = ", ".join(repr(preset.name) for preset in PRESETS.values())
            raise ConfigError(f"market {market!r} is not known: {names}, or a Market of your own, are accepted")
        return found


def grace_nanoseconds(grace: float) -> int:
    """Check a grace in seconds and convert it."""
    if isinstance(grace, bool) or not isinstance(grace, (int, float)) or not 0 <= grace <= 86_400:
        raise ConfigError(f"grace is {grace!r}; seconds from 0 to 86400 are accepted")
    return round(grace * _SECOND)


def _check_outside(outside: str) -> None:
    if outside not in ("null", "clip", "raise"):
        raise ConfigError(f"outside is {outside!r}; 'null', 'clip' or 'raise' is accepted")


CN = Market("CN", [Session("09:30", "11:30"), Session("13:00", "15:00")], "Asia/Shanghai")
KR = Market("KR", [Session("09:00", "15:30")], "Asia/Seoul")
HK = Market("HK", [Session("09:30", "12:00"), Session("13:00", "16:00")], "Asia/Hong_Kong")
HKEX_NORTHBOUND = Market("hkex_northbound", CN.sessions, "Asia/Shanghai")
US = Market("US", [Session("09:30", "16:00")], "America/New_York")
CRYPTO = Market("crypto", [Session("00:00", "24:00")], "UTC")

PRESETS = {market.name.lower(): market for market in (CN, KR, HK, HKEX_NORTHBOUND, US, CRYPTO)}
