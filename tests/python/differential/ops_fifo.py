"""FIFO matching, three other ways: a queue in Python, and the closed form in Polars and in SQL.

The closed form knows no queue: what a row closes follows from the running position (reflected at zero where an exit
beyond the inventory is nobody's), and lots meet exits where the intervals of what was opened and what was closed so far
overlap. It is fed quantities whose sums are exact in doubles. All EXACT.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import polars as pl

import vizflow as vf
from differential import shapes
from differential.core import UNIT, Case, Operation, refusable, refused
from differential.plain import nanoseconds, ns_expr, physical, without_sentinels
from differential.shapes import NOBODY, NS
from differential.sql import ask
from oracle.fifo_oracle import ExcessError, fifo_oracle, is_side
from oracle.quantities import Dust, decimal_of, exact, nearest

Rng = random.Random
_PIECES = ["matched_entry_id", "matched_qty", "holding_period", "is_closed", "matched_exit_id", "entry_price"]
_PIECES += ["exit_price", "close_markout", "realized_pnl"]
_EXACT_SUM = 2.0**52

SIDES: list[tuple[Any, Any, list[Any], Any]] = [
    ("B", "S", [None, "C", "", "x"], pl.String),
    ("B", "S", [None, "C"], pl.Categorical),
    ("B", "S", [None, "C"], pl.Enum(["S", "C", "B"])),
    (["B", "Buy, at a long name"], ["S", "Sell"], [None, "purchase"], pl.String),
    (1, -1, [None, 0], pl.Int8),
    ([48, 1], 49, [None, 50], pl.Int64),
    (1, 2, [None, 0], pl.UInt8),
    (True, False, [None], pl.Boolean),
    (1, -1, [None, 0.0, 1.5, math.nan], pl.Float64),
    (1.0, [2.0, 5], [None, 0.0, math.inf], pl.Float32),
]


# ---- cases -----------------------------------------------------------------------------------------------------------


def make(rng: Rng) -> Case:
    who = shapes.instruments(rng, shapes.many(rng, 100, 240))
    frame = who.frame()
    units = frame[UNIT].to_list()
    entry, exit_, others, dtype = rng.choice(SIDES)
    sides = _sides(rng, units, _list(entry), _list(exit_), others)
    trades = pl.Series([side in _list(entry) + _list(exit_) for side in sides], dtype=pl.Boolean)
    span = rng.choice([0, 8, 60, 14_400])
    time = _whole_times(rng, "t", units, rng.choice(shapes.TIME_TYPES), span, trades)
    frame = frame.with_columns(
        pl.Series("side", sides, dtype=dtype),
        _quantities(rng, units, trades),
        time,
        shapes.price_series(rng, "price", units),
    )
    options: dict[str, Any] = {
        "entry_side": _spelt(rng, entry),
        "exit_side": _spelt(rng, exit_),
        "rows": rng.choice(["both", "both", "exits", "lots"]),
        "on_excess": rng.choice(["unclosed", "unclosed", "open_short", "open_short", "raise"]),
        "sort_by": "t",
        "id_col": None,
        "by": rng.choice(["symbol", ["symbol"], ["symbol", "date"]]) if who.days > 1 else "symbol",
    }
    if options["rows"] == "exits" and not _adds_up(frame["qty"]):
        options["rows"] = "both"  # a sum of rounded pieces
    if rng.random() < 0.15:
        order = _whole_times(rng, "order", units, rng.choice([pl.Int64, pl.Float64, pl.Time]), span, trades)
        frame = frame.with_columns(order)
        options["sort_by"] = "order"
        if rng.random() < 0.8:
            frame = _forward(frame, trades)
    if rng.random() < 0.2:
        frame = frame.with_columns(trade=pl.format("trade {}", pl.int_range(pl.len())))
        options["id_col"] = "trade"
    if options["on_excess"] == "raise" and rng.random() < 0.6:
        options["opening"] = None  # enough of it for every exit, below
    frames = {"rows": frame}
    if rng.random() < 0.4 or "opening" in options:
        frames["opening"] = _opening(rng, who, frame, options)
    options.pop("opening", None)
    return shapes.case_of(rng, frames, options)


def _spelt(rng: Rng, listed: Any) -> Any:
    """List texts in another case, now and then: it does not matter."""
    if isinstance(listed, list):
        return [_spelt(rng, one) for one in listed]
    return rng.choice([str.lower, str.upper, str.title, str, str])(listed) if isinstance(listed, str) else listed


def _adds_up(qty: pl.Series) -> bool:
    """Return whether quantities are whole, decimals, or floats of which a sum rounds to the closest one."""
    if not qty.dtype.is_float():
        return True
    single = qty.dtype == pl.Float32
    return all(decimal_of(q, single=single) for q in qty.drop_nulls().drop_nans() if q > 0)


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list) else [value]


def _sides(rng: Rng, units: list[int], entry: list[Any], exit_: list[Any], others: list[Any]) -> list[Any]:
    def source(rng: Rng) -> Any:
        kind = rng.randrange(6)
        if kind == 0:
            return lambda: rng.choice(entry)
        if kind == 1:
            return lambda: rng.choice(exit_)
        share = rng.choice([0.3, 0.5, 0.5, 0.7])
        return lambda: rng.choice(entry) if rng.random() < share else rng.choice(exit_)

    sides = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, source(rng), others))
    sides = [None if unit == NOBODY else side for unit, side in zip(units, sides, strict=True)]
    if sides and not any(side in entry + exit_ for side in sides):
        sides[0] = entry[0]
    return sides


def _whole_times(rng: Rng, name: str, units: list[int], dtype: Any, span: int, trades: pl.Series) -> pl.Series:
    """Draw times; a trade always has one."""
    time = shapes.time_series(rng, name, units, dtype, max(span, 1))
    if dtype.is_float():
        time = pl.DataFrame([time]).select(pl.col(name).fill_nan(None)).to_series()
    filled = time.fill_null(time.drop_nulls().min() if time.drop_nulls().len() else pl.Series([0]).cast(dtype)[0])
    return filled.zip_with(trades, time).alias(name)


def _forward(frame: pl.DataFrame, trades: pl.Series) -> pl.DataFrame:
    """Return each unit's trades their times in the order that they are matched in."""
    rows = frame.with_row_index("number").filter(trades)
    times = rows.sort(UNIT, "t").select("t")
    placed = rows.sort(UNIT, "order", "number").select("number").hstack(times)
    return (
        frame.with_row_index("number")
        .join(placed, on="number", how="left", suffix="_new", maintain_order="left")
        .with_columns(t=pl.coalesce("t_new", "t"))
        .drop("number", "t_new")
    )


