"""Groups: aggregate, reduce, the cube's answers, and statistics over dates.

The peers group for themselves: Python with dicts and exact fractions, Polars with `group_by`, DuckDB with GROUP BY.
`reduce` and the cube are also compared with VizFlow's own other way there (counted apart). Rows of an answer are
units: a group is a small problem of its own.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl

import vizflow as vf
from differential import shapes
from differential.core import EPS, EXACT, UNIT, Case, Operation, refusable, refused
from differential.metrics import METRICS, classes
from differential.plain import physical
from differential.sql import ask
from oracle.agg_oracle import exact_sum

Rng = random.Random
DATES = ["20240102", "20240103", "20240105", "20240131", "20240205"]
KEYS = ["k", "side", "flag", "bin"]


# ---- rows ------------------------------------------------------------------------------------------------------------


def rows_of(rng: Rng, *, groups: int, wild: bool, extreme: bool) -> pl.DataFrame:
    """Draw rows with keys, values of every kind, and dates."""
    units = shapes.units_of(rng, groups)
    write = shapes.symbols(rng, range(groups))
    lost = rng.choice([None, rng.randrange(max(groups, 1))])
    n = len(units)

    def values(draw: Any, odd: list[Any], dtype: Any, cast: Any = None) -> pl.Series:
        drawn = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, draw(rng), odd))
        column = pl.Series(drawn, dtype=dtype)
        return column if cast is None else column.cast(cast)

    def tame(rng: Rng) -> Any:
        return rng.choice([shapes.prices(rng), lambda: rng.gauss(0, 1), lambda: rng.randint(-4, 4) / 2])

    integers = rng.choice([pl.Int64, pl.Int32, pl.Int16, pl.Int64])
    low, high = shapes.integer_range(integers) if extreme else (-5, 9)
    odd = [None, math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, 1e16, -1e16, 1.0] if wild else [None]
    return pl.DataFrame(
        [
            write([None if unit == lost else unit for unit in units]).alias("k"),
            pl.Series(
                "side", [rng.choice(["B", "S", None, "a side longer than twelve"]) for _ in range(n)], dtype=pl.String
            ),
            pl.Series("flag", [rng.choice([True, False, None]) for _ in range(n)], dtype=pl.Boolean),
            pl.Series("bin", [rng.choice([None, -2, -1, 0, 1, 3]) for _ in range(n)], dtype=pl.Int64),
            values(tame, [*odd, 0.0, -0.0], pl.Float64).alias("x"),
            values(lambda rng: lambda: rng.randint(-80, 80) / 8, [None], pl.Float64, pl.Float32).alias("y"),
            values(lambda rng: shapes.counting(rng, low, high), [None, 0], integers).alias("i"),
            values(lambda rng: shapes.counting(rng, 0, 2**40), [None], pl.UInt64).alias("u"),
            values(lambda rng: lambda: rng.random() < 0.5, [None], pl.Boolean).alias("b"),
            values(lambda rng: shapes.counting(rng, 0, 10**15), [None], pl.Int64, pl.Datetime("us")).alias("t"),
            values(lambda rng: shapes.counting(rng, -1000, 1000), [None], pl.Int64, pl.Duration("ms")).alias("d"),
            pl.Series("s", [rng.choice(["", "text", None]) for _ in range(n)], dtype=pl.String),
            pl.Series("date", [rng.choice(DATES) for _ in range(n)], dtype=pl.String),
        ]
    )


def _options(rng: Rng, frame: pl.DataFrame, *, wild: bool, extreme: bool) -> dict[str, Any]:
    known = [name for name, one in METRICS.items() if not (one.tame and (wild or extreme))]
    if frame.schema["i"] == pl.Int64:
        known = [name for name in known if name != "imean"]
    if frame.schema["i"] != pl.Int64 or extreme:
        known = [name for name in known if name not in ("ratio",)]
    keys = rng.choice([["k"], ["k"], ["k", "side"], ["bin", "k"], ["flag", "bin", "side", "k"], []])
    return {"group_by": keys, "metrics": rng.sample(known, min(len(known), rng.randint(2, 12)))}


def with_unit(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Name each group: its keys, written."""
    plain = physical(frame.select(keys)) if keys else frame
    text = pl.concat_str([pl.col(key).cast(pl.String).fill_null("∅") for key in keys], separator="|")
    unit = plain.select(text.alias(UNIT))[UNIT] if keys else pl.Series(UNIT, ["all"] * frame.height, dtype=pl.String)
    return frame.drop(keys).insert_column(0, unit)


