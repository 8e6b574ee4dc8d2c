"""Element by element: mids, signs, bins, casts to integers, quantile edges and bins.

EXACT, but for interpolated edges (EPS). Not for times: `ops_clock`.
"""

from __future__ import annotations

import math
import random
from fractions import Fraction
from typing import Any

import polars as pl

import vizflow as vf
from differential import shapes
from differential.core import EPS, UNIT, Case, Operation, refusable, refused
from differential.plain import is_price, physical, price_expr, price_sql, without_sentinels
from differential.sql import ask
from oracle.crossday_oracle import bin_oracle, cuts_oracle

Rng = random.Random
WHOLE = 2.0**53


def _units(rng: Rng) -> list[int]:
    return shapes.units_of(rng, shapes.many(rng, 120, 260))


def _frame(units: list[int], *columns: pl.Series) -> pl.DataFrame:
    return pl.DataFrame([pl.Series(UNIT, units, dtype=pl.Int64), *columns])


# ---- mid -------------------------------------------------------------------------------------------------------------


def make_mid(rng: Rng) -> Case:
    units = _units(rng)
    bid = shapes.price_series(rng, "bid", units)
    ask_ = shapes.price_series(rng, "ask", units, bid.dtype if rng.random() < 0.6 and bid.dtype != pl.Null else None)
    return shapes.case_of(rng, {"rows": _frame(units, bid, ask_)})


def ours_mid(case: Case) -> pl.DataFrame:
    return case.feed("rows").lazy().select(UNIT, mid=vf.mid("bid", "ask")).collect(engine=case.engine)


def python_mid(case: Case) -> pl.DataFrame:
    sides = case["rows"].select(pl.col("bid", "ask").cast(pl.Float64)).rows()
    values = [_middle(b, a) if is_price(b) and is_price(a) else None for b, a in sides]
    return _frame(case["rows"][UNIT].to_list(), pl.Series("mid", values, dtype=pl.Float64))


def _middle(bid: float, ask: float) -> float:
    return (bid + ask) / 2 if math.isfinite(bid + ask) else bid / 2 + ask / 2


def polars_mid(case: Case) -> pl.DataFrame:
    bid, ask_ = price_expr("bid"), price_expr("ask")
    total = bid + ask_
    return case["rows"].select(UNIT, mid=pl.when(total.is_infinite()).then(bid / 2 + ask_ / 2).otherwise(total / 2))


def duckdb_mid(case: Case) -> pl.DataFrame:
    query = f"""
    SELECT {UNIT}, CASE WHEN bid > 8e307 OR ask > 8e307 THEN bid / 2 + ask / 2 ELSE (bid + ask) / 2 END AS mid
    FROM (SELECT {UNIT}, {price_sql("bid")} AS bid, {price_sql("ask")} AS ask FROM own)
    """
    return ask(query, own=case["rows"])


# ---- sign_by_side ----------------------------------------------------------------------------------------------------


def make_sign(rng: Rng) -> Case:
    units = _units(rng)
    kind = rng.choice(["text", "category", "enum", "integer", "boolean", "float"])
    if kind == "boolean":
        buy, sell, other = [True], [False], []
    elif kind == "integer":
        buy, sell, other = rng.choice([([1], [-1, 2], [7]), ([48], [49], [0]), ([0], [1], [-(2**31)])])
    elif kind == "float":
        buy, sell, other = rng.choice([([1], [-1, 2.0], [7.5, math.inf]), ([48.0], [49], [0.0])])
    else:
        buy, sell, other = rng.choice(
            [(["B"], ["S"], ["C"]), (["B", "Buy"], ["S", "Sell", ""], ["bx"]), (["买入"], ["卖出, a long name"], ["B"])]
        )
    nulls = rng.choice(["raise", "null"])
    bad = rng.random() < 0.3
    known = [*buy, *sell]
    odd = [*([None] if nulls == "null" or bad else []), *(other if bad else [])]
    values = shapes.each(
        rng,
        units,
        lambda rng: shapes.sprinkled(rng, lambda: rng.choice(known), odd) if odd else lambda: rng.choice(known),
    )
    dtype: Any = {
        "category": pl.Categorical, "enum": pl.Enum(list(dict.fromkeys([*known, *other]))) if kind == "enum" else None,
        "integer": rng.choice([pl.Int32, pl.Int64]), "float": rng.choice([pl.Float32, pl.Float64]),
        "boolean": pl.Boolean, "text": pl.String,
    }[kind]  # fmt: skip
    spelt = rng.choice([str, str.lower, str.upper])  # the case of letters does not matter
    buy, sell = ([spelt(side) if isinstance(side, str) else side for side in listed] for listed in (buy, sell))
    options = {"buy": buy[0] if len(buy) == 1 else buy, "sell": sell, "nulls": nulls}
    return shapes.case_of(rng, {"rows": _frame(units, pl.Series("side", values, dtype=dtype))}, options)


