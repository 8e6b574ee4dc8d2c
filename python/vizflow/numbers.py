"""Numbers as users give them: Python's, numpy's, and whatever else behaves as one, made Python's; never a Boolean.

Not for what a number has to be: who takes it says that.
"""

from __future__ import annotations

import operator
from numbers import Real
from typing import Any

__all__ = ["real", "whole"]


def whole(value: Any) -> int | None:
    """Return an integer as Python's; None for anything else."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def real(value: Any) -> float | None:
    """Return a real number as Python's int or float; None for anything else."""
    as_int = whole(value)
    if as_int is not None:
        return as_int
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None
