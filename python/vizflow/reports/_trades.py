"""The trades report: what became of fills. Markouts, holding, profit, sizes, profile, hot dates. Not for alphas.

A day is reduced to a few small frames of sums (in C), which add up over dates; the report is made from those alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from vizflow import _look, viz
from vizflow._cells import Cells, Units, from_sums
from vizflow._look import Unit, unit_of
from vizflow.errors import ConfigError, DataError, translated
from vizflow.ops import aggregate
from vizflow.reports import _partials
from vizflow.reports._alpha import horizons_of, keyed, number
from vizflow.reports._days import Prepare, choose, days
from vizflow.reports._report import Report, Section

__all__ = ["trades"]

BUY, SELL = ("B", "b", "Buy", "BUY", "buy", "1"), ("S", "s", "Sell", "SELL", "sell", "-1")
HOT = 3.0
_HOLDING = [1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200]
_SUMS = ["rows", "rows_valid", "weight", "weight_valid", "total"]


def trades(
    source: Any,
    *,
    side: str = "orderSide",
    qty: str = "matched_qty",
    price: str = "fillPrice",
    markouts: Sequence[str] | Mapping[float, str] | None = None,
    signed: bool = False,
    alpha: str | None = None,
    buckets: int = 5,
    holding: str = "holding_period",
    closed: str = "is_closed",
    pnl: str = "realized_pnl",
    time_col: str = "elapsed_seconds",
    every: float = 900,
    fill_col: str | None = None,
    buy: Sequence[Any] = BUY,
    sell: Sequence[Any] = SELL,
    exit_side: Sequence[Any] | None = None,
    dates: Sequence[str] | None = None,
    prepare: Prepare | None = None,
    count: str = "count",
    date_col: str = "date",
    units: Units | None = None,
    title: str | None = None,
) -> Report:
    """Report on fills: markouts by side and forecast, holding periods, realised profit, sizes, profile, hot dates.

    Parameters
    ----------
    source
        Day files, a frame with a `date_col`, a mapping of dates to frames, or a `Config` with `dates` and perhaps
        `prepare`; as in `vizflow.reports.alpha`. Rows are fills, or pieces of fills as `FIFOMatch` gives them. Or a
        `Cube` or partials: then `side`, `alpha`, `holding`, `time_col` are dimensions and `markouts`, `pnl`, `qty`,
        `count` metrics, and what they cannot tell is left out and said.
    side
        Column of the side. Rows of neither side (quotes, cancels) are not fills and are left out.
    qty, price
        Size and price of a row; their product weighs the markouts.
    markouts
        Columns of the price's return after the fill, ``["return_60"]``, or ``{60: "ret_1m"}``; else each ``return_*``.
    signed
        The markouts already carry the side's sign. Otherwise a sell's are turned round: above zero is always good.
    alpha
        Column of a forecast, for markouts in `buckets` groups of equally many rows each day.
    buckets
        How many.
    holding, closed, pnl
        What `FIFOMatch` adds (``pnl`` with ``extras=True``), read on exit rows. Sections without a column are left out.
    time_col, every
        Elapsed seconds, and the slices of the day's profile.
    fill_col
        What tells fills apart; with it pieces of one fill are added up before sizes are counted.
    buy, sell
        Values of the side. Text is compared with the column's values as text.
    exit_side
        Sides whose rows close lots; left out, `sell`. With shorts: both, and rows from ``FIFOMatch(rows="lots")``.
    dates, prepare, count, date_col, units, title
        As in `vizflow.reports.alpha`.

    Returns
    -------
    Report
        ``frame``: a row per side and one for both: ``side, rows, quantity, notional, markout_{h}, coverage_{h}, …``.
        ``frames``: ``markouts, alpha, holding, pnl, pnl_dates, sizes, profile, dates``.

    Raises
    ------
    SchemaError
        A column is missing that nothing can be told without: side, quantity, price.
    DataError
        No row carries either side; the values found are shown.

    Notes
    -----
    A markout is the mean of the signed return weighted by notional, over the rows that have one; its coverage is those
    rows' share of the notional. A missing markout is never taken for zero.

    Examples
    --------
    >>> import polars as pl, vizflow as vf
    >>> day = pl.DataFrame({
    ...     "orderSide": ["Buy", "Buy", "Sell", "Sell"], "matched_qty": [100] * 4, "fillPrice": [1.0] * 4,
    ...     "return_60": [0.001, 0.001, None, None],
    ... })
    >>> report = vf.reports.trades({"20240102": day})
    >>> report.frame.select("side", "markout_60", "coverage_60").rows()
    [('Buy', 0.001, 1.0), ('Sell', None, 0.0), ('both', 0.001, 0.5)]
    """
    if isinstance(buckets, bool) or not isinstance(buckets, int) or not 2 <= buckets <= 20:
        raise ConfigError(f"buckets is {buckets!r}; a whole number from 2 to 20 is accepted")
    if not every > 0:
        raise ConfigError(f"every is {every!r}; a positive number of seconds is accepted")
    parts = Parts()
    closing = _texts(exit_side) if exit_side is not None else _texts(sell)
    if _partials.is_cube_like(source):
        names = _partials.Names(
            side, alpha, holding, time_col, qty, pnl, count, buckets, every, _texts(buy), _texts(sell), closing
        )
        _partials.trade_sums(source, names, markouts, dates, parts)
    else:
        options = _Options(
            side, qty, price, markouts, signed, alpha, buckets, holding, closed, pnl, time_col, every, fill_col,
            _texts(buy), _texts(sell), closing,
        )  # fmt: skip
        found: set[str] = set()
        for date, lf in days(source, dates=dates, prepare=prepare, date_col=date_col):
            _day(date, lf, options, parts, found)
        if not parts.frames:
            raise DataError("no date holds rows; check the source and dates=")
        if not any(frame["rows"].sum() for frame in parts.frames["dates"]):
            shown = ", ".join(sorted(map(repr, found))[:12]) or "none"
            raise DataError(
                f"no row carries a side of {list(buy)} or {list(sell)}; the values of {side!r} are: {shown}",
                column=side,
            )
    return _report(parts, alpha, units, title, parts.slice or every)


class _Options:
    """What `trades` was given, checked."""

    def __init__(self, *values: Any) -> None:
        (self.side, self.qty, self.price, self.markouts, self.signed, self.alpha, self.buckets, self.holding,
         self.closed,
         self.pnl, self.time, self.every, self.fill, self.buy, self.sell, self.exits) = values  # fmt: skip


class Parts:
    """The sums of each section, a list of frames per name; cells that are ready; and why a section is missing."""

    def __init__(self) -> None:
        self.frames: dict[str, list[pl.DataFrame]] = {}
        self.cells: dict[str, Cells] = {}
        self.both: dict[str, tuple[float | None, float | None]] = {}  # by horizon: markout and coverage of both sides
        self.missing: dict[str, str] = {}
        self.notes: list[str] = []
        self.slice: float | None = None  # seconds of the profile's slices, where the partials say

    def add(self, name: str, frame: pl.DataFrame) -> None:
        self.frames.setdefault(name, []).append(frame)

    def get(self, name: str) -> pl.DataFrame:
        return pl.concat(self.frames[name], how="vertical_relaxed") if self.frames.get(name) else pl.DataFrame()


def _texts(values: Sequence[Any]) -> list[str]:
    return [str(value) for value in ([values] if isinstance(values, (str, int)) else values)]


# ---- a day ------------------------------------------------------------------------------------------------------


def _day(date: str, lf: pl.LazyFrame, o: _Options, parts: Parts, found: set[str]) -> None:
    schema = lf.collect_schema()
    choose(schema, [o.side], "side")
    choose(schema, [o.qty], "qty")
    choose(schema, [o.price], "price")
    returns = horizons_of(o.markouts, schema, "markouts", needed=False)
    text = pl.col(o.side).cast(pl.String)
    optional = {
        "alpha": o.alpha,
        "holding": o.holding,
        "closed": o.closed,
        "pnl": o.pnl,
        "time": o.time,
        "fill": o.fill,
    }
    if o.alpha is not None:
        choose(schema, [o.alpha], "alpha")
    if o.fill is not None:
        choose(schema, [o.fill], "fill_col")
    have = {what: name for what, name in optional.items() if name is not None and name in schema}
    with translated():
        rows = lf.select(
            text.alias("raw"),
            pl.when(text.is_in(o.buy)).then(pl.lit("Buy")).when(text.is_in(o.sell)).then(pl.lit("Sell")).alias("side"),
            number(o.qty).alias("qty"),
            (number(o.qty) * number(o.price)).alias("notional"),
            *(number(name).alias(f"return_{i}") for i, name in enumerate(returns.values())),
            *(pl.col(name).alias(what) for what, name in have.items()),
        ).collect(engine="streaming").rechunk()  # fmt: skip
    found.update(value for value in rows["raw"].unique().to_list() if value is not None)
    fills = rows.filter(pl.col("side").is_not_null() & pl.col("qty").is_not_null())
    for what in ("time", "holding"):
        if what in have:
            fills = fills.with_columns(_seconds(fills[what]).alias(what))
    sign = pl.lit(1.0) if o.signed else pl.when(pl.col("side") == "Buy").then(1.0).otherwise(-1.0)
    fills = fills.with_columns(pl.lit(date).alias("date"), sign.alias("sign"))
    unpriced = fills["notional"].null_count()
    if unpriced:
        parts.notes.append(
            f"{date}: {unpriced:,} fills have no price; they count as rows and quantity, but carry no weight."
        )
    parts.add("dates", _by_date(rows.height, date, fills))
    sums = {"rows": pl.len(), "quantity": pl.col("qty").sum(), "notional": pl.col("notional").sum()}
    parts.add("sides", aggregate(fills, ["date", "side"], sums).collect())
    _markouts(fills, returns, o, have, parts)
    _exits(fills.filter(pl.col("raw").is_in(o.exits)), o, have, parts)
    _sizes(fills, have, parts)
    _profile(fills, returns, o, have, parts)


def _seconds(values: pl.Series) -> pl.Series:
    if values.dtype == pl.Duration:
        return values.dt.total_nanoseconds() / 1e9
    return values.cast(pl.Float64)


def _by_date(height: int, date: str, fills: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame({
        "date": [date], "input_rows": [height], "rows": [fills.height], "quantity": [float(fills["qty"].sum())],
        "notional": [float(fills["notional"].sum())],
    })  # fmt: skip


def _sums(value: pl.Expr) -> dict[str, pl.Expr]:
    """Give a weighted mean's mergeable sums; the weight is the notional."""
    weight = pl.col("notional")
    there = value.is_not_null() & weight.is_not_null()
    return {
        "rows": pl.len(),
        "rows_valid": there.cast(pl.Int64).sum(),
        "weight": weight.sum(),
        "weight_valid": pl.when(there).then(weight).sum(),
        "total": pl.when(there).then(value * weight).sum(),
    }


