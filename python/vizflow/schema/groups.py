"""What keeps rows apart: the columns of an instrument and the day's, of one frame or of two that are looked up in.

Not for what is done with a group: C and Polars do that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import polars as pl

from vizflow.dates import Day, check_day
from vizflow.errors import ConfigError, DataError, SchemaError
from vizflow.lazy.frames import column_type

Names: TypeAlias = "str | Sequence[str] | None"

DATE = "date"


def check_key(schema: pl.Schema, name: str, option: str) -> None:
    """Check that a column can be a key."""
    dtype = column_type(schema, name, option)
    if dtype.is_float() or dtype.is_nested() or dtype.is_decimal():
        raise SchemaError(
            f"{option} {name!r} is {dtype}; integers, strings, categoricals, booleans and temporal types are accepted",
            column=name,
        )


def key_names(given: Names, option: str) -> list[str]:
    """Return the names of an instrument's columns: one, several, or none."""
    if given is None:
        return []
    names = [given] if isinstance(given, str) else list(given) if isinstance(given, (list, tuple)) else None
    if names is None or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{option} is {given!r}; a column's name, a list of names, or None is accepted")
    if len(set(names)) < len(names):
        raise ConfigError(f"{option} names a column twice: {names}")
    return names


@dataclass(frozen=True)
class Groups:
    """The key columns of a frame: those of an instrument, and the day's.

    `date` is the day's column, or None; where it holds `moments`, their day is meant. `said` is the one day that this
    frame, or the one it is looked up with, has no column for: `date` then must agree (`whole`: in every row) or is made
    of it. `what` names the frame in errors.
    """

    symbols: tuple[str, ...]
    date: str | None
    what: str
    moments: bool = False
    said: dt.date | None = None
    whole: bool = False
    spelt: bool = False  # days are read as dates, since the other frame spells them otherwise
    texts: bool = False  # days are text in both frames, with or without dashes

    @property
    def names(self) -> list[str]:
        """Columns to read."""
        return [*self.symbols, *([self.date] if self.date is not None else [])]

    def exprs(self) -> list[pl.Expr]:
        """Return the keys as expressions, days first, so that sorting by them puts days in order."""
        days = [] if self.date is None else [pl.col(self.date).dt.date() if self.moments else pl.col(self.date)]
        return [*days, *(pl.col(name) for name in self.symbols)]

    def reading(self, row: int = 0) -> Reading:
        """Begin to read a frame's batches, from a row on."""
        return Reading(self, row)


class Reading:
    """Key columns of one frame, batch by batch, and whether its days are what was said."""

    def __init__(self, groups: Groups, row: int) -> None:
        self._groups = groups
        self._row = row
        self._other: object = None
        self._met = False

    def keys(self, batch: pl.DataFrame) -> list[pl.Series]:
        """Return the key columns of the next batch; one that is the same in all rows where there are none."""
        groups = self._groups
        keys = [batch[name] for name in groups.symbols]
        if groups.said is not None:
            days = pl.repeat(groups.said, batch.height, dtype=pl.Date, eager=True)
            keys.append((days if groups.date is None else self._checked(batch[groups.date])).alias(groups.date or DATE))
        elif groups.date is not None:
            days = batch[groups.date]
            if groups.texts:
                days = undashed(days)
            keys.append(as_dates(days, self._row) if groups.spelt else days_of(days))
        self._row += batch.height
        return keys or [pl.repeat(True, batch.height, eager=True)]

    def done(self) -> None:
        """Raise where the day that was said is none of those that were read."""
        if self._groups.said is None or self._met or self._other is None:
            return
        raise DataError(
            f"date={self._groups.said:%Y%m%d} is said, and column {self._groups.date!r} of {self._groups.what} has no "
            f"row of it, but of {self._other}; give the day that it is, or the rows of that day",
            column=self._groups.date,
        )

    def _checked(self, column: pl.Series) -> pl.Series:
        days, said = as_dates(column, self._row), self._groups.said
        wrong = (days != said).fill_null(False)
        self._met |= bool((days == said).any())
        if wrong.any():
            first = int(wrong.arg_max() or 0)
            self._other = days[first]
            if self._groups.whole:
                raise DataError(
                    f"date={said:%Y%m%d} is said, and column {column.name!r} of {self._groups.what} holds other days "
                    f"in {wrong.sum()} rows, the first in row {self._row + first} ({days[first]}); filter them out, "
                    "or give both frames the column",
                    column=column.name,
                    row=self._row + first,
                    count=int(wrong.sum()),
                )
        return days


def groups_of(schema: pl.Schema, symbols: Names, date_col: str | None, option: str, what: str = "the frame") -> Groups:
    """Return the keys of one frame; its days are kept apart where it has the column `date_col`."""
    names = key_names(symbols, option)
    for name in names:
        check_key(schema, name, option)
    date = _day_column(schema, names, date_col)
    return Groups(tuple(names), date, what, date is not None and isinstance(schema[date], pl.Datetime))


