"""Bins of equal width. Not for quantile bins: see `quantiles`."""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from vizflow.errors import ConfigError, SchemaError
from vizflow.lazy import notes
from vizflow.lazy.frames import Frame, as_lazy, column_type, plugin, require_new
from vizflow.lazy.lineage import note
from vizflow.lazy.two_pass import with_columns
from vizflow.numbers import real


def bin(df: Frame, widths: Mapping[str, float], *, snap: bool = False) -> pl.LazyFrame:
    """Add ``{col}_bin``: the number of the bin that a value falls in, ``round(value / width)``, half to even.

    Parameters
    ----------
    df
        LazyFrame, DataFrame, or an object with ``__arrow_c_stream__``.
    widths
        Column name to bin width, finite and above 0.
    snap
        Count a quotient within 4 ulp of a half as that half: 0.00015 / 1e-4 is 1.4999999999999998 in floating point,
        and bin 2 with `snap`, 1 without.

    Returns
    -------
    LazyFrame
        The input, and an Int64 column for each of `widths`: bit-equal to ``(x / w).round().cast(pl.Int64)`` on finite
        values without `snap`, where ``w`` is a column. (Polars divides a column by a number by multiplying it with the
        number's reciprocal, but for chunks of one row, so at a boundary its bin depends on the chunks.) Null, NaN and
        infinities give null. ``bin * width`` is the bin's centre.

    Raises
    ------
    SchemaError
        A column is missing or not numeric, or ``{col}_bin`` is there already.
    ConfigError
        A width is not finite and positive.
    DataError
        When collected: ``|value / width|`` reaches 2^53, where bins would no longer be exact. (Count and row are those
        of the batch, where the streaming engine hands rows over in batches.)

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> vf.bin(pl.DataFrame({"alpha": [0.00026, -0.0001, None]}), {"alpha": 1e-4}).collect()["alpha_bin"].to_list()
    [3, -1, None]
    """
    lf = as_lazy(df)
    schema = lf.collect_schema()
    bins = {}
    for name, width in widths.items():
        dtype = column_type(schema, name, "widths")
        if not dtype.is_numeric() and dtype != pl.Null:
            raise SchemaError(f"bin: column {name!r} is {dtype}; a numeric column is needed", column=name)
        wide = real(width)
        if wide is None or not 0 < wide < math.inf:
            raise ConfigError(f"bin width of {name!r} is {width!r}; a finite width above 0 is accepted", column=name)
        told = note({f"{name}_bin": float(wide)})
        bins[f"{name}_bin"] = plugin("bin_index", [pl.col(name), told], width=float(wide), snap=snap)
    require_new(schema, bins, "bin")
    notes.note_bins({f"{name}_bin": float(width) for name, width in widths.items()})
    return with_columns(lf, bins)
