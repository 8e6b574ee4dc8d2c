"""Prices at other times: forward returns, merged quotes, marks to the close, overnight returns.

Three peers each: the oracles (every row looks at every other), Polars' `join_asof`, DuckDB's ASOF joins. All EXACT. Not
for prices of one row: `ops_columns`.
"""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

import polars as pl

import vizflow as vf
from differential import shapes
from differential.core import UNIT, Case, Operation
from differential.plain import (
    is_price,
    nanoseconds,
    ns_expr,
    ns_sql,
    physical,
    price_expr,
    price_sql,
    seconds_ns,
    without_sentinels,
)
from differential.shapes import NOBODY, NS
from differential.sql import ask
from oracle.crossday_oracle import close_oracle, merge_oracle, overnight_oracle
from oracle.return_oracle import forward_return_oracle

Rng = random.Random
METHODS = ["backward", "forward", "nearest"]
US_ENDS = {"20241127": 23_400, "20241129": 12_600, "20241224": 12_600, "20241226": 23_400}  # by the exchange's notices
US_USUAL = 23_400
_MOST = 400  # rows of a unit that an oracle of n squared is fed


def _lengths(dtype: Any) -> bool:
    return (dtype != LATE and bool(dtype.is_numeric())) or isinstance(dtype, pl.Duration)


def _other_time(rng: Rng, dtype: Any) -> Any:
    """Draw a type of times that meets another."""
    return rng.choice([t for t in shapes.TIME_TYPES if _lengths(t)]) if _lengths(dtype) else dtype


