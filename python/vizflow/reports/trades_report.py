"""The trades report: what became of fills. Markouts, holding, profit, sizes, profile, hot dates. Not for alphas.

A day is reduced to a few small frames of sums (in C), which add up over dates; the report is made from those alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl

from vizflow.config import Config
from vizflow.enrichment.side_values import BUY, SELL
from vizflow.errors import ConfigError, DataError
from vizflow.numbers import whole
from vizflow.ops.aggregate import aggregate
from vizflow.reports import from_partials
from vizflow.reports.columns import horizons_of, keyed
from vizflow.reports.days import Prepare, check_every, choose, days
from vizflow.reports.fills import Day, Options, Sides, finite, read
from vizflow.reports.report import Report, Section
from vizflow.reports.sums import HOLDING, PIECES, Parts, holding_bin, profit_bin, profit_edge
from vizflow.viz import figures, optional, theme
from vizflow.viz.dims import Cells, Units
from vizflow.viz.frame_cells import from_sums
from vizflow.viz.units import Unit, check_units, unit_of

__all__ = ["trades"]

HOT = 3.0
_SUMS = ["rows", "rows_valid", "weight", "weight_valid", "total"]


def trades(
    source: Any,
    *,
    side: str | None = None,
    qty: str = "matched_qty",
    price: str = "fillPrice",
    mid: str = "mid",
    bid: str = "BidPrice1",
    ask: str = "AskPrice1",
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
    buy: Any = BUY,
    sell: Any = SELL,
    exit_side: Any = None,
    dates: Sequence[str] | None = None,
    prepare: Prepare | None = None,
    count: str = "count",
    date_col: str = "date",
    units: Units | None = None,
    title: str | None = None,
) -> Report:
    """Report on fills: markouts by side and forecast, spread, holding periods, realised profit, sizes, profile, dates.

    Parameters
    ----------
    source
        Day files, a frame with a `date_col`, a mapping of dates to frames, or a `Config` with `dates` and perhaps
        `prepare`; as in `vizflow.reports.alpha`. Rows are fills, or the pieces of fills that `FIFOMatch` makes. Or a
        `Cube` or partials: then `side`, `alpha`, `holding`, `time_col` are dimensions and `markouts`, `pnl`, `qty`,
        `count` metrics, and what they cannot tell is left out and said.
    side
        Column of the side; left out, the Config's ``side``, else ``"orderSide"``. Rows of neither side (quotes,
        cancels) are no fills: they are left out and counted by value in ``frames["left_out"]``.
    qty, price
        Size and price of a row; their product weighs the markouts. A price that is not finite, not above zero, or of
        1e300 and more is none.
    mid
        Column of the price that the returns are of, at the time of the fill. Without it no markout can be told, and
        the mean signed return is given, under that name. The fill price's own column, where returns are of that.
    bid, ask
        Best quotes at the time of the fill, for the spread capture; where they are missing it is left out.
    markouts
        Columns of the mid's return after the fill, ``["return_60"]``, or ``{60: "ret_1m"}``; else each ``return_*``.
        Fractions, as `forward_return` gives them.
    signed
        Those returns already carry the side's sign.
    alpha
        Column of a forecast, for markouts in `buckets` groups of equally many fills each day.
    buckets
        How many.
    holding, closed, pnl
        What `FIFOMatch` adds (``pnl`` with ``extras=True``), read on exit pieces: those whose ``matched_exit_id`` is
        their own ``fill_id``; without these columns, those that have a profit; without profits, sells. Sections without
        a column are left out.
    time_col, every
        Elapsed seconds, and the slices of the day's profile, 1 s or more. Ten days or more from the open are no time.
    fill_col
        What tells a day's fills apart: pieces of one fill are one fill, of their summed size. Left out, ``"fill_id"``
        (``FIFOMatch(extras=True)`` gives it) where it is there. Without it pieces cannot be counted as fills: then
        ``rows`` counts pieces, sizes and profile are left out, and the report says so.
    buy, sell
        Values of the side: a value or a list of text, numbers or Booleans. Case does not matter; ``1`` is also ``"1"``
        and 1.0. Left out, the usual names, 1 and 2 (FIX), 1 and -1; of a Boolean column, true and false.
    exit_side
        Only exit pieces of these sides close lots.
    dates, prepare, count, date_col, title
        As in `vizflow.reports.alpha`.
    units
        How ``"markout"`` (or ``"return"``) is shown; left out, basis points. Metrics of partials are shown as they
        stand, unless this says what they are: ``{"markout": "bp"}`` for fractions, ``{"markout": ("bp", 1)}`` for basis
        points.

    Returns
    -------
    Report
        ``frame``: a row per side and one for both: ``side, rows, pieces, quantity, notional, spread_cost,
        spread_capture, markout_{h}, coverage_{h}, …, holding, pnl, won``; ``rows`` counts fills.
        ``frames``: ``markouts, alpha_buy, alpha_sell, spread, holding, pnl, pnl_dates, sizes, profile, dates,
        left_out``.

    Raises
    ------
    SchemaError
        A column is missing that nothing can be told without: side, quantity, price; or a column holds no numbers.
    DataError
        No row carries either side (the values found are shown), a return is -1 or less, `fill_col` has nulls, or only
        some days have the mid.
    ConfigError
        A side's value stands on both sides, or `units` names nothing that is shown.

    Notes
    -----
    *Signs.* Above zero is good for whoever traded, on both sides.

    A *markout* is measured against the fill price: ``sign * (mid at t + h / fill price - 1)``, the mid at t + h being
    ``mid * (1 + return_h)``. It is the mean weighted by notional over the fills that have one; its coverage is their
    share of the notional. The *spread cost* is the same at the time of the fill, ``sign * (mid / fill price - 1)``:
    below zero is what crossing the spread cost. A markout less its spread cost is what the mid did. The *spread
    capture* is the money gained against the mid as a share of half the quoted spread: -1 bought every time at the
    ask, +1 at the bid. What is missing is never taken for zero.

    Examples
    --------
    A buy ten basis points above a mid that does not move, and a sale at the mid:

    >>> import polars as pl, vizflow as vf
    >>> day = pl.DataFrame({
    ...     "orderSide": ["Buy", "Sell"], "matched_qty": [100] * 2, "fillPrice": [10.01, 10.0], "mid": [10.0] * 2,
    ...     "return_60": [0.0, None],
    ... })
    >>> report = vf.reports.trades({"20240102": day})
    >>> report.frame.select("side", pl.col("spread_cost", "markout_60").round(5), "coverage_60").rows()[:2]
    [('Buy', -0.001, -0.001, 1.0), ('Sell', 0.0, None, 0.0)]
    """
    if whole(buckets) is None or not 2 <= buckets <= 20:
        raise ConfigError(f"buckets is {buckets!r}; a whole number from 2 to 20 is accepted")
    check_every(every)
    side = side or (source.columns.get("side", "orderSide") if isinstance(source, Config) else "orderSide")
    sides = Sides(buy, sell, usual=buy is BUY and sell is SELL)
    exits = None if exit_side is None else Sides(exit_side, names=("exit_side", ""))
    parts = Parts()
    if from_partials.is_cube_like(source):
        names = from_partials.Names(side, alpha, holding, time_col, qty, pnl, count, buckets, every, sides, exits)
        from_partials.trade_sums(source, names, markouts, dates, parts)
    else:
        options = Options(
            side, qty, price, mid, bid, ask, markouts, signed, alpha, buckets, holding, closed, pnl, time_col, every,
            fill_col, sides, exits,
        )  # fmt: skip
        found: set[Any] = set()
        for date, lf in days(source, dates=dates, prepare=prepare, date_col=date_col):
            _day(date, lf, options, parts, found)
        _check_days(parts, options, buy, sell, found)
    return _report(parts, alpha, units, title, parts.slice or every)


def _check_days(parts: Parts, o: Options, buy: Any, sell: Any, found: set[Any]) -> None:
    if not parts.frames:
        raise DataError("no date holds rows; check the source and dates=")
    if not any(frame["rows"].sum() for frame in parts.frames["dates"]):
        shown = ", ".join(sorted(map(repr, found))[:12]) or "none"
        raise DataError(
            f"no row carries a side of {list(_listed(buy))} or {list(_listed(sell))}; the values of {o.side!r} are: "
            f"{shown}",
            column=o.side,
        )
    if len(parts.measures) > 1:
        raise DataError(
            f"some days have a column {o.mid!r} and others do not: markouts of some, returns of others; "
            "add it to all, or name one that is in none with mid=",
            column=o.mid,
        )


def _listed(given: Any) -> Sequence[Any]:
    return given if isinstance(given, (list, tuple)) else [given]


# ---- a day ------------------------------------------------------------------------------------------------------


def _day(date: str, lf: pl.LazyFrame, o: Options, parts: Parts, found: set[Any]) -> None:
    schema = lf.collect_schema()
    choose(schema, [o.side], "side")
    choose(schema, [o.qty], "qty")
    choose(schema, [o.price], "price")
    if o.alpha is not None:
        choose(schema, [o.alpha], "alpha")
    returns = horizons_of(o.markouts, schema, "markouts", needed=False)
    day = read(date, lf, returns, o)
    found.update(day.found)
    if bool in map(type, day.found) and o.sides.usual:
        parts.note(f"{o.side!r} is Boolean: true was taken for a buy, false for a sell; buy= and sell= say otherwise.")
    parts.tell_pieces(day)
    fills, measure = _measured(day, returns, o)
    parts.measures.add(measure)
    parts.left_out += day.left_out
    parts.add("dates", _by_date(day))
    sums = {"rows": pl.len(), "pieces": pl.col("pieces").sum(), "quantity": pl.col("qty").sum(),
            "notional": pl.col("notional").sum()}  # fmt: skip
    parts.add("sides", aggregate(fills, ["date", "side"], sums).collect())
    _spread(fills, day.have, o, parts)
    _markouts(fills, returns, o, day.have, parts)
    _exits(day.exits, o, day.have, parts)
    if day.told:
        _sizes(fills, parts)
        _profile(fills, returns, o, day.have, parts)
    else:
        parts.missing["sizes"] = parts.missing["profile"] = PIECES


def _measured(day: Day, returns: Mapping[float, str], o: Options) -> tuple[pl.DataFrame, str]:
    """Return fills with what they made at each horizon, signed: against their price where the mid is known."""
    values = []
    for index in range(len(returns)):
        ret = pl.col(f"return_{index}") * (pl.col("sign") if o.signed else 1.0)
        if "mid" in day.have:
            ret = pl.col("mid") * (1 + ret) / pl.col("price") - 1
        values.append(finite(pl.col("sign") * ret).alias(f"value_{index}"))
    return day.fills.with_columns(values), "markout" if "mid" in day.have else "return"


def _by_date(day: Day) -> pl.DataFrame:
    fills = day.fills
    return pl.DataFrame({
        "date": [day.date], "input_rows": [day.height], "rows": [fills.height], "pieces": [int(fills["pieces"].sum())],
        "quantity": [float(fills["qty"].sum())], "notional": [float(fills["notional"].sum())],
    })  # fmt: skip


def _spread(fills: pl.DataFrame, have: set[str], o: Options, parts: Parts) -> None:
    """Add the sums of spread cost and capture: what a fill's price was better than the mid, and of half the spread."""
    if "mid" not in have:
        parts.missing["spread"] = f"there is no column {o.mid!r}"
        return
    better = pl.col("sign") * (pl.col("mid") - pl.col("price")) * pl.col("qty")
    known = better.is_not_null()
    half, of_half = pl.lit(None, pl.Float64), pl.lit(None, pl.Float64)
    if {"bid", "ask"} <= have:
        half = (pl.col("ask") - pl.col("bid")) / 2 * pl.col("qty")
        booked = known & (pl.col("ask") > pl.col("bid"))
        half, of_half = pl.when(booked).then(half), pl.when(booked).then(better)
    frame = fills.with_columns(better=better, weight=pl.when(known).then(pl.col("notional")), half=half,
                               of_half=of_half)  # fmt: skip
    sums = {name: pl.col(name).sum() for name in ("better", "weight", "half", "of_half")}
    parts.add("spread", aggregate(frame, ["date", "side"], sums).collect())


