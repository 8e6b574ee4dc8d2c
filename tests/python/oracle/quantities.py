"""What float quantities mean to FIFO matching: fractions, and what of them is nothing. SPEC section 10.4, in Fractions.

Not for matching: `fifo_oracle`, which takes both.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

Dust = Callable[[Any, Any, Any], bool]


def nearest(x: Fraction, *, single: bool) -> float:
    """Return the float of 8 or 4 bytes that is closest to a fraction."""
    return struct.unpack("f", struct.pack("f", float(x)))[0] if single else float(x)


def ulp(x: float, *, single: bool) -> float:
    if not single:
        return math.ulp(x)
    return max(2.0 ** (math.frexp(x)[1] - 24), 2.0**-149)


def decimal_of(x: float, *, single: bool) -> tuple[int, int] | None:
    """Return (units, places) of the decimal of at most nine places that a float above zero stands for."""
    spare = 2 ** (17 if single else 46)
    for places in range(10):
        units = math.floor(Fraction(x) * 10**places + Fraction(1, 2))
        if not 0 < units < 2**63:
            continue
        back = nearest(Fraction(units, 10**places), single=single)
        step = 0 if back == x else 1 if abs(back - x) <= ulp(max(back, x), single=single) else 2
        if step <= (units < spare):
            return units, places
    return None


def exact(quantities: Sequence[float], *, single: bool) -> tuple[list[Fraction], Dust]:
    """Return the quantities of one symbol as fractions, and what tells whether a rest is nothing."""
    decimals = [decimal_of(q, single=single) if q else (0, 0) for q in quantities]
    most = max((one[1] for one in decimals if one), default=0)
    if any(one is None or one[0] * 10 ** (most - one[1]) >= 2**63 for one in decimals):
        return [
            Fraction(q) for q in quantities
        ], lambda rest, lot, row: rest < 4 * Fraction(ulp(float(max(lot, row)), single=single))
    values = [Fraction(one[0], 10 ** one[1]) for one in decimals if one]
    loose = 2 ** (20 if single else 49)
    full = [
        value != Fraction(q) and one[0] >= loose
        for value, q, one in zip(values, quantities, decimals, strict=True)
        if one
    ]
    least = min((value for value in values if value), default=Fraction(0))
    shift = 2 ** (23 if single else 52)

    def dust(rest: Fraction, lot: Fraction, row: Fraction) -> bool:
        units = math.floor(max(lot, row) * 10**most) // shift
        return rest == 0 or (any(full) and rest < least and rest * 10**most < units)

    return values, dust
