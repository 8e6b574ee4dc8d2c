"""Quantiles from the counts of bins.

Not for quantiles of raw values: a partial does not hold those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from vizflow.errors import ConfigError, DataError
from vizflow.lazy.frames import columns

if TYPE_CHECKING:
    from vizflow.cube.view import View

INTERPOLATIONS = ("nearest", "lower", "higher", "midpoint", "linear")
_N, _CUMULATED, _X = "__vf_n", "__vf_cumulated", "__vf_x"


def quantiles(
    cube: View, dim: str, qs: Sequence[float], by: Sequence[str] | str, weight: str | None, interpolation: str
) -> pl.DataFrame:
    """See `Cube.quantile`."""
    groups = [by] if isinstance(by, str) else list(by)
    _check(cube, dim, qs, groups, interpolation, weight)
    axis = cube.dims[dim]
    counts = _counts(cube, [*groups, dim], weight)
    counts = counts.filter(counts[dim].is_not_null())
    if weight is not None and (counts[_N] < 0).any():
        raise DataError(f"weight {weight!r} is negative in some bins; a quantile needs weights that are not")
    half = 0.0 if axis.width is None else axis.width / 2
    centre = counts[dim].cast(pl.Float64) * (1.0 if axis.width is None else axis.width)
    over = columns(groups)
    cumulated = (
        counts.with_columns(centre.alias(_X))
        .filter(pl.col(_N) > 0)
        .select(*over, _X, _N, (pl.col(_N).cum_sum().over(over) if over else pl.col(_N).cum_sum()).alias(_CUMULATED))
    )
    frames = []
    for q in qs:
        value = _weighted(q) if weight is not None else _ranked(q, interpolation)
        exprs = [pl.lit(float(q)).alias("q"), value.alias("quantile"), pl.col(_N).sum().alias("n")]
        frames.append(cumulated.group_by(over, maintain_order=True).agg(exprs) if over else cumulated.select(exprs))
    out = pl.concat(frames).with_columns(low=pl.col("quantile") - half, high=pl.col("quantile") + half)
    out = out.select(*over, "q", "quantile", "low", "high", "n")
    return out.sort([*over, "q"], maintain_order=True) if over else out


def _check(
    cube: View, dim: str, qs: Sequence[float], groups: list[str], interpolation: str, weight: str | None
) -> None:
    if dim not in cube.dims:
        cube._axis(dim, "quantile", exact=True)
        raise ConfigError(f"quantile: {dim!r} is no dimension with numbers")
    if cube.dims[dim].centres is None:
        raise ConfigError(
            f"quantile: dimension {dim!r} is {cube.dims[dim].values.dtype}, which has no order in numbers; bin a "
            "number (vf.bin) and put the bin into group_by"
        )
    if dim in groups:
        raise ConfigError(f"quantile: {dim!r} cannot be in by= as well")
    for q in qs:
        if not 0 <= q <= 1:
            raise ConfigError(f"q is {q!r}; 0 to 1 are accepted")
    if interpolation not in INTERPOLATIONS:
        raise ConfigError(f"interpolation is {interpolation!r}; {', '.join(INTERPOLATIONS)} are accepted")
    if weight is not None and interpolation not in ("nearest", "lower"):
        raise ConfigError(f"interpolation is {interpolation!r}; with a weight there is 'nearest' (or 'lower') only")


def _counts(cube: View, by: list[str], weight: str | None) -> pl.DataFrame:
    """Return a row for each bin of each group, in order, with its weight."""
    if weight is not None:
        frame = cube.table(by, weight)
        if not frame.schema[weight].is_numeric():
            raise ConfigError(f"weight {weight!r} is {frame.schema[weight]}; a number is needed")
        bad = frame[weight].is_null() | (frame[weight].is_nan() if frame.schema[weight].is_float() else False)
        if bad.any():
            raise DataError(f"weight {weight!r} is null or NaN in {bad.sum()} bins; take a sum")
        return frame.rename({weight: _N})
    held = cube._held
    if all(state.name != "rows" for state in held.kept):
        raise ConfigError("quantile: the cube does not count its rows; pass weight=, the name of a metric that does")
    axes = [cube._axis(name, "quantile", exact=True)[0] for name in by]
    places, (rows,) = held.query(cube._picks, axes, *held.columns(["rows"]))
    return pl.DataFrame({column.name: column for column in [*held.keys(axes, places), rows.alias(_N)]})


def _at(rank: pl.Expr) -> pl.Expr:
    """Centre of the bin that holds the value of a rank, counted from 0."""
    return pl.col(_X).filter(pl.col(_CUMULATED) > rank).first()


def _ranked(q: float, interpolation: str) -> pl.Expr:
    """As Polars does it on values: between the ranks next to (n - 1) * q."""
    h = (pl.col(_N).sum() - 1).cast(pl.Float64) * float(q)
    lower, higher = _at(h.floor().cast(pl.Int64)), _at(h.ceil().cast(pl.Int64))
    if interpolation == "lower":
        return lower
    if interpolation == "higher":
        return higher
    if interpolation == "nearest":
        return _at(h.round(mode="half_away_from_zero").cast(pl.Int64))
    if interpolation == "midpoint":
        return (lower + higher) / 2
    return lower + (higher - lower) * (h - h.floor())


def _weighted(q: float) -> pl.Expr:
    """Invert the distribution function: the first bin at which the weights reach q of their total."""
    reached = pl.col(_CUMULATED) >= pl.col(_N).sum() * float(q)
    return pl.coalesce(pl.col(_X).filter(reached).first(), pl.col(_X).last())
