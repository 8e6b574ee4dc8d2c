"""How a column of times is read: what the C clock is given of it, and on which day, by which hours.

Not for the operations that use the clock, and not for reading itself, which is C's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import polars as pl

import vizflow._core as _core
from vizflow.dates import Day, check_day
from vizflow.errors import ConfigError, SchemaError
from vizflow.lazy import notes
from vizflow.lazy.frames import column_type, plugin
from vizflow.lazy.lineage import day_text, note
from vizflow.lazy.two_pass import has_cheap_head, is_in_memory
from vizflow.market import Market

__all__ = ["EPOCHS", "LAYOUTS", "Reading", "TimeUnit", "counted", "hours", "is_doubtful", "local_day", "reading"]

TimeUnit: TypeAlias = Literal[
    "HHMMSS", "HHMMSSmmm", "midnight_s", "midnight_ms", "midnight_us", "midnight_ns",
    "YYYYMMDDHHMM", "YYYYMMDDHHMMSS", "YYYYMMDDHHMMSSmmm", "s", "ms", "us", "ns",
]  # fmt: skip
LAYOUTS: dict[str | None, int] = {None if name == "auto" else name: n for name, n in _core.TIME_LAYOUTS.items()}
EPOCHS = ("s", "ms", "us", "ns")
_UNREADABLE = -(2**63)  # no time in any layout
_HEAD = 1024
COUNTS = ("rows", "null", "unreadable", "outside", "other_date")
FIRSTS = ("first_unreadable", "first_outside", "first_other_date")


@dataclass(frozen=True)
class Reading:
    """A column as the C clock takes it."""

    expr: pl.Expr
    layout: int
    zone: str | None
    doubt: Literal["none", "integers", "text"]  # whether values may be such that none can be read

    @property
    def dated(self) -> bool:
        """Whether values have a date, or may have one."""
        return self.layout >= LAYOUTS["YYYYMMDDHHMM"] or (self.layout == 0 and self.doubt != "integers")

    @property
    def by_digits(self) -> bool:
        """Whether integers are read by the digit rule."""
        return self.doubt == "integers" and self.layout == 0

    def counts(
        self,
        times: pl.Series,
        market: Market,
        day: int | None,
        grace_ns: int,
        *,
        entire: bool = False,
        outside: int = 0,
    ) -> tuple[pl.Series, dict[str, int]]:
        """Return elapsed seconds of a part of the column (of `expr`), and what was met."""
        column, found = _core.clock_elapsed(
            times, market.bounds_ns, outside, grace_ns, self.layout, entire, day, market._night_text, self.zone
        )
        return pl.Series(column), counted(found)


def counted(found: tuple[int, ...]) -> dict[str, int]:
    """Name what the clock met; a first row is -1 where there is none."""
    return dict(zip((*COUNTS, *FIRSTS), found, strict=True))


def unknown_unit(unit: object) -> ConfigError:
    """Word that no unit has that name."""
    names = ", ".join(repr(known) for known in LAYOUTS if known)
    return ConfigError(f"unit is {unit!r}; {names} or None is accepted")


def reading(name: str, dtype: pl.DataType, market: Market, unit: str | None, format: str | None = None) -> Reading:
    """Check how a column is to be read."""
    column = pl.col(name)
    if unit not in LAYOUTS:
        raise unknown_unit(unit)
    if format is not None:
        return _formatted(column, dtype, market, unit, format)
    layout, zone = LAYOUTS[unit], None
    if unit in EPOCHS or (isinstance(dtype, pl.Datetime) and dtype.time_zone is not None):
        market._zone()  # or there is none
        zone = market._zone_text
    if dtype == pl.UInt64 and unit in EPOCHS:
        column = _or_unreadable(column, column.cast(pl.Int64, strict=False))
    if dtype.is_integer():
        return Reading(column, layout, zone, "integers")
    if not isinstance(dtype, (pl.Datetime, pl.Time, pl.String, pl.Null)):
        raise SchemaError(
            f"timestamp_col is {dtype}; Datetime, Time, String and integers are accepted, so cast it first"
            + (" (a Date has no time of day)" if dtype == pl.Date else ""),
            column=name,
        )
    if isinstance(dtype, pl.String) and unit is not None:
        digits = column.str.strip_chars().cast(pl.Int64, strict=False)
        return Reading(_or_unreadable(column, digits), layout, zone, "text")
    if unit is not None and dtype != pl.Null:
        raise ConfigError(f"unit={unit!r} says what integers are, but the timestamp column is {dtype}; leave it out")
    return Reading(column, 0, zone, "text" if isinstance(dtype, pl.String) else "none")


def _or_unreadable(column: pl.Expr, numbers: pl.Expr) -> pl.Expr:
    """Return numbers made of a column; where there is none of a value, one that is no time, to be counted as such."""
    missing = column.is_not_null() & numbers.is_null()
    return pl.when(missing).then(_UNREADABLE).otherwise(numbers).alias(column.meta.output_name())


_OF_CLOCK = ("%H", "%I", "%T", "%R", "%r", "%X", "%c", "%s", "%k", "%l", "%+")
_OF_DATE = ("%d", "%e", "%D", "%F", "%x", "%j", "%c", "%s", "%v", "%+")
_OF_NANOSECONDS = ("%f", "%.f", "%9f", "%.9f", "%+")
_PER_UNIT: tuple[Literal["us", "ns"], ...] = ("us", "ns")
_OF_ZONE = ("%z", "%:z", "%::z", "%#z", "%s", "%+")


def _formatted(column: pl.Expr, dtype: pl.DataType, market: Market, unit: str | None, format: str) -> Reading:
    """Text that Polars parses: local time, or with a zone what is converted to the market's."""
    if unit is not None:
        raise ConfigError("parse_time takes unit or format, not both")
    if not isinstance(dtype, pl.String):
        raise ConfigError(f"format={format!r} says how text is read, but the timestamp column is {dtype}; leave it out")
    if not any(part in format for part in _OF_CLOCK):
        raise ConfigError(f"format={format!r} has no hour (%H): a time of day is needed")
    if not any(part in format for part in _OF_DATE):
        found = column.str.to_time(format, strict=False, cache=False).cast(pl.Int64)
        layout, zone = LAYOUTS["midnight_ns"], None
    else:
        zoned = any(part in format for part in _OF_ZONE)
        if zoned:
            market._zone()
        stamps = {
            unit: column.str.to_datetime(
                format, time_unit=unit, time_zone="UTC" if zoned else None, strict=False, cache=False
            ).cast(pl.Int64)
            for unit in _PER_UNIT
        }
        fine = any(part in format for part in _OF_NANOSECONDS)
        found, layout, zone = stamps["us"], 0, market._zone_text if zoned else None
        if fine:  # of a year that nanoseconds do not reach, Polars gives another one
            found = pl.when(stamps["ns"] // 1000 == found).then(stamps["ns"])
    filled = _or_unreadable(column, found)
    if layout == 0:
        filled = filled.cast(pl.Datetime("ns" if fine else "us", None if zone is None else "UTC"))
    return Reading(filled, layout, zone, "text")


def local_day(name: str, dtype: pl.DataType, market: Market, option: str = "date_col") -> pl.Expr:
    """Return a column of days as Date."""
    column = pl.col(name)
    if dtype == pl.Date:
        return column
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        column = column.dt.convert_time_zone(market._zone()).dt.replace_time_zone(None)
    elif not (isinstance(dtype, (pl.Datetime, pl.String, pl.Categorical, pl.Enum, pl.Null)) or dtype.is_integer()):
        raise SchemaError(
            f"{option} {name!r} is {dtype}; Date, Datetime, strings or integers YYYYMMDD are accepted", column=name
        )
    return plugin("date_parse", [column])


@dataclass(frozen=True)
class Hours:
    """Which trading day rows are of, and by which hours they are placed."""

    market: Market
    number: int | None  # of the trading day of all rows
    column: pl.Expr | None  # or each row's own, by the market's calendar where it has one


def hours(schema: pl.Schema, market: Market, date: Day | None, date_col: str | None, read: Reading, what: str) -> Hours:
    """Settle the trading day of rows: of `date`, of `date_col`, or of the market on a day."""
    if date_col is not None:
        if date is not None:
            raise ConfigError(f"{what} takes date or date_col, not both")
        day = local_day(date_col, column_type(schema, date_col, "date_col"), market)
        matters = read.dated or market._calendar_text is not None
        return Hours(market, None, day if matters else None)
    on = market if date is None else market.on(check_day(date))
    return Hours(on, on._day_number, None)


def calendar_text(market: Market) -> str:
    """Return the market's calendar; of one whose every day is alike, a calendar that says so."""
    return market._calendar_text or market._make_text()


def is_doubtful(frame: pl.LazyFrame, read: Reading, market: Market) -> bool:
    """Return whether it may be that no value of a column can be read, so that the whole of it has to be judged.

    The head of a frame in memory is looked at, and in a run, which reads its file anyway, that of the file; one time
    there, and there is no doubt. What is only lazy is not read: text is judged whole, and integers are taken as the
    `unit` that was given for them.
    """
    if read.doubt == "none":
        return False
    if not is_in_memory(frame) and not (notes.current() is not None and has_cheap_head(frame)):
        return read.doubt == "text"
    head = frame.select(read.expr).head(_HEAD).collect().to_series()
    try:
        _, counts = read.counts(head, market, None, 0)
    except Exception:  # what is refused is refused when the frame is collected
        return True
    return counts["rows"] == counts["null"] + counts["unreadable"]


def plan(read: Reading, at: Hours, options: dict[str, Any], whole: bool, tally: int = 0) -> pl.Expr:
    """Make the expression of elapsed seconds; what it meets goes into a tally (of `_core.tally_open`), or 0, none."""
    options = {**options, "layout": read.layout, "zone": read.zone, "entire": whole, "tally": tally or None}
    if at.column is not None:
        args = [read.expr, at.column]
        return plugin("clock_elapsed_on", args, whole=whole, calendar=calendar_text(at.market), **options)
    edges = [edge for session in at.market.bounds_ns for edge in session]
    night = at.market._night_text if at.number is not None else None
    told = note({"elapsed_seconds": day_text(at.number)} if at.number is not None else {})
    args = [read.expr, told]
    return plugin("clock_elapsed", args, whole=whole, sessions=edges, day=at.number, calendar=night, **options)