def _sides(case: Case) -> tuple[list[Any], list[Any]]:
    buy, sell = case.options["buy"], case.options["sell"]
    both = (buy if isinstance(buy, list) else [buy], sell if isinstance(sell, list) else [sell])
    folded = [[side.lower() if isinstance(side, str) else side for side in listed] for listed in both]
    return folded[0], folded[1]


def ours_sign(case: Case) -> pl.DataFrame:
    return refusable(
        lambda: vf.sign_by_side(case.feed("rows"), **case.options).collect(engine=case.engine).select(UNIT, "sign"),
        case,
        details=True,
    )


def python_sign(case: Case) -> pl.DataFrame:
    buy, sell = _sides(case)
    values: list[int | None] = []
    wrong = []
    for row, side in enumerate(case["rows"]["side"]):
        one = side.lower() if isinstance(side, str) else side
        values.append(1 if one in buy else -1 if one in sell else None)
        if values[-1] is None and (side is not None or case.options["nulls"] == "raise"):
            wrong.append(row)
    if wrong:
        return refused("DataError", count=len(wrong), row=wrong[0])
    return _frame(case["rows"][UNIT].to_list(), pl.Series("sign", values, dtype=pl.Int64))


def polars_sign(case: Case) -> pl.DataFrame:
    buy, sell = _sides(case)
    text = isinstance(buy[0], str)
    side = pl.col("side").cast(pl.String).str.to_lowercase() if text else pl.col("side")
    dtype = pl.String if text else case["rows"].schema["side"]
    sign = (
        pl.when(side.is_in(pl.Series(buy).cast(dtype).implode()))
        .then(1)
        .when(side.is_in(pl.Series(sell, strict=False).cast(dtype).implode()))
        .then(-1)
        .cast(pl.Int64)
    )
    out = case["rows"].with_row_index("row").select("row", UNIT, "side", sign=sign)
    wrong = out.filter(pl.col("sign").is_null() & (pl.col("side").is_not_null() | (case.options["nulls"] == "raise")))
    if wrong.height:
        return refused("DataError", count=wrong.height, row=int(wrong["row"][0]))
    return out.select(UNIT, "sign")


def duckdb_sign(case: Case) -> pl.DataFrame:
    def listed(values: list[Any]) -> str:
        return ", ".join(f"'{v}'" if isinstance(v, str) else str(v) for v in values)

    buy, sell = _sides(case)
    side = "lower(side)" if isinstance(buy[0], str) else "side"
    query = f"""
    SELECT "row", {UNIT}, side IS NULL AS missing,
           CAST(CASE WHEN {side} IN ({listed(buy)}) THEN 1
                     WHEN {side} IN ({listed(sell)}) THEN -1 END AS BIGINT) AS sign
    FROM own ORDER BY "row"
    """
    out = ask(query, own=physical(case["rows"]).with_row_index("row"))
    wrong = out.filter(pl.col("sign").is_null() & (~pl.col("missing") | (case.options["nulls"] == "raise")))
    if wrong.height:
        return refused("DataError", count=wrong.height, row=int(wrong["row"][0]))
    return out.select(UNIT, "sign")


