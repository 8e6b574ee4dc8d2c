"""Cells that figures are drawn from: one row a cell with value, rows, valid rows, coverage and standard error.

Raw rows stop here: whatever a frame holds is aggregated (in C) before a figure sees it. Not for drawing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from vizflow.errors import ConfigError, DataError, SchemaError
from vizflow.lazy.frames import as_lazy, require
from vizflow.numbers import real
from vizflow.ops.aggregate import aggregate
from vizflow.ops.clusters import ratios
from vizflow.partials import traced
from vizflow.viz.dims import Cells, Dim, MetricSpec, Units, Where, integer_kind, is_cube, is_partials, metrics_of
from vizflow.viz.units import check_units, unit_of

N, VALID, COVERAGE, ERROR, DATES = "__n", "__valid", "__coverage", "__error", "__dates"


def weighted_mean(value: str | pl.Expr, weight: str | pl.Expr) -> pl.Expr:
    """Mean of a column, weighted, over the rows where the column is there.

    The weights of rows without a value count neither above nor below the line, so a missing markout is never taken
    for zero. As a metric of `aggregate` it is mergeable: two sums.

    Parameters
    ----------
    value
        Column, or expression over columns. Null and NaN are not there.
    weight
        Column, or expression, of weights of 0 or more. A row with a null weight is left out.

    Returns
    -------
    Expr
        Float64; null in a group without a single valid row, or where the valid weights add up to 0.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"w": [100.0] * 4, "v": [10.0, 10.0, None, None]})
    >>> vf.aggregate(df, [], {"v": vf.viz.weighted_mean("v", "w"), "seen": vf.viz.coverage("v", "w")}).collect().row(0)
    (10.0, 0.5)
    """
    v, w = _valued(value), _valued(weight)
    total = pl.when(v.is_not_null()).then(w).sum()
    return pl.when(total != 0).then((v * w).sum() / total)


def coverage(value: str | pl.Expr, weight: str | pl.Expr | None = None) -> pl.Expr:
    """Share of the rows, or of the weight, for which a column is there.

    Parameters
    ----------
    value
        Column, or expression over columns. Null and NaN are not there.
    weight
        Weigh rows by this column; left out, each row counts as one.

    Returns
    -------
    Expr
        Float64 from 0 to 1; null where there is nothing to share.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> df = pl.DataFrame({"v": [10.0, None, float("nan"), 1.0]})
    >>> vf.aggregate(df, [], {"seen": vf.viz.coverage("v")}).collect().item()
    0.5
    """
    v = _valued(value)
    if weight is None:
        return v.count() / v.len()
    w = _valued(weight)
    total = w.sum()
    return pl.when(total != 0).then(pl.when(v.is_not_null()).then(w).sum() / total)


def _valued(value: str | pl.Expr) -> pl.Expr:
    expr = pl.col(value) if isinstance(value, str) else value
    # NaN, infinities, and 1e300 and more ("no value" of a vendor's) are not there.
    number = expr.cast(pl.Float64)
    return pl.when(number.abs() < 1e300).then(number)


def measure(
    data: Any,
    by: Sequence[str],
    metrics: MetricSpec | Sequence[str | pl.Expr],
    *,
    weight: str | None = None,
    where: Where | None = None,
    bins: Mapping[str, float] | None = None,
    units: Units | None = None,
    count: str | None = None,
    clusters: str | None = None,
) -> Cells:
    """Aggregate whatever was given into cells, by the columns `by`; `clusters` names the date column of errors."""
    if len(set(by)) < len(by):
        raise ConfigError(f"the axes must differ, got {', '.join(map(repr, by))}")
    if isinstance(data, Cells):
        return data
    names = metrics_of(metrics)
    if is_partials(data) or is_cube(data) or isinstance(data, Mapping) or _knows_states(data, names, weight, count):
        from vizflow.viz import cube_cells

        return cube_cells.measure(data, by, names, where=where, bins=bins, units=units, clusters=clusters is not None)
    return _measure_frame(as_lazy(data), list(by), names, weight, where or {}, bins or {}, units, count, clusters)


def _knows_states(data: Any, metrics: Mapping[str, str | pl.Expr], weight: str | None, count: str | None) -> bool:
    """Return whether a frame's metrics can be merged over what a figure does not show: it came untouched from us."""
    plain = weight is None and count is None and all(isinstance(metric, str) for metric in metrics.values())
    return plain and isinstance(data, (pl.LazyFrame, pl.DataFrame)) and traced.traced(data) is not None


# ---- frames -----------------------------------------------------------------------------------------------------