# ---- grouping, three times -------------------------------------------------------------------------------------------


def _typed(name: str, values: list[Any], dtype: Any) -> pl.Series:
    if dtype.is_temporal():
        return pl.Series(name, values, dtype=pl.Int64).cast(dtype)
    return pl.Series(name, values, dtype=dtype)


def _types(frame: pl.DataFrame, names: list[str]) -> dict[str, Any]:
    """Return the types that the documentation names: counts and sums of integers Int64, of floats Float64."""
    out: dict[str, Any] = {}
    for name in names:
        dtype = frame.clear().select(METRICS[name].expr).dtypes[0]
        if name.endswith(("sum", "sum_f")) and not dtype.is_float() and not dtype.is_temporal():
            dtype = pl.Int64()
        if name == "ysum" or name in ("xmean", "cov", "corr"):
            dtype = pl.Float64()
        out[name] = pl.Int64() if name == "iprod" else dtype
    return out


def python_groups(frame: pl.DataFrame, keys: list[str], names: list[str]) -> pl.DataFrame:
    plain = physical(frame)
    groups: dict[Any, list[Any]] = {} if keys else {(): []}
    for row in plain.iter_rows(named=True):
        groups.setdefault(tuple(row[key] for key in keys), []).append(row)
    try:
        found = {name: [METRICS[name].python(rows) for rows in groups.values()] for name in names}
    except OverflowError:
        return refused("DataError")
    types = _types(frame, names)
    columns = [pl.Series(key, [group[at] for group in groups], dtype=plain.schema[key]) for at, key in enumerate(keys)]
    columns += [_typed(name, values, types[name]) for name, values in found.items()]
    return with_unit(_scaled(pl.DataFrame(columns), frame, keys, names), keys)


def _scaled(out: pl.DataFrame, frame: pl.DataFrame, keys: list[str], names: list[str]) -> pl.DataFrame:
    """Add what EPS is relative to."""
    scales = {f"{name}__scale": METRICS[name].scale for name in names if METRICS[name].scale is not None}
    if not scales:
        return out
    plain = physical(frame.select(keys)) if keys else frame.select()
    rows = pl.concat([plain, frame.drop(keys)], how="horizontal") if keys else frame
    if not keys:
        return pl.concat([out, rows.select(**scales)], how="horizontal")
    sizes = rows.group_by(keys).agg(**scales)
    return out.join(sizes, on=keys, how="left", nulls_equal=True, maintain_order="left")


def polars_groups(frame: pl.DataFrame, keys: list[str], names: list[str]) -> pl.DataFrame | None:
    exprs: dict[str, pl.Expr] = {}
    for name in names:
        metric = METRICS[name]
        if metric.polars is not None and metric.polars is not False:
            exprs[name] = metric.expr if metric.polars is True else metric.polars
    if not exprs:
        return None
    out = frame.group_by(keys, maintain_order=True).agg(**exprs).sort(keys) if keys else frame.select(**exprs)
    for name in exprs:
        if out.schema[name] == pl.Int128:
            if not out[name].is_between(-(2**63), 2**63 - 1).all():
                return refused("DataError")
            out = out.with_columns(pl.col(name).cast(pl.Int64))
    plain = pl.concat([physical(out.select(keys)), out.drop(keys)], how="horizontal") if keys else out
    return with_unit(_scaled(plain, frame, keys, list(exprs)), keys)


def duckdb_groups(frame: pl.DataFrame, keys: list[str], names: list[str]) -> pl.DataFrame | None:
    told = [name for name in names if METRICS[name].sql is not None]
    if not told:
        return None
    columns = [*keys, *(f'{METRICS[name].sql} AS "{name}"' for name in told)]
    grouping = "GROUP BY " + ", ".join(keys) if keys else ""
    plain = physical(frame).with_row_index("row")
    out = ask(f"SELECT {', '.join(columns)} FROM own {grouping}", own=plain)
    types = _types(frame, told)
    wide = [name for name in told if name in ("isum", "usum", "isum_f")]
    for name in wide:
        if not out[name].cast(pl.Float64).is_between(-(2.0**63), 2.0**63 * (1 - 2**-53)).all():
            return refused("DataError")
    out = out.with_columns(
        pl.col(name).cast(pl.Int64).cast(types[name]) if types[name].is_temporal() else pl.col(name).cast(types[name])
        for name in told
    )
    return with_unit(_scaled(out, frame, keys, told), keys)