def code_sign(case: Case) -> str:
    return f"vf.sign_by_side(rows, {', '.join(f'{k}={v!r}' for k, v in case.options.items())})"


# ---- bin -------------------------------------------------------------------------------------------------------------


def make_bin(rng: Rng) -> Case:
    units = _units(rng)
    dtype = rng.choice([pl.Float64, pl.Float64, pl.Float64, pl.Float32, pl.Int64, pl.Int8, pl.UInt64, pl.UInt16])
    width = rng.choice([1.0, 1e-4, 0.1, 3.0, 0.25, 7e5, 1e-4, rng.uniform(1e-6, 1e3)])
    huge = rng.random() < 0.1
    if dtype in (pl.Float64, pl.Float32):

        def source(rng: Rng) -> Any:
            kind = rng.randrange(4)
            if kind == 0:
                return lambda: rng.randint(-1000, 1000) * width / 2  # on edges and centres
            if kind == 1:
                return lambda: rng.gauss(0, 1) * width * 10
            if kind == 2:
                return lambda: round(rng.uniform(-100, 100), 4)
            return lambda: rng.uniform(-1, 1) * width * 2**40

        odd = [None, math.nan, math.inf, -math.inf, 0.0, -0.0, 5e-324, width / 2, -width / 2]
        odd += [WHOLE * width, -1e308] if huge else []
        values = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, source(rng), odd))
        if dtype == pl.Float32:
            values = [v if v is None or not abs(v) > 3e38 or math.isinf(v) else 3e38 for v in values]
        column = pl.Series("x", values, dtype=pl.Float64).cast(dtype)
    else:
        low, high = shapes.integer_range(dtype)
        odd = [None, 0, *([low, high] if huge or high < 2**32 else [])]
        values = shapes.each(
            rng, units, lambda rng: shapes.sprinkled(rng, shapes.counting(rng, max(low, -9999), min(high, 9999)), odd)
        )
        column = pl.Series("x", values, dtype=dtype)
        width = max(width, 1e-3)
    return shapes.case_of(rng, {"rows": _frame(units, column)}, {"width": width, "snap": rng.random() < 0.25})


def ours_bin(case: Case) -> pl.DataFrame:
    width, snap = case.options["width"], case.options.get("snap", False)
    return refusable(
        lambda: vf.bin(case.feed("rows"), {"x": width}, snap=snap).collect(engine=case.engine).select(UNIT, "x_bin"),
        case,
    )


def python_bin(case: Case) -> pl.DataFrame:
    width, snap = case.options["width"], case.options.get("snap", False)
    values: list[int | None] = []
    for x in case["rows"]["x"].cast(pl.Float64):
        if x is None or not math.isfinite(x):
            values.append(None)
            continue
        quotient = x / width
        if not abs(quotient) < WHOLE:
            return refused("DataError")
        values.append(round(_snapped(quotient) if snap else quotient))
    return _frame(case["rows"][UNIT].to_list(), pl.Series("x_bin", values, dtype=pl.Int64))


def _snapped(quotient: float) -> float:
    """Return the half next to a quotient where at most four steps of its last place lie between."""
    if abs(quotient) >= 2.0**48:
        return quotient
    half = math.floor(quotient) + 0.5
    return half if abs(quotient - half) <= 4 * math.ulp(quotient) else quotient


def polars_bin(case: Case) -> pl.DataFrame | None:
    if case.options.get("snap", False):
        return None
    rows = case["rows"].with_columns(x=pl.col("x").cast(pl.Float64))
    rows = rows.with_columns(pl.Series("w", [case.options["width"]] * rows.height, dtype=pl.Float64))  # no number, 0003
    quotient = pl.when(pl.col("x").is_finite()).then(pl.col("x") / pl.col("w"))
    rows = rows.select(UNIT, q=quotient)
    if rows.select((pl.col("q").abs() >= WHOLE).any()).item():
        return refused("DataError")
    return rows.select(UNIT, x_bin=pl.col("q").round().cast(pl.Int64))


