"""Slow, plain-Python aggregation, for tests to compare with.

Not for speed and not for frames: rows are dicts, numbers are summed exactly and rounded once.
"""

from __future__ import annotations

import datetime as dt
import math
from fractions import Fraction
from typing import Any

Row = dict[str, Any]
Leaves = dict[str, tuple[str, "str | None"]]

_DURATION_UNIT = dt.timedelta(microseconds=1)


def _is_float(values: list[Any]) -> bool:
    return any(isinstance(v, float) for v in values)


def _special(values: list[float]) -> float | None:
    """NaN and infinities as plain float sums have them; None where every value is finite."""
    if any(math.isnan(v) for v in values):
        return math.nan
    infinities = {v for v in values if math.isinf(v)}
    if len(infinities) == 2:
        return math.nan
    return infinities.pop() if infinities else None


def _round(exact: Fraction) -> float:
    """To the nearest double, ties to even, infinite past the largest (int / int and float() round right)."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def exact_sum(values: list[float]) -> float:
    """Sum rounded once; intermediate sums cannot overflow, an empty or cancelled one is +0.0."""
    special = _special(values)
    return special if special is not None else _round(sum(map(Fraction, values), Fraction(0)))


def exact_mean(values: list[float]) -> float:
    """Sum / n rounded once."""
    special = _special(values)
    return special if special is not None else _round(sum(map(Fraction, values), Fraction(0)) / len(values))


def _sum(values: list[Any]) -> Any:
    if not values:
        return 0
    if isinstance(values[0], dt.timedelta):
        return sum(values, dt.timedelta())
    if _is_float(values):
        return exact_sum(values)
    total = sum(int(v) for v in values)
    if not -(2**63) <= total < 2**63:
        raise OverflowError("the sum does not fit Int64")
    return total


def _mean(values: list[Any]) -> Any:
    if not values:
        return None
    if isinstance(values[0], dt.timedelta):
        total = sum(v // _DURATION_UNIT for v in values)
        whole = abs(total) // len(values)  # the fraction is dropped, toward zero
        return (whole if total >= 0 else -whole) * _DURATION_UNIT
    if _is_float(values):
        return exact_mean(values)
    return _round(Fraction(sum(int(v) for v in values), len(values)))


def _rank(value: float) -> tuple[float, float]:
    return value, math.copysign(1.0, value)  # -0.0 before 0.0


def _extreme(values: list[Any], sign: int) -> Any:
    if not values:
        return None
    if not _is_float(values):
        return min(values) if sign > 0 else max(values)
    numbers = [v for v in values if not math.isnan(v)]
    if not numbers:
        return math.nan
    return min(numbers, key=_rank) if sign > 0 else max(numbers, key=_rank)


def aggregate_oracle(rows: list[Row], group_by: list[str], leaves: Leaves) -> dict[tuple[Any, ...], Row]:
    """Groups in order of first row: key tuple -> leaf name -> value (the sum of no values is 0, of durations too).

    ``leaves`` maps a name to (op, column); op is one of len, count, null_count, sum, mean, min, max. None is null:
    a key of its own, and no value. Without ``group_by`` there is one group, also of no rows.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {} if group_by else {(): []}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in group_by), []).append(row)
    return {key: {name: _leaf(op, column, own) for name, (op, column) in leaves.items()} for key, own in groups.items()}


def _leaf(op: str, column: str | None, rows: list[Row]) -> Any:
    if op == "len":
        return len(rows)
    assert column is not None
    values = [row[column] for row in rows if row[column] is not None]
    if op == "count":
        return len(values)
    if op == "null_count":
        return len(rows) - len(values)
    if op == "sum":
        return _sum(values)
    if op == "mean":
        return _mean(values)
    if op in ("min", "max"):
        return _extreme(values, 1 if op == "min" else -1)
    raise ValueError(op)