def _expressions(names: list[str]) -> dict[str, pl.Expr]:
    return {name: METRICS[name].expr for name in names}


# ---- aggregate -------------------------------------------------------------------------------------------------------


def make_aggregate(rng: Rng) -> Case:
    wild, extreme = rng.random() < 0.3, rng.random() < 0.15
    frame = rows_of(rng, groups=shapes.many(rng, 100, 200), wild=wild, extreme=extreme)
    return shapes.case_of(rng, {"rows": frame}, _options(rng, frame, wild=wild, extreme=extreme))


def ours_aggregate(case: Case) -> pl.DataFrame:
    keys, names = case.options["group_by"], case.options["metrics"]

    def run() -> pl.DataFrame:
        lazy = vf.aggregate(case.feed("rows"), keys, _expressions(names))
        out = lazy.collect(engine=case.engine)
        assert out.schema == lazy.collect_schema()
        return with_unit(out, keys)

    return refusable(run, case)


def _direct(case: Case) -> tuple[pl.DataFrame, list[str], list[str]]:
    return case["rows"], case.options["group_by"], case.options["metrics"]


def code_aggregate(case: Case) -> str:
    shown = ", ".join(f"{name!r}: METRICS[{name!r}].expr" for name in case.options["metrics"])
    return f"vf.aggregate(rows, {case.options['group_by']}, {{{shown}}})  # from differential.metrics import METRICS"


# ---- reduce ----------------------------------------------------------------------------------------------------------


def make_reduce(rng: Rng) -> Case:
    wild, extreme = rng.random() < 0.2, rng.random() < 0.1
    frame = rows_of(rng, groups=shapes.many(rng, 60, 160), wild=wild, extreme=extreme)
    options = _options(rng, frame, wild=wild, extreme=extreme)
    keys = options["group_by"]
    options |= {
        "inner": rng.sample(keys, rng.randint(0, len(keys))) if rng.random() < 0.5 else keys,
        "by": rng.choice([None, None, "date", "month"]),
        "dates": rng.choice([None, None, ["20240103", "20240205"], ("20240103", "20240131")]),
        "files": rng.random() < 0.1,
    }
    return shapes.case_of(rng, {"rows": frame.sort("date", maintain_order=True)}, options)


def _partials(case: Case, frame: pl.DataFrame) -> dict[str, pl.LazyFrame]:
    keys, names = case.options["group_by"], case.options["metrics"]
    return {
        date: vf.aggregate(frame.filter(pl.col("date") == date).drop("date"), keys, _expressions(names))
        for date in DATES
    }


def ours_reduce(case: Case) -> pl.DataFrame:
    by, inner = case.options.get("by"), case.options.get("inner", case.options["group_by"])

    def run() -> pl.DataFrame:
        given: Any = _partials(case, case.cut("rows"))
        with tempfile.TemporaryDirectory() as folder:
            if case.options.get("files"):
                given = {date: vf.save(one, Path(folder) / f"{date}.parquet") for date, one in given.items()}
            lazy = vf.reduce(given, by=by, dates=case.options.get("dates"), group_by=inner)
            return with_unit(lazy.collect(), [*([by] if by else []), *inner])

    return refusable(run, case)


def _all_rows(case: Case) -> tuple[pl.DataFrame, list[str], list[str]] | None:
    """Return the rows of the dates that are asked for, with their period as a key.

    None where a date without rows has a row of its own all the same: its aggregate without keys.
    """
    rows, by, dates = case["rows"], case.options.get("by"), case.options.get("dates")
    inner = case.options.get("inner", case.options["group_by"])
    if isinstance(dates, tuple):
        rows = rows.filter(pl.col("date").is_between(pl.lit(dates[0]), pl.lit(dates[1])))
    elif dates is not None:
        rows = rows.filter(pl.col("date").is_in(pl.Series(dates).implode()))
    if by is not None and not case.options["group_by"] and rows["date"].n_unique() < len(_asked(dates)):
        return None
    rows = rows.sort("date", maintain_order=True)
    day = pl.col("date").str.to_date("%Y%m%d")
    if by == "month":
        day = day.dt.truncate("1mo")
    if by is not None:
        rows = rows.with_columns(day.alias(by))
    return rows, [*([by] if by else []), *inner], case.options["metrics"]


