"""Casts that lose nothing without saying so. Not for what a config asks for: see `rules`."""

from __future__ import annotations

import polars as pl

from vizflow.errors import ConfigError
from vizflow.lazy.frames import plugin
from vizflow.numbers import real

_INTEGER_FORMATS: dict[type[pl.DataType], str] = {
    pl.Int8: "c", pl.Int16: "s", pl.Int32: "i", pl.Int64: "l",
    pl.UInt8: "C", pl.UInt16: "S", pl.UInt32: "I", pl.UInt64: "L",
}  # fmt: skip


def near_integer(
    column: str | pl.Expr, dtype: type[pl.DataType] | pl.DataType = pl.Int64, *, tolerance: float = 1e-6
) -> pl.Expr:
    """Cast floats that are integers but for noise: 1.00000002 is 1; 125.5 is an error, never 125 or 126.

    Parameters
    ----------
    column
        Float column; null stays null.
    dtype
        Integer type of the result.
    tolerance
        How far from an integer a value may lie, relative to ``max(1, |value|)``; 0 <= tolerance < 0.5. Never further
        than 0.001, or `tolerance` itself where that is more: 1500000.5 is no integer, whatever is relative about it.

    Raises
    ------
    DataError
        When collected: values that are no integers, NaN, infinite, or do not fit, with count and first row. Those are
        the batch's where the streaming engine hands rows over in batches; `run` and `load` give the file's.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> pl.DataFrame({"qty": [1.00000002, 0.99999998, None]}).select(vf.near_integer("qty"))["qty"].to_list()
    [1, 1, None]
    """
    base = dtype if isinstance(dtype, type) else type(dtype)
    if base not in _INTEGER_FORMATS:
        raise ConfigError(f"near_integer casts to an integer type, not to {dtype}")
    near = real(tolerance)
    if near is None or not 0 <= near < 0.5:
        raise ConfigError(f"tolerance is {tolerance!r}; 0 <= tolerance < 0.5 is accepted")
    expr = pl.col(column) if isinstance(column, str) else column
    return plugin("cast_integer", [expr], format=_INTEGER_FORMATS[base], tolerance=float(near))
