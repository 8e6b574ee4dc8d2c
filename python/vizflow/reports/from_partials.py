"""Reports from partials: what their dimensions and metrics can tell. Not for day files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from vizflow.cube.cube import Cube
from vizflow.errors import ConfigError, SchemaError, near_names
from vizflow.partials import file
from vizflow.reports.days import paths_of
from vizflow.reports.fills import Sides
from vizflow.viz import cube_cells
from vizflow.viz.cube_cells import DATE, ROWS
from vizflow.viz.dims import Cells, Dim, is_cube, is_partials
from vizflow.viz.units import Unit

if TYPE_CHECKING:
    from vizflow.reports.sums import Parts

__all__ = ["Names", "alpha_points", "horizon_columns", "is_cube_like", "trade_sums"]


def is_cube_like(source: Any) -> bool:
    """Return whether a source is a `Cube`, or files that hold states."""
    if is_cube(source):
        return True
    if not is_partials(source):
        return False
    first = paths_of(source)[0]
    if first.suffix != ".parquet" or not first.is_file():
        return False
    known = file.info(first)
    return known is not None and known.plan is not None


def _cube(source: Any, dates: Sequence[str] | None, dims: Sequence[str] | None) -> Cube:
    if is_cube(source):
        cube: Cube = source
        return cube.brush({DATE: list(dates)}) if dates is not None else cube
    return Cube.from_partials(source, dates=None if dates is None else list(dates), dims=dims)


def _need(cube: Cube, dims: Sequence[str], metrics: Sequence[str], option: str) -> None:
    for name, known, what in [(d, list(cube.dims), "dimension") for d in dims] + [
        (m, list(cube.metrics), "metric") for m in metrics
    ]:
        if name not in known:
            hint = near_names(name, known).replace("the columns are", "there are")
            raise SchemaError(f"{option}: the partials have no {what} {name!r}; {hint}", column=name)


def horizon_columns(
    wanted: Sequence[str] | Mapping[float, str] | None, known: Sequence[str], option: str
) -> dict[float, str]:
    """Return dimensions or metrics by horizon; left out, those that begin with ``return_``."""
    from vizflow.reports.columns import horizon_of

    if isinstance(wanted, Mapping):
        return {float(h): name for h, name in sorted(wanted.items())}
    names = list(wanted) if wanted is not None else [name for name in known if name.startswith("return_")]
    out = {horizon_of(name, option): name for name in names}
    if len(out) < len(names):
        raise ConfigError(f"{option}: two of one horizon in {names}; give a mapping {{60: 'name', …}}")
    return dict(sorted(out.items()))


# ---- alpha ------------------------------------------------------------------------------------------------------


def alpha_points(
    source: Any,
    alpha: str,
    returns: Sequence[str] | Mapping[float, str] | None,
    count: str,
    dates: Sequence[str] | None,
) -> Iterator[tuple[str, float, pl.DataFrame]]:
    """Yield each date's and horizon's cells as weighted points at their bins' centres."""
    cube = _cube(source, dates, None)
    horizons = horizon_columns(returns, list(cube.dims), "returns")
    if not horizons:
        raise ConfigError(
            f"returns: the partials have no dimension return_*; name them (there are {', '.join(cube.dims)})"
        )
    _need(cube, [alpha, *horizons.values()], [] if count == ROWS else [count], "alpha report")
    for horizon, name in horizons.items():
        if name == alpha:
            raise ConfigError(f"returns: {name!r} is the alpha itself")
        cells = cube_cells.cells(cube, [DATE, alpha, name], [count])
        points = cells.select(DATE, a=_centre(cube, alpha), r=_centre(cube, name), w=pl.col(count).cast(pl.Float64))
        for (date,), part in points.group_by(DATE, maintain_order=True):
            yield str(date), horizon, part.drop(DATE)


def _centre(cube: Cube, name: str) -> pl.Expr:
    width = cube.dims[name].width
    if not cube.dims[name].values.dtype.is_integer():
        raise SchemaError(f"dimension {name!r} is {cube.dims[name].values.dtype}; bins are needed", column=name)
    return pl.col(name).cast(pl.Float64) * (1.0 if width is None else width)


# ---- trades -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Names:
    """What `trades` was told of the partials' dimensions and metrics."""

    side: str
    alpha: str | None
    holding: str
    time: str
    qty: str
    pnl: str
    count: str
    buckets: int
    every: float
    sides: Sides
    exits: Sides | None


