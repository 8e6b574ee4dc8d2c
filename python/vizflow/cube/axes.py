"""A cube's axes: their values, bin centres and labels, and which positions a selection names.

Not for what stands in the cells: `cube` has that.
"""

from __future__ import annotations

import datetime as dt
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import polars as pl

from vizflow.dates import check_date
from vizflow.errors import ConfigError, near_names
from vizflow.numbers import whole

__all__ = ["Dim"]


@dataclass(frozen=True)
class Dim:
    """One axis of a cube.

    Attributes
    ----------
    name : str
        The column it was made of.
    values : Series
        Its values in order, null first, in the column's type: what stands in the column of a pivot.
    width : float or None
        The bin width, where it is a bin column.
    """

    name: str
    values: pl.Series = field(repr=False)
    width: float | None = None

    def __len__(self) -> int:
        return self.values.len()

    @property
    def kind(self) -> str:
        """``"bin"`` where it has a width, else ``"category"``."""
        return "category" if self.width is None else "bin"

    @cached_property
    def centres(self) -> pl.Series | None:
        """Centres of the bins, ``value * width`` (Float64); of other numbers themselves; None for anything else."""
        if self.width is not None:
            return (self.values.cast(pl.Float64) * self.width).alias(self.name)
        if self.values.dtype.is_numeric():
            return self.values.cast(pl.Float64)
        return None

    @cached_property
    def labels(self) -> pl.Series:
        """What to write at an axis: ``-0.0003`` for bin -3 of width 1e-4, exact in decimals; ``null`` for null."""
        return pl.Series(self.name, [self._label(value) for value in self._list], dtype=pl.String)

    def _label(self, value: Any) -> str:
        if value is None:
            return "null"
        if self.width is None:
            return str(value)
        text = format(Decimal(repr(self.width)) * value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text

    @cached_property
    def _list(self) -> list[Any]:
        return self.values.to_list()

    @cached_property
    def _sorted(self) -> list[Any]:
        """Values but null, to be searched; an Enum's as their numbers."""
        present = self.values.alias("values").drop_nulls()  # a name may be a pattern
        return (present.to_physical() if isinstance(present.dtype, pl.Enum) else present).to_list()

    @property
    def _first(self) -> int:
        """Position of the first value that is not null."""
        return len(self) - len(self._sorted)

    # ---- selections

    def positions(self, wanted: Any, *, by_centre: bool = False) -> array[int]:
        """Return the positions that a range (a tuple of two), a list of values, or one value names, ascending."""
        if isinstance(wanted, tuple):
            if len(wanted) != 2:
                raise ConfigError(
                    f"{self.name}: {wanted!r} is no range; a tuple is the first and the last, a list names each"
                )
            return array("I", self._range(*wanted, by_centre=by_centre))
        if isinstance(wanted, (list, set, frozenset, range, pl.Series)):
            if by_centre:
                raise ConfigError(
                    f"{self.name}: values are picked by their bin numbers; by centre a range is needed: (low, high)"
                )
            return array("I", sorted({at for value in wanted for at in self._one(value)}))
        if by_centre:
            raise ConfigError(f"{self.name}: by centre a range is needed: (low, high)")
        return array("I", self._one(wanted))

    def _range(self, low: Any, high: Any, *, by_centre: bool) -> range:
        values = self._sorted
        if by_centre:
            assert self.centres is not None
            values = self.centres.alias("centres").drop_nulls().to_list()
        else:
            low, high = self._comparable(low), self._comparable(high)
        try:
            first = 0 if low is None else bisect_left(values, low)
            end = len(values) if high is None else bisect_right(values, high)
            reversed_ = low is not None and high is not None and low > high
        except TypeError:
            raise self._wrong_type(low if high is None else high) from None
        if reversed_:
            raise ConfigError(f"{self.name}: the range ends before it begins; (first, last) in this order is accepted")
        return range(self._first + first, self._first + max(first, end))

    def _one(self, value: Any) -> Iterable[int]:
        if value is None:
            if self._first == 0:
                raise ConfigError(f"{self.name}: there is no null on this axis")
            return (0,)
        value = self._comparable(value)
        values = self._sorted
        try:
            at = bisect_left(values, value)
        except TypeError:
            raise self._wrong_type(value) from None
        if at < len(values) and values[at] == value:
            return (self._first + at,)
        if self.width is not None and whole(value) is not None:
            return ()  # a bin without rows
        raise ConfigError(f"{self.name}: there is no {self._shown(value)} on this axis; {self._there_is(value)}")

    def _comparable(self, value: Any) -> Any:
        dtype = self.values.dtype
        if isinstance(dtype, pl.Enum) and isinstance(value, str):
            if value not in dtype.categories.to_list():
                raise ConfigError(
                    f"{self.name}: {value!r} is none of its categories; {near_names(value, dtype.categories)}"
                )
            return dtype.categories.to_list().index(value)
        if dtype == pl.Date and isinstance(value, str):
            return dt.datetime.strptime(check_date(value), "%Y%m%d").date()
        if isinstance(value, bool) != (dtype == pl.Boolean) and value is not None:
            raise self._wrong_type(value)
        return value

    def _wrong_type(self, value: Any) -> ConfigError:
        return ConfigError(f"{self.name}: {value!r} cannot be compared with its values, which are {self.values.dtype}")

    @staticmethod
    def _shown(value: Any) -> str:
        return value.strftime("%Y%m%d") if isinstance(value, dt.date) else repr(value)

    def _there_is(self, value: Any) -> str:
        if isinstance(value, str):
            return near_names(value, [text for text in self._list if text is not None]).replace(
                "the columns are", "there is"
            )
        if not self._sorted:
            return "the axis is empty"
        return f"it goes from {self._shown(self._sorted[0])} to {self._shown(self._sorted[-1])}"