def _sums(value: pl.Expr) -> dict[str, pl.Expr]:
    """Return a weighted mean's mergeable sums; the weight is the notional."""
    weight = pl.col("notional")
    there = value.is_not_null() & weight.is_not_null()
    return {
        "rows": pl.len(),
        "rows_valid": there.cast(pl.Int64).sum(),
        "weight": weight.sum(),
        "weight_valid": pl.when(there).then(weight).sum(),
        "total": pl.when(there).then(value * weight).sum(),
    }


def _markouts(fills: pl.DataFrame, returns: Mapping[float, str], o: Options, have: set[str], parts: Parts) -> None:
    if not returns:
        why = "there is no column return_*; add forward_return to the pipeline, or name markouts="
        parts.missing["markouts"] = parts.missing["alpha"] = why
        return
    if "alpha" in have:
        n = pl.col("alpha")
        place = ((n.rank("average") - 0.5) / n.count() * o.buckets).floor().cast(pl.Int64).clip(0, o.buckets - 1) + 1
        fills = fills.with_columns(bucket=place)
    else:
        parts.missing["alpha"] = "name the forecast's column with alpha="
    for index, horizon in enumerate(returns):
        value = pl.col(f"value_{index}")
        for name, keys in (("markouts", ["date", "side"]), ("alpha", ["date", "side", "bucket"])):
            if name == "alpha" and "alpha" not in have:
                continue
            cells = aggregate(fills, keys, _sums(value)).collect()
            parts.add(name, cells.select(pl.lit(horizon).alias("horizon"), pl.all()))