def _markouts(
    fills: pl.DataFrame, returns: Mapping[float, str], o: _Options, have: Mapping[str, str], parts: Parts
) -> None:
    if not returns:
        why = "there is no column return_*; add forward_return to the pipeline, or name markouts="
        parts.missing["markouts"] = parts.missing["alpha"] = why
        return
    if "alpha" in have:
        n = pl.col("alpha").cast(pl.Float64).fill_nan(None)
        place = ((n.rank("average") - 0.5) / n.count() * o.buckets).floor().cast(pl.Int64).clip(0, o.buckets - 1) + 1
        fills = fills.with_columns(bucket=place)
    else:
        parts.missing["alpha"] = "name the forecast's column with alpha="
    for index, horizon in enumerate(returns):
        value = pl.col(f"return_{index}") * pl.col("sign")
        for name, keys in (("markouts", ["date", "side"]), ("alpha", ["date", "side", "bucket"])):
            if name == "alpha" and "alpha" not in have:
                continue
            cells = aggregate(fills, keys, _sums(value)).collect()
            parts.add(name, cells.select(pl.lit(horizon).alias("horizon"), pl.all()))


def _exits(exits: pl.DataFrame, o: _Options, have: Mapping[str, str], parts: Parts) -> None:
    is_closed = pl.col("closed").fill_null(False) if "closed" in have else pl.lit(True)
    if "holding" in have:
        held = exits.filter(is_closed & pl.col("holding").is_not_null())
        keyed = held.with_columns(bin=holding_bin(pl.col("holding")))
        sums = {"rows": pl.len(), "notional": pl.col("notional").sum(),
                "seconds": (pl.col("holding") * pl.col("notional")).sum()}  # fmt: skip
        parts.add("holding", aggregate(keyed, ["date", "side", "bin"], sums).collect())
    else:
        parts.missing["holding"] = f"there is no column {o.holding!r}; FIFOMatch adds it"
    if "pnl" in have:
        lots = exits.filter(is_closed).with_columns(pnl=pl.col("pnl").cast(pl.Float64).fill_nan(None))
        lots = lots.filter(pl.col("pnl").is_not_null()).with_columns(bin=_profit_bin(pl.col("pnl")))
        parts.add("pnl", aggregate(lots, ["date", "bin"], {"lots": pl.len(), "pnl": pl.col("pnl").sum()}).collect())
        sums = {
            "lots": pl.len(), "pnl": pl.col("pnl").sum(), "won": (pl.col("pnl") > 0).cast(pl.Int64).sum(),
            "gained": pl.when(pl.col("pnl") > 0).then(pl.col("pnl")).sum(),
            "lost": pl.when(pl.col("pnl") < 0).then(pl.col("pnl")).sum(), "notional": pl.col("notional").sum(),
        }  # fmt: skip
        parts.add("pnl_dates", aggregate(lots, ["date"], sums).collect())
    else:
        why = f"there is no column {o.pnl!r}; FIFOMatch(extras=True) adds it"
        parts.missing["pnl"] = parts.missing["pnl_dates"] = why


