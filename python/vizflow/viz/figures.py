"""Figures for the notebook: `heatmap` and `line` return Plotly figures.

They are drawn from aggregated cells only (`viz.frame_cells`), so a figure's size never depends on the rows behind it.
Plotly comes with the extra ``vizflow[viz]``; this module imports without it. Not for computing.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from vizflow.errors import ConfigError
from vizflow.ops.clusters import t_quantile
from vizflow.viz import theme as _theme
from vizflow.viz.dims import Cells, Dim, MetricSpec, Units, Where, metrics_of, number
from vizflow.viz.frame_cells import measure
from vizflow.viz.optional import need
from vizflow.viz.units import Unit, unit_of

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

__all__ = ["heatmap", "line"]

MAX_CELLS = 250_000
MAX_LINES = 24
_MAX_SPAN = 20_000


def heatmap(
    data: Any,
    x: str,
    y: str,
    metric: str | pl.Expr | Mapping[str, str | pl.Expr],
    *,
    weight: str | None = None,
    where: Where | None = None,
    bins: Mapping[str, float] | None = None,
    units: Units | None = None,
    count: str | None = None,
    min_count: int = 0,
    signed: bool | None = None,
    limit: float | None = None,
    title: str | None = None,
    dark: bool = False,
) -> Figure:
    """Draw a metric over two dimensions.

    Parameters
    ----------
    data
        A `Cube`; a path, folder, glob or list of paths of partials; a mapping of dates to frames that `aggregate` gave;
        or a LazyFrame or DataFrame, of rows or of cells. A frame that `aggregate`, `reduce`, `scan` or `load` gave,
        untouched, is merged over what is not shown, as partials are.
    x, y
        Dimensions. A column of bin numbers (``alpha_bin``) is drawn at its bins' centres. Other whole numbers are
        categories, unless they have a unit; beyond 2^53 always, since a browser's numbers end there.
    metric
        Of a Cube or partials: a metric's name. Of a frame: an expression that aggregates, alone or as
        ``{"name": expr}``; or a column, which needs one row a cell, or `weight`.
    weight
        Of a frame: the column's mean is weighted by this one. Rows without a value carry no weight.
    where
        Which cells take part: ``{"alpha_bin": (-20, 20), "side": ["Buy"], "date": ("20240101", "20240331")}``. A pair
        is a closed range, None leaves an end open; a list is values.
    bins
        Of a frame: the bins' widths, as `bin` was given them. Partials know theirs.
    units
        Per dimension or metric: ``"bp"`` and ``"%"`` also scale what is shown (by 1e4 and 100), any other text is only
        written, ``("ms", 1e3)`` scales by that factor.
    count
        Of a frame of cells: the column that holds each cell's rows.
    min_count
        Cells of fewer rows are masked; the subtitle says how many.
    signed
        Colours that diverge from zero, symmetrically; left out, when any value is below zero.
    limit
        End of the colour scale, in the unit shown; left out, what 99 % of the rows stay within.
    title
        Text above; left out, the metric's name.
    dark
        Draw for a dark page.

    Returns
    -------
    plotly.graph_objects.Figure
        One heatmap trace. Cells that hold no rows are empty, never zero. Hovering shows value, rows and coverage: the
        share of the cell's rows (of its weight, where it is weighted) that have a value.

    Raises
    ------
    SchemaError
        A column is missing or is no number.
    ConfigError
        The cells' meaning is not said (several rows a cell), there are more cells than a figure can show, or `units` or
        `bins` names what is not there.
    ImportError
        Plotly is not installed: ``pip install 'vizflow[viz]'``.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> rows = pl.DataFrame(
    ...     {"alpha_bin": [-1, 1, 1], "side": ["B", "B", "S"], "ret": [-2e-4, 1e-4, None], "qty": [1, 2, 3]}
    ... )
    >>> figure = vf.viz.heatmap(
    ...     rows, "alpha_bin", "side", "ret", weight="qty", bins={"alpha": 1e-4}, units={"alpha": "bp"}
    ... )
    >>> figure.data[0].x, figure.data[0].y
    ((-1.0, 0.0, 1.0), ('B', 'S'))
    >>> figure.data[0].z  # no rows, or no values: empty
    ([-0.0002, None, 0.0001], [None, None, None])
    """
    go = need("plotly.graph_objects")
    cells = measure(data, [x, y], _one(metric), weight=weight, where=where, bins=bins, units=units, count=count)
    (name,) = cells.metrics
    unit = unit_of(name, units)
    columns, rows = (_positions(cells, dim) for dim in (x, y))
    if len(columns) * len(rows) > MAX_CELLS:
        raise ConfigError(
            f"{len(columns):,} x {len(rows):,} cells are more than a figure shows ({MAX_CELLS:,}); narrow them with "
            f"where={{{x!r}: (low, high)}}, or use wider bins"
        )
    z: list[list[float | None]] = [[None] * len(columns) for _ in rows]
    weights: list[list[int]] = [[1] * len(columns) for _ in rows]
    custom: list[list[Any]] = [[["", ""]] * len(columns) for _ in rows]
    at_x, at_y = ({key: i for i, key in enumerate(keys)} for keys in (columns, rows))
    masked = 0
    for x_key, y_key, n, value, share in cells.frame.select(x, y, "n", "value_0", "coverage_0").iter_rows():
        if x_key not in at_x or y_key not in at_y:
            continue
        i, j = at_y[y_key], at_x[x_key]
        if n is not None and n < min_count:
            masked += 1
            continue
        z[i][j] = _finite(value, unit.scale)
        weights[i][j] = n or 1
        custom[i][j] = [_rows_text(n), _share_text(share)]
    known = [(value, n) for row, counts in zip(z, weights, strict=True)
             for value, n in zip(row, counts, strict=True) if value is not None]  # fmt: skip
    diverging = any(value < 0 for value, _ in known) if signed is None else signed
    colours = _theme.palette(dark)
    end = limit if limit is not None else _theme.spread(known)
    dim_x, dim_y = cells.dims
    trace = go.Heatmap(
        x=[dim_x.place(key) for key in columns] if dim_x.kind != "category" else [_category(key) for key in columns],
        y=[dim_y.place(key) for key in rows] if dim_y.kind != "category" else [_category(key) for key in rows],
        z=z,
        customdata=custom,
        colorscale=_theme.scale(colours["diverging" if diverging else "sequential"]),
        zmin=-end if diverging else min((value for value, _ in known), default=0.0) if limit is None else 0.0,
        zmax=end,
        hoverongaps=False,
        xgap=1 if len(columns) <= 80 else 0,
        ygap=1 if len(rows) <= 60 else 0,
        colorbar={
            "title": {"text": unit.label(name), "side": "right", "font": {"size": 12}},
            "thickness": 10,
            "outlinewidth": 0,
            "tickfont": {"size": 11, "color": colours["muted"]},
        },
        hovertemplate=(
            f"{dim_x.label} %{{x}}<br>{dim_y.label} %{{y}}<br><b>{unit.label(name)} %{{z:.6~g}}</b>"
            "<br>rows %{customdata[0]}<br>coverage %{customdata[1]}<extra></extra>"
        ),
    )
    figure = go.Figure(trace)
    notes = [dim.note and f"{dim.name.removesuffix('_bin')}: {dim.note}" for dim in cells.dims]
    notes += _unplaced(cells)
    notes.append(f"{masked:,} cells of fewer than {min_count:,} rows not shown" if masked else "")
    dress(figure, name if title is None else title, notes, dark)
    _axis(figure, "xaxis", dim_x)
    _axis(figure, "yaxis", dim_y)
    figure.update_xaxes(showgrid=False, zeroline=False)
    figure.update_yaxes(showgrid=False, zeroline=False)
    return figure


def line(
    data: Any,
    x: str,
    metrics: MetricSpec | Sequence[str | pl.Expr],
    *,
    by: str | None = None,
    weight: str | None = None,
    where: Where | None = None,
    bins: Mapping[str, float] | None = None,
    units: Units | None = None,
    count: str | None = None,
    min_count: int = 0,
    band: bool | None = None,
    confidence: float = 0.95,
    date_col: str = "date",
    title: str | None = None,
    dark: bool = False,
) -> Figure:
    """Draw metrics along one dimension, with confidence bands.

    Parameters
    ----------
    data
        A `Cube`, partials' paths, or a frame; as in `heatmap`.
    x
        Dimension along which: bins, a category, or ``"date"``.
    metrics
        One or more, as in `heatmap`: a name, an expression, a list of these, or ``{"name": name or expression}``.
    by
        A line for each value of this dimension (at most 24 lines).
    weight, where, bins, units, count
        As in `heatmap`.
    min_count
        Points of fewer rows are masked; the subtitle says how many.
    band
        Draw confidence bands; left out, where several dates are there to tell the error from. Dates are the clusters:
        rows of one day are not taken for independent.
    confidence
        Level of the bands, between 0 and 1, with Student's t on the number of dates less one.
    date_col
        Of a frame: the column that holds the date.
    title, dark
        As in `heatmap`.

    Returns
    -------
    plotly.graph_objects.Figure
        A line for each metric and value of `by`, and a band where there is one. Hovering shows value, error, rows and
        coverage. A point without a value is a gap.

    Raises
    ------
    SchemaError
        A column is missing or is no number.
    ConfigError
        The cells' meaning is not said, there are too many lines, or a band is asked for where no dates are.
    ImportError
        Plotly is not installed: ``pip install 'vizflow[viz]'``.

    Examples
    --------
    A weighted mean counts only the weight of rows that have a value:

    >>> import polars as pl, vizflow as vf
    >>> rows = pl.DataFrame({"alpha_bin": [0] * 4, "w": [100.0] * 4, "v": [10.0, 10.0, None, None]})
    >>> figure = vf.viz.line(rows, "alpha_bin", "v", weight="w", bins={"alpha": 1e-4})
    >>> figure.data[0].y, figure.data[0].customdata[0]
    ((10.0,), ['4', '50 %', '-'])
    """
    go = need("plotly.graph_objects")
    if not 0 < confidence < 1:
        raise ConfigError(f"confidence is {confidence!r}; a level between 0 and 1, such as 0.95, is accepted")
    clusters = None if band is False or x == date_col else date_col
    axes = [x] if by is None else [x, by]
    cells = measure(
        data, axes, metrics, weight=weight, where=where, bins=bins, units=units, count=count, clusters=clusters
    )
    has_errors = any(cells.frame[f"error_{i}"].is_not_null().any() for i in range(len(cells.metrics)))
    if band and not has_errors:
        raise ConfigError(
            f"band=True: errors need two dates or more in {date_col!r}, and a mean (a column with or without weight, "
            "or a cube's metric); leave band out to draw without"
        )
    groups: list[Any] = [None] if by is None else cells.frame[by].unique().sort().to_list()
    if len(groups) * len(cells.metrics) > MAX_LINES:
        raise ConfigError(
            f"{len(groups) * len(cells.metrics)} lines are more than a figure shows ({MAX_LINES}); choose some with "
            "where="
        )
    dim = cells.dims[0]
    positions = _positions(cells, x)
    place = {key: _category(key) if dim.kind == "category" else dim.place(key) for key in positions}
    figure, masked, drawn = go.Figure(), 0, 0
    colours = _theme.palette(dark)
    for index, name in enumerate(cells.metrics):
        unit = unit_of(name, units)
        for group in groups:
            part = cells.frame if by is None else cells.frame.filter(pl.col(by).eq_missing(group))
            points = _Points(part, x, index, positions, unit, min_count, confidence)
            masked += points.masked
            colour = colours["series"][drawn % len(colours["series"])]
            drawn += 1
            label = _legend(cells, name, by, group, len(groups))
            if has_errors and band is not False:
                _add_band(go, figure, [place[key] for key in positions], points, colour, label)
            figure.add_trace(
                go.Scatter(
                    x=[place[key] for key in positions],
                    y=points.y,
                    customdata=points.custom,
                    name=label,
                    legendgroup=label,
                    mode="lines+markers" if len(positions) <= 80 else "lines",
                    line={"color": colour, "width": 1.75},
                    marker={"size": 4.5},
                    error_y=_alone(points) if has_errors and band is not False else None,
                    connectgaps=False,
                    showlegend=len(groups) * len(cells.metrics) > 1,
                    hovertemplate=(
                        f"<b>%{{y:.6~g}}</b> {unit.name} ± %{{customdata[2]}}<br>{dim.label} %{{x}}"
                        f"<br>rows %{{customdata[0]}}<br>coverage %{{customdata[1]}}<extra>{label}</extra>"
                    ),
                )
            )
    notes = [dim.note, f"bands: {confidence:.0%}, errors clustered by date" if has_errors and band is not False else ""]
    notes += _unplaced(cells)
    notes.append(f"{masked:,} points of fewer than {min_count:,} rows not shown" if masked else "")
    dress(figure, ", ".join(cells.metrics) if title is None else title, notes, dark)
    _axis(figure, "xaxis", dim)
    shared = {unit_of(name, units) for name in cells.metrics}
    label = ", ".join(cells.metrics) if len(cells.metrics) <= 3 else "value"
    figure.update_yaxes(title_text=shared.pop().label(label) if len(shared) == 1 else label)
    figure.update_layout(hovermode="closest")
    return figure


# ---- pieces of figures ------------------------------------------------------------------------------------------


class _Points:
    """One line's values in the axis' order."""

    def __init__(
        self,
        part: pl.DataFrame,
        x: str,
        index: int,
        positions: list[Any],
        unit: Unit,
        min_count: int,
        confidence: float,
    ) -> None:
        self.masked = 0
        found = {}
        names = [f"{what}_{index}" for what in ("value", "coverage", "error", "dates")]
        for key, n, value, share, error, dates in part.select(x, "n", *names).iter_rows():
            if n is not None and n < min_count:
                self.masked += 1
                continue
            half = _half(error, dates, confidence)
            found[key] = (_finite(value, unit.scale), _finite(half, unit.scale), n, share)
        blank = (None, None, None, None)
        rows = [found.get(key, blank) for key in positions]
        self.y = [row[0] for row in rows]
        self.half = [None if row[0] is None or row[1] is None else abs(row[1]) for row in rows]
        self.custom = [
            (_rows_text(row[2]), _share_text(row[3]), "-" if half is None else number(half))
            for row, half in zip(rows, self.half, strict=True)
        ]


def _half(error: float | None, dates: int | None, confidence: float) -> float | None:
    if error is None or dates is None or dates < 2:
        return None
    return error * t_quantile(0.5 + confidence / 2, dates - 1)


def _add_band(go: Any, figure: Any, xs: list[Any], points: _Points, colour: str, label: str) -> None:
    """Add the band as closed outlines, one for each stretch without a gap."""
    outline_x: list[Any] = []
    outline_y: list[float | None] = []
    stretch: list[tuple[Any, float, float]] = []

    def close() -> None:
        if len(stretch) > 1:
            outline_x.extend([*(p[0] for p in stretch), *(p[0] for p in reversed(stretch)), None])
            outline_y.extend([*(p[1] for p in stretch), *(p[2] for p in reversed(stretch)), None])
        stretch.clear()

    for x, y, half in zip(xs, points.y, points.half, strict=True):
        if y is None or half is None:
            close()
        else:
            stretch.append((x, y - half, y + half))
    close()
    if outline_x:
        figure.add_trace(
            go.Scatter(
                x=outline_x[:-1],
                y=outline_y[:-1],
                mode="lines",
                fill="toself",
                fillcolor=_theme.translucent(colour, 0.16),
                line={"width": 0},
                legendgroup=label,
                name=f"{label} band",
                hoverinfo="skip",
                showlegend=False,
            )
        )


def _alone(points: _Points) -> dict[str, Any] | None:
    """Return error bars to points that have no neighbour to draw a band to."""
    there = [y is not None and half is not None for y, half in zip(points.y, points.half, strict=True)]
    beside = [any(there[k] for k in (i - 1, i + 1) if 0 <= k < len(there)) for i in range(len(there))]
    bars = [half if ok and not near else None for half, ok, near in zip(points.half, there, beside, strict=True)]
    return {"type": "data", "array": bars, "thickness": 1.2, "width": 3} if any(b is not None for b in bars) else None


def _one(metric: str | pl.Expr | Mapping[str, str | pl.Expr]) -> dict[str, str | pl.Expr]:
    found = metrics_of(metric)
    if len(found) != 1:
        raise ConfigError(f"a heatmap shows one metric, got {', '.join(map(repr, found))}")
    return found


def _positions(cells: Cells, name: str) -> list[Any]:
    """Return the keys on an axis in order; between bins that hold rows, the ones that hold none."""
    keys = cells.frame[name].unique().sort().to_list()
    dim = next(dim for dim in cells.dims if dim.name == name)
    known = [key for key in keys if key is not None]
    if dim.kind not in ("bin", "integer"):
        return known + [None] * (dim.kind == "category" and None in keys)
    if not known:
        return known
    span = known[-1] - known[0] + 1
    if dim.kind == "integer" and span > 4 * len(known):
        return known
    if span > _MAX_SPAN:
        raise ConfigError(
            f"axis {name!r} runs over {span:,} bins ({known[0]} to {known[-1]}); narrow it with "
            f"where={{{name!r}: (low, high)}}, or use wider bins"
        )
    return list(range(known[0], known[-1] + 1))


def _unplaced(cells: Cells) -> list[str]:
    """Say how many rows have no place on an axis, because they have no bin."""
    out = []
    for dim in cells.dims:
        rows = cells.frame.filter(pl.col(dim.name).is_null())["n"].sum() if dim.kind != "category" else 0
        if rows:
            out.append(f"{rows:,} rows without {dim.name.removesuffix('_bin')} not shown")
    return out


def _category(key: Any) -> str:
    return "(none)" if key is None else str(key)


def _finite(value: Any, scale: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, dt.timedelta):
        value = value.total_seconds()
    if isinstance(value, bool):
        value = int(value)
    if not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value * scale if scale != 1 else value


def _rows_text(n: int | None) -> str:
    return "-" if n is None else f"{n:,}"


def _share_text(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.4g} %"


def _legend(cells: Cells, name: str, by: str | None, group: Any, groups: int) -> str:
    if by is None:
        return name
    dim = cells.dims[1]
    placed = dim.place(group)
    text = "(none)" if group is None else number(placed) if isinstance(placed, float) else str(placed)
    plain = dim.name.removesuffix("_bin").replace("_", " ")
    said = f"{plain} {text} {dim.unit.name}".rstrip() if dim.kind != "category" else text
    return said if len(cells.metrics) == 1 else f"{name}, {said}"


def dress(figure: Any, title: str, notes: Sequence[str], dark: bool) -> None:
    """Return a figure the shared look, its title and the notes below it."""
    theme = _theme.layout(dark)
    axis_x, axis_y = theme.pop("xaxis"), theme.pop("yaxis")
    shown = " · ".join(note for note in notes if note)
    muted = _theme.palette(dark)["muted"]
    lines = [title] * bool(title) + [f"<span style='font-size:11px;color:{muted}'>{shown}</span>"] * bool(shown)
    legend = sum(trace.showlegend is True for trace in figure.data) > 1
    figure.update_layout(template="none", **theme)
    figure.update_layout(
        title={"text": "<br>".join(lines), "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 10}},
        margin_t=14 + 19 * len(lines) + 24 * legend,
    )
    figure.update_xaxes(**axis_x)
    figure.update_yaxes(**axis_y)


def _axis(figure: Any, which: str, dim: Dim) -> None:
    # Dates are evenly spaced, trading day by trading day.
    words = dim.kind in ("category", "date")
    figure.layout[which].update(type="category" if words else "linear", title_text=dim.label)
    if dim.kind == "date":
        figure.layout[which].update(nticks=8, tickangle=0, title_text="")
    elif dim.kind == "category" and which == "yaxis":
        figure.layout[which].update(autorange="reversed")