def _exits(exits: pl.DataFrame, o: Options, have: set[str], parts: Parts) -> None:
    if "holding" in have:
        keyed = exits.filter(pl.col("holding").is_not_null()).with_columns(bin=holding_bin(pl.col("holding")))
        sums = {"lots": pl.len(), "notional": pl.col("notional").sum(),
                "seconds": (pl.col("holding") * pl.col("notional")).sum()}  # fmt: skip
        parts.add("holding", aggregate(keyed, ["date", "side", "bin"], sums).collect())
    else:
        parts.missing["holding"] = f"there is no column {o.holding!r}; FIFOMatch adds it"
    if "pnl" in have:
        lots = exits.filter(pl.col("pnl").is_not_null()).with_columns(bin=profit_bin(pl.col("pnl")))
        parts.add("pnl", aggregate(lots, ["date", "bin"], {"lots": pl.len(), "pnl": pl.col("pnl").sum()}).collect())
        sums = {
            "lots": pl.len(), "pnl": pl.col("pnl").sum(), "lots_won": (pl.col("pnl") > 0).cast(pl.Int64).sum(),
            "gained": pl.when(pl.col("pnl") > 0).then(pl.col("pnl")).sum(),
            "lost": pl.when(pl.col("pnl") < 0).then(pl.col("pnl")).sum(), "notional": pl.col("notional").sum(),
        }  # fmt: skip
        parts.add("pnl_dates", aggregate(lots, ["date"], sums).collect())
    else:
        why = f"there is no column {o.pnl!r}; FIFOMatch(extras=True) adds it"
        parts.missing["pnl"] = parts.missing["pnl_dates"] = why