def holding_bin(seconds: pl.Expr) -> pl.Expr:
    """Give the number of a holding period's class: how many of the limits it has reached."""
    return pl.sum_horizontal([(seconds >= limit).cast(pl.Int64) for limit in _HOLDING])


_PROFITS = [step * 10.0**power for power in range(19) for step in (1, 2, 5)]


def _profit_bin(value: pl.Expr) -> pl.Expr:
    """Give the class of a profit: 1, 2, 5, 10, 20 … are the far edges on both sides of zero, which is alone in 0."""
    size = pl.lit(pl.Series(_PROFITS)).search_sorted(value.abs(), side="left").cast(pl.Int64) + 1
    return size * value.sign().cast(pl.Int64)


def profit_edge(number: int) -> float:
    """Give the far edge of a class of `_profit_bin`."""
    size = 0.0 if number == 0 else _PROFITS[abs(number) - 1] if abs(number) <= len(_PROFITS) else math.inf
    return size if number > 0 else -size


def _sizes(fills: pl.DataFrame, have: Mapping[str, str], parts: Parts) -> None:
    sized = fills
    if "fill" in have:
        sums = {"qty": pl.col("qty").sum(), "notional": pl.col("notional").sum()}
        sized = aggregate(fills, ["date", "side", "fill"], sums).collect()
    at = pl.col("qty").log(2).floor().cast(pl.Int64)
    keyed = sized.filter(pl.col("qty") > 0).with_columns(bin=at)
    sums = {"rows": pl.len(), "notional": pl.col("notional").sum()}
    parts.add("sizes", aggregate(keyed, ["date", "side", "bin"], sums).collect())


