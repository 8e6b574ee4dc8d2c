"""The alpha report: how well a forecast orders what follows, by date and horizon. Not for trades.

Everything is measured on weighted points (forecast, return, weight): a row of a day weighs one, a cell of a partial as
many as it has rows. So both sources go through the same lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from vizflow.config import Config
from vizflow.errors import ConfigError, DataError, translated
from vizflow.numbers import whole
from vizflow.ops.clusters import t_quantile
from vizflow.reports import from_partials
from vizflow.reports.columns import correlation, horizons_of, keyed, t_value, total_of
from vizflow.reports.days import DAY, Prepare, check_every, check_numbers, choose, days
from vizflow.reports.fills import finite
from vizflow.reports.report import Report, Section
from vizflow.viz import figures
from vizflow.viz.dims import Cells, Units
from vizflow.viz.frame_cells import from_sums
from vizflow.viz.units import Unit, check_units, unit_of

__all__ = ["alpha"]

_SCHEMA = {
    "date": pl.String(), "horizon": pl.Float64(), "rows": pl.Int64(), "rows_valid": pl.Int64(),
    "coverage": pl.Float64(),
    "ic": pl.Float64(), "rank_ic": pl.Float64(), "hit_rate": pl.Float64(), "top": pl.Float64(), "bottom": pl.Float64(),
    "spread": pl.Float64(),
}  # fmt: skip


def alpha(
    source: Any,
    alpha: str,
    returns: Sequence[str] | Mapping[float, str] | None = None,
    *,
    dates: Sequence[str] | None = None,
    prepare: Prepare | None = None,
    quantiles: int = 10,
    every: float = 300,
    count: str = "count",
    symbol_col: str | None = None,
    time_col: str = "elapsed_seconds",
    date_col: str = "date",
    units: Units | None = None,
    title: str | None = None,
) -> Report:
    """Report on a forecast: IC by date and horizon, decay, quantiles, turnover, hit rate, coverage.

    Parameters
    ----------
    source
        Day files (paths, a folder, a glob; the date is in the name), a frame with a `date_col`, a mapping of dates to
        frames, or a `Config` with `dates` and perhaps `prepare`. Or a `Cube` or partials that have `alpha` and
        `returns` as binned dimensions.
    alpha
        Column of the forecast; of partials, its dimension, ``"alpha1_bin"``.
    returns
        Columns of what followed, ``["return_60", "return_300"]``: the digits are the horizon in seconds; or
        ``{60: "ret_1m"}``. Left out, every column ``return_*``. Of partials: dimensions, ``["return_60_bin"]``.
    dates
        Only these days.
    prepare
        With a `Config`: ``prepare(df, ctx)`` gives the day's rows, a pipeline without its aggregation.
    quantiles
        Number of groups of equally many rows, by forecast, each day.
    every
        Turnover looks at each symbol's last forecast in every slice of so many seconds, 1 or more.
    count
        Of partials: the metric that counts rows.
    symbol_col, time_col
        For the turnover; where they are missing it is left out, and the report says so. The symbol, left out, is the
        Config's, else ``"symbol"``.
    units
        How ``"return"`` is shown; left out, basis points. Of partials, left out, as they stand:
        ``{"return": "bp"}`` says that the bins are of fractions, ``{"return": ("bp", 1)}`` of basis points.
    title
        Heading; left out, made of the forecast's name.

    Returns
    -------
    Report
        ``frame``: a row per horizon: ``dates, rows, coverage, ic, ic_t, rank_ic, rank_ic_t, hit_rate, spread, spread_t,
        turnover``. ``frames["dates"]``: the same by date. t-values take dates as the independent observations.

    Raises
    ------
    SchemaError
        A column is missing, or holds no numbers.
    ConfigError
        `alpha` is not one name, `quantiles` or `every` is out of range, or `units` names nothing that is shown.
    DataError
        No date holds a row.

    Notes
    -----
    IC is Pearson's correlation over a day's rows in which both are there; rank IC is Spearman's, ties at their mean
    rank. Hit rate is the share of rows with the same sign, among those where neither is zero. Coverage is the share of
    rows in which both are there. Null is never taken for zero; NaN, infinities, and 1e300 and more (a vendor's "no
    value") are left out and counted in ``notes``. From partials, values are bins' centres: each
    number is exact for the binned data.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> day = pl.DataFrame({"a": [1.0, 2.0, 3.0, None], "return_60": [1e-4, 2e-4, 3e-4, 9e-4]})
    >>> report = vf.reports.alpha({"20240102": day, "20240103": day}, "a", quantiles=3)
    >>> report.frame.select("horizon", "rows", "coverage", "ic", "rank_ic", "hit_rate").row(0)
    (60, 8, 0.75, 1.0, 1.0, 1.0)
    """
    if not isinstance(alpha, str):
        raise ConfigError(
            f"alpha is {alpha!r}; one column's name is accepted. For several, make a report each: "
            "{name: vf.reports.alpha(source, name) for name in names}"
        )
    check_units(units, ["return"])
    if whole(quantiles) is None or not 2 <= quantiles <= 1000:
        raise ConfigError(f"quantiles is {quantiles!r}; a whole number from 2 to 1000 is accepted")
    check_every(every)
    notes: list[str] = []
    by_date: list[dict[str, Any]] = []
    by_quantile: list[pl.DataFrame] = []
    turnovers: list[pl.DataFrame] = []
    bad: dict[str, int] = {}
    if symbol_col is None:
        symbol_col = source.col("symbol") if isinstance(source, Config) else "symbol"
    unit = unit_of("return", units) if units else Unit("bp", 1e4)
    if from_partials.is_cube_like(source):
        for date, horizon, points in from_partials.alpha_points(source, alpha, returns, count, dates):
            _measure(date, horizon, points, quantiles, by_date, by_quantile)
        notes.append("Computed from partials: forecast and returns are taken at their bins' centres.")
        if not units:
            unit = Unit()
            notes.append("Returns are shown as the partials hold them; units={'return': …} says what they are.")
        missing = "partials do not know which symbols are in a group; turnover needs day files"
    else:
        missing = ""
        for date, lf in days(source, dates=dates, prepare=prepare, date_col=date_col):
            schema = lf.collect_schema()
            choose(schema, [alpha], "alpha")
            horizons = horizons_of(returns, schema, "returns")
            if alpha in horizons.values():
                raise ConfigError(f"returns: {alpha!r} is the alpha itself")
            extra = [name for name in (symbol_col, time_col) if name in schema]
            if len(extra) < 2:
                missing = (
                    f"there is no column {symbol_col!r}" if symbol_col not in extra else f"there is no {time_col!r}"
                )
                extra = []
            check_numbers(schema, [alpha, *horizons.values()], [time_col] if extra else [])
            with translated():
                rows = lf.select(
                    pl.col(alpha).cast(pl.Float64).alias("__a"),
                    *(pl.col(name).cast(pl.Float64).alias(f"__r{i}") for i, name in enumerate(horizons.values())),
                    *(pl.col(name).alias(f"__{what}") for name, what in zip(extra, ("symbol", "time"), strict=False)),
                ).collect(engine="streaming").rechunk()  # fmt: skip
            rows = _finite(rows, {"__a": alpha, **{f"__r{i}": name for i, name in enumerate(horizons.values())}}, bad)
            rows = _timed(rows, time_col, bad) if extra else rows
            for index, horizon in enumerate(horizons):
                points = rows.select(a="__a", r=f"__r{index}", w=pl.lit(1.0))
                _measure(date, horizon, points, quantiles, by_date, by_quantile)
            if extra:
                turnovers.append(_turnover(date, rows, quantiles, every))
    if not by_date:
        raise DataError("no date holds rows; check the source and dates=")
    frame = pl.DataFrame(by_date, schema=_SCHEMA)
    turnover = pl.concat(turnovers) if turnovers and not missing else None
    notes += [f"{name}: {count:,} values are not finite numbers; they are left out." for name, count in bad.items()]
    return _report(frame, pl.concat(by_quantile), turnover, missing, alpha, quantiles, every, unit, title, notes)


# ---- a day ------------------------------------------------------------------------------------------------------


def _finite(rows: pl.DataFrame, names: Mapping[str, str], bad: dict[str, int]) -> pl.DataFrame:
    """Make null of what is no number, and count it by column."""
    for column, name in names.items():
        values = rows[column]
        clean = rows.select(finite(pl.col(column)))[column]
        if count := clean.null_count() - values.null_count():
            bad[name] = bad.get(name, 0) + count
            rows = rows.with_columns(clean)
    return rows


def _timed(rows: pl.DataFrame, name: str, bad: dict[str, int]) -> pl.DataFrame:
    """Make seconds of the times; null, and counted, of what is no time of a trading day."""
    time = pl.col("__time")
    seconds = time.dt.total_nanoseconds() / 1e9 if rows.schema["__time"] == pl.Duration else time.cast(pl.Float64)
    out = rows.with_columns(__time=pl.when(seconds.abs() < DAY).then(seconds))
    if count := out["__time"].null_count() - rows["__time"].null_count():
        bad[name] = bad.get(name, 0) + count
    return out


def _measure(
    date: str,
    horizon: float,
    points: pl.DataFrame,
    quantiles: int,
    by_date: list[dict[str, Any]],
    by_quantile: list[pl.DataFrame],
) -> None:
    rows = total_of(points["w"])
    both = points.drop_nulls(["a", "r"])
    seen = total_of(both["w"])
    signed = both.filter((pl.col("a") != 0) & (pl.col("r") != 0))
    hits_of = signed.filter((pl.col("a") > 0) == (pl.col("r") > 0))["w"]
    ranked = _mid_rank(_mid_rank(both, "a"), "r")
    groups = _groups(points, quantiles)
    means = dict(groups.select("quantile", pl.col("mean")).iter_rows())
    top, bottom = means.get(quantiles), means.get(1)
    by_date.append({
        "date": date, "horizon": horizon, "rows": int(rows), "rows_valid": int(seen),
        "coverage": seen / rows if rows else None,
        "ic": correlation(both["a"], both["r"], both["w"]),
        "rank_ic": correlation(ranked["a_rank"], ranked["r_rank"], ranked["w"]),
        "hit_rate": total_of(hits_of) / total_of(signed["w"]) if signed.height else None,
        "top": top, "bottom": bottom, "spread": None if top is None or bottom is None else top - bottom,
    })  # fmt: skip
    by_quantile.append(groups.select(pl.lit(date).alias("date"), pl.lit(horizon).alias("horizon"), pl.all()))


def _mid_rank(points: pl.DataFrame, column: str) -> pl.DataFrame:
    """Add each point's rank: the weight below it and half the weight of its equals."""
    values = points.group_by(column).agg(pl.col("w").sum().alias("__w")).sort(column)
    values = values.with_columns((pl.col("__w").cum_sum() - pl.col("__w") / 2).alias(f"{column}_rank")).drop("__w")
    return points.join(values, on=column, how="left", maintain_order="left")


def _groups(points: pl.DataFrame, quantiles: int) -> pl.DataFrame:
    """Return each quantile's rows, valid rows and mean return; equal forecasts share a quantile."""
    there = points.drop_nulls("a")
    ranked = _mid_rank(there, "a")
    at = (pl.col("a_rank") / total_of(there["w"]) * quantiles).floor().clip(0, quantiles - 1).cast(pl.Int64) + 1
    valid = pl.col("r").is_not_null()
    return (
        ranked.group_by(at.alias("quantile"), maintain_order=True)
        .agg(
            rows=pl.col("w").sum(),
            rows_valid=pl.col("w").filter(valid).sum(),
            total=(pl.col("w") * pl.col("r")).filter(valid).sum(),
        )
        .with_columns(mean=pl.when(pl.col("rows_valid") > 0).then(pl.col("total") / pl.col("rows_valid")))
        .sort("quantile")
        .select("quantile", "rows", "rows_valid", "total", "mean")
    )


def _turnover(date: str, rows: pl.DataFrame, quantiles: int, every: float) -> pl.DataFrame:
    """Return the share of the top and of the bottom group that was not in it one slice before, over the day."""
    last = (
        rows.with_columns(__slice=(pl.col("__time") / every).floor().cast(pl.Int64))
        .filter(pl.col("__a").is_not_null() & pl.col("__slice").is_not_null())
        .sort("__time", maintain_order=True)
        .group_by("__slice", "__symbol", maintain_order=True)
        .agg(pl.col("__a").last())
    )
    n = pl.len().over("__slice")
    group = (((pl.col("__a").rank("average").over("__slice") - 0.5) / n) * quantiles).floor()
    last = last.with_columns(__n=n, __group=group).filter(pl.col("__n") >= 2 * quantiles)
    out: dict[str, Any] = {"date": date}
    for name, number in (("top_turnover", quantiles - 1), ("bottom_turnover", 0)):
        held = last.filter(pl.col("__group") == number).select("__slice", "__symbol")
        before = held.with_columns(pl.col("__slice") + 1, __stayed=pl.lit(1.0))
        kept = held.join(before, on=["__slice", "__symbol"], how="left").with_columns(pl.col("__stayed").fill_null(0.0))
        known = before["__slice"].unique().implode()
        per_slice = kept.filter(pl.col("__slice").is_in(known)).group_by("__slice").agg(pl.col("__stayed").mean())
        out[name] = 1 - per_slice["__stayed"].mean() if per_slice.height else None  # type: ignore[operator]
        out["slices"] = per_slice.height
    schema = {"date": pl.String, "top_turnover": pl.Float64, "bottom_turnover": pl.Float64, "slices": pl.Int64}
    return pl.DataFrame([out], schema=schema)


# ---- all days ---------------------------------------------------------------------------------------------------


def _quantile_cells(groups: pl.DataFrame, units: Units) -> Cells:
    return from_sums(
        groups,
        ["quantile", "horizon"],
        "mean return",
        total="total",
        weight_valid="rows_valid",
        weight="rows",
        rows="rows",
        rows_valid="rows_valid",
        units=units,
    )


def _summary(frame: pl.DataFrame, turnover: pl.DataFrame | None) -> pl.DataFrame:
    both = pl.mean_horizontal("top_turnover", "bottom_turnover")
    turned = None if turnover is None else turnover.select(both).to_series()
    rows = []
    for (horizon,), part in frame.group_by("horizon", maintain_order=True):
        rows.append({
            "horizon": horizon, "dates": part.height, "rows": part["rows"].sum(),
            "coverage": total_of(part["rows_valid"]) / total_of(part["rows"]) if part["rows"].sum() else None,
            "ic": part["ic"].mean(), "ic_t": t_value(part["ic"]),
            "rank_ic": part["rank_ic"].mean(), "rank_ic_t": t_value(part["rank_ic"]),
            "hit_rate": part["hit_rate"].mean(), "spread": part["spread"].mean(), "spread_t": t_value(part["spread"]),
            "turnover": None if turned is None else turned.mean(),
        })  # fmt: skip
    floats = ["coverage", "ic", "ic_t", "rank_ic", "rank_ic_t", "hit_rate", "spread", "spread_t", "turnover"]
    schema: dict[str, Any] = {"horizon": frame.schema["horizon"], "dates": pl.Int64, "rows": pl.Int64}
    schema |= dict.fromkeys(floats, pl.Float64)
    return pl.DataFrame(rows, schema=schema).sort("horizon")


def _report(
    frame: pl.DataFrame,
    groups: pl.DataFrame,
    turnover: pl.DataFrame | None,
    missing: str,
    alpha: str,
    quantiles: int,
    every: float,
    unit: Unit,
    title: str | None,
    notes: list[str],
) -> Report:
    frame, groups = (keyed(f).sort("date", "horizon") for f in (frame, groups))
    returned = dict.fromkeys(("mean return", "spread", "cumulative"), (unit.name, unit.scale))
    shown: Units = {**returned, "horizon": "s", "hit_rate": "%", "coverage": "%"}
    known = frame["date"].unique().sort()
    summed = frame.sort("date").with_columns(
        cumulative=pl.col("spread").fill_null(0.0).cum_sum().over("horizon", order_by="date")
    )
    ones = frame.with_columns(each_date=pl.lit(1.0))
    several = known.len() > 1
    wide = t_quantile(0.975, known.len() - 1) if several else None
    if not several:
        notes.append("One date: no errors and no t-values can be told.")
    turned = {"top_turnover": "%", "bottom_turnover": "%"}

    def line(cells: Any, x: str, metrics: str | list[str], **more: Any) -> Any:
        there = {name: said for name, said in shown.items() if isinstance(cells, Cells) or name in cells.columns}
        return figures.line(cells, x, metrics, units=there, **more)

    name = alpha.removesuffix("_bin")
    sections = [
        Section(
            "dates", "Rank IC by date",
            "Spearman's correlation of forecast and return over each day's rows.", frame,
            lambda f: line(f, "date", "rank_ic", by="horizon", count="rows_valid", title=""),
        ),
        Section(
            "decay", "Decay",
            f"Mean IC over {known.len()} dates by horizon, with 95 % bands"
            f"{f' (t = {wide:.3g})' if wide is not None else ''}, a date one observation.",
            ones.select("date", "horizon", "ic", "rank_ic", "each_date"),
            lambda f: line(f, "horizon", ["ic", "rank_ic"], weight="each_date", title=""),
        ),
        Section(
            "quantiles", "Return by quantile",
            f"Mean return of {quantiles} groups of each day's rows by forecast, lowest first; bands of 95 %, "
            "clustered by date.",
            groups,
            lambda f: line(_quantile_cells(f, shown), "quantile", "mean return", by="horizon", title=""),
        ),
        Section(
            "spread", "Spread, added up",
            "Mean return of the top less that of the bottom group, added up over dates "
            f"({unit.name or 'as stored'}, before costs).",
            summed.select("date", "horizon", "spread", "cumulative"),
            lambda f: line(f, "date", "cumulative", by="horizon", title=""),
        ),
        Section(
            "turnover", "Turnover",
            f"Share of the top and bottom group that was not in it {every:g} s before, averaged over each day.",
            turnover if turnover is not None else pl.DataFrame(),
            lambda f: figures.line(f, "date", list(turned), title="", units=turned),
            missing,
        ),
        Section(
            "hit_rate", "Hit rate", "Share of rows in which forecast and return have the same sign; zeros left out.",
            frame.select("date", "horizon", "hit_rate", "rows_valid"),
            lambda f: line(f, "date", "hit_rate", by="horizon", count="rows_valid", title=""),
        ),
        Section(
            "coverage", "Coverage", "Share of rows in which both the forecast and the return are there.",
            frame.select("date", "horizon", "coverage", "rows"),
            lambda f: line(f, "date", "coverage", by="horizon", count="rows", title=""),
        ),
    ]  # fmt: skip
    if missing:
        notes.append(f"Turnover is left out: {missing}.")
    largest = max(frame["rows"].to_list())
    about = f"{known.len():,} dates, {known[0]} to {known[-1]}; {largest:,} rows on the largest day"
    summary = _summary(frame, turnover)
    said = dict.fromkeys(("coverage", "hit_rate", "turnover", *turned), ("%", 100.0)) | {"horizon": ("s", 1.0)}
    said |= dict.fromkeys(("spread", "mean", "cumulative", "top", "bottom"), (unit.name, unit.scale))
    return Report(title or f"Alpha report: {name}", about, summary, sections, notes, units=said)