def duckdb_bin(case: Case) -> pl.DataFrame | None:
    if case.options.get("snap", False):
        return None
    query = f"""
    SELECT {UNIT}, q, floor(q) AS below FROM (
        SELECT "row", {UNIT}, CASE WHEN isfinite(CAST(x AS DOUBLE)) THEN CAST(x AS DOUBLE) / w END AS q FROM own
    ) ORDER BY "row"
    """
    rows = case["rows"].with_row_index("row").with_columns(w=pl.lit(case.options["width"], dtype=pl.Float64))
    query = f"""
    SELECT {UNIT}, abs(q) >= {WHOLE!r} AS huge, CASE WHEN abs(q) < {WHOLE!r} THEN CAST(
        CASE WHEN q - below < 0.5 THEN below WHEN q - below > 0.5 THEN below + 1
             WHEN below % 2 = 0 THEN below ELSE below + 1 END AS BIGINT) END AS x_bin
    FROM ({query})
    """
    out = ask(query, own=rows)
    return refused("DataError") if out["huge"].any() else out.drop("huge")


def code_bin(case: Case) -> str:
    snap = ", snap=True" if case.options.get("snap") else ""
    return f"vf.bin(rows, {{'x': {case.options['width']!r}}}{snap})"


# ---- near_integer ----------------------------------------------------------------------------------------------------


def make_near(rng: Rng) -> Case:
    units = _units(rng)
    dtype = rng.choice(shapes.INTEGERS)
    tolerance = rng.choice([0.0, 1e-9, 1e-6, 1e-6, 1e-3, 0.01, 0.499])
    low, high = shapes.integer_range(dtype)
    low, high = max(low, -(2**53)), min(high, 2**53)
    bad = rng.random() < 0.3

    def source(rng: Rng) -> Any:
        top = min(high, rng.choice([10, 1000, 2**31, 2**53]))
        bottom = max(low, -top)
        noise = rng.choice([0.0, 0.0, 0.9])
        return lambda: _noisy(rng, rng.randint(bottom, top), noise * min(tolerance, 1e-3) if noise else 0.0)

    wrong = [0.4995, 1.5, -0.5, math.nan, math.inf, -math.inf, 1e300, float(high) * 4 + 8, float(low) * 4 - 8]
    odd = [None, 0.0, -0.0, *(wrong if bad else [])]
    values = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, source(rng), odd, 0.1))
    wide = rng.random() < 0.8
    column = pl.Series("x", values, dtype=pl.Float64)
    if not wide and not bad and (column.abs().max() or 0.0) < 2**20:
        column = column.cast(pl.Float32)
    return shapes.case_of(rng, {"rows": _frame(units, column)}, {"dtype": str(dtype), "tolerance": tolerance})


def _noisy(rng: Rng, whole: int, noise: float) -> float:
    return whole + rng.uniform(-1, 1) * noise if abs(whole) < 2**40 else float(whole)


def ours_near(case: Case) -> pl.DataFrame:
    dtype, tolerance = getattr(pl, case.options["dtype"]), case.options.get("tolerance", 1e-6)
    frame = case.feed("rows").lazy().select(UNIT, x=vf.near_integer("x", dtype, tolerance=tolerance))
    return refusable(lambda: frame.collect(engine=case.engine), case)


def python_near(case: Case) -> pl.DataFrame:
    dtype, tolerance = getattr(pl, case.options["dtype"]), case.options.get("tolerance", 1e-6)
    low, high = shapes.integer_range(dtype)
    values: list[int | None] = []
    for x in case["rows"]["x"].cast(pl.Float64):
        if x is None:
            values.append(None)
            continue
        if not math.isfinite(x):
            return refused("DataError")
        whole = round(x)
        near = abs(x - whole) <= tolerance * max(1.0, abs(x)) and abs(x - whole) <= max(tolerance, 1e-3)
        if not near or not low <= whole <= high:
            return refused("DataError")
        values.append(whole)
    return _frame(case["rows"][UNIT].to_list(), pl.Series("x", values, dtype=dtype))