def _quantities(rng: Rng, units: list[int], trades: pl.Series) -> pl.Series:
    kind = rng.choice(["whole", "whole", "eighths", "places", "places", "float", "extreme"])
    if kind == "whole":
        dtype = rng.choice([pl.Int64, pl.Int64, pl.Int32, pl.UInt32, pl.UInt16, pl.Float64, pl.UInt64, pl.Int8])
        top = 120 if dtype == pl.Int8 else 10**6
        source: Any = lambda rng: (lambda draw: lambda: min(draw(), top))(shapes.quantities(rng))  # noqa: E731
    elif kind == "eighths":
        dtype = rng.choice([pl.Float64, pl.Float64, pl.Float32, pl.Decimal(18, 3), pl.Decimal(38, 20)])
        source = lambda rng: lambda: rng.randint(0, 400) / 8  # noqa: E731
    elif kind == "places":
        dtype = rng.choice([pl.Float64, pl.Float64, pl.Float32, pl.Decimal(38, 9)])
        ten = 10.0 ** rng.choice([1, 2, 3, 8, 9])
        source = lambda rng: lambda: rng.randint(0, rng.choice([20, 10**6])) / ten  # noqa: E731
    elif kind == "float":
        dtype = pl.Float64
        source = lambda rng: lambda: rng.choice([rng.uniform(0, 1e6), 0.1, 0.2, 0.3, 1e-9, 1e6, 1e6 / 3])  # noqa: E731
    else:
        dtype = rng.choice([pl.Int64, pl.UInt64])
        source = lambda rng: lambda: rng.choice([1, 2**40, 2**53 + 1, 2**60, 2**63 - 1])  # noqa: E731
    values = shapes.each(rng, units, source)
    odd = {True: [-1, None], False: [None]}[dtype.is_signed_integer()] if dtype.is_integer() else [None, -1.0]
    odd += [math.nan] if dtype.is_float() else []
    values = [
        value if trade or rng.random() < 0.5 else rng.choice(odd) for value, trade in zip(values, trades, strict=True)
    ]
    floating = dtype == pl.Float32 or isinstance(dtype, pl.Decimal)
    return pl.Series("qty", values, dtype=pl.Float64 if floating else dtype).cast(dtype)


