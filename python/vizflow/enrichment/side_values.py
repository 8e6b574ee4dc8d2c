"""One vocabulary of sides, for FIFO, signs and reports: which values name a side, and which names are usual.

Not for columns: C compares them (vf_side), large and small letters being the same.
"""

from __future__ import annotations

import enum
import operator
from collections.abc import Iterable
from typing import Any, TypeAlias

import polars as pl

from vizflow.errors import ConfigError

SideValue: TypeAlias = "str | int | float | bool"

# Usual names, in any case: texts, FIX's numbers (1 buy, 2 sell, 5 and 6 sell short), and +1 and -1.
BUY: tuple[str | int, ...] = ("B", "Buy", "Bid", "Bought", "Long", 1)
SELL: tuple[str | int, ...] = ("S", "Sell", "Ask", "Offer", "Sold", "Short", "SS", "Sell short", 2, 5, 6, -1)


def check_sides(
    entry: Any, exit_: Any, names: tuple[str, str] = ("entry_side", "exit_side")
) -> list[tuple[str | int, bool]]:
    """Return the values that are listed for two sides, each with whether it is the first one's.

    Parameters
    ----------
    entry, exit_
        A value, or a list, tuple, set or Series of values: text, whole numbers (1.0 is 1), Booleans (True is 1), or
        members of an `enum.Enum` with such values.
    names
        What messages call them.

    Raises
    ------
    ConfigError
        No value, one of another type, or one on both sides; "b" and "B" are one.
    """
    sides: dict[tuple[str | int, bool], None] = {}
    for option, given, is_entry in ((names[0], entry, True), (names[1], exit_, False)):
        values = _values(given)
        if not values:
            raise ConfigError(f"{option} names no value; a side's value, or a list of them, is needed")
        for value in values:
            sides[_value(option, value), is_entry] = None
    first = {_folded(value) for value, is_entry in sides if is_entry}
    for value, is_entry in sides:
        if not is_entry and _folded(value) in first:
            raise ConfigError(
                f"{names[0]} and {names[1]} share the value {value!r} (the case of letters does not matter)"
            )
    return list(sides)


def _values(given: Any) -> list[Any]:
    if isinstance(given, (list, tuple, set, frozenset, pl.Series)):
        return list(given)
    is_array = isinstance(given, Iterable) and hasattr(given, "tolist") and getattr(given, "ndim", 0) == 1
    return list(given) if is_array else [given]


def _value(option: str, value: Any) -> str | int:
    one = value.value if isinstance(value, enum.Enum) else value
    if hasattr(one, "item") and getattr(one, "ndim", None) == 0:
        one = one.item()  # numpy's numbers and Booleans
    if isinstance(one, str):
        if any("\ud800" <= letter <= "\udfff" for letter in one):
            raise ConfigError(f"{option}: {value!r} is no side: it holds half a character, which no column can")
        return str(one)
    if isinstance(one, float) and one.is_integer():
        one = int(one)
    try:
        number = operator.index(one)
    except TypeError:
        raise ConfigError(
            f"{option}: {value!r} is no side ({type(value).__name__}); text, whole numbers and Booleans are accepted"
        ) from None
    if not -(2**63) <= number < 2**63:
        raise ConfigError(f"{option}: {value!r} is no side: it is beyond 64 bits")
    return number


def _folded(value: str | int) -> bytes | int:
    return value.encode("utf-8", "surrogatepass").lower() if isinstance(value, str) else value