def _sizes(fills: pl.DataFrame, parts: Parts) -> None:
    keyed = fills.filter(pl.col("qty") > 0).with_columns(bin=pl.col("qty").log(2).floor().cast(pl.Int64))
    sums = {"rows": pl.len(), "notional": pl.col("notional").sum()}
    parts.add("sizes", aggregate(keyed, ["date", "side", "bin"], sums).collect())


def _profile(fills: pl.DataFrame, returns: Mapping[float, str], o: Options, have: set[str], parts: Parts) -> None:
    if "time" not in have:
        parts.missing["profile"] = f"there is no column {o.time!r}; parse_time adds it"
        return
    keyed = fills.with_columns(slice=(pl.col("time") / o.every).floor().cast(pl.Int64))
    value = pl.col("value_0") if returns else pl.lit(None, pl.Float64) * pl.col("sign")
    parts.add("profile", aggregate(keyed, ["date", "slice"], _sums(value)).collect())


# ---- all days ---------------------------------------------------------------------------------------------------


def _unit(parts: Parts, units: Units | None) -> Unit:
    """Find the unit of markouts: fractions shown in basis points, or what partials hold as they hold it."""
    check_units(units, [parts.measure])
    if units:
        return unit_of(parts.measure, units)
    if not parts.from_partials:
        return Unit("bp", 1e4)
    if parts.horizons:
        parts.note(
            f"{parts.measure.capitalize()}s are shown as the partials hold them; "
            f"units={{{parts.measure!r}: 'bp'}} says that they are fractions, ('bp', 1) that they are basis points."
        )
    return Unit()


