"""A day's rows as fills: sides told apart, pieces taken together, exits found, and what is left out counted.

Not for sums: `_trades` makes those of what this module gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from vizflow.enrichment.side_values import check_sides
from vizflow.errors import ConfigError, DataError, translated
from vizflow.ops.aggregate import aggregate
from vizflow.reports.days import DAY, check_numbers, choose

__all__ = ["FILL", "Day", "Options", "Sides", "finite", "number", "read"]

FILL = "fill_id"
LARGEST = 1e300  # and more is a vendor's "no value"
_PIECES = ("matched_entry_id", "matched_exit_id")


def finite(value: pl.Expr) -> pl.Expr:
    """Return numbers that are numbers: NaN, infinities and 1e300 and more are null."""
    number = value.cast(pl.Float64)
    return pl.when(number.abs() < LARGEST).then(number)


def number(name: str) -> pl.Expr:
    """Read a column as numbers."""
    return finite(pl.col(name))


def _price(name: str) -> pl.Expr:
    return pl.when(number(name) > 0).then(number(name))


@dataclass(frozen=True)
class Options:
    """What `trades` was given, checked."""

    side: str
    qty: str
    price: str
    mid: str
    bid: str
    ask: str
    markouts: Sequence[str] | Mapping[float, str] | None
    signed: bool
    alpha: str | None
    buckets: int
    holding: str
    closed: str
    pnl: str
    time: str
    every: float
    fill: str | None
    sides: Sides
    exits: Sides | None


class Sides:
    """Values of two sides, in one vocabulary with `FIFOMatch`: case does not matter, 1 is ``"1"``, 1.0 and True."""

    def __init__(self, buy: Any, sell: Any = None, names: tuple[str, str] = ("buy", "sell"), usual: bool = False):
        self.usual = usual  # not chosen by the caller
        self._known: dict[str, str] = {}
        given = check_sides(buy, sell, names) if sell is not None else [(v, True) for v in _listed(buy, names[0])]
        for value, is_buy in given:
            side = "Buy" if is_buy else "Sell"
            if self._known.setdefault(_spelled(value), side) != side:
                raise ConfigError(f"{names[0]} and {names[1]} share the value {value!r}, as text or as a number")

    def of(self, value: Any) -> str | None:
        """Return the side of a column's value."""
        if self.usual and isinstance(value, bool):
            return "Buy" if value else "Sell"
        return None if value is None else self._known.get(_spelled(value))

    def holding(self, side: str, values: Iterable[Any]) -> list[Any]:
        """Return the values that name a side."""
        return [value for value in values if self.of(value) == side]


def _listed(values: Any, name: str) -> list[Any]:
    # a value that no column holds stands for the other side, which is not asked for
    return [value for value, is_first in check_sides(values, "\x01", (name, "")) if is_first]


def _spelled(value: Any) -> str:
    if isinstance(value, str):
        return value.lower() if value.isascii() else value
    return str(int(value)) if isinstance(value, bool) or value == value // 1 else str(value)


@dataclass
class Day:
    """A day's fills and exits, and what stayed out of them."""

    date: str
    height: int
    fills: pl.DataFrame  # a row a fill, or a row a piece where fills cannot be told apart
    exits: pl.DataFrame  # closed exit pieces
    have: set[str]
    told: bool  # fills can be told apart
    found: list[Any]
    left_out: list[dict[str, Any]] = field(default_factory=list)