def _options(rng: Rng, dtype: Any, span: int, dated: bool) -> dict[str, Any]:
    unit = 86_400 if dtype == pl.Date else 1
    near = [0, 1 * unit, 5 * unit, 0.5, min(span * unit // 10, 10**8)]
    options: dict[str, Any] = {
        "method": rng.choice(METHODS),
        "tolerance": rng.choice(near) if rng.random() < 0.4 else None,
        "end": None,
    }
    if _lengths(dtype) and rng.random() < 0.4:
        options["end"] = rng.choice([0, span // 2, span, 0.5 + 2 * span // 3])
        if span > 10_000 and rng.random() < 0.7:
            options["end"] = "US"
    return options


def _names(rng: Rng, who: shapes.Instruments, options: dict[str, Any]) -> dict[str, Any]:
    """Draw how the columns that tell units apart are named; a day named so has no hours of its own."""
    if who.days == 1 or options["end"] == "US" or rng.random() < 0.6:
        return {}
    return {"symbol_col": rng.choice([["symbol"], ["symbol", "date"], ["date", "symbol"]])}


def _horizons(rng: Rng, dtype: Any, span: int, *, back: bool) -> list[float]:
    unit = 86_400 if dtype == pl.Date else 1
    few: list[float] = [1, 2, 3, *(span // part + 1 for part in (100, 50, 20, 10, 5, 3)), 2 * span]
    few = [h * unit for h in few if h * unit < 1e9] + [0.5, 0.25, 1e-9, 0.1]
    if back:
        few += [0, -1 * unit, -0.5, -(span // 20 + 1) * unit, -(span // 5 + 1) * unit, -min(span * unit, 10**8)]
    return list(dict.fromkeys(rng.sample(few, rng.randint(1, 3))))


def _span(rng: Rng) -> int:
    return rng.choice([3, 12, 60, 600, 14_400, 23_500])


LATE = "late"  # nanoseconds up to the last that int64 holds: only Python can add to them


def _time_type(rng: Rng) -> Any:
    return LATE if rng.random() < 0.03 else rng.choice(shapes.TIME_TYPES)


def _ticks(rng: Rng, who: shapes.Instruments, dtype: Any, span: int) -> pl.DataFrame:
    frame = who.frame()
    units = frame[UNIT].to_list()
    if dtype == LATE:
        time = shapes.time_series(rng, "elapsed_seconds", units, pl.Duration("ns"), span).cast(pl.Int64)
        time = (time + (2**63 - 1 - (time.max() or 0))).cast(pl.Duration("ns"))  # type: ignore[operator]
    else:
        time = shapes.time_series(rng, "elapsed_seconds", units, dtype, span)
    return frame.with_columns(time, shapes.price_series(rng, "price", units))


def _end_ns(case: Case, dated: bool) -> int | None:
    end = case.options.get("end")
    if end == "US":
        return None if dated else US_USUAL * NS
    return seconds_ns(end)


def _row_ends(case: Case, name: str = "rows") -> list[int | None]:
    """Return each row's own end, in ns; None for none."""
    frame = case[name]
    dated = "date" in frame.columns
    if case.options.get("end") == "US" and dated:
        return [None if day is None else US_ENDS[day] * NS for day in _days(frame)]
    return [_end_ns(case, dated)] * frame.height


def _days(frame: pl.DataFrame) -> list[str | None]:
    column = frame["date"]
    return (column.dt.strftime("%Y%m%d") if column.dtype == pl.Date else column.cast(pl.String)).to_list()


def _call(case: Case) -> dict[str, Any]:
    options = {name: value for name, value in case.options.items() if name not in ("horizons", "prices")}
    if options.get("end") == "US":
        options["end"] = vf.US
    return options


def _code(case: Case, *shown: str) -> str:
    words = [
        f"{name}={'vf.US' if name == 'end' and value == 'US' else repr(value)}"
        for name, value in case.options.items()
        if name not in shown and value is not None
    ]
    return "".join(f", {word}" for word in words)


def _small(case: Case) -> bool:
    return all(
        frame.height == 0 or int(frame[UNIT].value_counts()["count"].max()) <= _MOST  # type: ignore[arg-type]
        for frame in case.frames.values()
    )


def _late(case: Case) -> bool:
    columns = [frame["elapsed_seconds"] for frame in case.frames.values()]
    return any(column.dtype.is_temporal() and (column.cast(pl.Int64).max() or 0) > 2**62 for column in columns)


def _keys(frame: pl.DataFrame) -> list[int | None]:
    return [None if unit == NOBODY else unit for unit in frame[UNIT]]


# ---- forward_return --------------------------------------------------------------------------------------------------


def make_forward(rng: Rng) -> Case:
    dtype = _time_type(rng)
    span = _span(rng)
    who = shapes.instruments(rng, shapes.many(rng, 120, 260))
    frames = {"rows": _ticks(rng, who, dtype, span)}
    if rng.random() < 0.4:
        frames["quotes"] = _ticks(rng, who, _other_time(rng, dtype), span)
    options = _options(rng, dtype, span, who.days > 1)
    options |= _names(rng, who, options)
    options["horizons"] = _horizons(rng, dtype, span, back=False)
    return shapes.case_of(rng, frames, options)


def ours_forward(case: Case) -> pl.DataFrame:
    quotes = case.feed("quotes") if "quotes" in case.frames else None
    lazy = vf.forward_return(case.feed("rows"), case.options["horizons"], prices=quotes, **_call(case))
    out = lazy.collect(engine=case.engine)
    assert out.select(case["rows"].columns).equals(case["rows"])
    assert out.schema == lazy.collect_schema()
    names = [f"h{i}" for i in range(len(case.options["horizons"]))]
    columns = out.columns[case["rows"].width :]
    return out.select(UNIT, **{name: pl.col(old) for name, old in zip(names, columns, strict=True)})


def _triples(frame: pl.DataFrame) -> list[tuple[Any, Any, Any]]:
    price = frame["price"].cast(pl.Float64).to_list()
    return list(zip(_keys(frame), nanoseconds(frame["elapsed_seconds"]), price, strict=True))


def python_forward(case: Case) -> pl.DataFrame | None:
    """Ask the oracle; it multiplies its "seconds" by a billion, so it is given nanoseconds all through."""
    if not _small(case):
        return None
    rows = case["rows"]
    quotes = None if "quotes" not in case.frames else _triples(case["quotes"])
    horizons = [round(h * NS) for h in case.options["horizons"]]
    triples = _triples(rows)
    tolerance = seconds_ns(case.options.get("tolerance"))
    out: dict[int, list[Any]] = {h: [None] * rows.height for h in horizons}
    ends = _row_ends(case)
    seen = triples if quotes is None else quotes
    by_unit: dict[Any, list[Any]] = {}
    for one in seen:
        by_unit.setdefault(one[0], []).append(one)
    groups: dict[Any, list[int]] = {}
    for number, unit in enumerate(rows[UNIT]):
        groups.setdefault(unit, []).append(number)
    for numbers in groups.values():
        mine = [triples[number] for number in numbers]
        found = forward_return_oracle(
            mine,
            horizons,
            case.options.get("method", "backward"),
            tolerance,
            ends[numbers[0]],
            by_unit.get(mine[0][0], []),
        )
        for h, values in found.items():
            for number, value in zip(numbers, values, strict=True):
                out[h][number] = value
    columns = [pl.Series(f"h{i}", values, dtype=pl.Float64) for i, values in enumerate(out.values())]
    return pl.DataFrame([rows[UNIT], *columns])


def _observations(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the observations of a frame as Polars sees them: of one unit and time the last row."""
    seen = frame.with_row_index("row").select(
        UNIT, "row", at=ns_expr("elapsed_seconds", frame.schema["elapsed_seconds"]), later=price_expr("price")
    )
    seen = seen.filter(pl.col("at").is_not_null() & pl.col("later").is_not_null() & (pl.col(UNIT) != NOBODY))
    return seen.sort("at", "row").unique([UNIT, "at"], keep="last", maintain_order=True)


def polars_forward(case: Case) -> pl.DataFrame | None:
    if _late(case):
        return None
    rows = case["rows"]
    seen = _observations(case.frames.get("quotes", rows))
    last = seen.group_by(UNIT).agg(last=pl.col("at").max())
    own = rows.with_row_index("row").select(
        UNIT,
        "row",
        time=ns_expr("elapsed_seconds", rows.schema["elapsed_seconds"]),
        price=price_expr("price"),
        end=pl.Series(_row_ends(case), dtype=pl.Int64),
    )
    good = own.drop_nulls(["time", "price"]).join(last, on=UNIT)
    tolerance = seconds_ns(case.options.get("tolerance"))
    out = own.select(UNIT, "row")
    for i, h in enumerate(case.options["horizons"]):
        want = good.with_columns(target=pl.col("time") + round(h * NS)).sort("target")
        found = _asof(want, seen, case.options.get("method", "backward"), strict=False, value="later")
        far = (pl.col("found_at") - pl.col("target")).abs()
        keep = pl.col("target") <= pl.col("last")
        keep &= pl.col("end").is_null() | (pl.col("target") <= pl.col("end"))
        if tolerance is not None:
            keep &= far <= tolerance
        value = found.filter(keep).select("row", (pl.col("later") / pl.col("price") - 1).alias(f"h{i}"))
        out = out.join(value, on="row", how="left", maintain_order="left")
    return out.drop("row")


def _asof(want: pl.DataFrame, seen: pl.DataFrame, method: str, *, strict: bool, value: str) -> pl.DataFrame:
    """Join rows sorted by `target` with observations sorted by `at`: columns `value` and `found_at`."""
    sides = {}
    for way in ("backward", "forward"):
        right = seen.select(UNIT, "at", pl.col("at").alias("found_at"), value)
        sides[way] = want.join_asof(
            right,
            left_on="target",
            right_on="at",
            by=UNIT,
            strategy=way,  # type: ignore[arg-type]
            allow_exact_matches=not strict,
            check_sortedness=False,
            coalesce=False,
        ).sort("row")
    if method != "nearest":
        return sides[method]
    before, after = sides["backward"], sides["forward"]
    back = before["target"] - before["found_at"]
    ahead = after["found_at"] - after["target"]
    use_after = (back.is_null() & ahead.is_not_null()) | ((ahead < back).fill_null(False))
    mask = pl.DataFrame({"use": use_after})["use"]
    return before.with_columns(
        found_at=after["found_at"].zip_with(mask, before["found_at"]),
        **{value: after[value].zip_with(mask, before[value])},
    )


_NEAREST = """
    CASE WHEN b.moment IS NULL THEN f.{what} WHEN f.moment IS NULL THEN b.{what}
         WHEN f.moment - r.target < r.target - b.moment THEN f.{what} ELSE b.{what} END
"""


def duckdb_forward(case: Case) -> pl.DataFrame | None:
    if _late(case):
        return None
    rows, quotes = case["rows"], case.frames.get("quotes", case["rows"])
    tolerance = seconds_ns(case.options.get("tolerance"))
    out = rows.select(UNIT).with_row_index("row")
    wanted = physical(rows).with_row_index("row").with_columns(end=pl.Series(_row_ends(case), dtype=pl.Int64))
    method = case.options.get("method", "backward")
    for i, h in enumerate(case.options["horizons"]):
        value = {"backward": "b.later", "forward": "f.later"}.get(method, _NEAREST.format(what="later"))
        at = {"backward": "b.moment", "forward": "f.moment"}.get(method, _NEAREST.format(what="moment"))
        query = f"""
        WITH seen AS (
            SELECT {UNIT}, "row", {ns_sql("elapsed_seconds", quotes.schema["elapsed_seconds"])} AS moment,
                   {price_sql("price")} AS later
            FROM quotes WHERE {UNIT} <> {NOBODY}
        ), o AS (
            SELECT {UNIT}, moment, arg_max(later, "row") AS later FROM seen
            WHERE moment IS NOT NULL AND later IS NOT NULL GROUP BY ALL
        ), ends AS (SELECT {UNIT}, max(moment) AS last FROM o GROUP BY {UNIT}
        ), r AS (
            SELECT {UNIT}, "row",
                   {ns_sql("elapsed_seconds", rows.schema["elapsed_seconds"])} + {round(h * NS)} AS target,
                   {price_sql("price")} AS price, "end" AS stop
            FROM wanted
        ), found AS (
            SELECT r."row", r.target, r.stop, r.price, ends.last, {value} AS later, {at} AS moment
            FROM (SELECT * FROM r WHERE target IS NOT NULL AND price IS NOT NULL) r
            JOIN ends ON r.{UNIT} = ends.{UNIT}
            ASOF LEFT JOIN o b ON r.{UNIT} = b.{UNIT} AND r.target >= b.moment
            ASOF LEFT JOIN o f ON r.{UNIT} = f.{UNIT} AND r.target <= f.moment
        )
        SELECT "row", later / price - 1 AS h{i} FROM found
        WHERE target <= last AND (stop IS NULL OR target <= stop)
        {"" if tolerance is None else f"AND abs(moment - target) <= {tolerance}"}
        """
        answer = ask(query, wanted=wanted, quotes=physical(quotes).with_row_index("row"))
        out = out.join(answer, on="row", how="left", maintain_order="left")
    return out.drop("row")


def code_forward(case: Case) -> str:
    quotes = ", prices=quotes" if "quotes" in case.frames else ""
    return f"vf.forward_return(rows, {case.options['horizons']}{quotes}{_code(case, 'horizons')})"


# ---- merge_forward ---------------------------------------------------------------------------------------------------


def make_merge(rng: Rng) -> Case:
    dtype = _time_type(rng)
    span = _span(rng)
    who = shapes.instruments(rng, shapes.many(rng, 120, 260))
    quotes = _ticks(rng, who, _other_time(rng, dtype), span)
    quotes = quotes.with_row_index("number").with_columns(
        note=pl.when(pl.col("number") % 3 != 0).then(pl.format("note {}", "number"))
    )
    options = _options(rng, dtype, span, who.days > 1)
    options |= {"strict": rng.random() < 0.3, "past_last": rng.choice(["null", "keep", "keep"])}
    options |= _names(rng, who, options)
    options["horizons"] = _horizons(rng, dtype, span, back=True)
    return shapes.case_of(rng, {"rows": _ticks(rng, who, dtype, span).drop("price"), "quotes": quotes}, options)


def ours_merge(case: Case) -> pl.DataFrame:
    horizons = case.options["horizons"]
    lazy = vf.merge_forward(case.feed("rows"), case.feed("quotes"), ["number", "note"], horizons, **_call(case))
    out = lazy.collect(engine=case.engine)
    assert out.select(case["rows"].columns).equals(case["rows"])
    assert out.schema == lazy.collect_schema()
    columns = out.columns[case["rows"].width :]
    names = [f"{column}{i}" for i in range(len(horizons)) for column in ("number", "note")]
    return out.select(UNIT, **{name: pl.col(old) for name, old in zip(names, columns, strict=True)})


def _noted(case: Case, found: pl.DataFrame) -> pl.DataFrame:
    """Add the quotes' notes to the numbers of what was found."""
    notes = case["quotes"].select("number", "note")
    columns = [found[UNIT]]
    for i in range(len(case.options["horizons"])):
        number = found[f"number{i}"].cast(pl.UInt32)
        note = number.to_frame("number").join(notes, on="number", how="left", maintain_order="left")["note"]
        columns += [number.alias(f"number{i}"), note.alias(f"note{i}")]
    return pl.DataFrame(columns)


def python_merge(case: Case) -> pl.DataFrame | None:
    if not _small(case):
        return None
    rows, quotes = case["rows"], case["quotes"]
    horizons = [round(h * NS) for h in case.options["horizons"]]
    mine = list(zip(_keys(rows), nanoseconds(rows["elapsed_seconds"]), strict=True))
    seen = list(zip(_keys(quotes), nanoseconds(quotes["elapsed_seconds"]), quotes["number"], strict=True))
    by_unit: dict[Any, list[Any]] = {}
    for one in seen:
        by_unit.setdefault(one[0], []).append(one)
    out: dict[int, list[Any]] = {h: [None] * rows.height for h in horizons}
    ends = _row_ends(case)
    options = {name: case.options[name] for name in ("method", "strict", "past_last") if name in case.options}
    groups: dict[Any, list[int]] = {}
    for number, unit in enumerate(rows[UNIT]):
        groups.setdefault(unit, []).append(number)
    for numbers in groups.values():
        some = by_unit.get(mine[numbers[0]][0], [])
        found = merge_oracle(
            [mine[number] for number in numbers],
            [one[:2] for one in some],
            horizons,
            tolerance=seconds_ns(case.options.get("tolerance")),
            end=ends[numbers[0]],
            **options,
        )
        for h, places in found.items():
            for number, place in zip(numbers, places, strict=True):
                out[h][number] = None if place is None else some[place][2]
    columns = [pl.Series(f"number{i}", values, dtype=pl.UInt32) for i, values in enumerate(out.values())]
    return _noted(case, pl.DataFrame([rows[UNIT], *columns]))


def polars_merge(case: Case) -> pl.DataFrame | None:
    if _late(case):
        return None
    rows, quotes = case["rows"], case["quotes"]
    seen = quotes.select(UNIT, "number", at=ns_expr("elapsed_seconds", quotes.schema["elapsed_seconds"]))
    seen = seen.filter(pl.col("at").is_not_null() & (pl.col(UNIT) != NOBODY))
    seen = seen.sort("at", "number").unique([UNIT, "at"], keep="last", maintain_order=True)
    last = seen.group_by(UNIT).agg(last=pl.col("at").max())
    own = rows.with_row_index("row").select(
        UNIT,
        "row",
        time=ns_expr("elapsed_seconds", rows.schema["elapsed_seconds"]),
        end=pl.Series(_row_ends(case), dtype=pl.Int64),
    )
    good = own.drop_nulls("time").join(last, on=UNIT)
    tolerance = seconds_ns(case.options.get("tolerance"))
    out = own.select(UNIT, "row")
    for i, h in enumerate(case.options["horizons"]):
        want = good.with_columns(target=pl.col("time") + round(h * NS)).sort("target")
        method, strict = case.options.get("method", "backward"), case.options.get("strict", False)
        found = _asof(want, seen, method, strict=strict, value="number")
        keep = pl.col("end").is_null() | (pl.col("target") <= pl.col("end"))
        if h > 0 and case.options.get("past_last", "null") == "null":
            keep &= pl.col("target") <= pl.col("last")
        if tolerance is not None:
            keep &= (pl.col("found_at") - pl.col("target")).abs() <= tolerance
        value = found.filter(keep).select("row", pl.col("number").alias(f"number{i}"))
        out = out.join(value, on="row", how="left", maintain_order="left")
    return _noted(case, out.drop("row"))


def duckdb_merge(case: Case) -> pl.DataFrame | None:
    if _late(case):
        return None
    rows, quotes = case["rows"], case["quotes"]
    tolerance = seconds_ns(case.options.get("tolerance"))
    out = rows.select(UNIT).with_row_index("row")
    wanted = physical(rows).with_row_index("row").with_columns(end=pl.Series(_row_ends(case), dtype=pl.Int64))
    method, equal = case.options.get("method", "backward"), "" if case.options.get("strict", False) else "="
    for i, h in enumerate(case.options["horizons"]):
        value = {"backward": "b.number", "forward": "f.number"}.get(method, _NEAREST.format(what="number"))
        at = {"backward": "b.moment", "forward": "f.moment"}.get(method, _NEAREST.format(what="moment"))
        future = h > 0 and case.options.get("past_last", "null") == "null"
        query = f"""
        WITH seen AS (
            SELECT {UNIT}, {ns_sql("elapsed_seconds", quotes.schema["elapsed_seconds"])} AS moment, number
            FROM quotes WHERE {UNIT} <> {NOBODY}
        ), o AS (SELECT {UNIT}, moment, max(number) AS number FROM seen WHERE moment IS NOT NULL GROUP BY {UNIT}, moment
        ), ends AS (SELECT {UNIT}, max(moment) AS last FROM o GROUP BY {UNIT}
        ), r AS (
            SELECT {UNIT}, "row",
                   {ns_sql("elapsed_seconds", rows.schema["elapsed_seconds"])} + {round(h * NS)} AS target,
                   "end" AS stop
            FROM wanted
        ), found AS (
            SELECT r."row", r.target, r.stop, ends.last, {value} AS number, {at} AS moment
            FROM (SELECT * FROM r WHERE target IS NOT NULL) r
            JOIN ends ON r.{UNIT} = ends.{UNIT}
            ASOF LEFT JOIN o b ON r.{UNIT} = b.{UNIT} AND r.target >{equal} b.moment
            ASOF LEFT JOIN o f ON r.{UNIT} = f.{UNIT} AND r.target <{equal} f.moment
        )
        SELECT "row", number AS number{i} FROM found
        WHERE (stop IS NULL OR target <= stop) {"AND target <= last" if future else ""}
        {"" if tolerance is None else f"AND abs(moment - target) <= {tolerance}"}
        """
        answer = ask(query, wanted=wanted, quotes=physical(quotes))
        out = out.join(answer, on="row", how="left", maintain_order="left")
    return _noted(case, out.drop("row"))


def code_merge(case: Case) -> str:
    return f"vf.merge_forward(rows, quotes, ['number', 'note'], {case.options['horizons']}{_code(case, 'horizons')})"


# ---- mark_to_close ---------------------------------------------------------------------------------------------------


def make_close(rng: Rng) -> Case:
    dtype = _time_type(rng)
    span = _span(rng)
    who = shapes.instruments(rng, shapes.many(rng, 120, 260))
    frames = {"rows": _ticks(rng, who, dtype, span)}
    if rng.random() < 0.4:
        frames["quotes"] = _ticks(rng, who, _other_time(rng, dtype), span)
    options = {"end": _options(rng, dtype, span, who.days > 1)["end"]}
    return shapes.case_of(rng, frames, options | _names(rng, who, options))


def ours_close(case: Case) -> pl.DataFrame:
    quotes = case.feed("quotes") if "quotes" in case.frames else None
    lazy = vf.mark_to_close(case.feed("rows"), prices=quotes, **_call(case))
    out = lazy.collect(engine=case.engine)
    assert out.select(case["rows"].columns).equals(case["rows"])
    assert out.schema == lazy.collect_schema()
    return out.select(UNIT, "close_return")


def python_close(case: Case) -> pl.DataFrame | None:
    rows = case["rows"]
    triples = _triples(rows)
    seen = triples if "quotes" not in case.frames else _triples(case["quotes"])
    values: list[float | None] = [None] * rows.height
    ends = _row_ends(case)
    for end in dict.fromkeys(ends):
        numbers = [number for number, one in enumerate(ends) if one == end]
        mine = [triples[number] for number in numbers]
        keys = {one[0] for one in mine}
        found = close_oracle(mine, [one for one in seen if one[0] in keys], end)
        for number, value in zip(numbers, found, strict=True):
            values[number] = value
    return pl.DataFrame([rows[UNIT], pl.Series("close_return", values, dtype=pl.Float64)])


def polars_close(case: Case) -> pl.DataFrame:
    rows, quotes = case["rows"], case.frames.get("quotes", case["rows"])
    ends = rows.select(UNIT, end=pl.Series(_row_ends(case), dtype=pl.Int64)).unique(UNIT)
    seen = quotes.with_row_index("row").select(
        UNIT, "row", at=ns_expr("elapsed_seconds", quotes.schema["elapsed_seconds"]), close=price_expr("price")
    )
    seen = seen.drop_nulls(["at", "close"]).filter(pl.col(UNIT) != NOBODY).join(ends, on=UNIT, how="left")
    seen = seen.filter(pl.col("end").is_null() | (pl.col("at") <= pl.col("end")))
    closes = seen.sort("at", "row").group_by(UNIT).agg(pl.col("close").last(), pl.col("at").last())
    own = rows.select(
        UNIT, time=ns_expr("elapsed_seconds", rows.schema["elapsed_seconds"]), price=price_expr("price")
    ).join(closes, on=UNIT, how="left", maintain_order="left")
    value = pl.when(pl.col("time") <= pl.col("at")).then(pl.col("close") / pl.col("price") - 1)
    return own.select(UNIT, close_return=value)


def duckdb_close(case: Case) -> pl.DataFrame:
    rows, quotes = case["rows"], case.frames.get("quotes", case["rows"])
    ends = rows.select(UNIT, stop=pl.Series(_row_ends(case), dtype=pl.Int64)).unique(UNIT)
    query = f"""
    WITH seen AS (
        SELECT {UNIT}, "row", {ns_sql("elapsed_seconds", quotes.schema["elapsed_seconds"])} AS moment,
               {price_sql("price")} AS close
        FROM quotes WHERE {UNIT} <> {NOBODY}
    ), closes AS (
        SELECT DISTINCT ON ({UNIT}) {UNIT}, moment, close FROM seen LEFT JOIN ends USING ({UNIT})
        WHERE moment IS NOT NULL AND close IS NOT NULL AND (stop IS NULL OR moment <= stop)
        ORDER BY {UNIT}, moment DESC, "row" DESC
    )
    SELECT r.{UNIT}, CASE WHEN r.time <= closes.moment THEN closes.close / r.price - 1 END AS close_return
    FROM (SELECT {UNIT}, "row", {ns_sql("elapsed_seconds", rows.schema["elapsed_seconds"])} AS time,
                 {price_sql("price")} AS price FROM own) r
    LEFT JOIN closes USING ({UNIT}) ORDER BY r."row"
    """
    return ask(
        query, own=physical(rows).with_row_index("row"), quotes=physical(quotes).with_row_index("row"), ends=ends
    )


def code_close(case: Case) -> str:
    quotes = ", prices=quotes" if "quotes" in case.frames else ""
    return f"vf.mark_to_close(rows{quotes}{_code(case)})"


# ---- overnight_return ------------------------------------------------------------------------------------------------

DAYS = [dt.date(2024, 1, 2) + dt.timedelta(days) for days in (0, 1, 2, 3, 6, 7, 8)]


def make_overnight(rng: Rng) -> Case:
    count = rng.randint(120, 260)
    write = shapes.symbols(rng, range(count))
    spelling = rng.choice(["date", "date", "integer", "text", "iso"])
    units = [unit for unit in range(count) for _ in DAYS if rng.random() < 0.6]
    days: dict[int, list[dt.date]] = {}
    held = []
    for unit in units:
        left = days.setdefault(unit, rng.sample(DAYS, len(DAYS)))
        held.append((unit, left.pop()))
    rng.shuffle(held)
    bars = pl.DataFrame(
        [pl.Series(UNIT, [unit for unit, _ in held], dtype=pl.Int64), write([unit for unit, _ in held])]
    )
    whose = bars[UNIT].to_list()
    bars = bars.with_columns(
        _dates([day for _, day in held], spelling),
        *(shapes.price_series(rng, name, whose) for name in ("open", "close", "prev_close")),
    )
    frames = {"rows": bars}
    if rng.random() < 0.5:
        some = shapes.units_of(rng, count)
        lost = [rng.random() < 0.02 for _ in some]
        rows = pl.DataFrame(
            [
                pl.Series(UNIT, [NOBODY if gone else u for gone, u in zip(lost, some, strict=True)], dtype=pl.Int64),
                write([None if gone else unit for gone, unit in zip(lost, some, strict=True)]),
                _dates([None if rng.random() < 0.02 else rng.choice(DAYS) for _ in some], spelling),
            ]
        )
        frames = {"rows": rows, "daily": bars}
    return shapes.case_of(rng, frames, {"prev_close_col": rng.choice([None, "prev_close"]), "missing": "null"})


def _dates(days: list[dt.date | None], spelling: str) -> pl.Series:
    series = pl.Series("date", days, dtype=pl.Date)
    if spelling == "date":
        return series
    text = series.dt.strftime("%Y-%m-%d" if spelling == "iso" else "%Y%m%d")
    return text.cast(pl.Int32) if spelling == "integer" else text


def _as_dates(series: pl.Series) -> list[dt.date | None]:
    if series.dtype == pl.Date:
        return series.to_list()
    texts = [None if value is None else str(value).replace("-", "") for value in series]
    return [None if t is None else dt.date(int(t[:4]), int(t[4:6]), int(t[6:])) for t in texts]


def ours_overnight(case: Case) -> pl.DataFrame:
    daily = case.feed("daily") if "daily" in case.frames else None
    lazy = vf.overnight_return(case.feed("rows"), vf.calendar.generate(DAYS), daily=daily, **case.options)
    out = lazy.collect(engine=case.engine)
    assert out.select(case["rows"].columns).equals(case["rows"])
    return out.select(UNIT, "overnight_return")


def python_overnight(case: Case) -> pl.DataFrame:
    rows, daily = case["rows"], case.frames.get("daily", case["rows"])
    columns = [daily[name].cast(pl.Float64).to_list() for name in ("open", "close", "prev_close")]
    bars = {
        key: {"open": open_, "close": close, "prev_close": before}
        for key, open_, close, before in zip(
            zip(_keys(daily), _as_dates(daily["date"]), strict=True), *columns, strict=True
        )
    }
    keys = list(zip(_keys(rows), _as_dates(rows["date"]), strict=True))
    values = overnight_oracle(keys, bars, DAYS, adjusted=case.options.get("prev_close_col") is not None)
    if case.options.get("prev_close_col") is not None:  # the base is the next day's own reference price
        values = [_adjusted(key, bars) for key in keys]
    return pl.DataFrame([rows[UNIT], pl.Series("overnight_return", values, dtype=pl.Float64)])


def _adjusted(key: tuple[Any, Any], bars: dict[Any, Any]) -> float | None:
    unit, day = key
    if unit is None or day is None or day == DAYS[-1]:
        return None
    if (unit, day) not in bars:
        return None
    bar = bars.get((unit, DAYS[DAYS.index(day) + 1]))
    if bar is None or not is_price(bar["open"]) or not is_price(bar["prev_close"]):
        return None
    return float(bar["open"] / bar["prev_close"] - 1)


def polars_overnight(case: Case) -> pl.DataFrame:
    rows, daily = case["rows"], case.frames.get("daily", case["rows"])
    base = "close" if case.options.get("prev_close_col") is None else "prev_close"
    following = pl.DataFrame({"date": DAYS[:-1], "next": DAYS[1:]}, schema={"date": pl.Date, "next": pl.Date})
    bars = daily.select(
        UNIT,
        date=pl.Series(_as_dates(daily["date"]), dtype=pl.Date),
        open=price_expr("open"),
        base=price_expr(base),
    )
    today = bars.rename({"open": "open_today", "base": "base_today"})
    then = bars.rename({"open": "open_next", "base": "base_next", "date": "next"})
    own = rows.select(UNIT, date=pl.Series(_as_dates(rows["date"]), dtype=pl.Date))
    own = own.join(following, on="date", how="left", maintain_order="left")
    own = own.join(today, on=[UNIT, "date"], how="left", maintain_order="left").join(
        then, on=[UNIT, "next"], how="left", maintain_order="left"
    )
    present = own.join(today.select(UNIT, "date", here=True), on=[UNIT, "date"], how="left", maintain_order="left")
    earlier = pl.col("base_today" if base == "close" else "base_next")
    value = pl.when(pl.col("here")).then(pl.col("open_next") / earlier - 1)
    return present.select(UNIT, overnight_return=value)


def duckdb_overnight(case: Case) -> pl.DataFrame:
    rows, daily = case["rows"], case.frames.get("daily", case["rows"])
    adjusted = case.options.get("prev_close_col") is not None
    base = "prev_close" if adjusted else "close"
    spell = (
        "{0}"
        if rows.schema["date"] == pl.Date
        else "CAST(strptime(replace(CAST({0} AS VARCHAR), '-', ''), '%Y%m%d') AS DATE)"
    )
    days = pl.DataFrame({"day": DAYS}, schema={"day": pl.Date})
    query = f"""
    WITH days AS (SELECT day, lead(day) OVER (ORDER BY day) AS next FROM calendar
    ), bars AS (
        SELECT {UNIT}, {spell.format("date")} AS day, {price_sql("open")} AS open, {price_sql(base)} AS base FROM daily
    )
    SELECT r.{UNIT}, then.open / {"then.base" if adjusted else "today.base"} - 1 AS overnight_return
    FROM (SELECT {UNIT}, "row", {spell.format("date")} AS day FROM own) r
    LEFT JOIN days ON r.day = days.day
    LEFT JOIN bars today ON today.{UNIT} = r.{UNIT} AND today.day = r.day
    LEFT JOIN bars "then" ON today.{UNIT} = "then".{UNIT} AND "then".day = days.next
    ORDER BY r."row"
    """
    return ask(
        query.replace(" then.", ' "then".'),
        own=rows.drop("symbol").with_row_index("row"),
        daily=daily.drop("symbol"),
        calendar=days,
    )


def code_overnight(case: Case) -> str:
    daily = ", daily=daily" if "daily" in case.frames else ""
    days = [f"{day:%Y%m%d}" for day in DAYS]
    return f"vf.overnight_return(rows, vf.calendar.generate({days}){daily}{_code(case)})"


def _priced(python: Any, polars: Any, duckdb: Any) -> dict[str, Any]:
    peers = {"python": python, "polars": polars, "duckdb": duckdb}
    return {name: without_sentinels(peer, "price", "open", "close", "prev_close") for name, peer in peers.items()}


OPERATIONS = [
    Operation(
        "forward_return",
        make_forward,
        ours_forward,
        _priced(python_forward, polars_forward, duckdb_forward),
        code_forward,
        simplest={"method": "backward", "tolerance": None, "end": None},
    ),
    Operation(
        "merge_forward",
        make_merge,
        ours_merge,
        {"python": python_merge, "polars": polars_merge, "duckdb": duckdb_merge},
        code_merge,
        simplest={"method": "backward", "tolerance": None, "end": None, "strict": False, "past_last": "null"},
    ),
    Operation(
        "mark_to_close",
        make_close,
        ours_close,
        _priced(python_close, polars_close, duckdb_close),
        code_close,
        simplest={"end": None},
    ),
    Operation(
        "overnight_return",
        make_overnight,
        ours_overnight,
        _priced(python_overnight, polars_overnight, duckdb_overnight),
        code_overnight,
        simplest={"prev_close_col": None},
    ),
]