def polars_near(case: Case) -> pl.DataFrame:
    dtype, tolerance = getattr(pl, case.options["dtype"]), case.options.get("tolerance", 1e-6)
    x = pl.col("x").cast(pl.Float64)
    far = (x - x.round()).abs()
    most = pl.min_horizontal(tolerance * pl.max_horizontal(1.0, x.abs()), pl.lit(max(tolerance, 1e-3)))
    good = x.is_finite() & (far <= most) & x.round().cast(dtype, strict=False).is_not_null()
    out = case["rows"].select(UNIT, good=good | x.is_null(), x=x.round().cast(dtype, strict=False))
    return out.drop("good") if out["good"].all() else refused("DataError")


def duckdb_near(case: Case) -> pl.DataFrame:
    dtype, tolerance = getattr(pl, case.options["dtype"]), case.options.get("tolerance", 1e-6)
    bits = str(dtype).lstrip("UInt")
    sql = ("U" if str(dtype).startswith("U") else "") + {
        "8": "TINYINT",
        "16": "SMALLINT",
        "32": "INTEGER",
        "64": "BIGINT",
    }[bits]
    query = f"""
    SELECT {UNIT}, x IS NULL OR (isfinite(x) AND abs(x - round(x)) <= least({tolerance!r} * greatest(1.0, abs(x)),
           {max(tolerance, 1e-3)!r}) AND TRY_CAST(round(x) AS {sql}) IS NOT NULL) AS good,
           TRY_CAST(round(x) AS {sql}) AS x
    FROM (SELECT "row", {UNIT}, CAST(x AS DOUBLE) AS x FROM own) ORDER BY "row"
    """
    out = ask(query, own=case["rows"].with_row_index("row"))
    return out.drop("good") if out["good"].all() else refused("DataError")


def code_near(case: Case) -> str:
    tolerance = case.options.get("tolerance", 1e-6)
    return f"rows.lazy().select('unit', vf.near_integer('x', pl.{case.options['dtype']}, tolerance={tolerance!r}))"


# ---- quantile edges --------------------------------------------------------------------------------------------------


def make_edges(rng: Rng) -> Case:
    units = shapes.units_of(rng, 25)
    return shapes.case_of(
        rng,
        {"rows": _frame(units, _values(rng, units))},
        {
            "n": rng.randint(2, 12),
            "method": rng.choice(["linear", "inverse_cdf"]),
            "duplicates": rng.choice(["raise", "drop"]),
        },
    )


def _values(rng: Rng, units: list[int]) -> pl.Series:
    dtype = rng.choice([pl.Float64, pl.Float64, pl.Float64, pl.Float32, pl.Int64, pl.UInt8])
    if dtype in (pl.Float64, pl.Float32):
        odd = [None, math.nan, math.inf, -math.inf, 0.0, -2.5]

        def source(rng: Rng) -> Any:
            kind = rng.randrange(3)
            if kind == 0:
                return lambda: rng.randint(-4, 4) / 2
            return (lambda: rng.gauss(0, 1e-3)) if kind == 1 else shapes.prices(rng)

        values = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, source(rng), odd))
        return pl.Series("x", values, dtype=pl.Float64).cast(dtype)
    low, high = shapes.integer_range(dtype)
    values = shapes.each(
        rng, units, lambda rng: shapes.sprinkled(rng, shapes.counting(rng, max(low, -50), min(high, 50)), [None])
    )
    return pl.Series("x", values, dtype=dtype)


def _edge_rows(unit: int, values: list[tuple[str, float]]) -> list[tuple[int, str, float]]:
    return [(unit, what, float(value)) for what, value in values]


EDGES = {UNIT: pl.Int64, "what": pl.String, "value": pl.Float64}