def _profile(
    fills: pl.DataFrame, returns: Mapping[float, str], o: _Options, have: Mapping[str, str], parts: Parts
) -> None:
    if "time" not in have:
        parts.missing["profile"] = f"there is no column {o.time!r}; parse_time adds it"
        return
    keyed = fills.with_columns(slice=(pl.col("time") / o.every).floor().cast(pl.Int64))
    value = pl.col("return_0") * pl.col("sign") if returns else pl.lit(None, pl.Float64) * pl.col("sign")
    parts.add("profile", aggregate(keyed, ["date", "slice"], _sums(value)).collect())


# ---- all days ---------------------------------------------------------------------------------------------------


def _report(parts: Parts, alpha: str | None, units: Units | None, title: str | None, every: float) -> Report:
    unit = unit_of("return", units) if units and "return" in units else Unit("bp", 1e4)
    pair = (unit.name, unit.scale)
    shown: Units = {"markout": pair, "horizon": "s"}
    frames = {name: parts.get(name) for name in parts.frames}
    _add_cells(parts, frames, shown)
    by_date = _hot(frames["dates"])
    known = by_date["date"]
    hot = by_date.filter(pl.col("hot"))["date"].to_list()
    notes = list(parts.notes)
    if hot:
        notes.append(f"Hot dates (more than {HOT:g} times the median rows): {', '.join(hot)}.")
    line = partial(viz.line, units=shown, title="")
    sections = [
        _of_cells(parts, "markouts", "Markout by side",
                  "Mean return after the fill, signed so that above zero is good, weighted by notional over the fills "
                  "that have one; bands of 95 %, clustered by date.",
                  lambda cells: line(cells, "horizon", "markout", by="side")),
        *(
            _of_cells(parts, f"alpha_{name}", f"Markout of {name}s by forecast",
                      f"Groups of equally many fills by {alpha}, lowest first.",
                      lambda cells: line(cells, "horizon", "markout", by="bucket"))
            for name in ("buy", "sell")
        ),
        _of_sums(parts, frames, "holding", "Holding period", "Share of the closed notional by how long it was held.",
                 _holding_figure),
        _of_sums(parts, frames, "pnl", "Realised profit per lot",
                 "How many closed lots made what; classes grow as 1, 2, 5, 10 … on both sides of zero.", _pnl_figure),
        _of_sums(parts, frames, "pnl_dates", "Realised profit by date", "Per date, and added up.", _pnl_dates_figure),
        _of_sums(parts, frames, "sizes", "Fill sizes",
                 "By quantity, in powers of two: share of the fills and of the notional.", _sizes_figure),
        _of_cells(parts, "profile", "The day's profile", "Fills by time of the trading day, and their markout.",
                  partial(_profile_figure, every=every, unit=unit, what="around" if parts.slice else "from")),
        Section("dates", "Hot dates", f"Fills by date; more than {HOT:g} times the median is hot.", by_date,
                _dates_figure),
    ]  # fmt: skip
    summary = _summary(parts, frames)
    said: dict[str, tuple[str, float]] = dict.fromkeys(("won", "coverage"), ("%", 100.0))
    said |= {"horizon": ("s", 1.0), "holding": ("s", 1.0), "markout": pair, "error": pair}
    said |= {name: pair for name in summary.columns if name.startswith("markout_")}
    said |= {name: ("%", 1e2) for name in summary.columns if name.startswith("coverage_")}
    about = f"{known.len():,} dates, {known[0]} to {known[-1]}; {by_date['rows'].sum():,} fills or pieces of fills"
    return Report(title or "Trades report", about, summary, sections, notes, units=said)


