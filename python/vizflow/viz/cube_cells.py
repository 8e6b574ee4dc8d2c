"""Cells of a cube for figures and the explorer: metrics, rows, coverage, and errors from the states of each date.

Not for drawing, and not for frames: `viz.frame_cells` has those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.cube.cube import Cube
from vizflow.errors import ConfigError, SchemaError, near_names, translated
from vizflow.partials import traced as _traced
from vizflow.partials.plan import KINDS, LeafSpec, StateSpec
from vizflow.viz.dims import Cells, Dim, Units, Where, integer_kind, is_cube
from vizflow.viz.units import check_units, unit_of

__all__ = ["ROWS", "cells", "count_metric", "look", "measure"]

ROWS = "rows"
DATE = "date"


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
    """Return `viz.frame_cells.measure` of a cube, of partials, or of a frame that knows its states."""
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
    plan = cube.plan
    check_units(units, [*metrics, *plan.metrics, *plan.derived, *plan.group_by, DATE])
    check_units(bins, plan.group_by, "bins")
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
    traced = _traced.traced(data)
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
        return Dim(name, integer_kind(name, dim.values, dim.width, units), dim.width, unit)
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
    """Return `by` and metrics, a row a cell that holds rows; dates as text."""
    own = [name for name in metrics if name in view.metrics]
    frame = view.table(list(by), own) if own else view.table(list(by), view.metrics[:1]).select(*by)
    if ROWS in metrics and ROWS not in own:
        frame = frame.with_columns(states(view, by, [ROWS])[ROWS])
    frame = frame.select(*by, *metrics)
    return _texts(frame) if DATE in by else frame


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(DATE).dt.strftime("%Y%m%d"))


def states(view: Cube, by: Sequence[str], names: Sequence[str]) -> pl.DataFrame:
    """Return `by` and the columns of states, a row a cell that holds rows."""
    held = view._held
    axes = [view._axis(name, "cells", exact=True)[0] for name in by]
    places, columns = held.query(view._picks, axes, *held.columns(names))
    return pl.DataFrame([*held.keys(axes, places), *columns])


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


@dataclass(frozen=True)
class _Asked:
    """What `look` needs of a metric: states, the columns that they come as, and expressions over those."""

    states: bytes
    columns: list[tuple[str, pl.DataType]]
    exprs: list[pl.Expr]
    moved: _Moved | None


@dataclass(frozen=True)
class _Moved:
    """What `_errors` needs of a metric whose error can be told: its own states."""

    states: bytes
    columns: list[tuple[str, pl.DataType]]
    value: pl.Expr


def look(view: Cube, metric: str, by: Sequence[str], count: str | None, *, clustered: bool) -> pl.DataFrame:
    """Return `by`, ``value``, ``rows``, ``coverage`` and, if asked for, ``error`` and ``dates``, as far as known.

    Coverage is a metric ``{metric}_coverage``, else the share of rows that a mean or the like counted. It cannot be
    told of a sum: its states do not say how many rows it had.
    """
    held = view._held
    asked = held.looked.get((metric, count))
    if asked is None:
        asked = held.looked[(metric, count)] = _ask(view, metric, count)
    axes = [view._axis(name, "cells", exact=True)[0] for name in by]
    places, columns = held.query(view._picks, axes, asked.states, asked.columns)
    states = pl.DataFrame(columns)
    with translated():
        seen = states.select_seq(asked.exprs)  # small: not worth a thread
    out = pl.DataFrame([*held.keys(axes, places), *seen.get_columns()])
    several = held.dated and len(view._picks.get(0, held.axes[0].values)) > 1
    if clustered and several and asked.moved is not None and DATE not in by:
        out = out.hstack(_errors(view, axes, asked.moved, places, states))
    return _texts(out) if DATE in by else out


def _ask(view: Cube, metric: str, count: str | None) -> _Asked:
    held = view._held
    exprs = {"value": held.finish[metric]}
    if count in view.metrics:
        exprs["rows"] = held.finish[count]
    elif count == ROWS:
        exprs["rows"] = pl.col(ROWS)
    if f"{metric}_coverage" in view.metrics:
        exprs["coverage"] = held.finish[f"{metric}_coverage"]
    elif (missing := _missing(view, metric)) is not None:
        exprs["coverage"] = ((pl.col(ROWS) - pl.col(missing.columns[0])) / pl.col(ROWS)).fill_nan(None)
    states, columns = held.needed(exprs.values())
    return _Asked(states, columns, [expr.alias(name) for name, expr in exprs.items()], _moves(view, metric))


def _missing(view: Cube, metric: str) -> StateSpec | None:
    """Return the state that counts the rows a mean or the like did not see, where it is one of the whole column."""
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


def _moves(view: Cube, metric: str) -> _Moved | None:
    """Return what `_errors` needs; None where an error cannot be told.

    So it is of a metric that is a count or a sum, or of states that cannot be added and subtracted (minima, maxima,
    first, last, products).
    """
    held = view._held
    finish = held.finish[metric]
    states, columns = held.needed([finish])
    roots = set(finish.meta.root_names())
    if any(not KINDS[state.kind].is_sum for state in held.kept if roots.intersection(state.columns)):
        return None
    return _Moved(states, columns, finish.cast(pl.Float64).fill_nan(None)) if _is_ratio(view, metric) else None


def _errors(
    view: Cube, axes: Sequence[int], moved: _Moved, places: list[pl.Series], totals: pl.DataFrame
) -> pl.DataFrame:
    """Return ``error`` and ``dates`` of each cell: with dates as the clusters, as `vizflow.stats.clustered` does.

    A date's influence on a metric f of the total T of the states is its derivative in the direction of the date's
    states S_d: for a ratio of sums (S_d - r W_d) / W, and without a formula of its own for every other metric. It is
    taken as M (f(MT + S_d) - f(MT - S_d)) / 2, which keeps counts whole: such metrics do not change with scale.
    """
    names = [name for name, _ in moved.columns]
    totals = totals[names]
    scale = _scale(totals)
    if scale is None:
        nothing = pl.Series("error", [None], dtype=pl.Float64)
        return pl.DataFrame([nothing, pl.Series("dates", [None], dtype=pl.Int64)])[[0] * totals.height]
    found, columns = view._held.query(view._picks, [*axes, 0], moved.states, moved.columns)
    own = pl.DataFrame(columns)
    cell = _runs(found[:-1]) if axes else None
    whole = totals if cell is None else totals[cell]
    parts = []
    for name in names:
        date, total = own[name], whole[name] * scale
        parts.append(pl.concat([date, total + date, total - date]))
    n = own.height
    value = pl.col("value")
    influence = (value.slice(n, n) - value.slice(2 * n, n)) * (scale / 2)
    known = pl.when(value.slice(0, n).is_not_null()).then(influence.fill_null(float("nan"))).alias("influence")
    with translated():
        draws = pl.DataFrame(parts).select_seq(moved.value.alias("value")).select_seq(known)
    error, dates = _core.clusters_error(draws.to_series(), cell, totals.height)
    return pl.DataFrame([pl.Series(error), pl.Series(dates).alias("dates")])


def _runs(places: list[pl.Series]) -> pl.Series:
    """Return each row the number of its cell: rows are sorted by their places, so cells are runs."""
    frame = pl.DataFrame([place.alias(str(i)) for i, place in enumerate(places)])
    changed = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in frame.columns)
    return frame.select_seq(changed.fill_null(False).cum_sum()).to_series()


def _scale(totals: pl.DataFrame) -> int | None:
    """Return the M of `_errors`: 4096, or less where integers would not fit; None where they leave no room."""
    sizes = [1]
    for column in totals.get_columns():
        if column.dtype.is_integer() and column.len() > column.null_count():
            sizes += [abs(int(column.min())), abs(int(column.max()))]  # type: ignore[arg-type]
    room = 61 - max(sizes).bit_length()
    return None if room < 8 else 1 << min(12, room)


def _is_ratio(view: Cube, metric: str) -> bool:
    """Tell a mean, a ratio, a moment from a total: a total's spread over dates is no error of it."""
    leaves = _leaves(view, metric)
    if any(leaf.op in ("mean", "mean_int", "var", "std", "cov", "corr") for leaf in leaves):
        return True
    tree = view.plan.metrics.get(metric, view.plan.derived.get(metric))
    return "'/'" in repr(tree)
