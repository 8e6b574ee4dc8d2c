"""Trading clocks and calendars: elapsed seconds of columns and of single times, reports, days before and after days.

The hours are written here by hand. All EXACT. Which days are traded is data (`vf.calendar.get`, compared with public
calendars elsewhere); what is asked of it is computed here again, also over calendars drawn at random.
"""

from __future__ import annotations

import datetime as dt
import random
from bisect import bisect_left, bisect_right
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

import vizflow as vf
from differential import shapes
from differential.core import UNIT, Case, Operation, refusable, refused
from differential.shapes import NS
from differential.sql import ask

Rng = random.Random
DAY = 86_400 * NS

HOURS: dict[str, list[tuple[str, str]]] = {
    "CN": [("09:30", "11:30"), ("13:00", "15:00")],
    "KR": [("09:00", "15:30")],
    "HK": [("09:30", "12:00"), ("13:00", "16:00")],
    "US": [("09:30", "16:00")],
    "crypto": [("00:00", "24:00")],
}
ZONES = {
    "CN": "Asia/Shanghai", "KR": "Asia/Seoul", "HK": "Asia/Hong_Kong", "US": "America/New_York", "crypto": "UTC",
}  # fmt: skip
OTHER_DAYS = {  # by the exchanges' notices: half days, the examination, and one like any other
    "CN": {"20241127": HOURS["CN"]},
    "KR": {"20241113": HOURS["KR"], "20241114": [("10:00", "16:30")]},
    "HK": {"20241223": HOURS["HK"], "20241224": [("09:30", "12:00")]},
    "US": {"20241127": HOURS["US"], "20241129": [("09:30", "13:00")]},
}
OWN = [
    [("21:00", "02:30"), ("09:00", "10:15"), ("10:30", "11:30"), ("13:30", "15:00")],
    [("21:00", "23:00"), ("09:00", "10:15")],
    [("00:00", "00:01"), ("12:00:30", "12:00:31"), ("23:59", "24:00")],
    [("10:00", "10:10"), ("10:10:01", "10:20")],
]


def _ns(text: str) -> int:
    parts = [int(part) for part in text.split(":")]
    return (parts[0] * 3600 + parts[1] * 60 + (parts[2] if len(parts) > 2 else 0)) * NS


def bounds_of(sessions: list[tuple[str, str]]) -> list[tuple[int, int]]:
    """Return sessions in ns since midnight; a night's start, and end where it ends there, lie before it."""
    out = []
    for start, end in sessions:
        first, last = _ns(start), _ns(end)
        if last <= first:
            first -= DAY
        out.append((first, last))
    if len(out) > 1 and out[0][0] > out[1][0]:
        out[0] = (out[0][0] - DAY, out[0][1] - DAY)
    return out


def market_of(case: Case) -> vf.Market:
    name = case.options["market"]
    if isinstance(name, str):
        return vf.Market.get(name)
    evening = len(name) > 1 and name[0][0] > name[1][0]
    sessions = [vf.Session(start, end, night=evening and n == 0) for n, (start, end) in enumerate(name)]
    return vf.Market("own", sessions, "Asia/Tokyo")


def _sessions_by_row(case: Case) -> list[list[tuple[int, int]] | None]:
    """Return each row's sessions; None where its day is null."""
    rows, name = case["rows"], case.options["market"]
    if "day" in rows.columns:
        known = {day: bounds_of(hours) for day, hours in OTHER_DAYS[name].items()}
        return [None if day is None else known[day] for day in rows["day"]]
    date = case.options.get("date")
    hours = OTHER_DAYS[name][date] if date is not None else HOURS[name] if isinstance(name, str) else name
    return [bounds_of(hours)] * rows.height


# ---- times as columns of every kind ----------------------------------------------------------------------------------

KINDS = [
    "ms", "us", "ns", "zoned us", "zoned ns", "time", "HHMMSS", "HHMMSSmmm", "auto mmm", "s", "epoch ms", "epoch us",
    "epoch ns", "text", "clock text",
]  # fmt: skip
LAYOUTS = [  # that are no SQL here
    "YYYYMMDDHHMM", "YYYYMMDDHHMMSS", "YYYYMMDDHHMMSSmmm", "midnight_s", "midnight_ms", "midnight_us", "midnight_ns",
    "digits HHMMSS", "digits HHMMSSmmm", "digits ms", "dotted", "slashed", "fix", "kdb", "format",
]  # fmt: skip
_OF_TEXT = {"text": "-", "dotted": ".", "slashed": "/", "kdb": ".", "fix": "", "format": "%d/%m/%Y"}
_FORMAT = "%d/%m/%Y %H:%M:%S%.f"


