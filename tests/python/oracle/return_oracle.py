"""Forward returns the slow way: every row looks at every observation of its key.

Written from SPEC section 5 alone, for comparison with the C. Not for use on more than a few thousand rows.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from typing import Any

Row = tuple[Hashable, Any, "float | int | None"]

_EPOCH = dt.datetime(1970, 1, 1)


def to_ns(value: Any) -> int | None:
    """Nanoseconds of a time: int and float are seconds (floats to the nearest, half away from zero)."""
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)
        value = value - _EPOCH
    elif isinstance(value, dt.date):
        value = dt.datetime.combine(value, dt.time()) - _EPOCH
    elif isinstance(value, dt.time):
        value = dt.timedelta(
            hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond
        )
    if isinstance(value, dt.timedelta):
        return ((value.days * 86400 + value.seconds) * 1_000_000 + value.microseconds) * 1000
    if isinstance(value, int):
        return value * 1_000_000_000
    if math.isnan(value):
        return None
    exact = Fraction(value * 1e9)  # the product is a float, as it is in C; only its rounding is done exactly
    nearest = int(abs(exact) + Fraction(1, 2))
    return nearest if exact >= 0 else -nearest


def _is_price(price: float | int | None) -> bool:
    return price is not None and math.isfinite(price) and price > 0


def _has_key(key: Hashable) -> bool:
    return key is not None and not (isinstance(key, tuple) and any(part is None for part in key))


def forward_return_oracle(
    rows: Sequence[Row],
    horizons: Iterable[float],
    method: str = "backward",
    tolerance: float | None = None,
    end: float | None = None,
    prices: Sequence[Row] | None = None,
) -> dict[float, list[float | None]]:
    """Return p(t + h) / p(t) - 1 of each row, by horizon; None for null.

    Parameters
    ----------
    rows, prices
        (key, time, price) a row. The key is any hashable value, or a tuple of them (date, symbol); None in it, a
        None or NaN time, and a price that is not finite and > 0 make the row no observation. Without `prices` the
        rows are their own observations.
    horizons, tolerance, end
        Seconds, or datetimes and timedeltas; `end` as the times are.
    """
    seen: dict[Hashable, list[tuple[int, int, float]]] = {}
    for number, (key, time, price) in enumerate(rows if prices is None else prices):
        ns = to_ns(time)
        if _has_key(key) and ns is not None and _is_price(price):
            seen.setdefault(key, []).append((ns, number, float(price)))

    end_ns = to_ns(end)
    tolerance_ns = to_ns(tolerance)
    out: dict[float, list[float | None]] = {}
    for horizon in horizons:
        h = to_ns(horizon)
        assert h is not None
        assert h > 0
        out[horizon] = [_one(row, h, method, tolerance_ns, end_ns, seen) for row in rows]
    return out


def _one(
    row: Row,
    h: int,
    method: str,
    tolerance: int | None,
    end: int | None,
    seen: dict[Hashable, list[tuple[int, int, float]]],
) -> float | None:
    key, time, price = row
    t = to_ns(time)
    if not _has_key(key) or t is None or not _is_price(price) or key not in seen:
        return None
    target = t + h
    observations = seen[key]
    if target > max(ns for ns, _, _ in observations) or (end is not None and target > end):
        return None
    # of equal times the last row: the largest (time, row) looking back; the smallest time, then largest row, ahead
    before = max((o for o in observations if o[0] <= target), default=None)
    after = min((o for o in observations if o[0] >= target), key=lambda o: (o[0], -o[1]), default=None)
    if method == "backward":
        match = before
    elif method == "forward":
        match = after
    elif method == "nearest":
        match = before
        if after is not None and (before is None or after[0] - target < target - before[0]):
            match = after
    else:
        raise ValueError(f"method {method!r}")
    if match is None or (tolerance is not None and abs(match[0] - target) > tolerance):
        return None
    assert price is not None
    return match[2] / float(price) - 1  # two finite floats: at most an infinity, never a NaN