def trade_sums(
    source: Any,
    names: Names,
    markouts: Sequence[str] | Mapping[float, str] | None,
    dates: Sequence[str] | None,
    parts: Parts,
) -> None:
    """Fill the report's parts from a cube's dimensions and metrics."""
    cube = _cube(source, dates, None)
    _need(cube, [names.side], [] if names.count == ROWS else [names.count], "trades report")
    marked = [name for name in cube.metrics if re.fullmatch(r"markout_[\d.]+", name)]
    horizons = horizon_columns(marked if markouts is None and marked else markouts, cube.metrics, "markouts")
    _need(cube, [], list(horizons.values()), "markouts")
    returned = bool(horizons) and all(name.startswith("ret") for name in horizons.values())
    parts.measures.add("return" if returned else "markout")
    parts.from_partials, parts.horizons = True, len(horizons)
    parts.note(f"Computed from partials: {parts.measure}s are their metrics, signed as those are.")
    parts.note(
        f"Rows are what the partials' {names.count!r} counts: behind FIFOMatch these are pieces of fills, not fills."
    )
    held = cube.dims[names.side].values.to_list()
    sides = {side: names.sides.holding(side, held) for side in ("Buy", "Sell")}
    both = [*sides["Buy"], *sides["Sell"]]
    if not both:
        shown = ", ".join(repr(v) for v in cube.dims[names.side].values.to_list()[:12])
        raise ConfigError(
            f"side: dimension {names.side!r} holds none of the sides; it holds {shown}: name buy= and sell="
        )
    _leave_out(cube, names, both, parts)
    fills = cube.brush({names.side: both})
    _sizes_of(fills, names, sides, parts)
    _markouts_of(fills, names, sides, horizons, parts)
    _holding_of(cube, names, parts)
    _profile_of(fills, names, horizons, parts)
    if names.pnl in cube.metrics:
        frame = cube_cells.cells(fills, [DATE], [names.pnl, names.count])
        parts.add("pnl_dates", frame.select(DATE, lots=names.count, pnl=names.pnl))
    else:
        parts.missing["pnl_dates"] = f"the partials have no metric {names.pnl!r}, the sum of realised profit"
    parts.missing["spread"] = "partials do not keep quotes; day files do"
    parts.missing["pnl"] = "partials do not keep single lots; day files do"
    parts.missing["sizes"] = "partials do not keep single fills; day files do"


def _leave_out(cube: Cube, names: Names, both: Sequence[Any], parts: Parts) -> None:
    """Count what has neither side, by value."""
    extra = [name for name in (names.qty, names.pnl) if name in cube.metrics]
    frame = cube_cells.cells(cube, [DATE, names.side], [names.count, *extra])
    for row in frame.iter_rows(named=True):
        value = row[names.side]
        if value not in both:
            parts.left_out.append({
                "date": row[DATE], "reason": "neither side", "side": None if value is None else str(value),
                "rows": row[names.count], "quantity": row.get(names.qty), "pnl": row.get(names.pnl),
            })  # fmt: skip


def _sizes_of(fills: Cube, names: Names, sides: Mapping[str, list[Any]], parts: Parts) -> None:
    metrics = [names.count, *([names.qty] if names.qty in fills.metrics else [])]
    what = {"rows": names.count, **({"quantity": names.qty} if len(metrics) > 1 else {})}
    parts.add("dates", cube_cells.cells(fills, [DATE], metrics).select(DATE, **what))
    for side, values in sides.items():
        if values:
            frame = cube_cells.cells(fills.brush({names.side: values}), [DATE], metrics)
            parts.add("sides", frame.select(DATE, pl.lit(side).alias("side"), **what))


def _markouts_of(
    fills: Cube, names: Names, sides: Mapping[str, list[Any]], horizons: Mapping[float, str], parts: Parts
) -> None:
    if not horizons:
        parts.missing["markouts"] = parts.missing["alpha"] = "name the partials' metrics with markouts="
        return
    units = {"horizon": "s"}
    found = [_cells_of(fills.brush({names.side: v}), horizons, names, side=s) for s, v in sides.items() if v]
    dims = (Dim("horizon", "integer", None, Unit("s")), Dim("side", "category"))
    parts.cells["markouts"] = Cells(pl.concat(found), dims, (parts.measure,))
    for row in _cells_of(fills, horizons, names, side="both").iter_rows(named=True):
        parts.both[str(row["horizon"])] = (row["value_0"], row["coverage_0"])
    if names.alpha is None:
        parts.missing["alpha"] = "name the forecast's dimension with alpha="
        return
    _need(fills, [names.alpha], [], "alpha")
    buckets = _buckets(fills, names)
    dims = (Dim("horizon", "integer", None, Unit(units["horizon"])), Dim("bucket", "integer"))
    for side, values in sides.items():
        part = [
            _cells_of(fills.brush({names.side: values, names.alpha: keys}), horizons, names, bucket=number)
            for number, keys in buckets.items()
            if values
        ]
        if part:
            parts.cells[f"alpha_{side.lower()}"] = Cells(pl.concat(part), dims, (parts.measure,))