def ours_edges(case: Case) -> pl.DataFrame:
    whole = case.cut("rows")
    out = []
    for unit in whole[UNIT].unique(maintain_order=True):
        part = whole.filter(pl.col(UNIT) == unit)
        try:
            edges = vf.qbin_edges(part, "x", **{"n": 10, **case.options})
        except vf.errors.DataError:
            out += _edge_rows(unit, [(REFUSED_EDGES, 1)])
            continue
        cuts = [("cut", cut) for cut in edges.cuts]
        counts = [(name, getattr(edges, name)) for name in ("n", "n_null", "n_nan", "n_infinite")]
        out += _edge_rows(unit, [("low", edges.low), *cuts, ("high", edges.high), *counts])
    return pl.DataFrame(out, schema=EDGES, orient="row")


REFUSED_EDGES = "refused"


def _edges_of(case: Case, unit: int, kept: list[float], counts: list[int]) -> list[tuple[int, str, float]]:
    """Return a unit's rows of its edges low, cuts and high, in order and with what is equal in them, and counts."""
    asked = case.options["n"] + 1
    distinct = [x for i, x in enumerate(kept) if i == 0 or x - kept[i - 1] > 1e-12 * max(abs(kept[0]), abs(kept[-1]))]
    if not kept or (len(distinct) < asked and case.options.get("duplicates", "raise") == "raise"):
        return _edge_rows(unit, [(REFUSED_EDGES, 1)])
    if len(distinct) == 1:
        distinct *= 2
    inner = [("cut", cut) for cut in distinct[1:-1]]
    named = list(zip(("n", "n_null", "n_nan", "n_infinite"), counts, strict=True))
    return _edge_rows(unit, [("low", distinct[0]), *inner, ("high", distinct[-1]), *named])


def _scaled(rows: list[tuple[int, str, float]]) -> pl.DataFrame:
    out = pl.DataFrame(rows, schema=EDGES, orient="row")
    size = pl.when(pl.col("what").is_in(["low", "cut", "high"])).then(pl.col("value").abs()).max().over(UNIT)
    return out.with_columns(value__scale=pl.when(pl.col("what") == "cut").then(size).otherwise(0.0))


def python_edges(case: Case) -> pl.DataFrame:
    out = []
    n, method = case.options["n"], case.options.get("method", "linear")
    for unit, values in _by_unit(case).items():
        finite = [x for x in values if x is not None and math.isfinite(x)]
        nulls, nans = values.count(None), sum(x is not None and math.isnan(x) for x in values)
        kept = []
        if finite:
            kept = [min(finite), *(float(Fraction(cut)) for cut in cuts_oracle(finite, n, method)), max(finite)]
        counts = [len(finite), nulls, nans, len(values) - len(finite) - nulls - nans]
        out += _edges_of(case, unit, kept, counts)
    return _scaled(out)


def _by_unit(case: Case) -> dict[int, list[float | None]]:
    out: dict[int, list[float | None]] = {}
    for unit, x in case["rows"].select(UNIT, pl.col("x").cast(pl.Float64)).iter_rows():
        out.setdefault(unit, []).append(x)
    return out


