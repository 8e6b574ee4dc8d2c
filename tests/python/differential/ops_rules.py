"""Rules of an Enricher other than FIFO: running sums and counts, by expression, by callable and by a state.

Rows are ordered by the very values of `t`, which FIFO rounds to the nanosecond. Two peers: loops in Python, and window
functions of DuckDB. All EXACT. Not for matching: `ops_fifo`.
"""

from __future__ import annotations

import random
from typing import Any

import polars as pl

import vizflow as vf
from differential import shapes
from differential.core import UNIT, Case, Operation
from differential.plain import physical
from differential.sql import ask

Rng = random.Random


class Book(vf.State):
    """What was counted of a unit so far."""

    def reset(self, symbol: Any) -> None:
        self.rows = 0


class Count(vf.TagRule):
    """Number a unit's rows, and copy every third."""

    output_columns = ("nth",)
    output_schema = {"nth": pl.Int64}  # noqa: RUF012
    input_columns = ("qty",)

    def process(self, row: dict[str, Any], state: Any) -> list[dict[str, Any]]:
        state.rows += 1
        return [{"nth": state.rows}] * (2 if state.rows % 3 == 0 else 1)


def make(rng: Rng) -> Case:
    who = shapes.instruments(rng, shapes.many(rng, 100, 240))
    frame = who.frame(orphans=False)
    units = frame[UNIT].to_list()
    dtype = rng.choice(shapes.TIME_TYPES)
    time = shapes.time_series(rng, "t", units, dtype, rng.choice([3, 60, 14_400]))
    if dtype.is_float():
        time = pl.DataFrame([time]).select(pl.col("t").fill_nan(None)).to_series()
    start = time.drop_nulls()
    time = time.fill_null(start.min() if start.len() else pl.Series([0]).cast(dtype)[0])
    quantities = shapes.each(rng, units, shapes.quantities)
    frame = frame.with_columns(time, pl.Series("qty", quantities, dtype=pl.Int64))
    by = rng.choice(["symbol", ["symbol"], ["symbol", "date"], ["date", "symbol"]]) if who.days > 1 else "symbol"
    return shapes.case_of(rng, {"rows": frame}, {"by": by})


def ours(case: Case) -> pl.DataFrame:
    rules = [
        vf.TagRunning("total", pl.col("qty").cum_sum()),
        vf.TagCondition("large", pl.col("qty") == pl.col("qty").max()),
        vf.TagRunning("most", lambda most, row: max(most, row["qty"]), -1, dtype=pl.Int64, input_columns=["qty"]),
        Count(),
    ]
    lazy = vf.Enricher(rules, by=case.options.get("by", "symbol"), sort_by="t", state_class=Book).run(case.feed("rows"))
    out = lazy.collect(engine=case.engine)
    assert out.schema == lazy.collect_schema()
    return out.select(UNIT, "qty", "total", "large", "most", "nth")


def python(case: Case) -> pl.DataFrame:
    rows = case["rows"]
    times, units, quantities = rows["t"].to_physical().to_list(), rows[UNIT].to_list(), rows["qty"].to_list()
    largest: dict[Any, int] = {}
    for unit, quantity in zip(units, quantities, strict=True):
        largest[unit] = max(largest.get(unit, quantity), quantity)
    book: dict[Any, list[int]] = {}
    found: list[Any] = [None] * rows.height
    for i in sorted(range(rows.height), key=lambda i: (times[i], i)):
        state = book.setdefault(units[i], [0, -1, 0])
        state[:] = [state[0] + quantities[i], max(state[1], quantities[i]), state[2] + 1]
        found[i] = (units[i], quantities[i], state[0], quantities[i] == largest[units[i]], state[1], state[2])
    schema = {
        UNIT: pl.Int64,
        "qty": pl.Int64,
        "total": pl.Int64,
        "large": pl.Boolean,
        "most": pl.Int64,
        "nth": pl.Int64,
    }
    return pl.DataFrame([row for row in found for _ in range(2 if row[5] % 3 == 0 else 1)], schema=schema, orient="row")


def duckdb(case: Case) -> pl.DataFrame:
    query = f"""
    WITH told AS (
        SELECT {UNIT}, "row", qty, CAST(sum(qty) OVER w AS BIGINT) AS total,
               qty = max(qty) OVER (PARTITION BY {UNIT}) AS large, max(qty) OVER w AS most, row_number() OVER w AS nth
        FROM own
        WINDOW w AS (PARTITION BY {UNIT} ORDER BY t, "row" ROWS UNBOUNDED PRECEDING)
    )
    SELECT {UNIT}, qty, total, large, most, nth
    FROM told, unnest(range(CASE WHEN nth % 3 = 0 THEN 2 ELSE 1 END)) ORDER BY "row"
    """
    return ask(query, own=physical(case["rows"]).with_row_index("row"))


def code(case: Case) -> str:
    rule = "vf.TagRunning('total', pl.col('qty').cum_sum())"
    return f"vf.Enricher([{rule}, ...], by={case.options.get('by', 'symbol')!r}, sort_by='t').run(rows)"


OPERATIONS = [Operation("rules", make, ours, {"python": python, "duckdb": duckdb}, code, simplest={"by": "symbol"})]
