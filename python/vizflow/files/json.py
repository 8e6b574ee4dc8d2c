"""JSON by its standard: null stands for NaN and infinities, which it has not.

Not for reading JSON. Integers are written whole, whatever their size: a reader that takes numbers for doubles, as
JavaScript does, loses digits past 2^53.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def text(value: Any, *, indent: int | None = 1) -> str:
    """Write plain values; dates, times and other things as their text."""
    out = json.dumps(_strict(value), indent=indent, ensure_ascii=False, allow_nan=False, default=str)
    try:
        out.encode()
    except UnicodeEncodeError:  # half a character, as in a file's name that is no UTF-8
        return json.dumps(_strict(value), indent=indent, allow_nan=False, default=str)
    return out


def _strict(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(one) for one in value]
    return value
