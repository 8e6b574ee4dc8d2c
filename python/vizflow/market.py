"""Markets: trading sessions, and the clock that runs only while they are open.

Not for calendars: which days a market trades is `vizflow.calendar`'s matter.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

import polars as pl

import vizflow._core as _core
from vizflow import _calendars
from vizflow._calendars import zones
from vizflow.dates import Day, check_day
from vizflow.errors import ConfigError, DataError
from vizflow.numbers import real

__all__ = ["CN", "CRYPTO", "HK", "HKEX_NORTHBOUND", "KR", "US", "Market", "Outside", "Session"]

Outside = Literal["null", "clip", "raise"]
Days: TypeAlias = "Day | tuple[Day, Day]"
_Override: TypeAlias = "tuple[dt.date, dt.date, tuple[Session, ...]]"

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
    night
        The session is traded the evening before, although it ends before midnight (21:00 to 23:00). Only a market's
        first session may be; one that crosses midnight is, said or not.

    Examples
    --------
    See `Market`.
    """

    start: str
    end: str
    night: bool = False

    def __post_init__(self) -> None:
        start, end = _nanoseconds(self.start), _nanoseconds(self.end)
        if start >= end:
            object.__setattr__(self, "night", True)  # so that equal sessions are equal, however they are written

    @property
    def bounds_ns(self) -> tuple[int, int]:
        """Nanoseconds since midnight of the trading day; negative for what is traded the evening before."""
        start, end = _nanoseconds(self.start), _nanoseconds(self.end)
        if not self.night:
            return start, end
        return start - _DAY, end - _DAY if start < end else end

    @property
    def _text(self) -> str:
        """As a calendar's text has it: HHMM-HHMM."""
        start, end = (_nanoseconds(time) // _SECOND for time in (self.start, self.end))
        form = "{:02d}{:02d}" if start % 60 == end % 60 == 0 else "{:02d}{:02d}{:02d}"
        clock = [form.format(t // 3600, t // 60 % 60, t % 60) for t in (start, end)]
        return ("^" if self.night and start < end else "") + "-".join(clock)


def session_of(bounds: tuple[int, int]) -> Session:
    """Return the session that begins and ends so many nanoseconds after midnight."""
    clock = []
    for time in bounds:
        second = (time + _DAY if time < 0 else time) // _SECOND
        form = "{:02d}:{:02d}" if second % 60 == 0 else "{:02d}:{:02d}:{:02d}"
        clock.append(form.format(second // 3600, second // 60 % 60, second % 60))
    return Session(clock[0], clock[1], night=bounds[0] < 0)


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

    calendar
        Name of the bundled calendar whose days the market trades (see `vizflow.calendar.get`). Where `sessions` are
        that calendar's hours of today, its other hours (half days, earlier years) hold on their days, too; sessions of
        your own hold on every day but those in `overrides`.
    overrides
        Other sessions on some days: a day, or a pair (first, last) of days, to a list of `Session`.
    date
        The trading day that is looked at; see `on`. Markets that differ in nothing else are equal.

    Raises
    ------
    ConfigError
        When sessions overlap, are out of order, or do not fit a day; when an override is of a day that is not traded.
    CalendarRangeError
        An override is of a day that the calendar does not know.

    Examples
    --------
    >>> import vizflow as vf
    >>> vf.Market("lunch", [vf.Session("09:00", "12:00"), vf.Session("13:00", "17:30")]).seconds
    27000

    Sessions on a date, and a day of which a typhoon takes the morning:

    >>> vf.HK.sessions_on("20241224")
    (Session(start='09:30', end='12:00', night=False),)
    >>> hk = vf.HK.on({"20261020": [vf.Session("13:00", "16:00")]})
    >>> hk.end_on("20261020"), hk.end_on("20261021")
    (10800, 19800)
    """

    name: str
    sessions: Sequence[Session]
    timezone: str | None = None
    calendar: str | None = None
    overrides: Mapping[Days, Sequence[Session]] | tuple[_Override, ...] = ()
    date: Day | None = field(default=None, compare=False)

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
        if self.calendar is not None:
            object.__setattr__(self, "calendar", _calendars.name_of(self.calendar))
        object.__setattr__(self, "overrides", self._check_overrides())
        object.__setattr__(self, "date", None if self.date is None else check_day(self.date))

    def _check_overrides(self) -> tuple[_Override, ...]:
        given = self.overrides
        if isinstance(given, Mapping):
            given = tuple((*_days_of(key), tuple(value)) for key, value in given.items())
        items = given
        for sessions in {sessions for _, _, sessions in items}:
            Market(self.name, sessions)  # checks them
        for first, last, _ in items:
            if last < first:
                raise ConfigError(f"market {self.name!r}: the override from {first} ends before, on {last}")
            if self.calendar is not None:
                days = _calendars.opened(_calendars.text(self.calendar))
                if not days.range(_calendars.day_number(first), _calendars.day_number(last)):
                    raise ConfigError(
                        f"market {self.name!r}: override of {first}, no trading day, says calendar {self.calendar}"
                    )
        return items

    def on(self, day: Day | Mapping[Days, Sequence[Session]]) -> Market:
        """Return the market on a day, or this market with other sessions on some days.

        Parameters
        ----------
        day
            A trading day, ``YYYYMMDD`` or a date: whatever takes the market then takes it on that day, with that day's
            sessions and length, and stamps of another trading day are outside (see `parse_time`). A pipeline's
            ``ctx.market`` is the market on ``ctx.date``. Or other sessions: a day, or a pair (first, last) of days, to
            a list of `Session`; of several for a day the last counts.

        Raises
        ------
        ConfigError
            The day is not traded.
        CalendarRangeError
            The calendar does not know the day.

        Examples
        --------
        >>> import vizflow as vf
        >>> vf.US.on("20241129").seconds, vf.US.seconds
        (12600, 23400)
        """
        if isinstance(day, Mapping):
            more = ((*_days_of(key), tuple(sessions)) for key, sessions in day.items())
            return replace(self, overrides=(*self._overrides, *more))
        self.bounds_on(day)  # checks it
        return replace(self, date=day)

    def without_night(self, dates: Iterable[Days]) -> Market:
        """Return this market without its night session on some days.

        Parameters
        ----------
        dates
            Trading days, or pairs (first, last) of them, whose evening before had no night session (the eve of a
            holiday). Elapsed time then begins with the day's own first session.

        Raises
        ------
        ConfigError
            The market has no night session, or nothing else.
        """
        if not self.sessions[0].night or len(self.sessions) < 2:
            raise ConfigError(f"market {self.name!r} has no night session before its others")
        return self.on(dict.fromkeys(dates, self.sessions[1:]))

    @staticmethod
    def cn_futures(
        night_end: Literal["23:00", "01:00", "02:30"] | None,
        *,
        night_from: Day = "20130708",
        no_night: Iterable[Days] = (),
    ) -> Market:
        """Return the market of a Chinese commodity future: 21:00 to `night_end`, 09:00-10:15, 10:30-11:30, 13:30-15:00.

        The night belongs to the next trading day: Friday's night is Monday's first session. There is none on the eve
        of a holiday, and was none for the trading days 2020-02-03 to 2020-05-06.

        Parameters
        ----------
        night_end
            When the product's night ends; None for a product without one.
        night_from
            First trading day with a night session before it; of the first products, 2013-07-08. It differs by product.
        no_night
            Further trading days, or pairs (first, last) of them, without one.

        Examples
        --------
        >>> import datetime as dt, vizflow as vf
        >>> gold = vf.Market.cn_futures("02:30")
        >>> gold.elapsed_seconds(dt.time(9), date="20240603"), gold.elapsed_seconds(dt.time(9), date="20241008")
        (19800, 0)
        """
        day = [Session("09:00", "10:15"), Session("10:30", "11:30"), Session("13:30", "15:00")]
        if night_end is None:
            return Market("CN_futures", day, "Asia/Shanghai", "CN")
        start = check_day(night_from)
        first, _ = _known_of("CN")
        nightless: list[Days] = [(first, start - dt.timedelta(1))] if start > first else []
        nightless += [eve for eve in _after_holidays("CN") if eve >= start]
        nightless += [(dt.date(2020, 2, 3), dt.date(2020, 5, 6)), *no_night]
        market = Market("CN_futures", [Session("21:00", night_end, night=True), *day], "Asia/Shanghai", "CN")
        return market.without_night(nightless)

    @property
    def _overrides(self) -> tuple[_Override, ...]:
        return self.overrides if isinstance(self.overrides, tuple) else ()

    @property
    def _calendar_text(self) -> str | None:
        """The text of the market's calendar, as C reads it; None where every day is like any other."""
        return None if self.calendar is None and not self.overrides else _text_of(self)

    def _make_text(self) -> str:
        own = " ".join(session._text for session in self.sessions)
        if self.calendar is None:
            name = re.sub(r"[^!-~]", "_", self.name)[:40] or "_"
            content = f"calendar {name}\nhours 0001-01-01 {own}\n"
        else:
            content = _calendars.text(self.calendar)
            if _hours_of_today(self.calendar) != own:
                content = _calendars.days_part(content) + f"hours {_known_of(self.calendar)[0]} {own}\n"
        lines = []
        for first, last, sessions in self._overrides:
            lines.append("special " + " ".join(session._text for session in sessions))
            lines += _year_lines(first, last)
        return content + "".join(line + "\n" for line in lines)

    def _dated(self) -> _core.Calendar | None:
        content = self._calendar_text
        return None if content is None else _calendars.opened(content)

    def sessions_on(self, date: Day) -> tuple[Session, ...]:
        """Return the sessions of a date.

        Parameters
        ----------
        date
            The trading day: ``YYYYMMDD``, or a date.

        Returns
        -------
        tuple of Session
            Empty on a day that is not traded. A market without `calendar` trades every day.

        Raises
        ------
        CalendarRangeError
            The calendar does not know the day.

        Examples
        --------
        >>> import vizflow as vf
        >>> [f"{s.start}-{s.end}" for s in vf.KR.sessions_on("20241114")]  # university entrance examination
        ['10:00-16:30']
        >>> vf.KR.sessions_on("20241225")
        ()
        """
        day, dated = check_day(date), self._dated()
        if dated is None:
            return tuple(self.sessions)
        return tuple(session_of(bounds) for bounds in dated.sessions(_calendars.day_number(day)))

    def bounds_on(self, date: Day) -> list[tuple[int, int]]:
        """(start, end) of each session of a date in nanoseconds since midnight.

        Raises
        ------
        ConfigError
            The day is not traded.
        CalendarRangeError
            The calendar does not know the day.
        """
        sessions = self.sessions_on(date)
        if not sessions:
            raise ConfigError(
                f"{check_day(date)} is no trading day of market {self.name!r}, says calendar {self.calendar}; another "
                "market, or one without calendar, Market(name, sessions), may be what is needed"
            )
        return [session.bounds_ns for session in sessions]

    def end_on(self, date: Day) -> int:
        """Return the elapsed seconds at the end of a date: how long it is traded.

        Where clocks change within a session (a market open for 24 hours, in a zone with summer time), its real length,
        as stamps with a zone and epochs count; local stamps count by the wall clock, to 86,400 on every day.
        Raises as `bounds_on` does.

        Examples
        --------
        >>> import vizflow as vf
        >>> vf.US.end_on("20241129"), vf.US.end_on("20241202")
        (12600, 23400)
        >>> always = vf.Market("always", [vf.Session("00:00", "24:00")], "America/New_York")
        >>> always.end_on("20240310"), always.end_on("20241103")
        (82800, 90000)
        """
        return self._length(check_day(date), self.bounds_on(date))

    def _length(self, day: dt.date, bounds: list[tuple[int, int]]) -> int:
        if self._zone_text is not None:
            return int(_core.sessions_length(bounds, _calendars.day_number(day), self._zone_text)) // _SECOND
        return int(_core.sessions_check(bounds)) // _SECOND

    @property
    def bounds_ns(self) -> list[tuple[int, int]]:
        """(start, end) of each session in nanoseconds since midnight.

        Of the market on a day (`on`) those of the day. Where its calendar says that the day is not traded, or does not
        know it, they are the usual ones: a pipeline runs on the file that is there.
        """
        if isinstance(self.date, dt.date):
            try:
                return self.bounds_on(self.date.isoformat().replace("-", ""))
            except ConfigError:  # a CalendarRangeError is one
                pass
        return [session.bounds_ns for session in self.sessions]

    @property
    def seconds(self) -> int:
        """Length of a trading day in seconds; of the market on a day, of that day."""
        if isinstance(self.date, dt.date):
            return self._length(self.date, self.bounds_ns)
        return int(_core.sessions_check(self.bounds_ns)) // _SECOND

    @property
    def _day_number(self) -> int | None:
        return _calendars.day_number(self.date) if isinstance(self.date, dt.date) else None

    @property
    def _night_text(self) -> str | None:
        """The calendar's text, where nights have to be told apart by it."""
        sets = [self.sessions, *(sessions for _, _, sessions in self._overrides)]
        return self._calendar_text if any(sessions[0].night for sessions in sets) else None

    @property
    def _ends_text(self) -> str | None:
        """The text of a calendar, where days differ in their length; None where they do not."""
        if self._calendar_text is not None or self.timezone is None:
            return self._calendar_text
        changes = zones.changes_within(self.timezone, tuple(self.bounds_ns))
        return self._make_text() if changes else None

    @property
    def _zone_text(self) -> str | None:
        return None if self.timezone is None else zones.offsets(self.timezone)

    def elapsed_seconds(
        self, time: dt.datetime | dt.time, *, outside: Outside = "raise", grace: float = 0, date: Day | None = None
    ) -> int | float | None:
        """Convert wall-clock time to continuous trading seconds.

        Parameters
        ----------
        time
            Local time of day; a datetime with a zone is converted to the market's.
        outside
            What a time in no session gives: ``"raise"``, ``"null"`` (None) or ``"clip"`` (the nearest session end;
            None for a datetime of another trading day).
        grace
            Seconds within which a time outside is moved to the session's end, whatever `outside` says.
        date
            Trading day whose sessions count (`sessions_on`), and of which a datetime has to be; None for the market's
            usual ones.

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
        check_outside(outside)
        market = self if date is None else self.on(date)
        grace_ns = _DAY if outside == "clip" else grace_nanoseconds(grace)
        bounds = market.bounds_ns
        if isinstance(time, dt.datetime):
            found = market._elapsed_of(time, bounds, outside, grace_nanoseconds(grace))
            elapsed = None if found is None else round(found * 1e6) * 1000
        else:
            of_day = (time.hour * 3600 + time.minute * 60 + time.second) * _SECOND + time.microsecond * 1000
            elapsed = _core.sessions_elapsed(bounds, grace_ns, of_day)
        if elapsed is None:
            if outside != "raise":
                return None  # clipped, but of another day: nothing moves that onto this one
            open_hours = ", ".join(f"{one.start}-{one.end}" for one in map(session_of, bounds))
            day = "" if market.date is None else f" on {market.date}"
            raise DataError(f"{time} is outside the sessions of market {self.name!r}{day} ({open_hours})")
        whole, rest = divmod(int(elapsed), _SECOND)
        return whole if rest == 0 else int(elapsed) / 1e9

    def _elapsed_of(
        self, time: dt.datetime, bounds: list[tuple[int, int]], outside: Outside, grace_ns: int
    ) -> float | None:
        """Return elapsed seconds of a stamp that has a date."""
        if time.tzinfo is not None:
            self._zone()
            time = time.astimezone(dt.timezone.utc)
        stamp = pl.Series([time], dtype=pl.Datetime("us", None if time.tzinfo is None else "UTC"))
        mode = 1 if outside == "clip" else 0
        out, _ = _core.clock_elapsed(
            stamp, bounds, mode, grace_ns, 0, False, self._day_number, self._night_text, self._zone_text
        )
        found: float | None = pl.Series(out)[0]
        return found

    def _zone(self) -> str:
        if self.timezone is None:
            raise ConfigError(
                f"market {self.name!r} has no time zone, so a timestamp that carries one cannot be read; give "
                "Market(..., timezone='Area/City') or local timestamps"
            )
        return self.timezone

    @staticmethod
    def get(market: str | Market) -> Market:
        """Return a market by its name, in any case; a `Market` passes through.

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
    seconds = real(grace)
    if seconds is None or not 0 <= seconds <= 86_400:
        raise ConfigError(f"grace is {grace!r}; seconds from 0 to 86400 are accepted")
    return round(seconds * _SECOND)


def check_outside(outside: str) -> None:
    """Check the option `outside`."""
    if outside not in ("null", "clip", "raise"):
        raise ConfigError(f"outside is {outside!r}; 'null', 'clip' or 'raise' is accepted")


@lru_cache(maxsize=64)
def _text_of(market: Market) -> str:
    return market._make_text()


def _days_of(key: Days) -> tuple[dt.date, dt.date]:
    first, last = key if isinstance(key, tuple) else (key, key)
    return check_day(first), check_day(last)


def _year_lines(first: dt.date, last: dt.date) -> list[str]:
    """Return the days first .. last as a calendar's text has them, a line a year."""
    lines = []
    for year in range(first.year, last.year + 1):
        start, end = max(first, dt.date(year, 1, 1)), min(last, dt.date(year, 12, 31))
        lines.append(f"{year:04d} {start:%m%d}" + (f"-{end:%m%d}" if end > start else ""))
    return lines


def _known_of(calendar: str) -> tuple[dt.date, dt.date]:
    _, _, first, last, _, _ = _calendars.opened(_calendars.text(calendar)).describe()
    return _calendars.day_of(first), _calendars.day_of(last)


def _hours_of_today(calendar: str) -> str:
    lines = [line for line in _calendars.text(calendar).splitlines() if line.startswith("hours ")]
    return lines[-1].split(" ", 2)[2]


def _after_holidays(calendar: str) -> list[dt.date]:
    """Return the trading days before which more than a night, or a weekend, was not traded."""
    first, last = (_calendars.day_number(day) for day in _known_of(calendar))
    days = [_calendars.day_of(number) for number in _calendars.opened(_calendars.text(calendar)).range(first, last)]
    return [day for before, day in pairwise(days) if (day - before).days != _usual_gap(day)]


def _usual_gap(day: dt.date) -> int:
    return 3 if day.weekday() == 0 else 1


CN = Market("CN", [Session("09:30", "11:30"), Session("13:00", "15:00")], "Asia/Shanghai", "CN")
KR = Market("KR", [Session("09:00", "15:30")], "Asia/Seoul", "KR")
HK = Market("HK", [Session("09:30", "12:00"), Session("13:00", "16:00")], "Asia/Hong_Kong", "HK")
HKEX_NORTHBOUND = Market("hkex_northbound", CN.sessions, "Asia/Shanghai", "hkex_northbound")
US = Market("US", [Session("09:30", "16:00")], "America/New_York", "US")
CRYPTO = Market("crypto", [Session("00:00", "24:00")], "UTC", "crypto")

PRESETS = {market.name.lower(): market for market in list(globals().values()) if isinstance(market, Market)}