def _add_cells(parts: Parts, frames: Mapping[str, pl.DataFrame], units: Units) -> None:
    """Make cells of the sums of weighted means."""

    def mean(frame: pl.DataFrame, *by: str) -> Cells:
        sums = {name: name for name in _SUMS}
        return from_sums(frame, by, "markout", **sums, units=units)

    if "markouts" in frames:
        parts.cells["markouts"] = mean(keyed(frames["markouts"]), "horizon", "side")
    if "alpha" in frames:
        bucketed = keyed(frames["alpha"]).filter(pl.col("bucket").is_not_null())
        for side in ("Buy", "Sell"):
            parts.cells[f"alpha_{side.lower()}"] = mean(bucketed.filter(pl.col("side") == side), "horizon", "bucket")
    if "profile" in frames:
        parts.cells["profile"] = mean(frames["profile"].filter(pl.col("slice").is_not_null()), "slice")


def _of_cells(parts: Parts, name: str, title: str, text: str, draw: Callable[[Cells], Any]) -> Section:
    """Make a section of cells: their frame is shown with plain names."""
    cells = parts.cells.get(name)
    if cells is None or not cells.frame.height:
        why = parts.missing.get(name.partition("_")[0]) or parts.missing.get(name) or "no rows have what it needs"
        return Section(name, title, text, pl.DataFrame(), None, why)
    plain = {"n": "rows", "valid_0": "rows_valid", "value_0": "markout", "coverage_0": "coverage", "error_0": "error",
             "dates_0": "dates"}  # fmt: skip
    frame = cells.frame.select(*(dim.name for dim in cells.dims), *(pl.col(k).alias(v) for k, v in plain.items()))
    return Section(name, title, text, frame, lambda _: draw(cells))


