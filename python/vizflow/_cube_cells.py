"""Cells of a cube for figures and the explorer: metrics, rows, coverage, and errors from the states of each date.

Not for drawing, and not for frames: `_cells` has those.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from vizflow import _partial
from vizflow._cells import Cells, Dim, Units, Where, clustered, is_cube
from vizflow._cube import given
from vizflow._look import unit_of
from vizflow._states import LeafSpec, StateSpec
from vizflow.cube import Cube
from vizflow.errors import ConfigError, SchemaError, near_names, translated

__all__ = ["ROWS", "cells", "count_metric", "errors", "look", "measure"]

ROWS = "rows"
DATE = "date"
_SUMS = ("add_int", "add_float")


def measure(
    data: Any,
    by: Sequence[str],
    metrics: Mapping[str, str | pl.Expr],
    *,
    where: Where | None,
    units: Units | None,
    clusters: bool,
    bins: Mapping[str, float] | None = None,
) -> Cells:
    """Give `_cells.measure` of a cube, of partials, or of a frame that knows its states."""
    wanted = []
    for name, metric in metrics.items():
        if isinstance(metric, pl.Expr):
            raise ConfigError(f"metric {name!r} is an expression; of a cube or partials a metric's name is accepted")
        wanted.append(metric)
    dims = list(dict.fromkeys([*(n for n in by if n != DATE), *(n for n in where or {} if n != DATE)]))
    cube = data if is_cube(data) else cube_of(data, dims, bins or {})
    for metric in wanted:
        if metric not in cube.metrics:
            hint = near_names(metric, cube.metrics).replace("the columns are", "there are")
            raise SchemaError(f"there is no metric {metric!r}; {hint}", column=metric)
    view = cube.brush({name: tuple(v) if isinstance(v, tuple) else list(v) for name, v in (where or {}).items()})
    count = count_metric(cube)
    out: pl.DataFrame | None = None
    for index, metric in enumerate(wanted):
        found = look(view, metric, by, count, clustered=clusters)
        more = [name for name in ("coverage", "error", "dates", "rows") if name not in found.columns]
        found = found.with_columns(pl.lit(None, pl.Float64).alias(name) for name in more)
        valid = (pl.col("coverage") * pl.col("rows")).round().cast(pl.Int64).alias(f"valid_{index}")
        columns = [pl.col(name).alias(f"{name}_{index}") for name in ("value", "coverage", "error", "dates")]
        n = [pl.col("rows").cast(pl.Int64).alias("n")] if out is None else []
        part = found.select(*by, *n, *columns, valid)
        # A row a cell that holds rows, sorted: the same cells for every metric.
        out = part if out is None else out.hstack(part.drop(by))
    assert out is not None
    return Cells(out, tuple(_dim(cube, name, units) for name in by), tuple(metrics))


def cube_of(data: Any, dims: Sequence[str] | None = None, bins: Mapping[str, float] | None = None) -> Cube:
    """Make a cube of partials, or of a frame that `aggregate`, `reduce`, `scan` or `load` gave."""
    if not isinstance(data, (pl.LazyFrame, pl.DataFrame)):
        widths = {name: width for name in dims or () if (width := _width(name, bins or {})) is not None}
        return Cube.from_partials(data, dims=dims, bins=widths or None)
    traced = _partial.traced(data)
    keys = traced.plan.group_by if traced is not None else ()
    widths = {name: width for name in dims or keys if (width := _width(name, bins or {})) is not None}
    return Cube.from_frame(data, dims=dims, bins=widths or None)


def _width(name: str, bins: Mapping[str, float]) -> float | None:
    return bins.get(name, bins.get(name.removesuffix("_bin")))


def _dim(cube: Cube, name: str, units: Units | None) -> Dim:
    unit = unit_of(name, units)
    if name == DATE:
        return Dim(name, "date")
    dim = cube.dims[name]
    if dim.values.dtype.is_integer():
        return Dim(name, "bin" if dim.width is not None or name.endswith("_bin") else "integer", dim.width, unit)
    return Dim(name, "date" if dim.values.dtype == pl.Date else "category", None, unit)


def count_metric(cube: Cube) -> str | None:
    """Find what counts rows: a metric that is ``pl.len()``, or the rows that the states hold anyway."""
    plan = cube.plan
    counting = {leaf.name for leaf in plan.leaves if leaf.op == "value" and leaf.states == (ROWS,)}
    for name, tree in plan.metrics.items():
        if name in cube.metrics and list(tree[:1]) == ["col"] and tree[1] in counting:
            return name
    held = any(state.name == ROWS for state in cube._held.kept)
    return ROWS if held and ROWS not in cube.metrics else None


def cells(view: Cube, by: Sequence[str], metrics: Sequence[str]) -> pl.DataFrame:
    """Give `by` and metrics, a row a cell that holds rows; dates as text."""
    own = [name for name in metrics if name in view.metrics]
    frame = view.table(list(by), own) if own else view.table(list(by), view.metrics[:1]).select(*by)
    if ROWS in metrics and ROWS not in own:
        frame = frame.with_columns(states(view, by, [ROWS])[ROWS])
    frame = frame.select(*by, *metrics)
    return _texts(frame) if DATE in by else frame


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(DATE).dt.strftime("%Y%m%d"))


def states(view: Cube, by: Sequence[str], names: Sequence[str]) -> pl.DataFrame:
    """Give `by` and the columns of states, a row a cell that holds rows."""
    held = view._held
    axes = [view._axis(name, "cells", exact=True)[0] for name in by]
    numbers = [number for number, state in enumerate(held.kept) if state.name in names]
    found = held.query(view._picks, axes, array("I", numbers).tobytes())
    keys = [
        held.axes[at].values.gather(found[i]).alias(name) for i, (at, name) in enumerate(zip(axes, by, strict=True))
    ]
    columns = [column for number in numbers for column in given(held.kept[number])]
    out = keys
    for column, (name, dtype) in zip(found[len(axes) :], columns, strict=True):
        out.append((column if column.dtype == dtype else column.cast(dtype)).alias(name))
    return pl.DataFrame(out)


def _leaves(view: Cube, metric: str) -> list[LeafSpec]:
    roots = set(view._held.finish[metric].meta.root_names())
    plan = view.plan
    columns = {state.name: set(state.columns) for state in plan.states}
    used: set[str] = set()

    def walk(tree: Any) -> None:
        if isinstance(tree, (list, tuple)):
            if len(tree) == 2 and tree[0] == "col":
                if tree[1] in plan.names:
                    walk(plan.metrics.get(tree[1], plan.derived.get(tree[1])))
                used.add(tree[1])
                return
            for part in tree:
                walk(part)

    walk(plan.metrics.get(metric, plan.derived.get(metric)))
    return [leaf for leaf in plan.leaves if leaf.name in used and any(columns[s] & roots for s in leaf.states)]


def look(view: Cube, metric: str, by: Sequence[str], count: str | None, *, clustered: bool) -> pl.DataFrame:
    """Give `by`, ``value``, ``rows``, ``coverage`` and, if asked for, ``error`` and ``dates``, as far as known.

    Coverage is a metric ``{metric}_coverage``, else the share of rows that a mean or the like counted. It cannot be
    told of a sum: its states do not say how many rows it had.
    """
    named = f"{metric}_coverage" if f"{metric}_coverage" in view.metrics else None
    missing = _missing(view, metric) if named is None else None
    counted = count if count in view.metrics else None
    wanted = list(dict.fromkeys([metric, *([counted] if counted else []), *([named] if named else [])]))
    frame = view.table(list(by), wanted)
    parts = [frame.get_column(name).alias(name) for name in by] + [frame.get_column(metric).alias("value")]
    held = (
        states(view, by, [ROWS, *([missing.name] if missing else [])]) if missing or count == ROWS != counted else None
    )
    if counted:
        parts.append(frame.get_column(counted).alias("rows"))
    elif held is not None and count == ROWS:
        parts.append(held.get_column(ROWS).alias("rows"))
    if named:
        parts.append(frame.get_column(named).alias("coverage"))
    out = pl.DataFrame(parts)
    if missing is not None and held is not None:
        rows, nulls = held.get_column(ROWS), held.get_column(missing.columns[0])
        out = out.with_columns(pl.lit((rows - nulls) / rows).fill_nan(None).alias("coverage"))
    found = errors(view, metric, by) if clustered else None
    if found is not None:
        found = found.select(*by, "error", "dates")
        out = out.join(found, on=list(by), how="left", nulls_equal=True) if by else out.hstack(found)
    return _texts(out) if DATE in by else out


def _missing(view: Cube, metric: str) -> StateSpec | None:
    """Give the state that counts the rows a mean or the like did not see, where it is one of the whole column."""
    kept = {state.name: state for state in view._held.kept}
    nulls = {
        leaf.states[-1]
        for leaf in _leaves(view, metric)
        if len(leaf.states) > 1 and leaf.states[-2] == ROWS and leaf.states[-1] in kept
    }
    if len(nulls) != 1 or ROWS not in kept:
        return None
    (name,) = nulls
    # Of a filtered aggregate, the rows that its filter leaves out are not missing.
    return None if kept[name].of.startswith("nulls of when(") else kept[name]


def errors(view: Cube, metric: str, by: Sequence[str]) -> pl.DataFrame | None:
    """Give `by`, ``error`` and ``dates``: errors with dates as the clusters, as `vizflow.stats.clustered` does.

    A date's influence on a metric f of the total T of the states is its derivative in the direction of the date's
    states S_d: for a ratio of sums (S_d - r W_d) / W, and without a formula of its own for every other metric. It is
    taken as M (f(MT + S_d) - f(MT - S_d)) / 2, which keeps counts whole: such metrics do not change with scale.

    None where it cannot be told: fewer than two dates, a metric that is a count or a sum, or one of states that cannot
    be added and subtracted (minima, maxima, first, last, products).
    """
    held = view._held
    if DATE in by or not held.dated or view.shape[0] < 2:
        return None
    finish = held.finish[metric]
    roots = set(finish.meta.root_names())
    needed = [state for state in held.kept if roots.intersection(state.columns)]
    if any(state.kind not in _SUMS for state in needed) or not _is_ratio(view, metric):
        return None
    names = [state.name for state in needed]
    columns = [column for state in needed for column in state.columns]
    totals, per_date = states(view, by, names), states(view, [*by, DATE], names)
    scale = _scale(totals, columns)
    if scale is None:
        return None
    keys = list(by)
    value = finish.cast(pl.Float64).fill_nan(None)
    whole, dates, above, below = _moves(tuple(columns), scale)
    scaled = totals.lazy().select(*keys, *whole)
    dated = per_date.lazy().select(*keys, *dates, value.alias("__own"))
    joined = (
        dated.join(scaled, on=keys, how="left", nulls_equal=True, maintain_order="left")
        if keys
        else dated.join(scaled, how="cross", maintain_order="left")
    )
    joined = joined.filter(pl.col("__own").is_not_null())
    for moved, name in ((above, "__above"), (below, "__below")):
        joined = joined.with_columns(moved).with_columns(value.alias(name))
    influence = (pl.col("__above") - pl.col("__below")) * (scale / 2)
    sums = [clustered().alias("error"), pl.len().cast(pl.Int64).alias("dates")]
    found = joined.with_columns(__influence=influence)
    with translated():
        return (found.group_by(keys, maintain_order=True).agg(sums) if keys else found.select(sums)).collect()


@lru_cache(maxsize=256)
def _moves(columns: tuple[str, ...], scale: int) -> tuple[list[pl.Expr], ...]:
    """Give the expressions of `errors`: totals scaled, a date's states, and both added and subtracted."""
    whole = [(pl.col(c) * scale).alias(f"{c}__all") for c in columns]
    dates = [pl.col(c).alias(f"{c}__date") for c in columns]
    above = [(pl.col(f"{c}__all") + pl.col(f"{c}__date")).alias(c) for c in columns]
    below = [(pl.col(f"{c}__all") - pl.col(f"{c}__date")).alias(c) for c in columns]
    return whole, dates, above, below


def _scale(totals: pl.DataFrame, columns: Sequence[str]) -> int | None:
    """Give the M of `errors`: 4096, or less where integers would not fit; None where they leave no room."""
    whole = [c for c in columns if totals.schema[c].is_integer()]
    sizes = [abs(v) for c in whole for v in totals[c].to_list() if v is not None]
    room = 61 - max(sizes, default=1).bit_length()
    return None if room < 8 else 1 << min(12, room)


def _is_ratio(view: Cube, metric: str) -> bool:
    """Tell a mean, a ratio, a moment from a total: a total's spread over dates is no error of it."""
    leaves = _leaves(view, metric)
    if any(leaf.op in ("mean", "mean_int", "var", "std", "cov", "corr") for leaf in leaves):
        return True
    tree = view.plan.metrics.get(metric, view.plan.derived.get(metric))
    return "'/'" in repr(tree)
