"""Make the bundled trading calendars, python/vizflow/_calendars/*.txt, from public calendar packages; --check compares.

Not part of the package, which needs none of them at run time: `pip install ".[calendars]"` brings them. Every day is
looked up in at least two packages (Korea before 2000: one). Where they disagree, or all are wrong,
calendar_corrections.txt says what is true and why; a difference that is not listed there ends this script, and nothing
is written.
"""

from __future__ import annotations

import datetime as dt
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "python" / "vizflow" / "_calendars"
CORRECTIONS = Path(__file__).resolve().parent / "calendar_corrections.txt"
LIMIT = 14_000  # bytes in all

Hours = tuple[str, ...]  # ("0930-1130", "1300-1500")
Days = set[dt.date]


@dataclass(frozen=True)
class Correction:
    """One line of calendar_corrections.txt."""

    market: str
    day: dt.date
    truth: str
    wrong: frozenset[str]
    reason: str

    @property
    def hours(self) -> Hours | None:
        """The day's sessions, where those are corrected."""
        return tuple(self.truth.split("+")) if self.truth[0].isdigit() else None


@dataclass(frozen=True)
class Bundle:
    """What is known of a market, and from where; the sources' names are those of calendar_corrections.txt."""

    name: str
    first: dt.date
    last: dt.date
    verified: dt.date  # two of the packages compared were published by then: closures decided later may be missing
    periods: tuple[tuple[dt.date, Hours], ...]
    base: str
    days_from: dict[str, dt.date] = field(default_factory=dict)  # a package is compared from that day on
    hours_from: str = ""  # package that the special hours are taken from


def day(text: str) -> dt.date:
    """Read YYYY-MM-DD."""
    return dt.date.fromisoformat(text)


EPOCH = day("1990-01-01")
EC_OF = {"CN": "XSHG", "KR": "XKRX", "HK": "XHKG", "US": "XNYS"}
PMC_OF = {"CN": "SSE", "HK": "HKEX", "US": "NYSE"}  # its XKRX is a copy of exchange_calendars
HOL_OF = {"CN": "XSHG", "KR": "XKRX", "HK": "XHKG", "US": "XNYS"}

BUNDLES = [
    Bundle(
        "CN", day("1990-12-19"), day("2026-12-31"), day("2026-10-05"),
        ((day("1990-12-19"), ("0930-1130", "1300-1500")),),
        base="ec",
        # holidays: statutory days only until 2006, not the weekdays that were exchanged for weekends
        days_from={"pmc": day("1990-12-19"), "hol": day("2007-01-01")},
    ),
    Bundle(
        # Until 1998-12-05 the exchange traded on Saturdays, which no package knows.
        "KR", day("1998-12-07"), day("2026-12-31"), day("2026-03-10"),
        (
            (day("1998-12-07"), ("0900-1200", "1300-1500")),
            (day("2000-05-22"), ("0900-1500",)),
            (day("2016-08-01"), ("0900-1530",)),
        ),
        base="ec",
        days_from={"hol": day("2000-01-01")},
        hours_from="ec",
    ),
    Bundle(
        "HK", day("1990-01-01"), day("2026-12-31"), day("2026-10-05"),
        (
            (day("1990-01-01"), ("1000-1230", "1430-1600")),
            (day("2011-03-07"), ("0930-1200", "1330-1600")),
            (day("2012-03-05"), ("0930-1200", "1300-1600")),
        ),
        base="ec",
        days_from={"pmc": EPOCH, "hol": day("2014-01-01")},
        hours_from="ec",
    ),
    Bundle(
        "US", day("1990-01-01"), day("2027-12-31"), day("2026-10-05"),
        ((day("1990-01-01"), ("0930-1600",)),),
        base="ec",
        days_from={"pmc": EPOCH, "hol": EPOCH},
        hours_from="pmc",
    ),
]  # fmt: skip


def corrections(market: str | None = None) -> list[Correction]:
    """Read calendar_corrections.txt."""
    found = []
    for line in CORRECTIONS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, when, truth, wrong, reason = line.split(maxsplit=4)
            found.append(Correction(name, day(when), truth, frozenset(wrong.split(",")) - {"-"}, reason))
    return [item for item in found if market in (None, item.market)]