def _asked(dates: Any) -> list[str]:
    if isinstance(dates, tuple):
        return [date for date in DATES if dates[0] <= date <= dates[1]]
    return DATES if dates is None else list(dates)


def aggregate_of_all(case: Case) -> pl.DataFrame | None:
    given = _all_rows(case)
    if given is None:
        return None
    rows, keys, names = given
    return refusable(lambda: with_unit(vf.aggregate(rows, keys, _expressions(names)).collect(), keys), case)


def code_reduce(case: Case) -> str:
    by, inner = case.options.get("by"), case.options.get("inner", case.options["group_by"])
    rest = f"by={by!r}, dates={case.options.get('dates')!r}, group_by={inner!r}"
    one = code_aggregate(case).replace("vf.aggregate(rows, ", "vf.aggregate(rows.filter(pl.col('date') == day), ")
    head, _, note = one.partition("  #")
    return f"vf.reduce({{day: {head} for day in {DATES}}}, {rest})  #{note}"


# ---- cube ------------------------------------------------------------------------------------------------------------


def make_cube(rng: Rng) -> Case:
    frame = rows_of(rng, groups=rng.randint(15, 60), wild=False, extreme=False)
    options = _options(rng, frame, wild=False, extreme=False)
    options["group_by"] = rng.sample(KEYS, rng.choice([1, 2, 3, 3, 4, 4]))
    brush: dict[str, Any] = {}
    for key in options["group_by"]:
        if frame.height == 0 or rng.random() < 0.6:
            continue
        if key == "bin" and rng.random() < 0.5:
            brush[key] = rng.choice([(-1, 1), (None, 0), (0, None), (2, 2), (5, 9)])
        elif key in ("side", "flag", "bin"):
            present = frame[key].unique(maintain_order=True).to_list()
            brush[key] = rng.sample(present, rng.randint(1, len(present)))
    if frame.height and rng.random() < 0.4:
        brush["date"] = rng.choice([("20240103", "20240131"), (None, "20240103"), ("20240105", None)])
    asked = [*options["group_by"], "date"]
    options |= {
        "brush": brush,
        "by": rng.sample(asked, min(len(asked), rng.choice([0, 1, 2, 2, 3, 3, 4]))),
        "layout": rng.choice(["dense", "sparse", "auto"]),
    }
    return shapes.case_of(rng, {"rows": frame.sort("date", maintain_order=True)}, options)


def ours_cube(case: Case) -> pl.DataFrame:
    by = case.options["by"]

    def run() -> pl.DataFrame:
        cube = vf.Cube.from_partials(_partials(case, case.cut("rows")), layout=case.options.get("layout", "auto"))
        view = cube.brush(case.options.get("brush", {}))
        if len(by) == 1:
            out = view.marginal(by[0])
        elif len(by) == 2:
            out = view.pivot(*by)
        elif not by:
            out = pl.DataFrame([view.total()], schema=view.table([]).schema)
        else:
            out = view.table(by)
        return with_unit(out, by)

    return refusable(run, case)


def _brushed(case: Case) -> tuple[pl.DataFrame, list[str], list[str]]:
    rows = case["rows"]
    for name, wanted in case.options.get("brush", {}).items():
        column = pl.col(name)
        if isinstance(wanted, tuple):
            low, high = wanted
            rows = rows.filter(
                column.is_not_null()
                & (pl.lit(True) if low is None else column >= low)
                & (pl.lit(True) if high is None else column <= high)
            )
        else:
            rows = rows.filter(column.is_in(pl.Series(wanted, dtype=rows.schema[name]).implode(), nulls_equal=True))
    return rows.with_columns(pl.col("date").str.to_date("%Y%m%d")), case.options["by"], case.options["metrics"]


def reduce_of_brushed(case: Case) -> pl.DataFrame:
    """Ask `reduce` for the same, of partials of the brushed rows; it keeps dates apart only in a first column."""
    rows, by, _ = _brushed(case)
    text = rows.with_columns(pl.col("date").dt.strftime("%Y%m%d"))
    inner = [name for name in by if name != "date"]

    def run() -> pl.DataFrame:
        lazy = vf.reduce(_partials(case, text), by="date" if "date" in by else None, group_by=inner)
        return with_unit(lazy.collect().sort(by) if by else lazy.collect(), by)

    return refusable(run, case)