def _measure_frame(
    lf: pl.LazyFrame,
    by: list[str],
    metrics: dict[str, str | pl.Expr],
    weight: str | None,
    where: Where,
    bins: Mapping[str, float],
    units: Units | None,
    count: str | None,
    clusters: str | None,
) -> Cells:
    schema = lf.collect_schema()
    check_units(units, [*schema.names(), *metrics])
    check_units(bins, schema.names(), "bins")
    require(schema, by, "axis")
    require(schema, where, "where")
    if weight is not None:
        require(schema, [weight], "weight")
    if clusters is not None and clusters not in schema:
        clusters = None
    for key, wanted in where.items():
        lf = lf.filter(condition(key, wanted, schema[key]))
    states = _states(schema, metrics, weight, count)
    keys = by if clusters is None or clusters in by else [*by, clusters]
    grouped = aggregate(lf, keys, states).collect()
    _check_rows(grouped, metrics, weight)
    whole = grouped if keys == by else _over_dates(grouped, by, schema, lf, states, metrics)
    errors = _errors(grouped, by, metrics) if keys != by else {}
    frame = _finish(whole, by, metrics, weight, count, errors)
    dims = tuple(_dim(frame[name], bins, units) for name in by)
    return Cells(frame, dims, tuple(metrics))


def condition(column: str, wanted: tuple[Any, Any] | Sequence[Any], dtype: pl.DataType) -> pl.Expr:
    """Return the filter of one column: a pair is a closed range (None: open), a list is values."""
    if isinstance(wanted, tuple):
        if len(wanted) != 2:
            raise ConfigError(f"where[{column!r}] is {wanted!r}; a pair (low, high) or a list of values is accepted")
        low, high = wanted
        expr = pl.lit(True)
        if low is not None:
            expr = expr & (pl.col(column) >= low)
        if high is not None:
            expr = expr & (pl.col(column) <= high)
        return expr
    if isinstance(wanted, (list, set, frozenset, pl.Series)):
        values = list(wanted)
        known = pl.col(column).is_in([v for v in values if v is not None])
        return known.fill_null(False) | pl.col(column).is_null() if None in values else known.fill_null(False)
    raise ConfigError(f"where[{column!r}] is {wanted!r}; a pair (low, high) or a list of values is accepted")


def _states(
    schema: pl.Schema, metrics: dict[str, str | pl.Expr], weight: str | None, count: str | None
) -> dict[str, pl.Expr]:
    states: dict[str, pl.Expr] = {"__rows": pl.len()}
    if count is not None:
        require(schema, [count], "count")
        states["__count"] = pl.col(count).sum()
    for index, (name, metric) in enumerate(metrics.items()):
        if isinstance(metric, pl.Expr):
            require(schema, metric.meta.root_names(), f"metric {name!r}")
            roots = [
                (_valued(root) if schema[root].is_float() else pl.col(root)).is_not_null()
                for root in metric.meta.root_names()
            ]
            states[f"__value_{index}"] = metric
            states[f"__valid_{index}"] = pl.all_horizontal(roots).cast(pl.Int64).sum() if roots else pl.len()
            continue
        require(schema, [metric], "metric")
        if not (schema[metric].is_numeric() or schema[metric] in (pl.Boolean, pl.Duration)):
            raise SchemaError(f"metric {metric!r} is {schema[metric]}; numbers are needed", column=metric)
        v = _valued(metric)
        w = pl.lit(1.0) if weight is None else _valued(weight)
        there = v.is_not_null() & w.is_not_null() if weight is not None else v.is_not_null()
        states[f"__sum_{index}"] = pl.when(there).then(v * w).sum()
        states[f"__weight_{index}"] = pl.when(there).then(w if weight is not None else v * 0 + 1).sum()
        states[f"__valid_{index}"] = there.cast(pl.Int64).sum()
    if weight is not None:
        states["__weight"] = _valued(weight).sum()
        states["__weight_min"] = _valued(weight).min()
    return states


def _check_rows(grouped: pl.DataFrame, metrics: dict[str, str | pl.Expr], weight: str | None) -> None:
    columns = [name for name, metric in metrics.items() if isinstance(metric, str)]
    most = int(grouped["__rows"].max() or 0)  # type: ignore[arg-type]
    if weight is None and columns and most > 1:
        raise ConfigError(
            f"metric {columns[0]!r}: the frame has up to {most:,} rows a cell, and how to take them "
            f"together is not said; give an expression such as pl.col({columns[0]!r}).mean(), or weight=, or the "
            "partials' paths or a Cube, whose states merge"
        )
    if weight is not None and grouped.height:
        lowest = grouped["__weight_min"].min()
        if lowest is not None and lowest < 0:  # type: ignore[operator]
            text = f"weight: column {weight!r} holds {lowest!r}; weights of 0 or more are needed"
            raise DataError(text, column=weight)


