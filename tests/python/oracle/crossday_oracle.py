"""What vizflow.jobs.bars and vizflow.ops.quantiles give, the slow way: every row looks at every other.

Written from SPEC section 5 and the docstrings alone. Not for use on more than a few thousand rows.
"""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from oracle.return_oracle import _has_key, _is_price, to_ns

Observation = tuple[int, int]  # time, row


def merge_oracle(
    rows: Sequence[tuple[Hashable, Any]],
    quotes: Sequence[tuple[Hashable, Any]],
    horizons: Sequence[float],
    method: str = "backward",
    tolerance: float | None = None,
    end: float | None = None,
    strict: bool = False,
    past_last: str = "null",
) -> dict[float, list[int | None]]:
    """Row of `quotes` for each (key, time) of `rows`, by horizon; None where there is none."""
    seen: dict[Hashable, list[Observation]] = {}
    for number, (key, time) in enumerate(quotes):
        ns = to_ns(time)
        if _has_key(key) and ns is not None:
            seen.setdefault(key, []).append((ns, number))
    return {h: [_find(row, h, seen, method, tolerance, end, strict, past_last) for row in rows] for h in horizons}


def _find(
    row: tuple[Hashable, Any],
    horizon: float,
    seen: Mapping[Hashable, list[Observation]],
    method: str,
    tolerance: float | None,
    end: float | None,
    strict: bool,
    past_last: str,
) -> int | None:
    key, time = row
    t, h, limit, most = to_ns(time), to_ns(horizon), to_ns(end), to_ns(tolerance)
    if not _has_key(key) or t is None or key not in seen:
        return None
    assert h is not None
    target = t + h
    observations = [one for one in seen[key] if not (strict and one[0] == target)]
    last = max(ns for ns, _ in seen[key])
    if (limit is not None and target > limit) or (h > 0 and past_last == "null" and target > last):
        return None
    before = max((o for o in observations if o[0] <= target), default=None)
    after = min((o for o in observations if o[0] >= target), key=lambda o: (o[0], -o[1]), default=None)
    match = {"backward": before, "forward": after}.get(method)
    if method == "nearest":
        match = before
        if after is not None and (before is None or after[0] - target < target - before[0]):
            match = after
    if match is None or (most is not None and abs(match[0] - target) > most):
        return None
    return match[1]


def price_return(later: float | None, earlier: float | None) -> float | None:
    """Later / earlier - 1; None where either is no price."""
    if not _is_price(later) or not _is_price(earlier):
        return None
    assert later is not None
    assert earlier is not None
    return float(later) / float(earlier) - 1


def overnight_oracle(
    rows: Sequence[tuple[Any, Any]],
    daily: Mapping[tuple[Any, Any], Mapping[str, float | None]],
    days: Sequence[dt.date],
    adjusted: bool = False,
) -> list[float | None]:
    """Overnight return of each (symbol, date), with prices by (symbol, date) and the ordered trading days."""
    out: list[float | None] = []
    for symbol, date in rows:
        today = daily.get((symbol, date))
        if symbol is None or date is None or today is None or date == days[-1]:
            out.append(None)
            continue
        tomorrow = daily.get((symbol, days[days.index(date) + 1]), {})
        base = tomorrow.get("prev_close") if adjusted else today.get("close")
        out.append(price_return(tomorrow.get("open"), base))
    return out


def close_oracle(
    rows: Sequence[tuple[Hashable, Any, float | None]],
    quotes: Sequence[tuple[Hashable, Any, float | None]] | None = None,
    end: float | None = None,
) -> list[float | None]:
    """Close / price - 1 of each (key, time, price)."""
    limit = to_ns(end)
    closes: dict[Hashable, tuple[int, int, float]] = {}
    for number, (key, time, price) in enumerate(rows if quotes is None else quotes):
        ns = to_ns(time)
        if not _has_key(key) or ns is None or not _is_price(price) or (limit is not None and ns > limit):
            continue
        assert price is not None
        closes[key] = max(closes.get(key, (ns, -1, 0.0)), (ns, number, float(price)))
    out: list[float | None] = []
    for key, time, price in rows:
        ns = to_ns(time)
        if not _has_key(key) or ns is None or key not in closes or ns > closes[key][0]:
            out.append(None)
        else:
            out.append(price_return(closes[key][2], price))
    return out


def bars_oracle(
    rows: Sequence[tuple[Any, int | None, float | None, int | None]],
    sessions: Sequence[tuple[int, int]],
    grace: int = 0,
) -> dict[Any, dict[str, Any]]:
    """A day's bars by symbol of (symbol, seconds since midnight, price, volume), sessions in seconds."""
    counted: dict[Any, list[tuple[int, int, int, float, int]]] = {}
    out: dict[Any, dict[str, Any]] = {}
    for number, (symbol, wall, price, volume) in enumerate(rows):
        bar = out.setdefault(symbol, {"n": 0, "n_outside": 0, "n_invalid": 0, "volume": 0})
        elapsed = _elapsed(wall, sessions, grace)
        if elapsed is None:
            bar["n_outside"] += 1
        elif not _is_price(price):
            bar["n_invalid"] += 1
        else:
            assert wall is not None
            assert price is not None
            bar["n"] += 1
            bar["volume"] += volume or 0
            counted.setdefault(symbol, []).append((elapsed, wall, number, price, volume or 0))
    for symbol, bar in out.items():
        some = sorted(counted.get(symbol, []))
        prices = [one[3] for one in some]
        bar |= {
            "open": prices[0] if some else None,
            "close": prices[-1] if some else None,
            "high": max(prices, default=None),
            "low": min(prices, default=None),
            "first_time": some[0][0] if some else None,
            "last_time": some[-1][0] if some else None,
        }
    return out


def _elapsed(wall: int | None, sessions: Sequence[tuple[int, int]], grace: int) -> int | None:
    if wall is None:
        return None
    offset = 0
    best: tuple[int, int] | None = None
    for start, end in sessions:
        if start <= wall <= end:
            return offset + wall - start
        near = (start - wall, offset) if wall < start else (wall - end, offset + end - start)
        if near[0] <= grace and (best is None or near[0] < best[0]):
            best = near
        offset += end - start
    return None if best is None else best[1]


def cuts_oracle(values: Sequence[float | None], n: int, method: str) -> list[Fraction | float]:
    """Inner edges by exact arithmetic: Hyndman and Fan's type 7 as a Fraction, type 1 as a value."""
    x = sorted(value for value in values if value is not None and math.isfinite(value))
    out: list[Fraction | float] = []
    for k in range(1, n):
        if method == "inverse_cdf":
            out.append(x[math.ceil(Fraction(len(x) * k, n)) - 1])
            continue
        at = Fraction((len(x) - 1) * k, n)
        j = math.floor(at)
        low, high = Fraction(x[j]), Fraction(x[min(j + 1, len(x) - 1)])
        out.append(low + (at - j) * (high - low))
    return out


def bin_oracle(value: float | None, cuts: Sequence[float], closed: str = "right") -> int | None:
    """Bin of a value among inner edges."""
    if value is None or not math.isfinite(value):
        return None
    return bisect_left(cuts, value) if closed == "right" else bisect_right(cuts, value)