def _day_column(schema: pl.Schema, symbols: Sequence[str], date_col: str | None) -> str | None:
    if date_col is None or date_col in symbols or (date_col == DATE and date_col not in schema):
        return None
    if not isinstance(date_col, str):
        raise ConfigError(f"date_col is {date_col!r}; a column's name, or None where no column is a day, is accepted")
    dtype = column_type(schema, date_col, "date_col")
    if dtype.is_float() or dtype.is_nested() or dtype.is_decimal():
        raise SchemaError(
            f"date_col: the column {date_col!r}, which keeps days apart, is {dtype}; Date, Datetime, integers and text "
            "are accepted: cast it, or pass date_col=None where it is no day",
            column=date_col,
        )
    return date_col


def paired(
    left: pl.Schema,
    right: pl.Schema,
    symbols: Names,
    date_col: str | None,
    date: Day | None,
    names: tuple[str, str, str],
) -> tuple[Groups, Groups]:
    """Return the keys of two frames of a look-up, which agree about days; `names`: of the option and the frames."""
    option, own, other = names
    columns = key_names(symbols, option)
    if date_col is not None and date_col != DATE and date_col not in left and date_col not in right:
        column_type(left, date_col, "date_col")
    pair = []
    for schema, what in ((left, own), (right, other)):
        for name in columns:
            check_key(schema, name, f"{option} of {what}")
        day = _day_column(schema, columns, date_col) if date_col in schema else None
        pair.append(Groups(tuple(columns), day, what))
    mine, theirs = pair
    if (mine.date is None) == (theirs.date is None):
        kinds = [] if mine.date is None else [_kind(left[mine.date]), _kind(right[mine.date])]
        spelt, texts = len(set(kinds)) > 1, kinds == ["text", "text"]
        return replace(mine, spelt=spelt, texts=texts), replace(theirs, spelt=spelt, texts=texts)
    has, lacks = (own, other) if theirs.date is None else (other, own)
    if date is None:
        raise SchemaError(
            f"{has} has the column {date_col!r}, which keeps days apart, and {lacks} has none, so which days meet "
            f"would be a guess; give {lacks} the column too, say date= where {lacks} is of one day, or pass "
            "date_col=None where the column is no day",
            column=date_col,
        )
    said = check_day(date)
    return replace(mine, said=said, whole=True), replace(theirs, said=said)


def _kind(dtype: pl.DataType) -> str:
    """Return what a day's column is spelt in; of one kind they are compared as they are."""
    if isinstance(dtype, (pl.String, pl.Categorical, pl.Enum)):
        return "text"
    return "integer" if dtype.is_integer() else "date" if isinstance(dtype, pl.Datetime) else str(dtype).lower()


def days_of(column: pl.Series) -> pl.Series:
    """Return a day's column as a key: of moments their day."""
    return column.dt.date() if isinstance(column.dtype, pl.Datetime) else column


def undashed(column: pl.Series) -> pl.Series:
    """Return days that are text as YYYYMMDD where they are spelt YYYY-MM-DD; others as they are."""
    found = column.cast(pl.String).unique()
    dashed = found.filter(found.str.contains(r"^\d{4}-\d\d-\d\d$"))
    if dashed.is_empty():
        return column
    return column.cast(pl.String).replace(dashed, dashed.str.replace_all("-", "", literal=True))


class Days:
    """Which days rows say that they are of, in a column; none where there is no column, or where it is no day."""

    def __init__(self, column: str | None) -> None:
        self.names = [] if column is None else [column]
        self.met: set[str] = set()

    def see(self, column: pl.Series) -> None:
        """Note the days of a batch."""
        if not self.names or column.is_empty():
            return
        first = column.first()
        some = column.unique() if (column != first).any() or column.has_nulls() else column.head(1)
        try:
            days = as_dates(some).drop_nulls()
        except (DataError, pl.exceptions.PolarsError):  # it is called date, and is none
            self.names.clear()
            self.met.clear()
            return
        self.met.update(days.dt.strftime("%Y%m%d").to_list())


def as_dates(column: pl.Series, row: int = 0) -> pl.Series:
    """Return a Date column of moments, or of what is spelt YYYYMMDD or YYYY-MM-DD; anything else in it is an error."""
    column = days_of(column)
    if column.dtype in (pl.Date, pl.Null):
        return column.cast(pl.Date)
    text = column.cast(pl.String).str.replace_all("-", "", literal=True)
    dates = text.str.to_date("%Y%m%d", strict=False)
    wrong = (dates.is_null() | (text.str.len_chars() != 8)) & column.is_not_null()
    if wrong.any():
        first = int(wrong.arg_true()[0])
        raise DataError(
            f"column {column.name!r}: {wrong.sum()} values are no dates, the first in row {row + first} "
            f"({column[first]!r}); YYYYMMDD is accepted",
            column=column.name,
            row=row + first,
            count=int(wrong.sum()),
        )
    return dates


def spelt_as(days: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return days in the type of another frame's; as text they are YYYYMMDD."""
    wanted = _kind(dtype)
    if _kind(days.dtype) == wanted or wanted not in ("text", "integer", "date"):
        return days
    dates = as_dates(days)
    if wanted == "date":
        return dates
    text = dates.dt.strftime("%Y%m%d")
    return text if wanted == "text" else text.cast(dtype)