def code_cube(case: Case) -> str:
    one = code_aggregate(case).replace("vf.aggregate(rows, ", "vf.aggregate(rows.filter(pl.col('date') == day), ")
    head, _, note = one.partition("  #")
    brush, by = case.options.get("brush", {}), case.options["by"]
    layout = case.options.get("layout", "auto")
    days = f"{{day: {head} for day in {DATES}}}"
    return f"vf.Cube.from_partials({days}, layout={layout!r}).brush({brush}).table({by})  #{note}"


# ---- statistics ------------------------------------------------------------------------------------------------------


def make_weighted(rng: Rng) -> Case:
    units = shapes.units_of(rng, rng.randint(100, 200))
    write = shapes.symbols(rng, range(max(units, default=0) + 1))
    v = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, lambda: rng.gauss(0, 1e-2), [None, 0.0]))
    w = shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, shapes.quantities(rng), [None, 0]))
    frame = pl.DataFrame(
        [
            write(units).alias("k"),
            pl.Series("v", v, dtype=pl.Float64),
            pl.Series("w", w, dtype=pl.Int64).cast(rng.choice([pl.Int64, pl.Float64])),
            pl.Series("date", [rng.choice(DATES) for _ in units], dtype=pl.String),
        ]
    )
    return shapes.case_of(rng, {"rows": frame}, {"weight": rng.choice(["w", "w", None])})


def _weight(case: Case) -> pl.Expr | None:
    return None if case.options.get("weight") is None else pl.col("w")


def ours_weighted(case: Case) -> pl.DataFrame:
    metrics = vf.stats.weighted("m", pl.col("v"), _weight(case))
    return with_unit(vf.aggregate(case.feed("rows"), ["k"], metrics).collect(engine=case.engine), ["k"])


WEIGHTED = {
    "m": pl.Float64, "m_sum": pl.Float64, "m_weight": pl.Float64, "m_coverage": pl.Float64, "m_n": pl.Int64,
    "m_n_valid": pl.Int64,
}  # fmt: skip


def python_weighted(case: Case) -> pl.DataFrame:
    rows = physical(case["rows"])
    groups: dict[Any, list[tuple[Any, float | None]]] = {}
    for key, v, w in rows.select("k", "v", "w").iter_rows():
        groups.setdefault(key, []).append((v, (1.0 if case.options.get("weight") is None else w)))
    out: list[tuple[Any, ...]] = []
    for key, pairs in groups.items():
        both = [(v, float(w)) for v, w in pairs if v is not None and w is not None]
        total = exact_sum([v * w for v, w in both]) if both else 0.0
        valid = exact_sum([w for _, w in both]) if both else 0.0
        everything = exact_sum([float(w) for _, w in pairs if w is not None])
        mean = total / valid if valid else None
        coverage = valid / everything if everything else None
        out.append((key, mean, total, valid, coverage, len(pairs), len(both)))
    frame = pl.DataFrame(out, schema={"k": rows.schema["k"], **WEIGHTED}, orient="row")
    return with_unit(frame, ["k"])


def duckdb_weighted(case: Case) -> pl.DataFrame:
    weight = "1.0::DOUBLE" if case.options.get("weight") is None else "CAST(w AS DOUBLE)"
    query = f"""
    SELECT k, CASE WHEN valid <> 0 THEN total / valid END AS m, total AS m_sum, valid AS m_weight,
           CASE WHEN everything <> 0 THEN valid / everything END AS m_coverage, n AS m_n, n_valid AS m_n_valid,
           size AS m_sum__scale, CASE WHEN valid <> 0 THEN size / valid END AS m__scale
    FROM (
        SELECT k, coalesce(sum(v * w), 0) AS total, coalesce(sum(w) FILTER (v IS NOT NULL), 0) AS valid,
               coalesce(sum(w), 0) AS everything, count(*) AS n, count(v * w) AS n_valid, sum(abs(v * w)) AS size
        FROM (SELECT k, v, {weight} AS w FROM own) GROUP BY k
    )
    """
    return with_unit(ask(query, own=physical(case["rows"])), ["k"])


def _days(case: Case) -> dict[str, pl.LazyFrame]:
    metrics = vf.stats.weighted("m", pl.col("v"), _weight(case))
    rows = case.cut("rows")
    return {date: vf.aggregate(rows.filter(pl.col("date") == date), ["k"], metrics) for date in DATES}


