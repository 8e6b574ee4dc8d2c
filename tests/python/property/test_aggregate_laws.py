"""Aggregation: equal to exact sums rounded once. Comparisons EXACT, to the bit."""

from __future__ import annotations

import datetime as dt
import math
import struct
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import vizflow as vf
from oracle.agg_oracle import aggregate_oracle
from support import chunked

FLOATS = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-1e3, 1e3),
    st.sampled_from([1e308, -1e308, 5e-324, -5e-324, 1e16, 1.0, -1e16, 0.0, -0.0, None]),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "k": st.one_of(st.integers(-2, 2), st.none()),
            "s": st.sampled_from(["", "B", "S", "a longer side than twelve bytes", None]),
            "f": FLOATS,
            "i": st.one_of(st.integers(-(2**60), 2**60), st.none()),
            "u": st.one_of(st.integers(0, 2**58), st.none()),
            "b": st.sampled_from([True, False, None]),
            "d": st.one_of(st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)), st.none()),
        }
    ),
    max_size=30,
)
SCHEMA = {"k": pl.Int64, "s": pl.String, "f": pl.Float64, "i": pl.Int64, "u": pl.UInt64, "b": pl.Boolean, "d": pl.Date}
OPERATIONS = {
    "f": ["count", "null_count", "sum", "mean", "min", "max"],
    "i": ["count", "null_count", "sum", "mean", "min", "max"],
    "u": ["sum", "mean", "min", "max"],
    "b": ["count", "sum", "mean"],
    "d": ["count", "null_count", "min", "max"],
}
LEAVES: dict[str, tuple[str, str | None]] = {"len": ("len", None)}
LEAVES |= {f"{column}_{op}": (op, column) for column, ops in OPERATIONS.items() for op in ops}
METRICS = {name: pl.len() if column is None else getattr(pl.col(column), op)() for name, (op, column) in LEAVES.items()}


def frame_of(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def bits(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return "nan" if math.isnan(value) else struct.pack("<d", value + 0.0 if value == 0 else value)


@settings(max_examples=150)
@given(rows=ROWS, keys=st.sampled_from([["k"], ["s"], ["k", "s"], [], ["d", "b"]]))
def test_equal_to_the_oracle(rows: list[dict[str, Any]], keys: list[str]) -> None:
    out = vf.aggregate(frame_of(rows), keys, METRICS).collect()
    expected = aggregate_oracle(rows, keys, LEAVES)
    assert out.height == len(expected)
    for row in out.to_dicts():
        group = expected[tuple(row[key] for key in keys)]
        assert {name: bits(row[name]) for name in LEAVES} == {
            name: bits(float(value) if name == "f_sum" else value) for name, value in group.items()
        }


@settings(max_examples=60)
@given(rows=ROWS, data=st.data(), chunk=st.integers(1, 9))
def test_order_and_chunks_change_no_bit(rows: list[dict[str, Any]], data: st.DataObject, chunk: int) -> None:
    order = data.draw(st.permutations(range(len(rows))))
    expected = vf.aggregate(frame_of(rows), ["k", "s"], METRICS).collect()
    shuffled = frame_of([rows[i] for i in order])
    assert_same_bits(vf.aggregate(chunked(shuffled, chunk), ["k", "s"], METRICS).collect(), expected)
    assert_same_bits(vf.aggregate(shuffled, ["k", "s"], METRICS).collect(engine="in-memory"), expected)


def assert_same_bits(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_exact=True)
    floats = pl.selectors.float()
    assert [list(map(bits, row)) for row in left.select(floats).rows()] == [
        list(map(bits, row)) for row in right.select(floats).rows()
    ]


@settings(max_examples=60)
@given(rows=ROWS)
def test_groups_are_polars_groups(rows: list[dict[str, Any]]) -> None:
    frame = frame_of(rows)
    ours = vf.aggregate(frame, ["s", "k"], {"n": pl.len()}).collect()
    assert_frame_equal(ours, frame.group_by("s", "k").agg(n=pl.len().cast(pl.Int64)).sort("s", "k"))


@settings(max_examples=60)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60))
def test_float_sum_is_fsum(values: list[float]) -> None:
    try:
        expected = math.fsum(values)
    except OverflowError:  # fsum gives up where an intermediate sum overflows; the oracle above covers those
        return
    got = (
        vf.aggregate(pl.DataFrame({"x": values}, schema={"x": pl.Float64}), [], {"s": pl.col("x").sum()})
        .collect()
        .item()
    )
    assert bits(got) == bits(expected)


@settings(max_examples=60)
@given(rows=ROWS)
def test_metrics_of_leaves_are_what_polars_makes_of_the_leaves(rows: list[dict[str, Any]]) -> None:
    frame = frame_of(rows).with_columns(pl.col("f").clip(-1e6, 1e6).fill_nan(None))
    f, i = pl.col("f"), pl.col("i")
    leaves = {"fs": f.sum(), "fm": f.max(), "n": pl.len(), "ic": i.count()}
    metrics = {
        "ratio": f.sum() / pl.len(),
        "span": f.max() * 2 - f.sum(),
        "when": pl.when(i.count() > 1).then(f.sum()).otherwise(-1.0),
    }
    expected = vf.aggregate(frame, ["k"], leaves).select(
        "k",
        ratio=pl.col("fs") / pl.col("n"),
        span=pl.col("fm") * 2 - pl.col("fs"),
        when=pl.when(pl.col("ic") > 1).then(pl.col("fs")).otherwise(-1.0),
    )
    assert_frame_equal(vf.aggregate(frame, ["k"], metrics).collect(), expected.collect(), check_exact=True)