def _opening(rng: Rng, who: shapes.Instruments, frame: pl.DataFrame, options: dict[str, Any]) -> pl.DataFrame:
    kind = frame.schema["qty"]
    floats = kind.is_float() or kind.is_decimal()
    held_type = pl.Float64() if floats else pl.Int64()
    short = options["on_excess"] == "open_short" and rng.random() < 0.5
    traded = set(frame[UNIT].unique()) if who.days > 1 else set(range(who.count))  # lots of other days are refused
    units = [unit for unit in range(who.count) for _ in range(rng.choice([0, 0, 1, 1, 2, 3])) if unit in traded]
    if options["on_excess"] == "raise":
        units = [unit for unit in range(who.count) if unit in traded]
    top = 2**40 if "opening" in options else 50
    held = [rng.choice([0, 1, rng.randint(1, top)]) if top == 50 else top for _ in units]
    signs = [-1 if short and unit % 2 else 1 for unit in units]
    qty: list[Any] = [sign * (q / 8 if floats else q) for sign, q in zip(signs, held, strict=True)]
    symbols = who._names([unit // who.days for unit in units])
    days = [who.date_series([who.dates[unit % who.days] for unit in units])] if who.days > 1 else []
    columns = [
        pl.Series(UNIT, units, dtype=pl.Int64),
        symbols,
        *days,
        pl.Series("qty", qty, dtype=pl.Float64 if floats else pl.Int64).cast(kind if kind.is_decimal() else held_type),
        pl.Series("price", [rng.choice([None, math.nan, 0.0, 10.0, 12.5]) for _ in units], dtype=pl.Float64),
    ]
    return pl.DataFrame(columns)


# ---- VizFlow ---------------------------------------------------------------------------------------------------------


def ours(case: Case) -> pl.DataFrame:
    def run() -> pl.DataFrame:
        options = {name: value for name, value in case.options.items() if name not in ("sort_by", "by")}
        opening = case.feed("opening") if "opening" in case.frames else None
        rule = vf.FIFOMatch("side", "qty", "t", "price", extras=True, opening=opening, **options)
        rows = case["rows"].with_row_index("row")
        enricher = vf.Enricher([rule], by=case.options.get("by", "symbol"), sort_by=case.options.get("sort_by", "t"))
        lazy = enricher.run(case.feed("rows").with_row_index("row"))
        out = lazy.collect(engine=case.engine)
        assert out.schema == lazy.collect_schema()
        assert out["row"].is_sorted()
        again = rows[out["row"]]
        assert out.select(rows.columns).equals(again), "a column that is passed on"
        return out.select(UNIT, "row", *_PIECES)

    return refusable(run, case)


# ---- what the peers share: columns that follow from which row met which ----------------------------------------------


def _finished(case: Case, pieces: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of pieces: `row, entry, exit, qty, closed, exit_leg, short, entry_price, exit_price`.

    Entry and exit are row numbers. What follows are differences, ratios and names.
    """
    rows = case["rows"].with_row_index("number")
    time = pl.Series("time", nanoseconds(rows["t"]), dtype=pl.Int64)
    dtype = rows.schema["t"]
    entry_time = time.gather(pieces["entry"])
    exit_time = time.gather(pieces["exit"])
    held = pl.DataFrame({"held": exit_time - entry_time, "closed": pieces["closed"], "once": pieces["summary"]})
    nanos = pl.when(pl.col("closed") & ~pl.col("once")).then(pl.col("held"))
    if dtype.is_float():
        # a column, since by a number Polars multiplies with the reciprocal, which rounds twice
        held = held.with_columns(pl.Series("billion", [1e9] * held.height, dtype=pl.Float64))
        holding = nanos / pl.col("billion")
    elif dtype.is_integer():
        holding = nanos // NS
    elif dtype == pl.Date:
        holding = (nanos // 1000).cast(pl.Duration("us"))
    else:
        unit = "ns" if dtype == pl.Time else dtype.time_unit
        holding = (nanos // shapes.PER_UNIT[unit]).cast(pl.Duration(unit))
    holding_period = held.select(holding_period=holding)["holding_period"]
    gain = (pl.col("exit_price") - pl.col("entry_price")) * pl.col("qty").cast(pl.Float64)
    ratio = pl.col("exit_price") / pl.col("entry_price") - 1
    sign = pl.when(pl.col("short")).then(-1.0).otherwise(1.0)
    matched = pl.col("closed") & ~pl.col("summary")
    out = pieces.with_columns(
        holding_period=holding_period,
        close_markout=pl.when(matched & (pl.col("entry_price") > 0) & ratio.is_finite()).then(sign * ratio),
        realized_pnl=pl.when(matched & pl.col("exit_leg") & gain.is_finite()).then(sign * gain),
    )
    ids = case.options.get("id_col")
    names = rows["number"] if ids is None else rows[ids]
    return out.select(
        rows[UNIT].gather(pieces["row"]).alias(UNIT),
        pl.col("row").cast(pl.UInt32),
        names.gather(pieces["entry"]).alias("matched_entry_id"),
        pl.col("qty").cast(rows.schema["qty"]).alias("matched_qty"),
        "holding_period",
        pl.col("closed").alias("is_closed"),
        names.gather(pieces["exit"]).alias("matched_exit_id"),
        "entry_price",
        "exit_price",
        "close_markout",
        "realized_pnl",
    )


_SHAPE = {
    "row": pl.UInt32, "entry": pl.UInt32, "exit": pl.UInt32, "qty": None, "closed": pl.Boolean,
    "exit_leg": pl.Boolean, "short": pl.Boolean, "summary": pl.Boolean, "entry_price": pl.Float64,
    "exit_price": pl.Float64,
}  # fmt: skip


# ---- Python: the queue -----------------------------------------------------------------------------------------------


def _falls(case: Case) -> bool:
    """Return whether a unit's trades have times that fall along the order in which they are matched."""
    rows, sides = case["rows"], _list(case.options["entry_side"]) + _list(case.options["exit_side"])
    order, time = nanoseconds(rows[case.options.get("sort_by", "t")]), nanoseconds(rows["t"])
    latest: dict[Any, Any] = {}
    folded = [side.lower() if isinstance(side, str) else side for side in sides]
    mine = [side.lower() if isinstance(side, str) else side for side in rows["side"].to_list()]
    traded = [i for i, side in enumerate(mine) if side in folded]
    for i in sorted(traded, key=lambda i: (order[i], i)):
        unit = rows[UNIT][i]
        if unit in latest and time[i] < latest[unit]:
            return True
        latest[unit] = time[i]
    return False


def python(case: Case) -> pl.DataFrame:
    rows = case["rows"]
    order = nanoseconds(rows[case.options.get("sort_by", "t")])
    columns = [
        _keys(rows),
        rows["side"].to_list(),
        rows["qty"].to_list(),
        order,
        rows["price"].cast(pl.Float64).to_list(),
    ]
    trades = [
        dict(zip(("symbol", "side", "qty", "t", "price"), one, strict=True)) for one in zip(*columns, strict=True)
    ]
    lots = [] if "opening" not in case.frames else case["opening"].select(UNIT, "qty", "price").rows()
    if _falls(case):
        return refused("DataError")
    single, dust = rows.schema["qty"] == pl.Float32, {}
    if rows.schema["qty"].is_float():
        sides = _list(case.options["entry_side"]) + _list(case.options["exit_side"])
        dust = _made_exact([trade for trade in trades if is_side(trade["side"], sides)], lots, single=single)
    try:
        pieces = fifo_oracle(
            trades,
            entry=case.options["entry_side"],
            exit=case.options["exit_side"],
            rows=case.options.get("rows", "both"),
            on_excess=case.options.get("on_excess", "unclosed"),
            opening=lots,
            dust=dust,
        )
    except ExcessError:
        return refused("DataError")
    time = nanoseconds(rows["t"])
    dtype = rows.schema["t"]
    ids = case.options.get("id_col")
    names = None if ids is None else rows[ids].to_list()
    out: dict[str, list[Any]] = {name: [] for name in ["row", *_PIECES]}
    for piece in pieces:
        entry, exit_ = piece["matched_entry_id"], piece["matched_exit_id"]
        if piece["holding_period"] is not None:
            piece["holding_period"] = _holding(time[exit_] - time[entry], dtype)
        if names is not None:
            piece["matched_entry_id"] = None if entry is None else names[entry]
            piece["matched_exit_id"] = None if exit_ is None else names[exit_]
        if isinstance(piece["matched_qty"], Fraction):
            piece["matched_qty"] = nearest(piece["matched_qty"], single=single)
        for name, values in out.items():
            values.append(piece[name])
    holding = _holding_type(dtype)
    types = {
        "row": pl.UInt32, "matched_qty": rows.schema["qty"], "is_closed": pl.Boolean,
        **dict.fromkeys(["matched_entry_id", "matched_exit_id"], pl.UInt32 if ids is None else rows.schema[ids]),
        **dict.fromkeys(["entry_price", "exit_price", "close_markout", "realized_pnl"], pl.Float64),
    }  # fmt: skip
    columns = [
        pl.Series(name, values, dtype=pl.Int64).cast(holding)
        if name == "holding_period" and holding.is_temporal()
        else pl.Series(name, values, dtype=types.get(name, holding))
        for name, values in out.items()
    ]
    frame = pl.DataFrame(columns)
    return frame.select(rows[UNIT].gather(frame["row"]).alias(UNIT), *frame.columns)


def _made_exact(trades: list[dict[str, Any]], lots: list[Any], *, single: bool) -> dict[Any, Dust]:
    """Make the floats of trades and lots the fractions they stand for, symbol by symbol."""
    dust: dict[Any, Dust] = {}
    for symbol in {trade["symbol"] for trade in trades}:
        own = [trade for trade in trades if trade["symbol"] == symbol]
        held = [i for i, lot in enumerate(lots) if lot[0] == symbol]
        amounts = [*(trade["qty"] for trade in own), *(abs(lots[i][1]) for i in held)]
        values, dust[symbol] = exact(amounts, single=single)
        for trade, value in zip(own, values, strict=False):
            trade["qty"] = value
        for i, value in zip(held, values[len(own) :], strict=True):
            lots[i] = (symbol, -value if lots[i][1] < 0 else value, lots[i][2])
    return dust


def _keys(frame: pl.DataFrame) -> list[Any]:
    return [None if unit == NOBODY else unit for unit in frame[UNIT]]


def _holding_type(dtype: Any) -> Any:
    if dtype.is_float():
        return pl.Float64()
    if dtype.is_integer():
        return pl.Int64()
    return pl.Duration("us" if dtype == pl.Date else "ns" if dtype == pl.Time else dtype.time_unit)


def _holding(nanos: int, dtype: Any) -> Any:
    if dtype.is_float():
        return nanos / 1e9
    if dtype.is_integer():
        return nanos // NS
    unit = _holding_type(dtype).time_unit
    return nanos // shapes.PER_UNIT[unit]


# ---- the closed form -------------------------------------------------------------------------------------------------


def _closed_form_takes(case: Case) -> bool:
    """Return whether sums of the quantities are exact in doubles, and units small enough to be joined."""
    rows = case["rows"]
    if rows.height and int(rows[UNIT].value_counts()["count"].max()) > 300:  # type: ignore[arg-type]
        return False
    trade = rows.filter(_is_side(case, "entry_side") | _is_side(case, "exit_side"))["qty"].cast(pl.Float64)
    grid = 1024.0 if _is_fractional(rows) else 1.0
    held = case["opening"]["qty"].cast(pl.Float64).abs().sum() if "opening" in case.frames else 0.0
    exact = bool(((trade * grid) == (trade * grid).round()).all())
    return exact and (float(trade.sum()) + held) * grid < _EXACT_SUM


def _is_fractional(rows: pl.DataFrame) -> bool:
    return rows.schema["qty"].is_float() or rows.schema["qty"].is_decimal()


def _is_side(case: Case, option: str) -> pl.Expr:
    values = _list(case.options[option])
    dtype = case["rows"].schema["side"]
    text = isinstance(values[0], str)
    side = pl.col("side").cast(pl.String).str.to_lowercase() if text else pl.col("side")
    listed = pl.Series([value.lower() for value in values], dtype=pl.String) if text else pl.Series(values).cast(dtype)
    return side.is_in(listed.implode()).fill_null(False)


def _falling(case: Case) -> bool:
    """Tell, as Polars sees it, whether times fall along the order."""
    rows = case["rows"].filter(_is_side(case, "entry_side") | _is_side(case, "exit_side"))
    order = case.options.get("sort_by", "t")
    moments = rows.select(UNIT, order=ns_expr(order, rows.schema[order]), t=ns_expr("t", rows.schema["t"]))
    placed = moments.sort(UNIT, "order", maintain_order=True)
    return bool(placed.select((pl.col("t").diff().over(UNIT) < 0).any()).item())


def polars(case: Case) -> pl.DataFrame | None:
    if not _closed_form_takes(case):
        return None
    if case.options.get("sort_by", "t") != "t" and _falling(case):
        return refused("DataError")
    number = pl.Float64 if _is_fractional(case["rows"]) else pl.Int64
    rows = case["rows"].with_row_index("row")
    order = case.options.get("sort_by", "t")
    price = pl.col("price").cast(pl.Float64)
    trades = rows.filter(_is_side(case, "entry_side") | _is_side(case, "exit_side")).select(
        UNIT,
        "row",
        order=ns_expr(order, rows.schema[order]),
        sign=pl.when(_is_side(case, "entry_side")).then(1).otherwise(-1).cast(number),
        q=pl.col("qty").cast(number),
        price=pl.when(price.is_not_nan()).then(price),
    )
    empty = trades.filter(pl.col("q") == 0)
    flow = trades.filter(pl.col("q") != 0).with_columns(held=False, place=pl.lit(0, dtype=pl.UInt32))
    if "opening" in case.frames:
        held = case["opening"].with_row_index("place").filter(pl.col("qty") != 0)
        price = pl.when(pl.col("price").is_not_nan()).then(pl.col("price"))
        held = held.select(
            UNIT,
            row=pl.lit(None, dtype=pl.UInt32),
            order=pl.lit(None, dtype=pl.Int64),
            sign=pl.when(pl.col("qty") > 0).then(1).otherwise(-1).cast(number),
            q=pl.col("qty").abs().cast(number),
            price=price,
            held=True,
            place="place",
        )
        flow = pl.concat([held, flow.select(held.columns)])
    flow = flow.sort(UNIT, pl.col("held").not_(), "order", "place", "row", nulls_last=False, maintain_order=True)
    sums = (pl.col("sign") * pl.col("q")).cum_sum().over(UNIT)
    flow = flow.with_columns(at=sums).with_columns(before=pl.col("at") - pl.col("sign") * pl.col("q"))
    how = case.options.get("on_excess", "unclosed")
    if how == "open_short":
        inventory = pl.max_horizontal(pl.col("before") * -pl.col("sign"), pl.lit(0, dtype=number))
        closes = pl.when("held").then(0).otherwise(pl.min_horizontal("q", inventory))
        flow = flow.with_columns(closes=closes.cast(number)).with_columns(opens=pl.col("q") - pl.col("closes"))
        flow = flow.with_columns(excess=pl.lit(0, dtype=number))
    else:
        low = pl.min_horizontal(pl.col("at").cum_min().over(UNIT), pl.lit(0, dtype=number))
        flow = flow.with_columns(low=low)
        gone = pl.col("low").shift(1, fill_value=0).over(UNIT) - pl.col("low")
        entry = pl.col("sign") > 0
        flow = flow.with_columns(excess=pl.when(entry).then(0).otherwise(gone).cast(number))
        flow = flow.with_columns(
            closes=pl.when(entry).then(0).otherwise(pl.col("q") - pl.col("excess")).cast(number),
            opens=pl.when(entry).then(pl.col("q")).otherwise(0).cast(number),
        )
        if how == "raise" and flow.select((pl.col("excess") > 0).any()).item():
            return refused("DataError")
    flow = flow.with_columns(lot_short=pl.col("sign") < 0, meets_short=pl.col("sign") > 0)
    opened = flow.filter(pl.col("opens") > 0).with_columns(upto=pl.col("opens").cum_sum().over(UNIT, "lot_short"))
    closed = flow.filter(pl.col("closes") > 0).with_columns(upto=pl.col("closes").cum_sum().over(UNIT, "meets_short"))
    met = opened.select(
        UNIT, short="lot_short", entry="row", o2="upto", o1=pl.col("upto") - pl.col("opens"), entry_price="price"
    ).join(
        closed.select(
            UNIT, short="meets_short", exit="row", c2="upto", c1=pl.col("upto") - pl.col("closes"), exit_price="price"
        ),
        on=[UNIT, "short"],
    )
    met = met.with_columns(qty=pl.min_horizontal("o2", "c2") - pl.max_horizontal("o1", "c1")).filter(pl.col("qty") > 0)
    exits = met.select(
        row="exit", phase=0, step=pl.col("o2").cast(pl.Float64), entry="entry", exit="exit", qty="qty", closed=True,
        exit_leg=True, short="short", summary=False, entry_price="entry_price", exit_price="exit_price",
    )  # fmt: skip
    entries = met.filter(pl.col("entry").is_not_null()).select(
        row="entry", phase=1, step=pl.col("c2").cast(pl.Float64), entry="entry", exit="exit", qty="qty", closed=True,
        exit_leg=False, short="short", summary=False, entry_price="entry_price", exit_price="exit_price",
    )  # fmt: skip
    parts = met.group_by("entry").agg(part=pl.col("qty").sum())
    lots = opened.filter(pl.col("row").is_not_null()).join(parts, left_on="row", right_on="entry", how="left")
    lots = lots.with_columns(part=pl.col("part").fill_null(0))
    rests = lots.filter(pl.col("part") < pl.col("opens")).select(
        row="row", phase=2, step=pl.lit(0.0), entry="row", exit=pl.lit(None, dtype=pl.UInt32),
        qty=pl.col("opens") - pl.col("part"), closed=False, exit_leg=False, short="lot_short", summary=False,
        entry_price="price", exit_price=pl.lit(None, dtype=pl.Float64),
    )  # fmt: skip
    beyond = flow.filter(pl.col("excess") > 0).select(
        row="row", phase=0, step=pl.lit(math.inf), entry=pl.lit(None, dtype=pl.UInt32), exit="row", qty="excess",
        closed=False, exit_leg=True, short=False, summary=False, entry_price=pl.lit(None, dtype=pl.Float64),
        exit_price="price",
    )  # fmt: skip
    is_entry = pl.col("sign") > 0
    zeros = empty.select(
        row="row", phase=0, step=pl.lit(0.0), entry=pl.when(is_entry).then(pl.col("row")),
        exit=pl.when(~is_entry).then(pl.col("row")), qty=pl.lit(0, dtype=number), closed=False, exit_leg=False,
        short=False, summary=False, entry_price=pl.when(is_entry).then(pl.col("price")),
        exit_price=pl.when(~is_entry).then(pl.col("price")),
    )  # fmt: skip
    shape = case.options.get("rows", "both")
    if shape == "both":
        pieces = [exits, entries, rests, beyond, zeros]
    elif shape == "exits":
        summaries = lots.select(
            row="row", phase=1, step=pl.lit(0.0), entry="row", exit=pl.lit(None, dtype=pl.UInt32), qty="part",
            closed=pl.col("part") == pl.col("opens"), exit_leg=False, short="lot_short", summary=True,
            entry_price="price", exit_price=pl.lit(None, dtype=pl.Float64),
        )  # fmt: skip
        pieces = [exits, summaries, beyond, zeros]
    else:
        pieces = [exits, rests, beyond]
    if shape != "lots":
        others = rows.join(trades.select("row"), on="row", how="anti").select(
            row="row", phase=0, step=pl.lit(0.0), entry=pl.lit(None, dtype=pl.UInt32),
            exit=pl.lit(None, dtype=pl.UInt32),
            qty=pl.lit(None, dtype=number), closed=pl.lit(None, dtype=pl.Boolean), exit_leg=False, short=False,
            summary=False, entry_price=pl.lit(None, dtype=pl.Float64), exit_price=pl.lit(None, dtype=pl.Float64),
        )  # fmt: skip
        pieces.append(others)
    whole = pl.concat([one.with_columns(phase=pl.col("phase").cast(pl.Int32)) for one in pieces])
    return _finished(case, whole.sort("row", "phase", "step"))


_SQL = """
WITH trades AS (
    SELECT {unit}, "row", moment, CASE WHEN is_entry THEN 1 ELSE -1 END AS sign, CAST(qty AS {number}) AS q, price
    FROM own WHERE is_entry OR is_exit
), flow AS (
    SELECT {unit}, "row", sign, q, price, false AS held, 0 AS place, moment FROM trades WHERE q <> 0
    UNION ALL
    SELECT {unit}, NULL, CASE WHEN qty > 0 THEN 1 ELSE -1 END, abs(CAST(qty AS {number})), price, true, place, NULL
    FROM held WHERE qty <> 0
), placed AS (
    SELECT *, row_number() OVER (PARTITION BY {unit} ORDER BY NOT held, place, moment, "row") AS seq FROM flow
), positions AS (
    SELECT *, sum(sign * q) OVER w AS after FROM placed
    WINDOW w AS (PARTITION BY {unit} ORDER BY seq ROWS UNBOUNDED PRECEDING)
), lows AS (
    SELECT *, after - sign * q AS before, least(min(after) OVER w, 0) AS low FROM positions
    WINDOW w AS (PARTITION BY {unit} ORDER BY seq ROWS UNBOUNDED PRECEDING)
), gone AS (
    SELECT *, lag(low, 1, 0) OVER (PARTITION BY {unit} ORDER BY seq) - low AS over_exit FROM lows
), parts AS (
    SELECT *, {closes} AS closes, {excess} AS excess, {opens} AS opens FROM gone
), opened AS (
    SELECT {unit}, "row", price, sign < 0 AS short, opens, sum(opens) OVER (
        PARTITION BY {unit}, sign ORDER BY seq ROWS UNBOUNDED PRECEDING) AS upto
    FROM parts WHERE opens > 0
), closed AS (
    SELECT {unit}, "row", price, sign > 0 AS short, closes, sum(closes) OVER (
        PARTITION BY {unit}, sign ORDER BY seq ROWS UNBOUNDED PRECEDING) AS upto
    FROM parts WHERE closes > 0
), met AS (
    SELECT o.short, o."row" AS entry, c."row" AS "exit", o.price AS entry_price, c.price AS exit_price,
           o.upto AS o2, c.upto AS c2, least(o.upto, c.upto) - greatest(o.upto - o.opens, c.upto - c.closes) AS qty
    FROM opened o JOIN closed c ON o.{unit} = c.{unit} AND o.short = c.short
         AND o.upto - o.opens < c.upto AND c.upto - c.closes < o.upto
), lots AS (
    SELECT opened.*, coalesce(part, 0) AS part FROM opened
    LEFT JOIN (SELECT entry, sum(qty) AS part FROM met GROUP BY entry) p ON p.entry = opened."row"
    WHERE opened."row" IS NOT NULL
), pieces AS (
    SELECT "exit" AS "row", 0 AS phase, CAST(o2 AS DOUBLE) AS step, entry, "exit", qty, true AS closed,
           true AS exit_leg, short, false AS summary, entry_price, exit_price FROM met
    UNION ALL
    SELECT entry, 1, CAST(c2 AS DOUBLE), entry, "exit", qty, true, false, short, false, entry_price, exit_price
    FROM met WHERE {both} AND entry IS NOT NULL
    UNION ALL
    SELECT "row", 2, 0, "row", NULL, opens - part, false, false, short, false, price, NULL
    FROM lots WHERE NOT {exits} AND part < opens
    UNION ALL
    SELECT "row", 1, 0, "row", NULL, part, part = opens, false, short, true, price, NULL FROM lots WHERE {exits}
    UNION ALL
    SELECT "row", 0, 'inf'::DOUBLE, NULL, "row", excess, false, true, false, false, NULL, price
    FROM parts WHERE excess > 0
    UNION ALL
    SELECT "row", 0, 0, CASE WHEN sign > 0 THEN "row" END, CASE WHEN sign < 0 THEN "row" END, 0, false, false, false,
           false, CASE WHEN sign > 0 THEN price END, CASE WHEN sign < 0 THEN price END
    FROM trades WHERE NOT {lots} AND q = 0
    UNION ALL
    SELECT "row", 0, 0, NULL, NULL, NULL, NULL, false, false, false, NULL, NULL
    FROM own WHERE NOT {lots} AND NOT is_entry AND NOT is_exit
)
SELECT * FROM pieces ORDER BY "row", phase, step
"""


def duckdb(case: Case) -> pl.DataFrame | None:
    if not _closed_form_takes(case):
        return None
    if case.options.get("sort_by", "t") != "t" and _falling(case):
        return refused("DataError")
    number = "DOUBLE" if _is_fractional(case["rows"]) else "HUGEINT"
    qty = pl.col("qty").cast(pl.Float64) if number == "DOUBLE" else pl.col("qty")
    order = case.options.get("sort_by", "t")
    price = pl.col("price").cast(pl.Float64)
    own = (
        case["rows"]
        .with_row_index("row")
        .select(
            UNIT,
            "row",
            is_entry=_is_side(case, "entry_side"),
            is_exit=_is_side(case, "exit_side"),
            qty=qty,
            moment=ns_expr(order, case["rows"].schema[order]),
            price=pl.when(price.is_not_nan()).then(price),
        )
    )
    schema = {UNIT: pl.Int64, "qty": pl.Int64, "price": pl.Float64}
    held = physical(case["opening"].with_columns(qty)) if "opening" in case.frames else pl.DataFrame(schema=schema)
    held = held.with_row_index("place").select(
        UNIT, "qty", "place", price=pl.when(pl.col("price").is_not_nan()).then(pl.col("price"))
    )
    how, shape = case.options.get("on_excess", "unclosed"), case.options.get("rows", "both")
    if how == "open_short":
        closes = "CASE WHEN held THEN 0 ELSE least(q, greatest(-sign * before, 0)) END"
        split = {"closes": closes, "excess": "0", "opens": f"q - ({closes})"}
    else:
        split = {
            "closes": "CASE WHEN sign > 0 THEN 0 ELSE q - over_exit END",
            "excess": "CASE WHEN sign > 0 THEN 0 ELSE over_exit END",
            "opens": "CASE WHEN sign > 0 THEN q ELSE 0 END",
        }
    words = {name: str(shape == name).lower() for name in ("both", "exits", "lots")}
    pieces = ask(_SQL.format(unit=UNIT, number=number, **split, **words), own=own, held=held)
    if how == "raise" and pieces.filter(~pl.col("closed") & pl.col("exit_leg")).height:
        return refused("DataError")
    pieces = pieces.with_columns(
        pl.col("row", "entry", "exit").cast(pl.UInt32),
        pl.col("qty").cast(pl.Float64 if number == "DOUBLE" else pl.Int64),
    )
    return _finished(case, pieces)


def code(case: Case) -> str:
    words = [f"{k}={v!r}" for k, v in case.options.items() if k not in ("sort_by", "by") and v is not None]
    if "opening" in case.frames:
        words.append("opening=opening")
    rule = f"vf.FIFOMatch('side', 'qty', 't', 'price', extras=True, {', '.join(words)})"
    by, order = case.options.get("by", "symbol"), case.options.get("sort_by", "t")
    return f"vf.Enricher([{rule}], by={by!r}, sort_by={order!r}).run(rows)"


OPERATIONS = [
    Operation(
        "fifo",
        make,
        ours,
        {
            name: without_sentinels(peer, "price")
            for name, peer in {"python": python, "polars": polars, "duckdb": duckdb}.items()
        },
        code,
        simplest={"rows": "both", "on_excess": "unclosed", "sort_by": "t", "id_col": None, "by": "symbol"},
    )
]