def ours_clustered(case: Case) -> pl.DataFrame:
    return with_unit(vf.stats.clustered(vf.reduce(_days(case), by="date"), "m", by=["k"]), ["k"])


def cube_clustered(case: Case) -> pl.DataFrame:
    return with_unit(vf.stats.clustered(vf.Cube.from_partials(_days(case)), "m", by=["k"]), ["k"])


def _daily(case: Case) -> dict[Any, dict[str, list[tuple[float, float]]]]:
    """Return (v * w, w) of the rows that have both, by group and date."""
    out: dict[Any, dict[str, list[tuple[float, float]]]] = {}
    for key, v, w, date in physical(case["rows"]).select("k", "v", "w", "date").iter_rows():
        one = 1.0 if case.options.get("weight") is None else w
        days = out.setdefault(key, {}).setdefault(date, [])
        if v is not None and one is not None:
            days.append((v * one, float(one)))
    return out


CLUSTERED = {"m": pl.Float64, "std_error": pl.Float64, "t": pl.Float64, "clusters": pl.Int64}
_SOUND = 1e-3  # errors that all but cancel say nothing of their t


def python_clustered(case: Case) -> pl.DataFrame:
    """Compute with fractions: exact but for the square root."""
    rows: list[tuple[Any, ...]] = []
    for key, days in _daily(case).items():
        sums = [
            (sum((Fraction(s) for s, _ in day), Fraction(0)), sum((Fraction(w) for _, w in day), Fraction(0)))
            for day in days.values()
        ]
        sums = [(s, w) for s, w in sums if w != 0]
        n = len(sums)
        if n == 0:
            continue
        total, weight = sum(s for s, _ in sums), sum(w for _, w in sums)
        ratio = total / weight
        error = t = None
        size = float(sum(abs(s) for s, _ in sums) / abs(weight))
        if n > 1:
            error = math.sqrt(Fraction(n, n - 1) * sum((s - ratio * w) ** 2 for s, w in sums)) / float(abs(weight))
            t = float(ratio) / error if error > 0 else None
        shaky = t is not None and error is not None and error < _SOUND * size
        rows.append((key, float(ratio), error, t, n, size, size, math.inf if shaky else 10 * abs(t or 0.0)))
    schema = {"k": physical(case["rows"]).schema["k"], **CLUSTERED}
    schema |= {"m__scale": pl.Float64, "std_error__scale": pl.Float64, "t__scale": pl.Float64}
    return with_unit(pl.DataFrame(rows, schema=schema, orient="row"), ["k"])


def duckdb_clustered(case: Case) -> pl.DataFrame:
    weight = "1.0::DOUBLE" if case.options.get("weight") is None else "CAST(w AS DOUBLE)"
    query = f"""
    WITH days AS (
        SELECT k, date, coalesce(sum(v * w), 0) AS s, coalesce(sum(w) FILTER (v IS NOT NULL), 0) AS w
        FROM (SELECT k, date, v, {weight} AS w FROM own) GROUP BY k, date
        HAVING coalesce(sum(w) FILTER (v IS NOT NULL), 0) <> 0
    ), whole AS (
        SELECT k, sum(s) / sum(w) AS m, sum(w) AS w, count(*) AS clusters, sum(abs(s)) / abs(sum(w)) AS size
        FROM days GROUP BY k
    ), errors AS (
        SELECT k, sum((days.s - whole.m * days.w) ** 2) AS e FROM days JOIN whole USING (k) GROUP BY k
    )
    SELECT k, m, CASE WHEN clusters > 1 THEN sqrt(clusters / (clusters - 1.0::DOUBLE) * e) / abs(w) END AS std_error,
           clusters, size AS m__scale, size AS std_error__scale
    FROM whole JOIN errors USING (k)
    """
    return with_unit(ask(query, own=physical(case["rows"])), ["k"])


def code_weighted(case: Case) -> str:
    return f"vf.aggregate(rows, ['k'], vf.stats.weighted('m', pl.col('v'), {_shown_weight(case)}))"


def _shown_weight(case: Case) -> str:
    return "None" if case.options.get("weight") is None else "pl.col('w')"


def code_clustered(case: Case) -> str:
    weight = _shown_weight(case)
    day = f"vf.aggregate(rows.filter(pl.col('date') == d), ['k'], vf.stats.weighted('m', pl.col('v'), {weight}))"
    return f"vf.stats.clustered(vf.reduce({{d: {day} for d in {DATES}}}, by='date'), 'm', by=['k'])"