def _of_sums(
    parts: Parts,
    frames: Mapping[str, pl.DataFrame],
    name: str,
    title: str,
    text: str,
    draw: Callable[[pl.DataFrame], Any],
) -> Section:
    frame = frames.get(name, pl.DataFrame())
    if not frame.height:
        return Section(name, title, text, frame, None, parts.missing.get(name) or "no rows have what it needs")
    return Section(name, title, text, frame.sort(frame.columns[:3]), draw)


def _hot(frame: pl.DataFrame) -> pl.DataFrame:
    frame = frame.sort("date")
    middle = frame["rows"].median()
    return frame.with_columns(
        (pl.col("rows") / middle).alias("of_median") if middle else pl.lit(None, pl.Float64).alias("of_median")
    ).with_columns(hot=(pl.col("of_median") > HOT).fill_null(False))


def _summary(parts: Parts, frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    cells = parts.cells.get("markouts")
    horizons = cells.frame["horizon"].unique().sort().to_list() if cells is not None else []
    out = []
    for name in ("Buy", "Sell", "both"):
        row: dict[str, Any] = {"side": name}
        size = _of_side(frames.get("sides", pl.DataFrame()), name)
        row |= {what: size[what].sum() for what in ("rows", "quantity", "notional") if what in size.columns}
        for horizon in horizons:
            row |= _markout_of(parts, frames, name, horizon)
        held = _of_side(frames.get("holding", pl.DataFrame()), name)
        if held.height:
            weight = float(held["notional"].sum())
            row["holding"] = float(held["seconds"].sum()) / weight if weight else None
        won = frames.get("pnl_dates", pl.DataFrame())
        if won.height and name == "both":
            row["pnl"] = won["pnl"].sum()
            if "won" in won.columns:
                row["won"] = float(won["won"].sum()) / float(won["lots"].sum()) if won["lots"].sum() else None
        out.append(row)
    return pl.DataFrame(out, infer_schema_length=None)


def _of_side(frame: pl.DataFrame, side: str) -> pl.DataFrame:
    return frame if side == "both" or "side" not in frame.columns else frame.filter(pl.col("side") == side)


def _markout_of(parts: Parts, frames: Mapping[str, pl.DataFrame], side: str, horizon: Any) -> dict[str, float | None]:
    if side == "both":
        found = parts.both.get(str(horizon))
        if found is None:
            sums = keyed(frames["markouts"]).filter(pl.col("horizon") == horizon).select(pl.col(*_SUMS).sum())
            row = sums.row(0, named=True)
            found = (
                row["total"] / row["weight_valid"] if row["weight_valid"] else None,
                row["weight_valid"] / row["weight"] if row["weight"] else None,
            )
    else:
        cell = parts.cells["markouts"].frame.filter((pl.col("side") == side) & (pl.col("horizon") == horizon))
        found = cell.select("value_0", "coverage_0").row(0) if cell.height else (None, None)
    return {f"markout_{horizon}": found[0], f"coverage_{horizon}": found[1]}


# ---- figures ----------------------------------------------------------------------------------------------------


def bars(names: Sequence[str], series: Mapping[str, Sequence[float | None]], x: str, y: str) -> Any:
    """Draw bars side by side, in the shared look."""
    go = viz.need("plotly.graph_objects")
    colours = _look.LIGHT["series"]
    figure = go.Figure([
        go.Bar(x=list(names), y=list(values), name=label, marker={"color": colours[index]}, showlegend=len(series) > 1,
               hovertemplate=f"%{{x}}<br><b>%{{y:.4~g}}</b><extra>{label}</extra>")
        for index, (label, values) in enumerate(series.items())
    ])  # fmt: skip
    viz.dress(figure, "", [], dark=False)
    figure.update_layout(bargap=0.15, bargroupgap=0.05)
    figure.update_xaxes(type="category", title_text=x, showgrid=False, nticks=14, tickangle=0)
    figure.update_yaxes(title_text=y)
    return figure


def _shares(frame: pl.DataFrame, what: str, bins: Sequence[int]) -> list[float]:
    found = dict(frame.group_by("bin").agg(pl.col(what).sum()).iter_rows())
    total = frame[what].sum()
    return [100 * found.get(b, 0) / total if total else 0.0 for b in bins]


def _holding_figure(frame: pl.DataFrame) -> Any:
    def spell(seconds: float) -> str:
        return (
            f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"
        )

    names = [*map(spell, _HOLDING), "longer"]
    return bars(
        names,
        {"notional": _shares(frame, "notional", range(len(names)))},
        "held for less than",
        "share of notional [%]",
    )


def _pnl_figure(frame: pl.DataFrame) -> Any:
    bins = list(range(frame["bin"].min(), frame["bin"].max() + 1))  # type: ignore[arg-type, operator]
    found = dict(frame.group_by("bin").agg(pl.col("lots").sum()).iter_rows())
    names = ["0" if b == 0 else _edge_text(profit_edge(b)) for b in bins]
    return bars(names, {"lots": [found.get(b, 0) for b in bins]}, "profit of a lot, up to", "lots")


def _edge_text(edge: float) -> str:
    size, unit = abs(edge), ""
    for power, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= power:
            size, unit = size / power, letter
            break
    return f"{'−' if edge < 0 else '+'}{size:g}{unit}"


def _pnl_dates_figure(frame: pl.DataFrame) -> Any:
    daily = frame.sort("date").with_columns(cumulative=pl.col("pnl").cum_sum())
    return viz.line(daily, "date", ["pnl", "cumulative"], count="lots", title="")


def _sizes_figure(frame: pl.DataFrame) -> Any:
    bins = list(range(frame["bin"].min(), frame["bin"].max() + 1))  # type: ignore[arg-type, operator]
    names = [f"{2.0**b:,.5g} –" for b in bins]
    series = {"fills": _shares(frame, "rows", bins), "notional": _shares(frame, "notional", bins)}
    return bars(names, series, "quantity, from", "share [%]")


def _profile_figure(cells: Cells, *, every: float, unit: Unit, what: str) -> Any:
    frame = cells.frame.filter(pl.col("slice").is_not_null())
    slices = list(range(frame["slice"].min(), frame["slice"].max() + 1))  # type: ignore[arg-type, operator]
    names = [f"{s * every / 60:g}" for s in slices]
    rows = dict(frame.select("slice", "n").iter_rows())
    total = frame["n"].sum()
    figure = bars(names, {"fills": [100 * rows.get(s, 0) / total if total else 0.0 for s in slices]},
                  f"trading minutes since the open, {what}", "share of fills [%]")  # fmt: skip
    values = dict(frame.select("slice", "value_0").iter_rows())
    if any(v is not None for v in values.values()):
        _add_markouts(figure, names, [values.get(s) for s in slices], unit)
    return figure


def _add_markouts(figure: Any, names: Sequence[str], values: Sequence[float | None], unit: Unit) -> None:
    go = viz.need("plotly.graph_objects")
    label = unit.label("markout")
    figure.data[0].update(marker_color=_look.LIGHT["line"], showlegend=True)
    figure.add_trace(
        go.Scatter(
            x=names,
            y=[None if v is None else v * unit.scale for v in values],
            name=label,
            yaxis="y2",
            mode="lines+markers",
            line={"color": _look.LIGHT["series"][0], "width": 1.75},
            showlegend=True,
            hovertemplate=f"%{{x}} min<br><b>%{{y:.4~g}}</b> {unit.name}<extra>{label}</extra>",
        )
    )
    figure.update_layout(
        yaxis2={
            "overlaying": "y",
            "side": "right",
            "title": {"text": label, "font": {"size": 12}},
            "showgrid": False,
            "tickmode": "auto",
            "nticks": 6,
            "zeroline": True,
            "zerolinecolor": _look.LIGHT["line"],
            "automargin": True,
            "tickfont": {"size": 11, "color": _look.LIGHT["muted"]},
        },
        margin_t=38,
        margin_r=60,
    )


def _dates_figure(frame: pl.DataFrame) -> Any:
    shown = frame["date"].to_list()
    names = [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in shown]
    figure = bars(names, {"fills": frame["rows"].to_list()}, "", "fills")
    colours = [_look.LIGHT["bad"] if hot else _look.LIGHT["series"][0] for hot in frame["hot"]]
    figure.data[0].update(marker_color=colours)
    figure.update_xaxes(nticks=8)
    return figure
