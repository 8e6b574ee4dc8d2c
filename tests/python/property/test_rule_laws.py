"""User-written rules: by row in Python and by column as an expression, the same values. EXACT."""

from __future__ import annotations

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from support import chunked

ROWS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 3), st.integers(-9, 9)), max_size=25)
SCHEMA = {"symbol": pl.String, "timestamp": pl.Int64, "qty": pl.Int64}


def run(rows: list[Any], *rules: vf.TagRule, chunk: int = 0, engine: Any = "auto") -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    return vf.Enricher(rules).run(chunked(frame, chunk)).collect(engine=engine)


def plain(rows: list[Any]) -> list[int]:
    """Return the running sum of each symbol, in the stable order of time."""
    held: dict[Any, int] = {}
    out = [0] * len(rows)
    for i in sorted(range(len(rows)), key=lambda i: rows[i][1]):
        symbol, _, qty = rows[i]
        out[i] = held[symbol] = held.get(symbol, 0) + qty
    return out


@settings(max_examples=60)
@given(rows=ROWS, chunk=st.integers(1, 9), engine=st.sampled_from(["in-memory", "streaming"]))
def test_callable_and_expression_agree_also_where_times_are_equal(rows: list[Any], chunk: int, engine: Any) -> None:
    by_row = vf.TagRunning("by_row", lambda held, row: held + row["qty"], dtype=pl.Int64, input_columns=["qty"])
    by_column = vf.TagRunning("by_column", pl.col("qty").cum_sum())
    out = run(rows, by_row, by_column, chunk=chunk, engine=engine)
    assert out["by_row"].to_list() == out["by_column"].to_list() == plain(rows)
    assert out.select(SCHEMA.keys()).rows() == rows


class Repeat(vf.TagRule):
    """Gives |qty| rows for each, numbered."""

    output_columns = ("part",)
    output_schema = {"part": pl.Int64}  # noqa: RUF012

    def process(self, row: dict[str, Any], state: vf.State) -> list[dict[str, Any]]:
        return [{"part": part} for part in range(abs(row["qty"]))]


@settings(max_examples=60)
@given(rows=ROWS, chunk=st.integers(1, 9))
def test_row_expanding_rule_keeps_rows_together_and_in_order(rows: list[Any], chunk: int) -> None:
    out = run(rows, Repeat(), chunk=chunk)
    assert out.rows() == [(*row, part) for row in rows for part in range(abs(row[2]))]