def read(date: str, lf: pl.LazyFrame, returns: Mapping[float, str], o: Options) -> Day:
    """Read a day's rows as fills."""
    schema = lf.collect_schema()
    have = {what: name for what, name in {
        "alpha": o.alpha, "holding": o.holding, "closed": o.closed, "pnl": o.pnl, "time": o.time, "mid": o.mid,
        "bid": o.bid, "ask": o.ask, "fill": o.fill or FILL, "entry_id": _PIECES[0], "exit_id": _PIECES[1],
    }.items() if name is not None and name in schema}  # fmt: skip
    if o.fill is not None:
        choose(schema, [o.fill], "fill_col")
    numbers = {"qty": o.qty, "price": o.price, **{f"return_{i}": name for i, name in enumerate(returns.values())}}
    numbers |= {what: have[what] for what in ("mid", "bid", "ask", "pnl", "alpha") if what in have}
    numbers |= {what: have[what] for what in ("time", "holding") if what in have and schema[have[what]] != pl.Duration}
    spans = [have[what] for what in ("time", "holding") if what in have]
    check_numbers(schema, [name for name in numbers.values() if name not in spans], spans)
    with translated():
        rows = lf.select(
            _plain(o.side, schema[o.side]).alias("raw"),
            *(pl.col(name).cast(pl.Float64).alias(what) for what, name in numbers.items()),
            *(pl.col(name).alias(what) for what, name in have.items() if what not in numbers),
        ).collect(engine="streaming").rechunk()  # fmt: skip
    found = rows["raw"].unique().to_list()
    named = {side: pl.Series(o.sides.holding(side, found), dtype=rows.schema["raw"]) for side in ("Buy", "Sell")}
    rows = rows.with_columns(
        side=pl.when(pl.col("raw").is_in(named["Buy"].implode())).then(pl.lit("Buy"))
        .when(pl.col("raw").is_in(named["Sell"].implode())).then(pl.lit("Sell")),
        date=pl.lit(date),
    )  # fmt: skip
    day = Day(date, rows.height, rows, rows, set(have), True, [value for value in found if value is not None])
    _clean(day, rows, numbers, schema, have)
    day.exits = _exits(day, day.fills, o)
    day.fills = _whole(day, day.fills, returns, o)
    return day


def _plain(name: str, dtype: pl.DataType) -> pl.Expr:
    if dtype.is_float() or dtype.is_decimal():
        return pl.col(name).cast(pl.Float64).fill_nan(None)
    return pl.col(name) if dtype.is_integer() or dtype == pl.Boolean else pl.col(name).cast(pl.String)


def _clean(
    day: Day, rows: pl.DataFrame, numbers: Mapping[str, str], schema: pl.Schema, have: Mapping[str, str]
) -> None:
    """Take out what is no number, no price, no fill; count each by the side's value."""
    sided = pl.col("side").is_not_null()
    for what, name in numbers.items():
        bad = sided & pl.col(what).is_not_null() & (pl.col(what).is_nan() | (pl.col(what).abs() >= LARGEST))
        _count(day, rows.filter(bad), f"{name!r} is not a finite number")
    prices = [what for what in ("price", "mid", "bid", "ask") if what in numbers]
    rows = rows.with_columns(
        *(finite(pl.col(what)).alias(what) for what in numbers if what not in prices),
        *(_price(what).alias(what) for what in prices),
        *(pl.col(what).dt.total_nanoseconds() / 1e9 for what in ("time", "holding")
          if what in have and schema[have[what]] == pl.Duration),
    )  # fmt: skip
    if "time" in have:
        out = pl.col("time").abs() >= DAY
        _count(day, rows.filter(sided & out), f"{have['time']!r} is no time of a trading day")
        rows = rows.with_columns(time=pl.when(~out).then(pl.col("time")))
    _count(day, rows.filter(~sided), "neither side")
    _count(day, rows.filter(sided & pl.col("qty").is_null()), "no quantity")
    _count(day, rows.filter(sided & (pl.col("qty") < 0)), "quantity below zero")
    for what, name in numbers.items():
        if what.startswith("return_") and (low := rows.filter(sided & (pl.col(what) <= -1))).height:
            raise DataError(
                f"{day.date}: column {name!r} holds {low.height:,} values of -1 or less, the first {low[what][0]!r}; "
                "returns are fractions (0.0001 is a basis point), and no price falls by more than its whole",
                column=name,
            )
    fills = rows.filter(sided & (pl.col("qty") >= 0)).with_columns(
        notional=pl.col("qty") * pl.col("price"), sign=pl.when(pl.col("side") == "Buy").then(1.0).otherwise(-1.0)
    )
    _count(day, fills.filter(pl.col("price").is_null()), "no price: counted, without weight")
    day.fills = fills