# ---- what the packages say ----------------------------------------------------------------------------------------


def weekdays(first: dt.date, last: dt.date) -> Days:
    """Return Mondays to Fridays."""
    return {d for n in range((last - first).days + 1) if (d := first + dt.timedelta(n)).weekday() < 5}


def _hours(table: Any, names: tuple[str, ...], zone: object) -> dict[dt.date, Hours]:
    """Return the sessions of each row of a schedule, whose columns are times in UTC."""
    columns = [table[name].dt.tz_convert(zone).dt.strftime("%H%M") for name in names if name in table]
    found = {}
    for stamp, *times in zip(table.index, *columns, strict=True):
        known = [time for time in times if isinstance(time, str)]
        found[stamp.date()] = tuple(f"{a}-{b}" for a, b in zip(known[::2], known[1::2], strict=True))
    return found


@cache
def ec_hours(market: str, first: dt.date, last: dt.date) -> dict[dt.date, Hours]:
    """Days and hours of exchange_calendars."""
    import exchange_calendars as ec

    # Asked for more than is needed: its Korean hours are wrong on the last day that is asked for.
    end = min(last + dt.timedelta(31), dt.date(2026, 12, 31) if market == "CN" else dt.date.max)
    found = ec.get_calendar(EC_OF[market], start=str(first), end=str(end))
    names = ("open", "break_start", "break_end", "close")
    return {d: h for d, h in _hours(found.schedule, names, found.tz).items() if d <= last}


@cache
def pmc_hours(market: str, first: dt.date, last: dt.date) -> dict[dt.date, Hours]:
    """Days and hours of pandas_market_calendars."""
    import pandas_market_calendars as pmc

    found = pmc.get_calendar(PMC_OF[market])
    names = ("market_open", "break_start", "break_end", "market_close")
    return _hours(found.schedule(str(first), str(last)), names, found.tz)


@cache
def hol_days(market: str, first: dt.date, last: dt.date) -> Days:
    """Days of holidays."""
    import holidays

    closed = holidays.financial_holidays(HOL_OF[market], years=range(first.year, last.year + 1))
    return {d for d in weekdays(first, last) if d not in closed}


@cache
def hol_half_days(market: str, first: dt.date, last: dt.date) -> Days:
    """Half days of holidays."""
    import holidays
    from holidays.constants import HALF_DAY

    found = holidays.financial_holidays(HOL_OF[market], years=range(first.year, last.year + 1), categories=[HALF_DAY])
    return {d for d in found if first <= d <= last}


SOURCES: dict[str, Callable[[str, dt.date, dt.date], Iterable[dt.date]]] = {
    "ec": ec_hours,
    "pmc": pmc_hours,
    "hol": hol_days,
}

# ---- what is true -------------------------------------------------------------------------------------------------


@dataclass
class Truth:
    """A market as it is bundled."""

    bundle: Bundle
    days: Days
    adhoc: Days
    special: dict[dt.date, Hours]

    def hours(self, when: dt.date) -> Hours:
        """Sessions of a trading day."""
        regular = [hours for start, hours in self.bundle.periods if start <= when][-1]
        return self.special.get(when, regular)


def special_hours(bundle: Bundle, hours: dict[dt.date, Hours]) -> dict[dt.date, Hours]:
    """Return the days whose hours are not the market's usual ones."""
    if not bundle.hours_from:
        return {}
    if bundle.name == "HK":  # its breaks and afternoons of before 2012 are not in the package: take half days only
        short = {d for d, h in hours.items() if len(h) == 1}
        change = bundle.periods[1][0]
        return {d: ("1000-1230",) if d < change else ("0930-1200",) for d in short}
    regular = Truth(bundle, set(hours), set(), {})
    return {d: h for d, h in hours.items() if h != regular.hours(d)}