def make_dates(rng: Rng) -> Case:
    groups = rng.randint(60, 120)
    rows = [
        (unit, date, value)
        for unit in range(groups)
        for date, value in _series(rng, rng.choice([0, 1, 2, 3, 5, 12, 30]))
    ]
    rng.shuffle(rows)
    frame = pl.DataFrame(rows, schema={"k": pl.Int64, "date": pl.Date, "ic": pl.Float64}, orient="row")
    return shapes.case_of(rng, {"rows": frame}, {"lags": rng.choice([0, 0, 1, 2, 5])})


def _series(rng: Rng, n: int) -> list[tuple[dt.date, float | None]]:
    odd = rng.choice([[], [], [None, math.nan]])
    start = dt.date(2024, 1, 1)
    return [
        (start + dt.timedelta(3 * day), rng.choice(odd) if odd and rng.random() < 0.2 else rng.gauss(0.02, 0.05))
        for day in range(n)
    ]


def ours_dates(case: Case) -> pl.DataFrame:
    out = vf.stats.over_dates(case.cut("rows"), "ic", by=["k"], lags=case.options.get("lags", 0))
    return with_unit(out, ["k"])


OVER = {"ic": pl.Float64, "std": pl.Float64, "std_error": pl.Float64, "t": pl.Float64, "clusters": pl.Int64}


