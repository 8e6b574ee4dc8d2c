"""Columns that reports read: horizons, keys, correlations. Not for figures."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

import polars as pl

from vizflow.errors import ConfigError
from vizflow.lazy.frames import require


def horizons_of(
    returns: Sequence[str] | Mapping[float, str] | None, schema: pl.Schema, option: str, *, needed: bool = True
) -> dict[float, str]:
    """Return the return columns by horizon in seconds, in order."""
    if isinstance(returns, Mapping):
        out = {float(h): name for h, name in returns.items()}
    else:
        names = (
            list(returns) if returns is not None else [n for n in schema.names() if re.fullmatch(r"return_[\d.]+", n)]
        )
        out = {horizon_of(name, option): name for name in names}
        if len(out) < len(names):
            raise ConfigError(f"{option}: two columns of one horizon in {names}; give a mapping {{60: 'name', …}}")
    if not out and needed:
        raise ConfigError(f"{option}: there are no columns return_*; name them (there are {', '.join(schema.names())})")
    require(schema, out.values(), option)
    return dict(sorted(out.items()))


def horizon_of(name: str, option: str = "returns") -> float:
    """Read the seconds in a column's name."""
    found = re.findall(r"\d+(?:\.\d+)?", name.removesuffix("_bin"))
    if not found:
        raise ConfigError(f"{option}: {name!r} holds no horizon; give a mapping {{60: {name!r}}}")
    return float(found[-1])


def total_of(values: pl.Series) -> float:
    """Return a sum as Python's float."""
    return float(values.sum())


def correlation(x: pl.Series, y: pl.Series, w: pl.Series) -> float | None:
    """Return the weighted correlation, in two passes; None where a side does not vary."""
    total = total_of(w)
    if len(w) < 2 or total <= 0:
        return None
    # Squares of what is near the ends of the range would be infinite or zero.
    x, y = (side / (float(side.abs().max() or 0) or 1.0) for side in (x, y))  # type: ignore[arg-type]
    dx, dy = x - total_of(x * w) / total, y - total_of(y * w) / total
    xx, yy, xy = total_of(dx * dx * w), total_of(dy * dy * w), total_of(dx * dy * w)
    # What rounding leaves of a constant is no variance.
    if xx <= 1e-24 * total_of(x * x * w) or yy <= 1e-24 * total_of(y * y * w):
        return None
    found = xy / (xx * yy) ** 0.5 if xx * yy > 0 else math.nan
    return max(-1.0, min(1.0, found)) if math.isfinite(found) else None


def t_value(values: pl.Series) -> float | None:
    """Return mean over standard error."""
    known = values.drop_nulls()
    spread = known.std() if known.len() > 1 else None
    return float(known.mean() / (spread / known.len() ** 0.5)) if spread else None


def keyed(frame: pl.DataFrame) -> pl.DataFrame:
    """Make horizons keys: whole seconds as integers, others as text."""
    whole = (frame["horizon"] == frame["horizon"].round()).all()
    return frame.with_columns(pl.col("horizon").cast(pl.Int64 if whole else pl.String))