def truth(bundle: Bundle) -> Truth:
    """Return what one package says, as corrected."""
    days = set(SOURCES[bundle.base](bundle.name, bundle.first, bundle.last))
    source = {"ec": ec_hours, "pmc": pmc_hours}.get(bundle.hours_from)
    special = special_hours(bundle, source(bundle.name, bundle.first, bundle.last)) if source else {}
    adhoc: Days = set()
    for item in corrections(bundle.name):
        if item.truth == "open":
            days.add(item.day)
        elif item.hours is None:
            days.discard(item.day)
            if item.truth == "adhoc":
                adhoc.add(item.day)
        else:
            special[item.day] = item.hours
    found = Truth(bundle, days, adhoc, {d: h for d, h in special.items() if d in days})
    found.special = {d: h for d, h in found.special.items() if h != Truth(bundle, days, adhoc, {}).hours(d)}
    return found


def differences(bundle: Bundle, found: Truth) -> dict[str, Days]:
    """Give, for each package, the days on which it says something else than the bundle: about the day or its hours."""
    first, last = bundle.first, bundle.last
    out: dict[str, Days] = {}
    for name in dict.fromkeys([bundle.base, *bundle.days_from]):
        start = bundle.days_from.get(name, first)
        theirs = set(SOURCES[name](bundle.name, start, last))
        out[name] = theirs ^ {d for d in found.days if d >= start}
    for name, source in (("ec", ec_hours), ("pmc", pmc_hours)):
        if name in out and (bundle.name, name) in HOURS_COMPARED:
            theirs_hours = source(bundle.name, first, last)
            if bundle.name == "HK":
                ours = {d for d in found.days if len(found.hours(d)) == 1}
                out[name] |= {d for d, h in theirs_hours.items() if len(h) == 1} ^ ours
            else:
                out[name] |= {d for d, h in theirs_hours.items() if d in found.days and h != found.hours(d)}
    if bundle.name in ("HK", "US"):
        start = bundle.days_from["hol"]
        close = {"HK": "1600", "US": "1600"}[bundle.name]
        ours = {d for d in found.days if d >= start and found.hours(d)[-1][-4:] != close}
        out["hol"] |= hol_half_days(bundle.name, start, last) ^ ours
    return out


# pandas_market_calendars has Hong Kong's hours of today for every day, and no half days.
HOURS_COMPARED = {("CN", "ec"), ("CN", "pmc"), ("KR", "ec"), ("HK", "ec"), ("US", "ec"), ("US", "pmc")}


def unexplained(bundle: Bundle, found: Truth) -> list[str]:
    """Return one line for each difference that is not listed as a correction."""
    listed = {(item.day, package) for item in corrections(bundle.name) for package in item.wrong}
    return [
        f"{bundle.name} {when}: {package} differs, and calendar_corrections.txt does not say so"
        for package, days in differences(bundle, found).items()
        for when in sorted(days)
        if (when, package) not in listed
    ]


# ---- the text -----------------------------------------------------------------------------------------------------


def by_year(days: Iterable[dt.date]) -> list[str]:
    """Return a line a year: "2024 0101 0212-0216"."""
    years: dict[int, list[str]] = {}
    for when in sorted(days):
        years.setdefault(when.year, []).append(when.strftime("%m%d"))
    return [" ".join([str(year), *texts]) for year, texts in years.items()]


def closed_lines(closed: Days) -> list[str]:
    """Return a line a year, with ranges where three weekdays or more in a row are closed."""
    runs: list[list[dt.date]] = []
    for when in sorted(closed):
        before = runs[-1][-1] if runs else None
        gap = (when - before).days if before else 0
        joined = gap == 1 or (gap == 3 and when.weekday() == 0)
        if before is not None and joined and before.year == when.year:
            runs[-1].append(when)
        else:
            runs.append([when])
    years: dict[int, list[str]] = {}
    for run in runs:
        texts = [when.strftime("%m%d") for when in run]
        years.setdefault(run[0].year, []).extend([f"{texts[0]}-{texts[-1]}"] if len(texts) > 2 else texts)
    return [" ".join([str(year), *texts]) for year, texts in years.items()]