def _report(parts: Parts, alpha: str | None, units: Units | None, title: str | None, every: float) -> Report:
    what = parts.measure
    unit = _unit(parts, units)
    pair = (unit.name, unit.scale)
    shown: Units = {what: pair, "horizon": "s"}
    frames = {name: parts.get(name) for name in parts.frames}
    _add_cells(parts, frames, shown)
    by_date = _hot(frames["dates"])
    known = by_date["date"]
    hot = by_date.filter(pl.col("hot"))["date"].to_list()
    notes = [*parts.notes, *_told(parts)]
    if hot:
        notes.append(f"Hot dates (more than {HOT:g} times the median {parts.rows}): {', '.join(hot)}.")
    summary = _summary(parts, frames)
    said: dict[str, tuple[str, float]] = dict.fromkeys(("won", "coverage", "spread_capture"), ("%", 100.0))
    said |= {"horizon": ("s", 1.0), "holding": ("s", 1.0), what: pair, "error": pair, "spread_cost": pair}
    said |= {name: pair for name in summary.columns if name.startswith(f"{what}_")}
    said |= {name: ("%", 1e2) for name in summary.columns if name.startswith("coverage_")}
    about = f"{known.len():,} dates, {known[0]} to {known[-1]}; {by_date['rows'].sum():,} {parts.rows}"
    sections = _sections(parts, frames, by_date, alpha, shown, unit, every)
    return Report(title or "Trades report", about, summary, sections, notes, units=said, tall=True)


def _told(parts: Parts) -> list[str]:
    """Word what was left out, summed over dates."""
    if not parts.left_out:
        return []
    frame = _left_out(parts)
    out = []
    for (found,), part in frame.group_by("reason", maintain_order=True):
        reason = str(found)
        values = ", ".join(f"{'null' if side is None else side}: {rows:,}" for side, rows in
                           part.select("side", "rows").head(8).iter_rows())  # fmt: skip
        more = f", and {part.height - 8} more values" if part.height > 8 else ""
        profit = part["pnl"].drop_nulls().sum() if part["pnl"].count() else 0
        said = f"; their profits add up to {profit:,.6g}" if profit else ""
        out.append(f"{reason[:1].upper()}{reason[1:]}: {part['rows'].sum():,} rows (by side, {values}{more}){said}.")
    return out


def _left_out(parts: Parts) -> pl.DataFrame:
    schema: dict[str, Any] = {"date": pl.String, "reason": pl.String, "side": pl.String, "rows": pl.Int64}
    frame = pl.DataFrame(parts.left_out, schema={**schema, "quantity": pl.Float64, "pnl": pl.Float64})
    sums = [pl.when(pl.col(name).count() > 0).then(pl.col(name).sum()).alias(name) for name in ("quantity", "pnl")]
    return (
        frame.group_by("reason", "side", maintain_order=True)
        .agg(pl.col("date").n_unique().alias("dates"), pl.col("rows").sum(), *sums)
        .sort("reason", "rows", descending=[False, True])
    )