def _count(day: Day, rows: pl.DataFrame, reason: str) -> None:
    """Count rows that are left out, by the side's value."""
    if not rows.height:
        return
    pnl = _sum("pnl") if "pnl" in rows.columns else pl.lit(None, pl.Float64)
    by = rows.group_by("raw").agg(rows=pl.len(), quantity=_sum("qty"), pnl=pnl).sort("raw", nulls_last=True)
    for value, n, quantity, profit in by.iter_rows():
        day.left_out.append({"date": day.date, "reason": reason, "side": None if value is None else str(value),
                             "rows": n, "quantity": quantity, "pnl": profit})  # fmt: skip


def _sum(name: str) -> pl.Expr:
    return pl.when(pl.col(name).count() > 0).then(finite(pl.col(name)).sum())


def _exits(day: Day, rows: pl.DataFrame, o: Options) -> pl.DataFrame:
    """Return the closed exit pieces: told by ids where there are any, else by the profit, else by the side."""
    closed = pl.col("closed").fill_null(False) if "closed" in day.have else pl.lit(True)
    if {"exit_id", "fill"} <= day.have:
        leg = (pl.col("exit_id") == pl.col("fill")).fill_null(False)
    elif {"entry_id", "fill"} <= day.have:
        leg = (pl.col("entry_id") != pl.col("fill")).fill_null("closed" in day.have)
    elif "pnl" in day.have:
        leg = pl.col("pnl").is_not_null()
    else:
        leg = pl.col("side") == "Sell"
    if o.exits is not None:
        asked = pl.Series(o.exits.holding("Buy", rows["raw"].unique()), dtype=rows.schema["raw"])
        leg = leg & pl.col("raw").is_in(asked.implode())
    is_exit = leg & closed
    out = rows.filter(is_exit)
    if "pnl" in day.have:
        _count(day, rows.filter(~is_exit & pl.col("pnl").is_not_null()), "a profit, but no closed exit")
        _count(day, out.filter(pl.col("pnl").is_null()), "a closed exit without a profit")
    if "holding" in day.have:
        _count(day, out.filter(pl.col("holding").is_null()), "a closed exit without a holding period")
    return out


def _whole(day: Day, rows: pl.DataFrame, returns: Mapping[float, str], o: Options) -> pl.DataFrame:
    """Take the pieces of each fill together: sizes add up, all else is the fill's own."""
    rows = rows.with_columns(pieces=pl.lit(1, pl.Int64))
    if "fill" not in day.have:
        day.told = not day.have & {"entry_id", "exit_id"}
        return rows
    if rows.schema["fill"].is_float():  # a time, say: told apart by its order
        rows = rows.with_columns(fill=pl.col("fill").fill_nan(None).rank("dense"))
    missing = rows["fill"].null_count()
    if missing:
        raise DataError(
            f"{day.date}: column {o.fill or FILL!r} is null on {missing:,} fills; give fill_col= a column that tells "
            "every fill from the others",
            column=o.fill or FILL,
        )
    own = ["sign", "price", *(f"return_{i}" for i in range(len(returns)))]
    own += [what for what in ("mid", "bid", "ask", "alpha", "time") if what in day.have]
    sums = {"qty": pl.col("qty").sum(), "notional": _sum("notional"), "pieces": pl.len()}
    firsts = {what: pl.col(what).first() for what in own}
    prices = {"lowest": pl.col("price").min(), "highest": pl.col("price").max()}
    whole = aggregate(rows, ["date", "side", "fill"], {**sums, **firsts, **prices}).collect()
    mixed = whole.filter(pl.col("lowest") != pl.col("highest")).with_columns(raw="side")
    _count(day, mixed, "pieces of one fill at several prices: counted")
    return whole.drop("lowest", "highest")