def polars_edges(case: Case) -> pl.DataFrame:
    n, x = case.options["n"], pl.col("x")
    rows = case["rows"].select(UNIT, x=x.cast(pl.Float64))
    valid = x.filter(x.is_finite()).sort()
    size = valid.len().cast(pl.Int64)
    cuts = []
    for k in range(1, n):
        if case.options.get("method", "linear") == "inverse_cdf":
            cuts.append(valid.get((size * k + n - 1) // n - 1, null_on_oob=True))
            continue
        at, rest = (size - 1) * k // n, (size - 1) * k % n
        low = valid.get(at, null_on_oob=True)
        high = valid.get(pl.min_horizontal(at + 1, size - 1), null_on_oob=True)
        cuts.append(low + rest / n * (high - low))
    counts = {"n": size, "nulls": x.null_count(), "nans": x.is_nan().sum(), "infinite": x.is_infinite().sum()}
    grouped = rows.group_by(UNIT, maintain_order=True).agg(
        size.alias("n"),
        kept=pl.concat_list(valid.min(), *cuts, valid.max()),
        nulls=counts["nulls"],
        nans=counts["nans"],
        infinite=counts["infinite"],
    )
    out = []
    for unit, size_, kept, *rest_ in grouped.iter_rows():
        out += _edges_of(case, unit, kept if size_ else [], [size_, *rest_])
    return _scaled(out)


def duckdb_edges(case: Case) -> pl.DataFrame:
    n = case.options["n"]
    if case.options.get("method", "linear") == "inverse_cdf":
        cut = "v[(len(v) * k + {n} - 1) // {n}]"
    else:
        cut = (
            "v[(len(v) - 1) * k // {n} + 1] + ((len(v) - 1) * k % {n}) / {n}.0::DOUBLE * "
            "(v[least((len(v) - 1) * k // {n} + 2, len(v))] - v[(len(v) - 1) * k // {n} + 1])"
        )
    cuts = ", ".join(cut.format(n=n).replace(" k ", f" {k} ") for k in range(1, n))
    query = f"""
    SELECT {UNIT}, len(v) AS n, [v[1], {cuts}, v[len(v)]] AS kept, nulls, nans, infinite FROM (
        SELECT {UNIT}, min("row") AS place,
               coalesce(list_sort(list(x) FILTER (isfinite(x))), []) AS v, count(*) FILTER (x IS NULL) AS nulls,
               count(*) FILTER (isnan(x)) AS nans, count(*) FILTER (isinf(x)) AS infinite
        FROM (SELECT "row", {UNIT}, CAST(x AS DOUBLE) AS x FROM own) GROUP BY {UNIT}
    ) ORDER BY place
    """
    out = []
    for unit, size, kept, *rest in ask(query, own=case["rows"].with_row_index("row")).iter_rows():
        out += _edges_of(case, unit, kept if size else [], [size, *rest])
    return _scaled(out)


def code_edges(case: Case) -> str:
    return f"vf.qbin_edges(rows, 'x', {', '.join(f'{k}={v!r}' for k, v in case.options.items())})"


# ---- quantile bins ---------------------------------------------------------------------------------------------------


def make_qbin(rng: Rng) -> Case:
    units = _units(rng)
    count = rng.choice([0, 1, 2, 5, 9, 40])
    cuts = sorted({rng.choice([rng.randint(-8, 8) / 2, rng.uniform(-100, 100)]) + 0.0 for _ in range(count)})
    options = {
        "cuts": cuts,
        "closed": rng.choice(["right", "left"]),
        "low": rng.choice([-math.inf, -1.0, -50.0]),
        "high": rng.choice([math.inf, 1.5, 60.0]),
        "outside": rng.choice(["clip", "null", "null", "raise"]),
    }
    return shapes.case_of(rng, {"rows": _frame(units, _values(rng, units))}, options)


def _edges(case: Case) -> vf.Edges:
    shown = {name: case.options[name] for name in ("low", "high", "closed") if name in case.options}
    return vf.Edges("x", tuple(case.options["cuts"]), **shown)


def ours_qbin(case: Case) -> pl.DataFrame:
    outside = case.options.get("outside", "clip")
    return refusable(
        lambda: (
            vf.qbin(case.feed("rows"), _edges(case), outside=outside).collect(engine=case.engine).select(UNIT, "x_qbin")
        ),
        case,
        details=True,
    )


def _judged(case: Case, out: pl.DataFrame) -> pl.DataFrame:
    """Apply `outside` to bins, where `out` tells which rows are."""
    how = case.options.get("outside", "clip")
    wrong = out["outside"].arg_true()
    if how == "raise" and wrong.len():
        return refused("DataError", count=wrong.len(), row=int(wrong[0]))
    value = pl.when(~pl.col("outside")).then(pl.col("x_qbin")) if how == "null" else pl.col("x_qbin")
    return out.select(UNIT, x_qbin=value.cast(pl.Int64))


def python_qbin(case: Case) -> pl.DataFrame:
    low, high = case.options.get("low", -math.inf), case.options.get("high", math.inf)
    values = case["rows"]["x"].cast(pl.Float64).to_list()
    bins = [bin_oracle(x, case.options["cuts"], case.options.get("closed", "right")) for x in values]
    outside = [x is not None and math.isfinite(x) and not low <= x <= high for x in values]
    columns = [pl.Series("x_qbin", bins, dtype=pl.Int64), pl.Series("outside", outside, dtype=pl.Boolean)]
    return _judged(case, _frame(case["rows"][UNIT].to_list(), *columns))


def polars_qbin(case: Case) -> pl.DataFrame:
    x = pl.when(pl.col("x").cast(pl.Float64).is_finite()).then(pl.col("x").cast(pl.Float64))
    left = case.options.get("closed", "right") == "left"
    above = [x >= cut if left else x > cut for cut in case.options["cuts"]]
    number = pl.sum_horizontal([one.cast(pl.Int64) for one in above]) if above else pl.lit(0, dtype=pl.Int64)
    low, high = case.options.get("low", -math.inf), case.options.get("high", math.inf)
    return _judged(
        case,
        case["rows"].select(
            UNIT,
            x_qbin=pl.when(x.is_not_null()).then(number),
            outside=((x < low) | (x > high)).fill_null(False),
        ),
    )


def duckdb_qbin(case: Case) -> pl.DataFrame:
    def number(value: float) -> str:
        return f"'{'-' if value < 0 else ''}inf'::DOUBLE" if math.isinf(value) else f"{value!r}::DOUBLE"

    sign = ">=" if case.options.get("closed", "right") == "left" else ">"
    cuts = " + ".join(f"(x {sign} {number(cut)})::BIGINT" for cut in case.options["cuts"]) or "0"
    low, high = case.options.get("low", -math.inf), case.options.get("high", math.inf)
    query = f"""
    SELECT {UNIT}, CASE WHEN x IS NOT NULL THEN CAST({cuts} AS BIGINT) END AS x_qbin,
           coalesce(x < {number(low)} OR x > {number(high)}, false) AS outside
    FROM (SELECT "row", {UNIT}, CASE WHEN isfinite(CAST(x AS DOUBLE)) THEN CAST(x AS DOUBLE) END AS x FROM own)
    ORDER BY "row"
    """
    return _judged(case, ask(query, own=case["rows"].with_row_index("row")))


def code_qbin(case: Case) -> str:
    return f"vf.qbin(rows, {_edges(case)!r}, outside={case.options.get('outside', 'clip')!r})".replace(
        "Edges(", "vf.Edges("
    )


def _three(python: Any, polars: Any, duckdb: Any) -> dict[str, Any]:
    return {"python": python, "polars": polars, "duckdb": duckdb}


OPERATIONS = [
    Operation(
        "mid",
        make_mid,
        ours_mid,
        {
            name: without_sentinels(peer, "bid", "ask")
            for name, peer in _three(python_mid, polars_mid, duckdb_mid).items()
        },
        lambda case: "rows.select('unit', mid=vf.mid('bid', 'ask'))",
    ),
    Operation(
        "sign_by_side",
        make_sign,
        ours_sign,
        _three(python_sign, polars_sign, duckdb_sign),
        code_sign,
    ),
    Operation(
        "bin",
        make_bin,
        ours_bin,
        _three(python_bin, polars_bin, duckdb_bin),
        code_bin,
        simplest={"snap": False, "width": 1.0},
    ),
    Operation(
        "near_integer",
        make_near,
        ours_near,
        _three(python_near, polars_near, duckdb_near),
        code_near,
        simplest={"dtype": "Int64", "tolerance": 1e-6},
    ),
    Operation(
        "qbin_edges",
        make_edges,
        ours_edges,
        _three(python_edges, polars_edges, duckdb_edges),
        code_edges,
        classes={"value": EPS},
        simplest={"n": 2, "method": "linear", "duplicates": "raise"},
    ),
    Operation(
        "qbin",
        make_qbin,
        ours_qbin,
        _three(python_qbin, polars_qbin, duckdb_qbin),
        code_qbin,
        simplest={"outside": "clip", "closed": "right", "cuts": [0.0], "low": -math.inf, "high": math.inf},
    ),
]