def _sections(
    parts: Parts,
    frames: Mapping[str, pl.DataFrame],
    by_date: pl.DataFrame,
    alpha: str | None,
    shown: Units,
    unit: Unit,
    every: float,
) -> list[Section]:
    what, rows = parts.measure, parts.rows
    line = partial(figures.line, units=shown, title="")
    against = {
        "markout": "Mid after the fill against the fill price, weighted by notional",
        "return": "Mean return after the fill, weighted by notional; no markout, as the fills' mid is not there",
    }[what]
    if parts.from_partials:
        against = f"The partials' metric, a {what} as they define it,"
    left_out = _left_out(parts) if parts.left_out else pl.DataFrame()
    return [
        _of_cells(parts, "markouts", f"{what.capitalize()} by side",
                  f"{against} over the {rows} that have one; above zero is good for the trader on both sides; bands of "
                  "95 %, clustered by date.",
                  lambda cells: line(cells, "horizon", what, by="side")),
        *(
            _of_cells(parts, f"alpha_{name}", f"{what.capitalize()} of {name}s by forecast",
                      f"Groups of equally many {rows} by {alpha}, lowest first.",
                      lambda cells: line(cells, "horizon", what, by="bucket"))
            for name in ("buy", "sell")
        ),
        _of_sums(parts, frames, "spread", "Spread cost and capture",
                 "Cost: mid against the fill price at the fill, below zero was paid. Capture: the same in money as a "
                 "share of half the quoted spread; -100 % bought at the ask and sold at the bid, +100 % the other way.",
                 None, _spread_table),
        _of_sums(parts, frames, "holding", "Holding period", "Share of the closed notional by how long it was held.",
                 _holding_figure),
        _of_sums(parts, frames, "pnl", "Realised profit per lot",
                 "How many closed lots made what; classes grow as 1, 2, 5, 10 … on both sides of zero.", _pnl_figure),
        _of_sums(parts, frames, "pnl_dates", "Realised profit by date", "Per date, and added up.", _pnl_dates_figure),
        _of_sums(parts, frames, "sizes", "Fill sizes",
                 "By quantity, in powers of two: share of the fills and of the notional.", _sizes_figure),
        _of_cells(parts, "profile", "The day's profile",
                  f"{rows.capitalize()} by time of the trading day, and their {what}.",
                  partial(_profile_figure, every=every, unit=unit, what="around" if parts.slice else "from",
                          count=rows, measure=what)),
        Section("dates", "Hot dates", f"{rows.capitalize()} by date; more than {HOT:g} times the median is hot.",
                by_date, partial(_dates_figure, count=rows)),
        *([Section("left_out", "Left out", "What is not in the numbers above, or not in all of them, by the side's "
                   "value.", left_out)] if left_out.height else []),
    ]  # fmt: skip


def _spread_table(frame: pl.DataFrame) -> pl.DataFrame:
    """Return spread cost and capture by date and side."""
    return frame.sort("date", "side").select("date", "side", *_spread_values(pl.col))


def _spread_values(of: Callable[[str], pl.Expr]) -> list[pl.Expr]:
    return [
        pl.when(of("weight") > 0).then(of("better") / of("weight")).alias("spread_cost"),
        pl.when(of("half") > 0).then(of("of_half") / of("half")).alias("spread_capture"),
    ]


def _add_cells(parts: Parts, frames: Mapping[str, pl.DataFrame], units: Units) -> None:
    """Make cells of the sums of weighted means."""

    def mean(frame: pl.DataFrame, *by: str) -> Cells:
        sums = {name: name for name in _SUMS}
        return from_sums(frame, by, parts.measure, **sums, units=units)

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
    plain = {"n": "rows", "valid_0": "rows_valid", "value_0": parts.measure, "coverage_0": "coverage",
             "error_0": "error", "dates_0": "dates"}  # fmt: skip
    frame = cells.frame.select(*(dim.name for dim in cells.dims), *(pl.col(k).alias(v) for k, v in plain.items()))
    return Section(name, title, text, frame, lambda _: draw(cells))


def _of_sums(
    parts: Parts,
    frames: Mapping[str, pl.DataFrame],
    name: str,
    title: str,
    text: str,
    draw: Callable[[pl.DataFrame], Any] | None,
    made: Callable[[pl.DataFrame], pl.DataFrame] | None = None,
) -> Section:
    frame = frames.get(name, pl.DataFrame())
    if not frame.height:
        return Section(name, title, text, frame, None, parts.missing.get(name) or "no rows have what it needs")
    return Section(name, title, text, frame.sort(frame.columns[:3]) if made is None else made(frame), draw)


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
        row |= {what: size[what].sum() for what in ("rows", "pieces", "quantity", "notional") if what in size.columns}
        spread = _of_side(frames.get("spread", pl.DataFrame()), name)
        if spread.height:
            row |= spread.select(*_spread_values(lambda what: pl.col(what).sum())).row(0, named=True)
        for horizon in horizons:
            row |= _markout_of(parts, frames, name, horizon)
        held = _of_side(frames.get("holding", pl.DataFrame()), name)
        if held.height:
            weight = float(held["notional"].sum())
            row["holding"] = float(held["seconds"].sum()) / weight if weight else None
        won = frames.get("pnl_dates", pl.DataFrame())
        if won.height and name == "both":
            row["pnl"] = won["pnl"].sum()
            if "lots_won" in won.columns:
                row["won"] = float(won["lots_won"].sum()) / float(won["lots"].sum()) if won["lots"].sum() else None
        out.append(row)
    columns = list(dict.fromkeys(name for row in out for name in row))
    frame = pl.DataFrame([{name: row.get(name) for name in columns} for row in out], infer_schema_length=None)
    return frame.with_columns(pl.col(pl.Null).cast(pl.Float64))


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
    return {f"{parts.measure}_{horizon}": found[0], f"coverage_{horizon}": found[1]}