def python_dates(case: Case) -> pl.DataFrame:
    lags = case.options.get("lags", 0)
    groups: dict[int, list[tuple[dt.date, float]]] = {}
    for key, date, value in case["rows"].iter_rows():
        if value is not None and not math.isnan(value):
            groups.setdefault(key, []).append((date, value))
    rows: list[tuple[Any, ...]] = []
    for key, pairs in groups.items():
        x = [Fraction(value) for _, value in sorted(pairs)]
        n = len(x)
        mean = sum(x) / n
        step = max(one.denominator for one in x)  # a power of two, as all of them are: whole numbers are faster
        whole = [one.numerator * (step // one.denominator) for one in x]
        e = [n * one - sum(whole) for one in whole]
        squares = [sum(e[at] * e[at - lag] for at in range(lag, n)) for lag in range(min(lags, n - 1) + 1)]
        gamma = [Fraction(one, n * (n * step) ** 2) for one in squares]
        std = math.sqrt(gamma[0] * n / (n - 1)) if n > 1 else None
        error = t = None
        if n > max(1, lags):
            weights = [Fraction(1), *(2 * (1 - Fraction(lag, lags + 1)) for lag in range(1, len(gamma)))]
            spread = sum(w * g for w, g in zip(weights, gamma, strict=True)) / (n - 1)
            error = math.sqrt(spread) if spread >= 0 else math.nan
            t = float(mean) / error if error > 0 else None
        rows.append((key, float(mean), std, error, t, n, math.sqrt(float(gamma[0])), 100 * abs(t or 0.0)))
    schema = {"k": pl.Int64, **OVER, "std_error__scale": pl.Float64, "t__scale": pl.Float64}
    return with_unit(pl.DataFrame(rows, schema=schema, orient="row"), ["k"])


def duckdb_dates(case: Case) -> pl.DataFrame:
    lags = case.options.get("lags", 0)
    products = "".join(
        f" + 2 * (1 - {lag} / {lags + 1}.0::DOUBLE) * coalesce(sum(e * e{lag}), 0)" for lag in range(1, lags + 1)
    )
    shifted = "".join(f", lag(e, {lag}) OVER (PARTITION BY k ORDER BY date) AS e{lag}" for lag in range(1, lags + 1))
    query = f"""
    WITH valid AS (SELECT * FROM own WHERE ic IS NOT NULL AND NOT isnan(ic)
    ), centred AS (SELECT k, date, ic, ic - avg(ic) OVER (PARTITION BY k) AS e FROM valid
    ), shifted AS (SELECT *{shifted} FROM centred
    )
    SELECT k, avg(ic) AS ic, CASE WHEN count(*) > 1 THEN stddev_samp(ic) END AS std,
           CASE WHEN count(*) > {max(1, lags)}
                THEN sqrt((sum(e * e){products}) / count(*) / (count(*) - 1)) END AS std_error,
           count(*) AS clusters, sqrt(avg(e * e)) AS std_error__scale, avg(abs(ic)) AS ic__scale
    FROM shifted GROUP BY k
    """
    return with_unit(ask(query, own=case["rows"]), ["k"])


def make_t(rng: Rng) -> Case:
    units = shapes.units_of(rng, 200)

    def drawn(name: str, draw: Any, odd: list[Any], dtype: Any) -> pl.Series:
        return pl.Series(name, shapes.each(rng, units, lambda rng: shapes.sprinkled(rng, draw, odd)), dtype=dtype)

    columns = [
        pl.Series(UNIT, units, dtype=pl.Int64),
        drawn("mean", lambda: rng.gauss(0, 1), [None, 0.0], pl.Float64),
        drawn("std", rng.random, [None, 0.0], pl.Float64),
        drawn("n", lambda: rng.randint(0, 9), [None, 1], pl.Int64),
    ]
    return shapes.case_of(rng, {"rows": pl.DataFrame(columns)})


def ours_t(case: Case) -> pl.DataFrame:
    return case.cut("rows").select(UNIT, t=vf.stats.t_statistic("mean", "std", "n"))


def python_t(case: Case) -> pl.DataFrame:
    values = [
        None if m is None or s is None or n is None or n < 2 or s <= 0 else m / (s / math.sqrt(n))
        for m, s, n in case["rows"].select("mean", "std", "n").iter_rows()
    ]
    return pl.DataFrame([case["rows"][UNIT], pl.Series("t", values, dtype=pl.Float64)])


def duckdb_t(case: Case) -> pl.DataFrame:
    query = f'SELECT {UNIT}, CASE WHEN n > 1 AND std > 0 THEN mean / (std / sqrt(n)) END AS t FROM own ORDER BY "row"'
    return ask(query, own=case["rows"].with_row_index("row"))


def _peers(rows: Any) -> dict[str, Any]:
    def peer(grouped: Any) -> Any:
        return lambda case: None if (given := rows(case)) is None else grouped(*given)

    return {"python": peer(python_groups), "polars": peer(polars_groups), "duckdb": peer(duckdb_groups)}


OPERATIONS = [
    Operation(
        "aggregate",
        make_aggregate,
        ours_aggregate,
        _peers(_direct),
        code_aggregate,
        classes=classes(merged=False),
        unordered=frozenset({"python", "duckdb"}),
    ),
    Operation(
        "reduce",
        make_reduce,
        ours_reduce,
        {**_peers(_all_rows), "aggregate": aggregate_of_all},
        code_reduce,
        classes=classes(merged=True),
        unordered=frozenset({"python", "duckdb"}),
        inner=frozenset({"aggregate"}),
        simplest={"by": None, "dates": None, "files": False},
    ),
    Operation(
        "cube",
        make_cube,
        ours_cube,
        {**_peers(_brushed), "reduce": reduce_of_brushed},
        code_cube,
        classes=classes(merged=True),
        unordered=frozenset({"python", "duckdb"}),
        inner=frozenset({"reduce"}),
        simplest={"brush": {}, "layout": "auto", "by": []},
    ),
    Operation(
        "stats.weighted",
        make_weighted,
        ours_weighted,
        {"python": python_weighted, "duckdb": duckdb_weighted},
        code_weighted,
        classes={**dict.fromkeys(WEIGHTED, EPS), **{f"python:{name}": EXACT for name in WEIGHTED}},
        unordered=frozenset({"python", "duckdb"}),
        simplest={"weight": None},
    ),
    Operation(
        "stats.clustered",
        make_weighted,
        ours_clustered,
        {"python": python_clustered, "duckdb": duckdb_clustered, "cube": cube_clustered},
        code_clustered,
        classes=dict.fromkeys(CLUSTERED, EPS),
        unordered=frozenset({"python", "duckdb"}),
        inner=frozenset({"cube"}),
        simplest={"weight": None},
    ),
    Operation(
        "stats.over_dates",
        make_dates,
        ours_dates,
        {"python": python_dates, "duckdb": duckdb_dates},
        lambda case: f"vf.stats.over_dates(rows, 'ic', by=['k'], lags={case.options.get('lags', 0)})",
        classes=dict.fromkeys(OVER, EPS),
        unordered=frozenset({"python", "duckdb"}),
        simplest={"lags": 0},
    ),
    Operation(
        "stats.t_statistic",
        make_t,
        ours_t,
        {"python": python_t, "duckdb": duckdb_t},
        lambda case: "rows.select('unit', t=vf.stats.t_statistic('mean', 'std', 'n'))",
    ),
]