def _cells_of(view: Cube, horizons: Mapping[float, str], names: Names, **key: Any) -> pl.DataFrame:
    """Return a row per horizon in the shape of `Cells`, with a key behind the horizon."""
    rows = []
    for horizon, metric in horizons.items():
        cells = cube_cells.measure(view, [], {metric: metric}, where=None, units=None, clusters=True).frame
        shown = int(horizon) if horizon == int(horizon) else str(horizon)
        rows.append(
            cells.select(pl.lit(shown).alias("horizon"), *(pl.lit(v).alias(k) for k, v in key.items()), pl.all())
        )
    whole = all(horizon == int(horizon) for horizon in horizons)
    return pl.concat(row.cast({"horizon": pl.Int64 if whole else pl.String}) for row in rows)


def _buckets(fills: Cube, names: Names) -> dict[int, list[Any]]:
    """Cut the forecast's bins into groups of about equally many fills."""
    assert names.alpha is not None
    frame = cube_cells.cells(fills, [names.alpha], [names.count]).drop_nulls(names.alpha).sort(names.alpha)
    rows = pl.col(names.count)
    at = ((rows.cum_sum() - rows / 2) / rows.sum() * names.buckets).floor().clip(0, names.buckets - 1).cast(
        pl.Int64
    ) + 1
    out: dict[int, list[Any]] = {}
    for bucket, key in frame.select(at, names.alpha).iter_rows():
        out.setdefault(bucket, []).append(key)
    return out


def _holding_of(cube: Cube, names: Names, parts: Parts) -> None:
    from vizflow.reports.sums import holding_bin

    dim = next((d for d in (names.holding, f"{names.holding}_bin") if d in cube.dims), None)
    if dim is None:
        parts.missing["holding"] = f"the partials have no dimension {names.holding!r} or {names.holding + '_bin'!r}"
        return
    held = cube.dims[names.side].values.to_list()
    exits = names.sides.holding("Sell", held) if names.exits is None else names.exits.holding("Buy", held)
    buys = pl.Series(names.sides.holding("Buy", held), dtype=cube.dims[names.side].values.dtype)
    weight = names.qty if names.qty in cube.metrics else names.count
    metrics = list(dict.fromkeys([names.count, weight]))
    cells = cube_cells.cells(cube.brush({names.side: exits}), [DATE, names.side, dim], metrics).drop_nulls(dim)
    seconds = _centre(cube, dim)
    side = pl.when(pl.col(names.side).is_in(buys.implode())).then(pl.lit("Buy")).otherwise(pl.lit("Sell"))
    parts.add(
        "holding",
        cells.select(
            DATE,
            side.alias("side"),
            holding_bin(seconds).alias("bin"),
            lots=names.count,
            notional=pl.col(weight).cast(pl.Float64),
            seconds=seconds * pl.col(weight),
        ),
    )
    parts.notes.append(f"Holding periods are bins' centres, weighted by {weight}.")


def _profile_of(fills: Cube, names: Names, horizons: Mapping[float, str], parts: Parts) -> None:
    dim = next((d for d in (names.time, f"{names.time}_bin") if d in fills.dims), None)
    if dim is None:
        parts.missing["profile"] = f"the partials have no dimension {names.time!r} or {names.time + '_bin'!r}"
        return
    metric = next(iter(horizons.values()), names.count)
    frame = cube_cells.measure(fills, [dim], {metric: metric}, where=None, units=None, clusters=True).frame
    if not horizons:
        frame = frame.with_columns(pl.lit(None, pl.Float64).alias("value_0"))
    parts.cells["profile"] = Cells(frame.rename({dim: "slice"}), (Dim("slice", "integer"),), (parts.measure,))
    parts.slice = fills.dims[dim].width or 1.0