# ---- figures ----------------------------------------------------------------------------------------------------


def bars(names: Sequence[str], series: Mapping[str, Sequence[float | None]], x: str, y: str) -> Any:
    """Draw bars side by side, in the shared look."""
    go = optional.need("plotly.graph_objects")
    colours = theme.LIGHT["series"]
    figure = go.Figure([
        go.Bar(x=list(names), y=list(values), name=label, marker={"color": colours[index]}, showlegend=len(series) > 1,
               hovertemplate=f"%{{x}}<br><b>%{{y:.4~g}}</b><extra>{label}</extra>")
        for index, (label, values) in enumerate(series.items())
    ])  # fmt: skip
    figures.dress(figure, "", [], dark=False)
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

    names = [*map(spell, HOLDING), "longer"]
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
    return figures.line(daily, "date", ["pnl", "cumulative"], count="lots", title="")


def _sizes_figure(frame: pl.DataFrame) -> Any:
    bins = list(range(frame["bin"].min(), frame["bin"].max() + 1))  # type: ignore[arg-type, operator]
    names = [f"{2.0**b:,.5g} –" for b in bins]
    series = {"fills": _shares(frame, "rows", bins), "notional": _shares(frame, "notional", bins)}
    return bars(names, series, "quantity, from", "share [%]")


def _profile_figure(cells: Cells, *, every: float, unit: Unit, what: str, count: str, measure: str) -> Any:
    frame = cells.frame.filter(pl.col("slice").is_not_null())
    slices = list(range(frame["slice"].min(), frame["slice"].max() + 1))  # type: ignore[arg-type, operator]
    names = [f"{s * every / 60:g}" for s in slices]
    rows = dict(frame.select("slice", "n").iter_rows())
    total = frame["n"].sum()
    figure = bars(names, {count: [100 * rows.get(s, 0) / total if total else 0.0 for s in slices]},
                  f"trading minutes since the open, {what}", f"share of {count} [%]")  # fmt: skip
    values = dict(frame.select("slice", "value_0").iter_rows())
    if any(v is not None for v in values.values()):
        _add_markouts(figure, names, [values.get(s) for s in slices], unit, measure)
    return figure


def _add_markouts(figure: Any, names: Sequence[str], values: Sequence[float | None], unit: Unit, measure: str) -> None:
    go = optional.need("plotly.graph_objects")
    label = unit.label(measure)
    figure.data[0].update(marker_color=theme.LIGHT["line"], showlegend=True)
    figure.add_trace(
        go.Scatter(
            x=names,
            y=[None if v is None else v * unit.scale for v in values],
            name=label,
            yaxis="y2",
            mode="lines+markers",
            line={"color": theme.LIGHT["series"][0], "width": 1.75},
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
            "zerolinecolor": theme.LIGHT["line"],
            "automargin": True,
            "tickfont": {"size": 11, "color": theme.LIGHT["muted"]},
        },
        margin_t=38,
        margin_r=60,
    )


def _dates_figure(frame: pl.DataFrame, *, count: str) -> Any:
    shown = frame["date"].to_list()
    names = [f"{d[:4]}-{d[4:6]}-{d[6:]}" for d in shown]
    figure = bars(names, {count: frame["rows"].to_list()}, "", count)
    colours = [theme.LIGHT["bad"] if hot else theme.LIGHT["series"][0] for hot in frame["hot"]]
    figure.data[0].update(marker_color=colours)
    figure.update_xaxes(nticks=8)
    return figure