def text(found: Truth) -> str:
    """Return a calendar's text; src/clock/calendar.h describes it."""
    bundle = found.bundle
    closed = weekdays(bundle.first, bundle.last) - found.days - found.adhoc
    lines = [
        "# Made by tools/make_calendars.py: edit tools/calendar_corrections.txt.",
        f"calendar {bundle.name}",
        f"first {bundle.first}",
        f"last {bundle.last}",
        f"verified {bundle.verified}",
        "closed",
        *closed_lines(closed),
    ]
    if found.adhoc:
        lines += ["adhoc", *by_year(found.adhoc)]
    lines += [f"hours {start} {' '.join(hours)}" for start, hours in bundle.periods]
    for hours in sorted(set(found.special.values())):
        days = {d for d, h in found.special.items() if h == hours}
        lines += [f"special {' '.join(hours)}", *by_year(days)]
    return "\n".join(lines) + "\n"


def northbound(home: Truth, abroad: Truth) -> Truth:
    """Return the days of the northbound links: those that both markets trade.

    Under the older rule Hong Kong had to be open, by schedule, on the next day traded in China too, when money is
    settled. Where Hong Kong opened late, so did its links, and where its afternoon was cut short; on its half days they
    go on till the close at home.
    """
    first, change = day("2014-11-17"), day("2023-04-24")
    last = min(home.bundle.last, abroad.bundle.last)
    bundle = Bundle(
        "hkex_northbound", first, last, min(home.bundle.verified, abroad.bundle.verified),
        ((first, home.hours(first)),), base="",
    )  # fmt: skip
    ordered = sorted(when for when in home.days if first <= when <= last)
    settled = abroad.days | abroad.adhoc
    days = {
        when
        for when, after in zip(ordered, [*ordered[1:], last], strict=True)
        if when in abroad.days and (when >= change or after in settled)
    }
    special = {}
    for when in days:
        theirs = abroad.hours(when)
        opens, closes = max("0930", theirs[0][:4]), theirs[-1][5:]
        until = closes if len(theirs) > 1 and closes < "1600" else "2400"
        hours = [(max(one[:4], opens), min(one[5:], until)) for one in home.hours(when)]
        special[when] = tuple(f"{start}-{end}" for start, end in hours if start < end)
    usual = home.hours(first)
    return Truth(bundle, days, set(), {when: hours for when, hours in special.items() if hours != usual})


def crypto() -> str:
    """Return the calendar that never closes; from the day of the first block on."""
    return (
        "# Made by tools/make_calendars.py: every day is one.\ncalendar crypto\nfirst 2009-01-03\nlast 2050-12-31\n"
        "verified 2050-12-31\nweek 1234567\nhours 2009-01-03 0000-2400\n"
    )


def main() -> int:
    """Write the texts, or compare them; 1 when something is not as it should be."""
    warnings.simplefilter("ignore")  # the packages' own
    texts, faults = {"crypto": crypto()}, []
    markets = {bundle.name: truth(bundle) for bundle in BUNDLES}
    for found in markets.values():
        faults += unexplained(found.bundle, found)
    for found in (*markets.values(), northbound(markets["CN"], markets["HK"])):
        bundle = found.bundle
        texts[bundle.name] = text(found)
        size = len(texts[bundle.name])
        print(f"{bundle.name}: {len(found.days)} days, {len(found.special)} with other hours, {size} bytes")
    size = sum(len(t.encode()) for t in texts.values())
    if size > LIMIT:
        faults.append(f"{size} bytes in all, more than {LIMIT}")
    for name, content in texts.items() if "--check" in sys.argv else ():
        path = FOLDER / f"{name}.txt"
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            faults.append(f"{path.relative_to(ROOT)} is not what the packages and the corrections say")
    if faults:
        print(*faults, sep="\n")
        return 1
    if "--check" not in sys.argv:
        FOLDER.mkdir(exist_ok=True)
        for name, content in texts.items():
            (FOLDER / f"{name}.txt").write_text(content, encoding="utf-8")
    print(f"calendars: {size} bytes in all, no fault")
    return 0


if __name__ == "__main__":
    sys.exit(main())