def _over_dates(
    grouped: pl.DataFrame,
    by: list[str],
    schema: pl.Schema,
    lf: pl.LazyFrame,
    states: dict[str, pl.Expr],
    metrics: dict[str, str | pl.Expr],
) -> pl.DataFrame:
    """Take cells per date together; where a metric is an expression, only aggregating anew is right."""
    if any(isinstance(metric, pl.Expr) for metric in metrics.values()):
        return aggregate(lf, by, states).collect()
    adds = {name: pl.col(name).sum() for name in grouped.columns if name.startswith("__") and name != "__weight_min"}
    return aggregate(grouped, by, adds).collect()


def _errors(grouped: pl.DataFrame, by: list[str], metrics: dict[str, str | pl.Expr]) -> dict[int, pl.DataFrame]:
    """Return each mean's standard error, dates being the clusters; as `vizflow.stats.clustered` does."""
    out = {}
    for index, metric in enumerate(metrics.values()):
        if isinstance(metric, pl.Expr):
            continue
        weight = f"__weight_{index}"
        found = ratios(grouped.filter(pl.col(weight) > 0), by, f"__sum_{index}", weight)
        out[index] = found.select(
            *by, pl.col("clusters").alias(f"dates_{index}"), pl.col("error").alias(f"error_{index}")
        )
    return out


def _finish(
    whole: pl.DataFrame,
    by: list[str],
    metrics: dict[str, str | pl.Expr],
    weight: str | None,
    count: str | None,
    errors: dict[int, pl.DataFrame],
) -> pl.DataFrame:
    frame = whole.with_columns(n=pl.col("__count" if count is not None else "__rows"))
    for index, metric in enumerate(metrics.values()):
        valid = pl.col(f"__valid_{index}")
        if isinstance(metric, pl.Expr):
            value = pl.col(f"__value_{index}")
            share = pl.when(pl.col("__rows") > 0).then(valid / pl.col("__rows"))
        else:
            sums, weights = pl.col(f"__sum_{index}"), pl.col(f"__weight_{index}")
            value = pl.when(weights != 0).then(sums / weights)
            total = pl.col("__weight") if weight is not None else pl.col("__rows").cast(pl.Float64)
            share = pl.when(total != 0).then(weights / total)
        frame = frame.with_columns(
            value.alias(f"value_{index}"),
            valid.alias(f"valid_{index}"),
            share.alias(f"coverage_{index}"),
        )
        if index in errors and by:
            frame = frame.join(errors[index], on=by, how="left", nulls_equal=True)
        else:
            frame = frame.with_columns(
                pl.lit(None, pl.Float64).alias(f"error_{index}"), pl.lit(None, pl.Int64).alias(f"dates_{index}")
            )
    wanted = [f"{what}_{i}" for i in range(len(metrics)) for what in ("value", "valid", "coverage", "error", "dates")]
    return frame.select(*by, "n", *wanted).sort(by)


def _dim(keys: pl.Series, bins: Mapping[str, float], units: Units | None) -> Dim:
    name, dtype = keys.name, keys.dtype
    unit = unit_of(name, units)
    width = bins.get(name, bins.get(name.removesuffix("_bin")))
    if width is not None and not 0 < (real(width) or 0) < math.inf:
        raise ConfigError(f"bins[{name!r}] is {width!r}; a width above 0 is accepted")
    if dtype == pl.Date or name == "date":
        return Dim(name, "date")
    if dtype.is_integer():
        return Dim(name, integer_kind(name, keys, width, units), width, unit)
    if dtype.is_float():
        return Dim(name, "number", None, unit)
    return Dim(name, "category")


# ---- confidence -------------------------------------------------------------------------------------------------


# ---- sums that were taken before --------------------------------------------------------------------------------


def from_sums(
    frame: pl.DataFrame,
    by: Sequence[str],
    name: str,
    *,
    total: str,
    weight_valid: str,
    weight: str,
    rows: str,
    rows_valid: str,
    clusters: str | None = "date",
    units: Units | None = None,
) -> Cells:
    """Return the cells of one weighted mean from its sums, a row of `frame` a cell of a date: reports keep these."""
    keys = list(by) if clusters is None or clusters in by else [*by, clusters]
    named = {"__sum_0": total, "__weight_0": weight_valid, "__weight": weight, "__rows": rows, "__valid_0": rows_valid}
    grouped = aggregate(frame, keys, {ours: pl.col(theirs).sum() for ours, theirs in named.items()}).collect()
    metrics: dict[str, str | pl.Expr] = {name: total}
    sums = {ours: pl.col(ours).sum() for ours in named}
    whole = grouped if keys == list(by) else aggregate(grouped, list(by), sums).collect()
    errors = _errors(grouped, list(by), metrics) if keys != list(by) else {}
    cells = _finish(whole, list(by), metrics, weight, None, errors)
    return Cells(cells, tuple(_dim(cells[key], {}, units) for key in by), (name,))
