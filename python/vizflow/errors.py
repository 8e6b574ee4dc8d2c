"""VizFlow's exceptions, and the way from a failure in C to one of them.

Not for wording messages: whoever finds the fault words it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches

import polars as pl

__all__ = [
    "CalendarRangeError",
    "ConfigError",
    "DataError",
    "EmptyWarning",
    "Error",
    "NotMergeableWarning",
    "PanicError",
    "ReplayError",
    "SchemaChangeWarning",
    "SchemaError",
    "StorageError",
    "UnlistedSideWarning",
]


class Error(Exception):
    """Base of every exception that VizFlow raises on purpose.

    Attributes
    ----------
    column : str or None
        Column concerned.
    row : int or None
        First row concerned, counted from 0.
    count : int
        How many rows are concerned, where they were counted; else 1.
    """

    def __init__(self, message: str, *, column: str | None = None, row: int | None = None, count: int = 1) -> None:
        super().__init__(message)
        self.column = column
        self.row = row
        self.count = count


class ConfigError(Error, ValueError):
    """An option, a name or a setting is not acceptable."""


class DataError(Error, ValueError):
    """A value in the data is not acceptable."""


class SchemaError(ConfigError):
    """A column is missing, has a wrong type, or would be overwritten."""


class CalendarRangeError(ConfigError):
    """A date lies outside what a calendar knows."""


class ReplayError(DataError):
    """The input gave other rows when it was read a second time."""


class StorageError(Error, OSError):
    """A file is missing, unreadable, truncated, or could not be written."""


class PanicError(DataError):
    """Polars panicked: on a value that one of its functions cannot take, or on a damaged file."""


class _NoMemoryError(Error, MemoryError):
    """The C library was refused memory while Polars ran it."""


class EmptyWarning(UserWarning):
    """A date's rows were read and none was kept; see `run_batch`."""


class NotMergeableWarning(UserWarning):
    """What was saved are metrics, and `reduce` cannot merge them; see `run`."""


class SchemaChangeWarning(UserWarning):
    """Partial results that belong together were written under different schemas."""


class UnlistedSideWarning(UserWarning):
    """Rows carry a side that is not listed and looks like one, and so pass as no trades; see `FIFOMatch`."""


_BY_STATUS: dict[str, type[Error]] = {
    "ERROR_MEMORY": _NoMemoryError,
    "ERROR_ARGUMENT": ConfigError,
    "ERROR_TYPE": SchemaError,
    "ERROR_DATA": DataError,
    "ERROR_OVERFLOW": DataError,
    "ERROR_ARROW": DataError,
    "ERROR_REPLAY": ReplayError,
    "ERROR_STATE": Error,
    "ERROR_IO": StorageError,
    "ERROR_RANGE": CalendarRangeError,
}

# What python/ext/polars_abi.c puts behind a message on its way through Polars.
_MARK = re.compile(r"(?:the plugin failed with message: )?(.*) \[vizflow:(\w+):(-?\d+):(-?\d+):([^\n]*)\]", re.DOTALL)


def first_line(error: BaseException) -> str:
    """Return the first line of another library's error, or its class where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def from_c(status: str, message: str, row: int, count: int, column: str) -> Error:
    """Return the exception for a status of the C library."""
    kind = _BY_STATUS.get(status, Error)
    if column == "elapsed_seconds" and kind is DataError and "null" in message:
        message += (
            "; parse_time gives null outside the market's sessions: leave those rows out with "
            ".filter(pl.col('elapsed_seconds').is_not_null()), or give it grace= for the seconds around them"
        )
    return kind(message, column=column or None, row=row if row >= 0 else None, count=count)


def from_polars(error: BaseException) -> Error | None:
    """Return the VizFlow exception that a Polars error carries, if it carries one."""
    found = _MARK.search(str(error))
    if found is None:
        return None
    message, status, row, count, column = found.groups()
    return from_c(status, message, int(row), int(count), column)


@contextmanager
def translated() -> Iterator[None]:
    """Raise errors of the C plugin, which Polars wraps, as VizFlow's own, and panics of Polars as errors."""
    try:
        yield
    except pl.exceptions.PanicException as error:  # no Exception: nobody's `except Exception` would see it
        raise from_panic(error) from error
    except pl.exceptions.PolarsError as error:
        ours = from_polars(error)
        if ours is None:
            raise
        raise ours from error


def from_panic(error: BaseException) -> Error:
    """Return the exception for a panic of Polars."""
    return PanicError(
        f"Polars panicked ({first_line(error)}), so nothing was made of the rows: a value is beyond what one of the "
        "expressions can take (a stamp of a year that Polars cannot write, for example), or a file is damaged"
    )


def near_names(name: str, available: Iterable[str]) -> str:
    """Word a hint for a name that was not found: near ones first, else the first few there are."""
    names = list(available)
    folded = {other.replace("_", "").lower(): other for other in names}
    same = folded.get(name.replace("_", "").lower())
    near = [same] if same else get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(repr(other) for other in near) + "?"
    shown = ", ".join(repr(other) for other in names[:12]) + (", …" if len(names) > 12 else "")
    return f"the columns are {shown}" if names else "there are no columns"