def _moments(rng: Rng, units: list[int], bounds: list[tuple[int, int]], step: int) -> list[int | None]:
    """Draw times of day in ns, of a resolution: on the edges, next to them, in sessions, anywhere."""
    edges = [edge % DAY for session in bounds for edge in session]

    def source(rng: Rng) -> Any:
        kind = rng.randrange(5)
        near = [0, 0, 1, -1, 2, NS // step, -(NS // step), 300 * NS // step, 301 * NS // step, -300 * NS // step]
        if kind < 2:
            return lambda: (rng.choice(edges) // step + rng.choice(near)) * step % DAY
        if kind == 2:
            return lambda: rng.randrange(DAY // step) * step
        low, high = rng.choice(bounds)
        return lambda: rng.randint(low // step, high // step) * step % DAY

    return shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, source(rng), [None], 0.2))


BASE = dt.date(2024, 11, 27)


def _column(rng: Rng, kind: str, moments: list[int | None], zone: str) -> pl.Series:
    """Write times of day as a column of a kind; days differ where the kind has days."""
    days = [rng.choice([0, 0, 1, 2, 26]) for _ in moments]
    if kind == "time":
        return pl.Series("t", moments, dtype=pl.Int64).cast(pl.Time)
    if kind in ("HHMMSS", "HHMMSSmmm", "auto mmm"):
        digits = [None if m is None else _digits(m, kind != "HHMMSS") for m in moments]
        if kind != "auto mmm":
            wrong = [996060, 240001, -1, 93060] if kind == "HHMMSS" else [99_99_99_999, -5, 93060000, 240000001]
            digits = [rng.choice(wrong) if rng.random() < 0.01 else d for d in digits]
        return pl.Series("t", digits, dtype=rng.choice([pl.Int64, pl.Int32]))
    if kind in _OF_TEXT or kind == "clock text":
        return pl.Series("t", [_written(rng, kind, m, d) for m, d in zip(moments, days, strict=True)], dtype=pl.String)
    if kind.startswith("midnight"):
        per = _STEP[kind]
        written = [m if m is None or rng.random() > 0.01 else -m - per for m in moments]
        return pl.Series("t", written, dtype=pl.Int64) // per
    if kind.startswith("YYYY"):
        written = [None if m is None else _dated(rng, kind, m, d) for m, d in zip(moments, days, strict=True)]
        return pl.Series("t", written, dtype=pl.Int64)
    if kind.startswith("digits"):
        numbers = _column(rng, {"ms": "epoch ms"}.get(kind[7:], kind[7:]), moments, zone)
        texts = [None if n is None else "x" if rng.random() < 0.01 else str(n) for n in numbers]
        return pl.Series("t", texts, dtype=pl.String)
    local = [
        None if m is None else (BASE + dt.timedelta(d) - dt.date(1970, 1, 1)).days * DAY + m
        for m, d in zip(moments, days, strict=True)
    ]
    if kind in ("ms", "us", "ns"):
        per = shapes.PER_UNIT[kind]
        return pl.Series("t", [None if n is None else n // per for n in local], dtype=pl.Int64).cast(pl.Datetime(kind))
    utc = [None if n is None else n - _offset(n, zone) for n in local]
    if kind == "s" or kind.startswith("epoch"):
        per = NS if kind == "s" else shapes.PER_UNIT[kind[-2:]]
        return pl.Series("t", [None if n is None else n // per for n in utc], dtype=pl.Int64)
    unit = kind[-2:]
    other = rng.choice([zone, "UTC", "Europe/Berlin"])
    counts = [None if n is None else n // shapes.PER_UNIT[unit] for n in utc]
    return pl.Series("t", counts, dtype=pl.Int64).cast(pl.Datetime(unit, other))  # type: ignore[arg-type]


def _offset(local: int, zone: str) -> int:
    moment = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=local // 1000)
    offset = moment.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return int(offset.total_seconds()) * NS


def _digits(moment: int, mmm: bool) -> int:
    ms = moment // 1_000_000
    second = ms // 1000
    whole = second // 3600 * 10_000 + second // 60 % 60 * 100 + second % 60
    return whole * 1000 + ms % 1000 if mmm else whole


def _written(rng: Rng, kind: str, moment: int | None, day: int) -> str | None:
    if moment is None:
        return None
    if rng.random() < 0.01:
        return rng.choice(["", "nine", "99:99:99", "09:61:00"])
    second, rest = divmod(moment, NS)
    text = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
    if rest or rng.random() < 0.2:
        text += f".{rest // 1000:06d}"
    if kind == "clock text":
        return text
    date, mark = BASE + dt.timedelta(day), _OF_TEXT[kind]
    shown = date.strftime(mark) if kind == "format" else f"{date:%Y}{mark}{date:%m}{mark}{date:%d}"
    if rng.random() < 0.01:
        shown = shown.replace("2024", "2023").replace("11", "02").replace("12", "02").replace("27", "30")
    return shown + {"text": rng.choice("T "), "kdb": "D", "fix": "-", "format": " "}.get(kind, rng.choice("T ")) + text


def _dated(rng: Rng, kind: str, moment: int, day: int) -> int:
    digits = _digits(moment, True)
    date = 20240230 if rng.random() < 0.01 else int(f"{BASE + dt.timedelta(day):%Y%m%d}")
    whole = date * 10**9 + digits
    return whole // {"YYYYMMDDHHMM": 10**5, "YYYYMMDDHHMMSS": 10**3}.get(kind, 1)


_STEP = {"ms": 10**6, "us": 10**3, "ns": 1, "HHMMSS": NS, "s": NS, "HHMMSSmmm": 10**6, "auto mmm": 10**6, "time": 1}
_STEP |= {"zoned us": 10**3, "zoned ns": 1, "epoch ms": 10**6, "epoch us": 10**3, "epoch ns": 1, "text": 10**3}
_STEP |= {"clock text": 10**3, "YYYYMMDDHHMM": 60 * NS, "YYYYMMDDHHMMSS": NS, "YYYYMMDDHHMMSSmmm": 10**6}
_STEP |= {"midnight_s": NS, "midnight_ms": 10**6, "midnight_us": 10**3, "midnight_ns": 1, "digits HHMMSS": NS}
_STEP |= {
    "digits HHMMSSmmm": 10**6,
    "digits ms": 10**6,
    **dict.fromkeys(["dotted", "slashed", "fix", "kdb", "format"], 10**3),
}


def make_layouts(rng: Rng) -> Case:
    return make_parse(rng, LAYOUTS)


def make_parse(rng: Rng, kinds: list[str] = KINDS) -> Case:
    units = shapes.units_of(rng, shapes.many(rng, 120, 260))
    name: Any = rng.choice([*HOURS, "CN", "CN", *OWN])
    zone = ZONES[name] if isinstance(name, str) else "Asia/Tokyo"
    kind = rng.choice(kinds)
    options: dict[str, Any] = {
        "market": name,
        "outside": rng.choice(["null", "null", "null", "clip", "raise"]),
        "grace": rng.choice([0, 0, 1, 300, 0.5, 3600]),
        "unit": _unit(kind),
    }
    if kind == "format":
        options["format"] = _FORMAT
    hours = HOURS[name] if isinstance(name, str) else name
    bounds = bounds_of(hours)
    frame = pl.DataFrame([pl.Series(UNIT, units, dtype=pl.Int64)])
    if isinstance(name, str) and name in OTHER_DAYS and rng.random() < 0.5:
        days = list(OTHER_DAYS[name])
        if rng.random() < 0.5:
            options["date"] = rng.choice(days)
        else:
            chosen = [rng.choice([*days, None]) if rng.random() < 0.1 else days[unit % len(days)] for unit in units]
            frame = frame.with_columns(pl.Series("day", chosen, dtype=pl.String))
            options["date_col"] = "day"
    moments = _moments(rng, units, bounds, _STEP[kind])
    if kind == "auto mmm":  # seven digits and more, so that nothing is ambiguous
        moments = [None if m is None else max(m, 3600 * NS) for m in moments]
    frame = frame.with_columns(_column(rng, kind, moments, zone))
    return shapes.case_of(rng, {"rows": frame}, options)


def _unit(kind: str) -> str | None:
    if kind.startswith("digits"):
        return kind[7:]
    own = kind in ("HHMMSS", "HHMMSSmmm", "s") or kind.startswith(("YYYY", "midnight"))
    return kind if own else kind[-2:] if "epoch" in kind else None


def _call(case: Case) -> dict[str, Any]:
    return {name: value for name, value in case.options.items() if name != "market" and value is not None}


def ours_parse(case: Case) -> pl.DataFrame:
    def run() -> pl.DataFrame:
        lazy = vf.parse_time(case.feed("rows"), market_of(case), "t", **_call(case))
        out = lazy.collect(engine=case.engine)
        assert out.schema == lazy.collect_schema()
        return out.select(UNIT, "elapsed_seconds")

    return refusable(run, case)


# ---- the clock, three times ------------------------------------------------------------------------------------------


def _whole(case: Case) -> bool:
    return case.options.get("unit") in ("HHMMSS", "s", "midnight_s", "YYYYMMDDHHMM", "YYYYMMDDHHMMSS")


def moments_of(bounds: list[tuple[int, int]], moment: Any) -> list[tuple[int, int, int, Any]]:
    """Return (offset, start, end, moment) to try in order: the sessions, and a night's by the clock of its evening."""
    offsets = [sum(end - start for start, end in bounds[:n]) for n in range(len(bounds))]
    tries = [(offset, *session, moment) for offset, session in zip(offsets, bounds, strict=True)]
    if bounds[0][0] < 0:
        tries.append((0, *bounds[0], moment - DAY))
    return tries


def place(bounds: list[tuple[int, int]], moment: int, outside: str, grace: int) -> int | None:
    """Return elapsed ns from the definition: of ends at one distance the earlier."""
    best: tuple[int, int] | None = None
    for offset, start, end, one in moments_of(bounds, moment):
        if start <= one <= end:
            return offset + one - start
        distance, at = min((abs(one - start), offset), (abs(one - end), offset + end - start))
        if best is None or distance < best[0]:
            best = distance, at
    assert best is not None
    return best[1] if outside == "clip" or best[0] <= grace else None


INVALID, FOREIGN = -1, -2  # cannot be read; is of another trading day than its row


def python_stamps(case: Case) -> list[tuple[dt.date | None, int | None]]:
    """Read the column as dates, where it has them, and times of day in ns, in Python."""
    t, unit = case["rows"]["t"], case.options.get("unit")
    if t.dtype == pl.String and "format" in case.options:
        return [_from_format(v) for v in t]
    if t.dtype == pl.String and unit is not None:
        return [_from_number(case, None if v is None else INVALID if v == "x" else int(v)) for v in t]
    if t.dtype == pl.String:
        return [(None, None) if v is None else _from_text(v) for v in t]
    if t.dtype == pl.Time:
        return [(None, v) for v in t.cast(pl.Int64)]
    if t.dtype.is_integer():
        return [_from_number(case, v) for v in t]
    per = shapes.PER_UNIT[t.dtype.time_unit]  # type: ignore[attr-defined]
    zone = None if t.dtype.time_zone is None else _zone(case)  # type: ignore[attr-defined]
    return [_of_count(v, per, zone) for v in t.cast(pl.Int64)]


def _zone(case: Case) -> ZoneInfo:
    name = case.options["market"]
    return ZoneInfo(ZONES[name] if isinstance(name, str) else "Asia/Tokyo")


def _of_count(value: int | None, per: int, zone: ZoneInfo | None) -> tuple[dt.date | None, int | None]:
    if value is None:
        return None, None
    second, rest = divmod(value * per, NS)
    local = dt.datetime.fromtimestamp(second, zone or dt.timezone.utc)
    return local.date(), (local.hour * 3600 + local.minute * 60 + local.second) * NS + rest


def _from_number(case: Case, value: int | None) -> tuple[dt.date | None, int | None]:
    unit = case.options.get("unit")
    if value is None:
        return None, None
    if unit in ("HHMMSS", "HHMMSSmmm", None):
        return None, _from_digits(value, unit != "HHMMSS")
    if unit.startswith("midnight"):
        moment = value * _STEP[unit]
        return None, moment if 0 <= moment <= DAY else INVALID
    if unit.startswith("YYYY"):
        text = str(value * {"YYYYMMDDHHMM": 10**5, "YYYYMMDDHHMMSS": 10**3}.get(unit, 1))
        try:
            return dt.date(int(text[:4]), int(text[4:6]), int(text[6:8])), _from_digits(int(text[8:]), True)
        except ValueError:
            return None, INVALID
    return (
        (None, INVALID)
        if value == INVALID
        else _of_count(value, NS if unit == "s" else shapes.PER_UNIT[unit], _zone(case))
    )


def _from_format(text: str | None) -> tuple[dt.date | None, int | None]:
    if text is None:
        return None, None
    form = "%d/%m/%Y %H:%M:%S" + (".%f" if "." in text else "")
    try:
        stamp = dt.datetime.strptime(text, form)
    except ValueError:
        return None, INVALID
    return stamp.date(), _of_clock(stamp.time())


def _days_of(case: Case) -> list[dt.date | None]:
    """Return each row's trading day; None where none is known."""
    rows, date = case["rows"], case.options.get("date")
    texts = rows["day"] if "day" in rows.columns else [date] * rows.height
    return [None if text is None else dt.datetime.strptime(text, "%Y%m%d").date() for text in texts]


def foreign(case: Case) -> list[bool]:
    """Return which stamps are of another trading day: the markets that are asked on a day have no nights."""
    return [
        stamp is not None and day is not None and stamp != day and time != INVALID
        for (stamp, time), day in zip(python_stamps(case), _days_of(case), strict=True)
    ]


def python_moments(case: Case) -> list[int | None]:
    """Read the column as times of day in ns, in Python; -1 and -2 are none."""
    stamps = python_stamps(case)
    return [FOREIGN if other else time for (_, time), other in zip(stamps, foreign(case), strict=True)]


def unreadable(case: Case, moments: list[int | None], given: list[bool]) -> bool:
    """Return whether the column is refused, as none of its values can be read.

    Integers whose unit is said are taken at their word where the frame is lazy and not in memory.
    """
    asked = [m for m, is_given in zip(moments, given, strict=True) if m is not None and is_given]
    t, unit = case["rows"].schema["t"], case.options.get("unit")
    judged = case.source in ("frame", "lazy") or t == pl.String or (t.is_integer() and unit is None)
    return judged and bool(asked) and all(m == INVALID for m in asked)


def _from_digits(value: int, mmm: bool) -> int:
    whole, ms = divmod(value, 1000) if mmm else (value, 0)
    hour, minute, second = whole // 10_000, whole // 100 % 100, whole % 100
    moment = (hour * 3600 + minute * 60 + second) * NS + ms * 1_000_000
    return moment if value >= 0 and hour <= 24 and minute < 60 and second < 60 and moment <= DAY else INVALID


def _from_text(text: str) -> tuple[dt.date | None, int]:
    date, separator, clock = "", "", text
    for separator in "TD -":
        if separator in text[8:11]:
            at = text.index(separator, 8)
            date, clock = text[:at].replace(".", "").replace("/", "").replace("-", ""), text[at + 1 :]
            break
    try:
        day = dt.datetime.strptime(date, "%Y%m%d").date() if date else None
        return day, _of_clock(dt.time.fromisoformat(clock))
    except ValueError:
        return None, INVALID


def _of_clock(time: dt.time) -> int:
    return (time.hour * 3600 + time.minute * 60 + time.second) * NS + time.microsecond * 1000


def _answer(case: Case, elapsed: list[int | None]) -> pl.DataFrame:
    if _whole(case):
        values = pl.Series("elapsed_seconds", [None if e is None else e // NS for e in elapsed], dtype=pl.Int64)
    else:
        values = pl.Series("elapsed_seconds", [None if e is None else e / 1e9 for e in elapsed], dtype=pl.Float64)
    return pl.DataFrame([case["rows"][UNIT], values])


def _grace(case: Case) -> int:
    return round(case.options.get("grace", 0) * NS)


def python_parse(case: Case) -> pl.DataFrame:
    outside = case.options.get("outside", "null")
    out: list[int | None] = []
    moments, sessions = python_moments(case), _sessions_by_row(case)
    if unreadable(case, moments, [one is not None for one in sessions]):
        return refused("DataError")
    for moment, bounds in zip(moments, sessions, strict=True):
        if moment is None or bounds is None:
            out.append(None)
            continue
        elapsed = None if moment < 0 else place(bounds, moment, outside, _grace(case))
        if elapsed is None and outside == "raise":
            return refused("DataError")
        out.append(elapsed)
    return _answer(case, out)


def _polars_number(value: pl.Expr, unit: str | None, zone: str) -> pl.Expr:
    if unit in ("HHMMSS", "HHMMSSmmm", None):
        whole = value // 1000 if unit != "HHMMSS" else value
        ms = value % 1000 if unit != "HHMMSS" else pl.lit(0)
        seconds = whole // 10_000 * 3600 + whole // 100 % 100 * 60 + whole % 100
        good = (value >= 0) & (whole // 100 % 100 < 60) & (whole % 100 < 60) & (seconds * 1000 + ms <= 86_400_000)
        return pl.when(good).then(seconds * NS + ms * 1_000_000).otherwise(INVALID)
    if unit.startswith("midnight"):
        return pl.when(value.is_between(0, DAY // _STEP[unit])).then(value * _STEP[unit]).otherwise(INVALID)
    if unit.startswith("YYYY"):
        whole = value * {"YYYYMMDDHHMM": 10**5, "YYYYMMDDHHMMSS": 10**3}.get(unit, 1)
        exists = (whole // 10**9).cast(pl.String).str.to_date("%Y%m%d", strict=False).is_not_null()
        return pl.when(exists).then(_polars_number(whole % 10**9, "HHMMSSmmm", zone)).otherwise(INVALID)
    stamp = (value * 1000).cast(pl.Datetime("ms")) if unit == "s" else value.cast(pl.Datetime(unit))  # type: ignore[arg-type]
    return stamp.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.time().cast(pl.Int64)


def _polars_text(text: pl.Expr, day_first: bool) -> pl.Expr:
    time = text.str.extract(r"(\d\d:\d\d:\d\d(?:\.\d{6})?)$")
    parts = [time.str.slice(at, 2).cast(pl.Int64, strict=False) for at in (0, 3, 6)]
    micros = time.str.slice(9).str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)
    if day_first:
        exists = text.str.extract(r"^(\d\d/\d\d/\d{4}) ").str.to_date("%d/%m/%Y", strict=False).is_not_null()
    else:
        date = text.str.extract(r"^(\d{4}[-./]?\d\d[-./]?\d\d)[TD -]").str.replace_all(r"[-./]", "")
        exists = date.is_null() | date.str.to_date("%Y%m%d", strict=False).is_not_null()
    good = (parts[0] < 24) & (parts[1] < 60) & (parts[2] < 60) & exists
    moment = (parts[0] * 3600 + parts[1] * 60 + parts[2]) * NS + micros * 1000
    return pl.when(good.fill_null(False)).then(moment).otherwise(INVALID)


def _polars_moments(case: Case) -> pl.Expr:
    column, dtype = pl.col("t"), case["rows"].schema["t"]
    unit, name = case.options.get("unit"), case.options["market"]
    zone = ZONES[name] if isinstance(name, str) else "Asia/Tokyo"
    if dtype.is_integer():
        return pl.when(column.is_not_null()).then(_polars_number(column.cast(pl.Int64), unit, zone))
    if dtype == pl.String and unit is not None:
        number = column.cast(pl.Int64, strict=False)
        read = pl.when(number.is_null()).then(INVALID).otherwise(_polars_number(number, unit, zone))
        return pl.when(column.is_not_null()).then(read)
    if dtype == pl.String:
        return pl.when(column.is_not_null()).then(_polars_text(column, "format" in case.options))
    if dtype != pl.Time and dtype.time_zone is not None:  # type: ignore[attr-defined]
        column = column.dt.convert_time_zone(zone)
    return column.dt.time().cast(pl.Int64) if dtype != pl.Time else column.cast(pl.Int64)


def _polars_own(case: Case) -> pl.Expr:
    """Return moments; of another day's stamps, what stands for none."""
    return pl.when(pl.Series(foreign(case), dtype=pl.Boolean)).then(FOREIGN).otherwise(_polars_moments(case))


def _by_sql(case: Case) -> bool:
    """Return whether the case is one that is put into SQL as well."""
    unit, text = case.options.get("unit"), case["rows"].schema["t"] == pl.String
    if text and (unit is not None or "format" in case.options):
        return False
    odd = case["rows"].filter(pl.col("t").str.contains(r"^[0-9]{4}[./]|^[0-9]{8}-")) if text else case["rows"].clear()
    return odd.height == 0 and not str(unit).startswith(("YYYY", "midnight"))


def polars_parse(case: Case) -> pl.DataFrame:
    rows, outside = case["rows"], case.options.get("outside", "null")
    sessions = _sessions_by_row(case)
    kinds = list({str(one): one for one in sessions if one is not None}.values()) or [[(0, DAY)]]
    number = {str(one): at for at, one in enumerate(kinds)}
    frame = rows.select(
        UNIT,
        m=_polars_own(case),
        kind=pl.Series([None if s is None else number[str(s)] for s in sessions], dtype=pl.Int64),
    )
    elapsed = pl.lit(None, dtype=pl.Int64)
    for at, bounds in enumerate(kinds):
        elapsed = pl.when(pl.col("kind") == at).then(_polars_place(bounds, outside, _grace(case))).otherwise(elapsed)
    asked = pl.col("m").is_not_null() & pl.col("kind").is_not_null()
    frame = frame.with_columns(e=pl.when(pl.col("m") >= 0).then(elapsed), asked=asked)
    if unreadable(case, frame["m"].to_list(), [one is not None for one in sessions]):
        return refused("DataError")
    if outside == "raise" and frame.filter(pl.col("asked") & pl.col("e").is_null()).height:
        return refused("DataError")
    return _answer(case, frame["e"].to_list())


def _polars_place(bounds: list[tuple[int, int]], outside: str, grace: int) -> pl.Expr:
    inside = pl.lit(None, dtype=pl.Int64)
    best, at = pl.lit(2**62), pl.lit(None, dtype=pl.Int64)
    for offset, start, end, one in moments_of(bounds, pl.col("m")):
        inside = pl.coalesce(inside, pl.when(one.is_between(start, end)).then(one - start + offset))
        far = pl.min_horizontal((one - start).abs(), (one - end).abs())
        edge = pl.when((one - start).abs() <= (one - end).abs()).then(offset).otherwise(offset + end - start)
        at = pl.when(far < best).then(edge).otherwise(at)
        best = pl.min_horizontal(far, best)
    near = at if outside == "clip" else pl.when(best <= grace).then(at)
    return pl.coalesce(inside, near)


def duckdb_parse(case: Case) -> pl.DataFrame | None:
    if not _by_sql(case):
        return None
    rows, outside = case["rows"], case.options.get("outside", "null")
    dtype, unit, name = rows.schema["t"], case.options.get("unit"), case.options["market"]
    zone = ZONES[name] if isinstance(name, str) else "Asia/Tokyo"
    t = rows["t"]
    midnight = "epoch_us({0}) - epoch_us(date_trunc('day', {0}))"
    local = f"timezone('{zone}', {{0}})"
    if dtype.is_integer() and unit in ("HHMMSS", "HHMMSSmmm", None):
        text = "lpad(CAST(t AS VARCHAR), {0}, '0')"
        padded = text.format(6 if unit == "HHMMSS" else 9)
        ms = "0" if unit == "HHMMSS" else f"CAST(substr({padded}, 7) AS BIGINT)"
        parts = [f"CAST(substr({padded}, {at}, 2) AS BIGINT)" for at in (1, 3, 5)]
        sum_ = f"({parts[0]} * 3600 + {parts[1]} * 60 + {parts[2]}) * 1000 + {ms}"
        long = f"length(CAST(t AS VARCHAR)) > {6 if unit == 'HHMMSS' else 9}"
        bad = f"t < 0 OR {long} OR {parts[1]} > 59 OR {parts[2]} > 59"
        moment = f"CASE WHEN {bad} THEN -1 WHEN {sum_} > 86400000 THEN -1 ELSE ({sum_}) * 1000000 END"
    elif dtype == pl.String:
        stamp = "coalesce(TRY_CAST(t AS TIMESTAMP), TRY_CAST('2024-11-27 ' || t AS TIMESTAMP))"
        moment = f"coalesce(({midnight.format(stamp)}) * 1000, -1)"
    elif dtype == pl.Time:
        t, moment = t.cast(pl.Int64), "t"
    elif dtype.is_integer() or dtype.time_zone is not None:
        per = NS if unit == "s" else shapes.PER_UNIT[unit if dtype.is_integer() else dtype.time_unit]
        t = t.cast(pl.Int64)
        utc = (
            f"make_timestamptz(CAST(floor(t * {per} / 1000) AS BIGINT))"
            if per >= 1000
            else "make_timestamptz(t // 1000)"
        )
        if per >= 1000:
            utc = f"make_timestamptz(t * {per // 1000})"
        moment = f"({midnight.format(local.format(utc))}) * 1000" + ("" if per >= 1000 else " + t % 1000")
    else:
        per = shapes.PER_UNIT[dtype.time_unit]
        t, moment = t.cast(pl.Int64), f"(t % {DAY // per}) * {per}"
    sessions = _sessions_by_row(case)
    kinds = list({str(one): one for one in sessions if one is not None}.values()) or [[(0, DAY)]]
    number = {str(one): at for at, one in enumerate(kinds)}
    kind = pl.Series("kind", [None if s is None else number[str(s)] for s in sessions], dtype=pl.Int32)
    own = pl.DataFrame([rows[UNIT], t, kind, pl.Series("other", foreign(case), dtype=pl.Boolean)]).with_row_index("row")
    table = [
        {"kind": at, "seq": seq, "low": low - shift, "high": high - shift, "base": base}
        for at, bounds in enumerate(kinds)
        for seq, (base, low, high, shift) in enumerate(moments_of(bounds, 0))
    ]
    near = "true" if outside == "clip" else f"far <= {_grace(case)}"
    query = f"""
    WITH read AS (
        SELECT "row", {UNIT}, kind,
               CASE WHEN t IS NOT NULL THEN CASE WHEN other THEN {FOREIGN} ELSE CAST({moment} AS BIGINT) END END AS m
        FROM own
    ), met AS (
        SELECT "row", seq, CASE WHEN m BETWEEN low AND high THEN 0 ELSE least(abs(m - low), abs(m - high)) END AS far,
               CASE WHEN m BETWEEN low AND high THEN base + m - low
                    WHEN abs(m - low) <= abs(m - high) THEN base ELSE base + high - low END AS e
        FROM read JOIN hours USING (kind) WHERE m >= 0
    ), best AS (SELECT DISTINCT ON ("row") "row", e FROM met WHERE far = 0 OR {near} ORDER BY "row", far, seq)
    SELECT {UNIT}, m IS NOT NULL AND kind IS NOT NULL AS asked, e, m FROM read LEFT JOIN best USING ("row")
    ORDER BY "row"
    """
    out = ask(query, own=own, hours=pl.DataFrame(table))
    if unreadable(case, out["m"].to_list(), [one is not None for one in sessions]):
        return refused("DataError")
    if outside == "raise" and out.filter(pl.col("asked") & pl.col("e").is_null()).height:
        return refused("DataError")
    return _answer(case, out["e"].to_list())


def code_parse(case: Case) -> str:
    words = "".join(f", {name}={value!r}" for name, value in _call(case).items())
    market = case.options["market"]
    shown = (
        repr(market)
        if isinstance(market, str)
        else repr(market_of(case)).replace("Market(", "vf.Market(").replace("Session(", "vf.Session(")
    )
    return f"vf.parse_time(rows, {shown}, 't'{words})"


# ---- single times ----------------------------------------------------------------------------------------------------


def make_single(rng: Rng) -> Case:
    case = make_parse(rng, ["us", "zoned us", "time"])
    rows = case["rows"].filter(pl.col("t").is_not_null())
    if rows.schema["t"] == pl.Time:  # Python's times have microseconds
        rows = rows.with_columns(t=(pl.col("t").cast(pl.Int64) // 1000 * 1000).cast(pl.Time))
    if "day" in rows.columns:
        rows = rows.filter(pl.col("day").is_not_null())
    options = {name: value for name, value in case.options.items() if name not in ("unit", "date_col")}
    return Case({"rows": rows.head(400)}, options)


def ours_single(case: Case) -> pl.DataFrame:
    market, rows = market_of(case), case["rows"]
    days = rows["day"].to_list() if "day" in rows.columns else [case.options.get("date")] * rows.height
    outside, grace = case.options.get("outside", "raise"), case.options.get("grace", 0)
    values: list[float | None] = []
    for moment, day in zip(rows["t"], days, strict=True):
        try:
            found = market.elapsed_seconds(moment, outside=outside, grace=grace, date=day)
        except vf.errors.DataError:
            return refused("DataError")
        assert found is None or isinstance(found, int) == float(found).is_integer()
        values.append(None if found is None else float(found))
    return pl.DataFrame([rows[UNIT], pl.Series("elapsed_seconds", values, dtype=pl.Float64)])


def code_single(case: Case) -> str:
    words = "".join(f", {name}={value!r}" for name, value in _call(case).items())
    return f"[{code_parse(case).split('rows, ')[1].split(', ')[0]}.elapsed_seconds(t{words}) for t in rows['t']]"


# ---- reports ---------------------------------------------------------------------------------------------------------


REPORTED = ["rows", "null", "unreadable", "outside", "other_date", "first_unreadable", "first_other_date"]


def ours_report(case: Case) -> pl.DataFrame:
    words = {name: value for name, value in _call(case).items() if name != "outside"}
    out = []
    for unit, part in _parts(case):
        found = vf.time_report(part, market_of(case), "t", **words)
        out.append({UNIT: unit, **{name: found[name] for name in REPORTED}})
    return pl.DataFrame(out, schema=dict.fromkeys([UNIT, *REPORTED], pl.Int64))


def make_report(rng: Rng) -> Case:
    case = make_parse(rng, [kind for kind in KINDS + LAYOUTS if kind != "auto mmm"])
    rows = case["rows"].with_columns(pl.col(UNIT) % 30)
    return shapes.case_of(rng, {"rows": rows}, {**case.options, "outside": "null"})


def _parts(case: Case) -> list[tuple[int, pl.DataFrame]]:
    rows = case["rows"]
    return [(unit, rows.filter(pl.col(UNIT) == unit)) for unit in rows[UNIT].unique(maintain_order=True)]


def _reported(case: Case, elapsed: list[float | None], moments: list[int | None]) -> pl.DataFrame:
    """Count: `elapsed` without any grace tells which times are outside."""
    given = [s is not None for s in _sessions_by_row(case)]
    frame = pl.DataFrame(
        [case["rows"][UNIT], pl.Series("m", moments, dtype=pl.Int64), pl.Series("e", elapsed, dtype=pl.Float64),
         pl.Series("given", given, dtype=pl.Boolean)]
    )  # fmt: skip
    asked = pl.col("m").is_not_null() & pl.col("given")
    return frame.group_by(UNIT, maintain_order=True).agg(
        rows=pl.len().cast(pl.Int64),
        null=(~asked).sum().cast(pl.Int64),
        unreadable=(asked & (pl.col("m") == INVALID)).sum().cast(pl.Int64),
        outside=(asked & (pl.col("m") >= 0) & pl.col("e").is_null()).sum().cast(pl.Int64),
        other_date=(asked & (pl.col("m") == FOREIGN)).sum().cast(pl.Int64),
        first_unreadable=(asked & (pl.col("m") == INVALID)).arg_true().first().cast(pl.Int64),
        first_other_date=(asked & (pl.col("m") == FOREIGN)).arg_true().first().cast(pl.Int64),
    )


def _strict(case: Case) -> Case:
    """Return the case without what moves or refuses times: no grace, and, read lazily, of which nothing is judged."""
    return case.but(options={**case.options, "grace": 0, "outside": "null"}, source="ipc")


def python_report(case: Case) -> pl.DataFrame | None:
    answer = python_parse(_strict(case))
    if "elapsed_seconds" not in answer.columns:
        return None  # text of which nothing can be read
    return _reported(case, answer["elapsed_seconds"].to_list(), python_moments(case))


def polars_report(case: Case) -> pl.DataFrame | None:
    if not _by_sql(case):
        return None
    moments = case["rows"].select(m=_polars_own(case))["m"].to_list()
    answer = polars_parse(_strict(case))
    if answer is None or "elapsed_seconds" not in answer.columns:
        return None
    return _reported(case, answer["elapsed_seconds"].to_list(), moments)


def code_report(case: Case) -> str:
    return code_parse(case).replace("parse_time", "time_report").replace(", outside='null'", "")


# ---- calendars -------------------------------------------------------------------------------------------------------


def make_days(rng: Rng) -> Case:
    """Draw days to ask a calendar about; half of the calendars are drawn too."""
    if rng.random() < 0.5:
        start = dt.date(2000, 1, 1) + dt.timedelta(rng.randrange(9000))
        share = rng.choice([0.05, 0.5, 0.95])
        span = rng.choice([3, 30, 400])
        known = [start + dt.timedelta(n) for n in range(span) if rng.random() < share] or [start]
        frames = {"days": pl.DataFrame({"date": rng.sample(known, len(known)) + known[:2]}, schema={"date": pl.Date})}
        market = None
        first, last = known[0], known[-1]
    else:
        market = rng.choice(["CN", "KR", "HK", "US", "crypto", "hkex_northbound"])
        info = vf.calendar.info(market)
        first, last = info.first, info.last
        frames = {}
    count = rng.randint(40, 90)
    ask_ = [first + dt.timedelta(rng.randint(-1, (last - first).days + 1)) for _ in range(count)]
    until = [max(first, min(last, day + dt.timedelta(rng.randint(0, 30)))) for day in ask_]
    frames["rows"] = pl.DataFrame(
        {UNIT: range(count), "day": ask_, "until": until}, schema={UNIT: pl.Int64, "day": pl.Date, "until": pl.Date}
    )
    return Case(frames, {"market": market})


def _known(case: Case) -> list[dt.date]:
    if "days" in case.frames:
        return sorted(set(case["days"]["date"].to_list()))
    return vf.calendar.get(case.options["market"])["date"].to_list()


def _edges(case: Case) -> tuple[dt.date, dt.date]:
    if "days" in case.frames:
        return case["days"]["date"].min(), case["days"]["date"].max()  # type: ignore[return-value]
    info = vf.calendar.info(case.options["market"])
    return info.first, info.last


_DAYS = {"next": pl.String, "prev": pl.String, "index": pl.Int64, "traded": pl.Boolean, "range": pl.String}


def ours_days(case: Case) -> pl.DataFrame:
    calendar: Any = vf.calendar.generate(case["days"]["date"]) if "days" in case.frames else case.options["market"]
    out: dict[str, list[Any]] = {name: [] for name in _DAYS}

    def asked(function: Any, *days: dt.date) -> Any:
        try:
            return function(*days, calendar)
        except vf.errors.CalendarRangeError:
            return None
        except vf.errors.ConfigError:  # a range that ends before it begins
            return None

    for day, until in case["rows"].select("day", "until").iter_rows():
        out["next"].append(asked(vf.calendar.next_day, day))
        out["prev"].append(asked(vf.calendar.prev_day, day))
        out["index"].append(asked(vf.calendar.index, day))
        out["traded"].append(asked(vf.calendar.is_trading_day, day))
        found = asked(vf.calendar.range, day, until)
        out["range"].append(None if found is None else " ".join(found))
    return pl.DataFrame({UNIT: case["rows"][UNIT], **out}, schema={UNIT: pl.Int64, **_DAYS})


def python_days(case: Case) -> pl.DataFrame:
    known, (first, last) = _known(case), _edges(case)
    out: dict[str, list[Any]] = {name: [] for name in _DAYS}
    for day, until in case["rows"].select("day", "until").iter_rows():
        at, after = bisect_left(known, day), bisect_right(known, day)
        inside = first <= day <= last
        out["next"].append(f"{known[after]:%Y%m%d}" if inside and after < len(known) else None)
        out["prev"].append(f"{known[at - 1]:%Y%m%d}" if inside and at > 0 else None)
        out["index"].append(at if inside else None)
        out["traded"].append(after > at if inside else None)
        some = known[at : bisect_right(known, until)]
        good = inside and first <= until <= last and until >= day
        out["range"].append(" ".join(f"{one:%Y%m%d}" for one in some) if good else None)
    return pl.DataFrame({UNIT: case["rows"][UNIT], **out}, schema={UNIT: pl.Int64, **_DAYS})


def polars_days(case: Case) -> pl.DataFrame:
    first, last = _edges(case)
    known = pl.DataFrame({"date": _known(case)}, schema={"date": pl.Date}).with_row_index("n")
    inside = pl.col("day").is_between(first, last)
    rows = case["rows"].sort("day", maintain_order=True)
    after = known.select(next="date", key="date")
    out = rows.join_asof(after, left_on="day", right_on="key", strategy="forward", allow_exact_matches=False)
    before = known.select(prev="date", key="date", n=pl.col("n").cast(pl.Int64) + 1)
    out = out.join_asof(before, left_on="day", right_on="key", strategy="backward", allow_exact_matches=False)
    out = out.with_columns(traded=pl.col("day").is_in(known["date"].implode()))
    good = inside & pl.col("until").is_between(first, last) & (pl.col("until") >= pl.col("day"))
    spans = rows.join_where(known, pl.col("date") >= pl.col("day"), pl.col("date") <= pl.col("until"))
    spans = spans.sort(UNIT, "date").group_by(UNIT).agg(range=pl.col("date").dt.strftime("%Y%m%d").str.join(" "))
    out = out.join(spans, on=UNIT, how="left")
    return out.select(
        UNIT,
        next=pl.when(inside).then(pl.col("next").dt.strftime("%Y%m%d")),
        prev=pl.when(inside).then(pl.col("prev").dt.strftime("%Y%m%d")),
        index=pl.when(inside).then(pl.col("n").fill_null(0)),
        traded=pl.when(inside).then("traded"),
        range=pl.when(good).then(pl.col("range").fill_null("")),
    ).sort(UNIT)


def duckdb_days(case: Case) -> pl.DataFrame:
    first, last = _edges(case)
    known = pl.DataFrame({"date": _known(case)}, schema={"date": pl.Date})
    inside = f"r.day BETWEEN DATE '{first}' AND DATE '{last}'"
    good = f"{inside} AND r.until BETWEEN DATE '{first}' AND DATE '{last}' AND r.until >= r.day"
    query = f"""
    SELECT r.{UNIT},
           CASE WHEN {inside} THEN strftime(min(k.date) FILTER (k.date > r.day), '%Y%m%d') END AS next,
           CASE WHEN {inside} THEN strftime(max(k.date) FILTER (k.date < r.day), '%Y%m%d') END AS prev,
           CASE WHEN {inside} THEN count(*) FILTER (k.date < r.day) END AS index,
           CASE WHEN {inside} THEN bool_or(k.date = r.day) END AS traded,
           CASE WHEN {good} THEN coalesce(string_agg(strftime(k.date, '%Y%m%d'), ' ' ORDER BY k.date)
                FILTER (k.date BETWEEN r.day AND r.until), '') END AS range
    FROM own r CROSS JOIN known k GROUP BY r.{UNIT}, r.day, r.until ORDER BY r.{UNIT}
    """
    return ask(query, own=case["rows"], known=known)


def code_days(case: Case) -> str:
    calendar = "vf.calendar.generate(days['date'])" if "days" in case.frames else repr(case.options["market"])
    return (
        f"[vf.calendar.next_day(day, {calendar}) for day in rows['day']]  # and prev_day, index, is_trading_day, range"
    )


# ---- which trading day a time belongs to -----------------------------------------------------------------------------


def make_trading_day(rng: Rng) -> Case:
    units = shapes.units_of(rng, rng.randint(120, 200))
    night = rng.choice(["23:00", "01:00", "02:30"])
    edges = [_ns("21:00"), _ns("23:00"), _ns("01:00"), _ns("02:30"), 0, _ns("09:00"), _ns("15:00")]
    unit: Any = rng.choice(["ms", "us", "ns"])
    per = shapes.PER_UNIT[unit]
    first = (dt.date(2022, 1, 1) - dt.date(1970, 1, 1)).days

    def source(rng: Rng) -> Any:
        near = rng.random() < 0.5
        return lambda: (
            (
                rng.randint(first, first + 1400) * DAY
                + ((rng.choice(edges) + rng.choice([0, 1, -1, per, -per])) % DAY if near else rng.randrange(DAY))
            )
            // per
        )

    values = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, source(rng), [None]))
    t = pl.Series("t", values, dtype=pl.Int64).cast(pl.Datetime(unit))
    return shapes.case_of(rng, {"rows": pl.DataFrame([pl.Series(UNIT, units, dtype=pl.Int64), t])}, {"night": night})


def ours_trading_day(case: Case) -> pl.DataFrame:
    market = vf.Market.cn_futures(case.options["night"])
    return case.cut("rows").select(UNIT, day=vf.calendar.trading_day("t", market))


def _night_end(case: Case) -> int:
    end = _ns(case.options["night"])
    return end if end < _ns("12:00") else -1  # one that ends before midnight never reaches a morning


def python_trading_day(case: Case) -> pl.DataFrame:
    known = vf.calendar.get("CN")["date"].to_list()
    traded = set(known)
    per = shapes.PER_UNIT[case["rows"].schema["t"].time_unit]  # type: ignore[attr-defined]
    out: list[dt.date | None] = []
    for count in case["rows"]["t"].cast(pl.Int64):
        if count is None:
            out.append(None)
            continue
        days, moment = divmod(count * per, DAY)
        day = dt.date(1970, 1, 1) + dt.timedelta(days)
        late = moment >= _ns("21:00")
        early = moment <= _night_end(case) and day not in traded
        if late or early:
            then, evening = known[bisect_right(known, day)], day - dt.timedelta(0 if late else 1)
            between = [evening + dt.timedelta(n) for n in range(1, (then - evening).days)]
            out.append(None if any(one.weekday() < 5 for one in between) else then)
        else:
            out.append(day)
    return pl.DataFrame([case["rows"][UNIT], pl.Series("day", out, dtype=pl.Date)])


def polars_trading_day(case: Case) -> pl.DataFrame:
    known = vf.calendar.get("CN").select("date")
    rows = (
        case["rows"]
        .with_row_index("row")
        .select(UNIT, "row", date=pl.col("t").dt.date(), moment=pl.col("t").dt.time().cast(pl.Int64))
    )
    rows = rows.sort("date", nulls_last=True).join_asof(
        known.select(next="date", key="date"), left_on="date", right_on="key", strategy="forward",
        allow_exact_matches=False,
    )  # fmt: skip
    traded = pl.col("date").is_in(known["date"].implode())
    moved = (pl.col("moment") >= _ns("21:00")) | ((pl.col("moment") <= _night_end(case)) & ~traded)
    late = pl.col("moment") >= _ns("21:00")
    after = pl.when(late).then(pl.col("date") + pl.duration(days=1)).otherwise("date")
    night = pl.when(pl.business_day_count(after, "next") == 0).then("next")  # no weekday lies between
    return rows.sort("row").select(UNIT, day=pl.when(moved).then(night).otherwise("date"))


def duckdb_trading_day(case: Case) -> pl.DataFrame:
    per = shapes.PER_UNIT[case["rows"].schema["t"].time_unit]  # type: ignore[attr-defined]
    own = case["rows"].with_row_index("row").with_columns(pl.col("t").cast(pl.Int64))
    query = f"""
    WITH r AS (
        SELECT *, DATE '1970-01-01' + CAST(t // {DAY // per} AS INTEGER) AS day, (t % {DAY // per}) * {per} AS moment
        FROM own
    )
    SELECT r.{UNIT}, CASE WHEN r.t IS NULL THEN NULL
        WHEN moment >= {_ns("21:00")} OR (moment <= {_night_end(case)} AND same.date IS NULL) THEN
            CASE WHEN later.date - day + (moment < {_ns("21:00")})::INT
                      <= (CASE isodow(later.date) WHEN 1 THEN 3 ELSE 1 END) THEN later.date END
        ELSE day END AS day
    FROM r LEFT JOIN known same ON same.date = r.day ASOF LEFT JOIN known later ON r.day < later.date
    ORDER BY r."row"
    """
    return ask(query, own=own, known=vf.calendar.get("CN").select("date"))


# ---- days as they are spelt ------------------------------------------------------------------------------------------


def make_dates(rng: Rng) -> Case:
    units = shapes.units_of(rng, shapes.many(rng, 120, 260))
    low, high = rng.choice([(0, 20_000), (-700_000, 2_900_000 // 4), (19_000, 19_060)])
    good = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, shapes.counting(rng, low, high), [None]))
    days = pl.Series("d", good, dtype=pl.Int32).cast(pl.Date)
    kind = rng.choice(["date", "integer", "text", "iso", "us", "ms"])
    column = days
    if kind == "integer":
        column = (days.dt.year().cast(pl.Int32) * 10_000 + days.dt.month() * 100 + days.dt.day()).cast(
            rng.choice([pl.Int32, pl.Int64, pl.UInt32])
        )
    elif kind in ("text", "iso"):
        column = days.dt.strftime("%Y-%m-%d" if kind == "iso" else "%Y%m%d")
        column = column.str.pad_start(10 if kind == "iso" else 8, "0")
    elif kind in ("us", "ms"):
        stamp = days.cast(pl.Datetime(kind))  # type: ignore[arg-type]
        column = (
            stamp + pl.Series([rng.randrange(86_400) for _ in units], dtype=pl.Int64).cast(pl.Duration("us")) * 1_000
        )
    if rng.random() < 0.2 and kind in ("integer", "text", "iso") and len(units):
        wrong: Any = {
            "integer": [20230229, 99, 20231301],
            "text": ["20230229", "", "2023010"],
            "iso": ["2023-02-29", "2023/01/01"],
        }[kind]
        at = rng.randrange(len(units))
        column = column.scatter(at, rng.choice(wrong)) if column.dtype == pl.String else column
    return shapes.case_of(rng, {"rows": pl.DataFrame([pl.Series(UNIT, units, dtype=pl.Int64), column.alias("d")])})


def ours_dates(case: Case) -> pl.DataFrame:
    return refusable(lambda: case.cut("rows").lazy().select(UNIT, day=vf.calendar.as_date("d")).collect(), case)


def _date_of(value: Any) -> dt.date:
    text = str(value).zfill(8)
    if len(text) == 10:
        return dt.date.fromisoformat(text)
    if len(text) != 8:
        raise ValueError(text)
    return dt.date(int(text[:4]), int(text[4:6]), int(text[6:]))


def python_dates(case: Case) -> pl.DataFrame:
    column = case["rows"]["d"]
    if column.dtype.is_temporal():
        per = 1 if column.dtype == pl.Date else DAY // shapes.PER_UNIT[column.dtype.time_unit]  # type: ignore[attr-defined]
        numbers = [None if v is None else v // per for v in column.cast(pl.Int64)]
        return pl.DataFrame([case["rows"][UNIT], pl.Series("day", numbers, dtype=pl.Int32).cast(pl.Date)])
    try:
        days = [None if value is None else _date_of(value) for value in column]
    except ValueError:
        return refused("DataError")
    return pl.DataFrame([case["rows"][UNIT], pl.Series("day", days, dtype=pl.Date)])


def polars_dates(case: Case) -> pl.DataFrame:
    dtype, column = case["rows"].schema["d"], pl.col("d")
    if dtype.is_temporal():
        day = column.cast(pl.Date)
    else:
        text = column.cast(pl.String).str.pad_start(8, "0") if dtype.is_integer() else column
        iso = text.str.to_date("%Y-%m-%d", strict=False)
        day = pl.coalesce(
            iso.filter(False).first(),
            pl.when(text.str.len_bytes() == 8).then(text.str.to_date("%Y%m%d", strict=False)),
            pl.when(text.str.len_bytes() == 10).then(iso),
        )
    out = case["rows"].select(UNIT, "d", day=day)
    if out.filter(pl.col("d").is_not_null() & pl.col("day").is_null()).height:
        return refused("DataError")
    return out.drop("d")


def duckdb_dates(case: Case) -> pl.DataFrame:
    dtype = case["rows"].schema["d"]
    if dtype.is_temporal():
        day = "CAST(d AS DATE)"
    else:
        text = "lpad(CAST(d AS VARCHAR), 8, '0')" if dtype.is_integer() else "d"
        iso = "concat(substr({0}, 1, 4), '-', substr({0}, 5, 2), '-', substr({0}, 7))"
        day = (
            f"CASE WHEN length({text}) = 8 THEN TRY_CAST({iso.format(text)} AS DATE) "
            f"WHEN regexp_full_match({text}, '....-..-..') THEN TRY_CAST({text} AS DATE) END"
        )
    out = ask(
        f'SELECT {UNIT}, d IS NULL AS missing, {day} AS day FROM own ORDER BY "row"',
        own=case["rows"].with_row_index("row"),
    )
    if out.filter(~pl.col("missing") & pl.col("day").is_null()).height:
        return refused("DataError")
    return out.drop("missing")


# ---- clocks that change ----------------------------------------------------------------------------------------------

CHANGES = {
    "America/New_York": [(2024, 3, 10), (2024, 11, 3)], "Europe/Berlin": [(2024, 3, 31), (2024, 10, 27)],
    "Australia/Lord_Howe": [(2024, 4, 7), (2024, 10, 6)], "Asia/Tokyo": [(2024, 6, 1)],
}  # fmt: skip


def make_summer(rng: Rng) -> Case:
    units = shapes.units_of(rng, shapes.many(rng, 60, 200))
    zone = rng.choice(list(CHANGES))
    day = dt.datetime(*rng.choice(CHANGES[zone]), tzinfo=ZoneInfo(zone))
    base = int(day.timestamp())
    unit: Any = rng.choice(["s", "ms", "us", "ns"])
    per = NS // shapes.PER_UNIT.get(unit, NS)
    seconds = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, lambda: rng.randint(-9_000, 100_000), [None]))
    t = pl.Series("t", [None if s is None else (base + s) * per for s in seconds], dtype=pl.Int64)
    zoned = unit != "s" and rng.random() < 0.5
    frame = pl.DataFrame([pl.Series(UNIT, units, dtype=pl.Int64), t.cast(pl.Datetime(unit, "UTC")) if zoned else t])
    options = {"zone": zone, "unit": None if zoned else unit, "date": f"{day:%Y%m%d}" if rng.random() < 0.5 else None}
    return shapes.case_of(rng, {"rows": frame}, options)


def ours_summer(case: Case) -> pl.DataFrame:
    market = vf.Market("always", [vf.Session("00:00", "24:00")], case.options["zone"])
    words = {name: case.options[name] for name in ("unit", "date") if case.options[name] is not None}
    out = vf.parse_time(case.feed("rows"), market, "t", **words).collect(engine=case.engine)
    return out.select(UNIT, pl.col("elapsed_seconds").cast(pl.Float64))


def python_summer(case: Case) -> pl.DataFrame:
    t, zone, out = case["rows"]["t"], ZoneInfo(case.options["zone"]), []
    per = NS // shapes.PER_UNIT.get(case.options["unit"] or t.dtype.time_unit, NS)  # type: ignore[attr-defined]
    for count in t.cast(pl.Int64):
        local = None if count is None else dt.datetime.fromtimestamp(count // per, zone)
        if local is None or case.options["date"] not in (None, f"{local:%Y%m%d}"):
            out.append(None)
            continue
        midnight = local.replace(hour=0, minute=0, second=0, fold=0)
        out.append(float(count // per - int(midnight.timestamp())))
    return pl.DataFrame([case["rows"][UNIT], pl.Series("elapsed_seconds", out, dtype=pl.Float64)])


def polars_summer(case: Case) -> pl.DataFrame:
    rows, zone, date = case["rows"], case.options["zone"], case.options["date"]
    dtype, unit = rows.schema["t"], case.options["unit"]
    counted = pl.Datetime("ms" if unit == "s" else unit or dtype.time_unit)  # type: ignore[attr-defined]
    utc = (pl.col("t").cast(pl.Int64) * (1000 if unit == "s" else 1)).cast(counted)
    local = utc.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    since = local.dt.timestamp("us") - local.dt.truncate("1d").dt.timestamp("us")
    asked = pl.lit(True) if date is None else local.dt.strftime("%Y%m%d") == date
    return rows.select(UNIT, elapsed_seconds=pl.when(asked).then(since // 1_000_000).cast(pl.Float64))


def code_summer(case: Case) -> str:
    market = f"vf.Market('always', [vf.Session('00:00', '24:00')], {case.options['zone']!r})"
    words = "".join(f", {name}={case.options[name]!r}" for name in ("unit", "date") if case.options[name] is not None)
    return f"vf.parse_time(rows, {market}, 't'{words})"


OPERATIONS = [
    Operation("summer_time", make_summer, ours_summer, {"python": python_summer, "polars": polars_summer}, code_summer),
    Operation(
        "time_layouts",
        make_layouts,
        ours_parse,
        {"python": python_parse, "polars": polars_parse},
        code_parse,
        simplest={"outside": "null", "grace": 0},
    ),
    Operation(
        "parse_time",
        make_parse,
        ours_parse,
        {"python": python_parse, "polars": polars_parse, "duckdb": duckdb_parse},
        code_parse,
        simplest={"outside": "null", "grace": 0},
    ),
    Operation(
        "elapsed_seconds",
        make_single,
        ours_single,
        {"python": python_parse, "polars": polars_parse, "duckdb": duckdb_parse},
        code_single,
        simplest={"outside": "null", "grace": 0},
    ),
    Operation(
        "time_report",
        make_report,
        ours_report,
        {"python": python_report, "polars": polars_report},
        code_report,
        simplest={"grace": 0},
    ),
    Operation(
        "calendar",
        make_days,
        ours_days,
        {"python": python_days, "polars": polars_days, "duckdb": duckdb_days},
        code_days,
    ),
    Operation(
        "trading_day",
        make_trading_day,
        ours_trading_day,
        {"python": python_trading_day, "polars": polars_trading_day, "duckdb": duckdb_trading_day},
        lambda case: (
            f"rows.select('unit', vf.calendar.trading_day('t', vf.Market.cn_futures({case.options['night']!r})))"
        ),
    ),
    Operation(
        "as_date",
        make_dates,
        ours_dates,
        {"python": python_dates, "polars": polars_dates, "duckdb": duckdb_dates},
        lambda case: "rows.lazy().select('unit', vf.calendar.as_date('d')).collect()",
    ),
]
