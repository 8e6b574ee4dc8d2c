"""A cube gives what `aggregate` over the raw rows of the same brush gives, whatever the layout, the axes and the picks.

Integers, minima, firsts: EXACT. Floats: EPS(1e-12 relative); sums of what partials hold as `reduce` adds them: EXACT.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from support import chunked

METRICS = {
    "n": pl.len(),
    "count": pl.col("x").count(),
    "nulls": pl.col("x").null_count(),
    "sum": pl.col("x").sum(),
    "whole": pl.col("q").sum(),
    "mean": pl.col("x").mean(),
    "std": pl.col("x").std(),
    "least": pl.col("x").min(),
    "most": pl.col("q").max(),
    "first": pl.col("x").first(),
    "last": pl.col("q").last(),
    "any": (pl.col("q") > 3).any(),
    "product": pl.col("x").product(),
    "times": pl.col("s").product(),
    "buys": pl.col("q").filter(pl.col("side") == "B").sum(),
    "vwap": (pl.col("x") * pl.col("q")).sum() / pl.col("q").sum(),
    "corr": pl.corr("x", "y"),
}
EXACT = ["n", "count", "nulls", "whole", "least", "most", "first", "last", "any", "times", "buys"]
DATES = ["20240102", "20240103", "20240105", "20240108", "20240205"]
KEYS = ["x_bin", "side", "open", "code"]

floats = st.one_of(
    st.none(),
    st.floats(-1e3, 1e3).map(lambda x: round(x, 3)),
    st.sampled_from([0.0, -0.0, 1e-9, 1e8, -1e8, 0.1]),
)
rows = st.fixed_dictionaries(
    {
        "date": st.sampled_from(DATES),
        "x_bin": st.one_of(st.none(), st.integers(-3, 4)),
        "side": st.one_of(st.none(), st.sampled_from(["B", "S", "", "crossed, a long text"])),
        "open": st.one_of(st.none(), st.booleans()),
        "code": st.sampled_from([600000, 1, -7]),
        "x": floats,
        "y": st.one_of(st.none(), st.floats(-10, 10)),
        "q": st.one_of(st.none(), st.integers(-5, 10)),
        "s": st.sampled_from([1, -1]),
    }
)
SCHEMA = {
    "date": pl.String,
    "x_bin": pl.Int64,
    "side": pl.String,
    "open": pl.Boolean,
    "code": pl.Int32,
    "x": pl.Float64,
    "y": pl.Float64,
    "q": pl.Int64,
    "s": pl.Int8,
}


def partials(frame: pl.DataFrame) -> dict[str, pl.LazyFrame]:
    return {
        date: vf.aggregate(chunked(part.drop("date")), KEYS, METRICS)
        for (date,), part in frame.group_by("date", maintain_order=True)
    }


def assert_same(got: pl.DataFrame, want: pl.DataFrame, by: list[str]) -> None:
    assert got.schema == want.schema
    assert got.select(by).equals(want.select(by), null_equal=True)
    exact = [name for name in EXACT if name in want.columns]
    assert got.select(exact).equals(want.select(exact), null_equal=True)
    for name in want.columns:
        if name in by or name in exact:
            continue
        for a, b in zip(got[name].to_list(), want[name].to_list(), strict=True):
            if a is None or b is None or math.isnan(a) or math.isnan(b):
                kinds = [None if value is None else math.isnan(value) for value in (a, b)]
                assert kinds[0] == kinds[1], (name, a, b)
            else:
                assert a == pytest.approx(b, rel=1e-12, abs=1e-12 if name in ("corr", "std", "vwap", "mean") else 0), (
                    name
                )


@st.composite
def brushes(draw: st.DrawFn, frame: pl.DataFrame) -> tuple[dict[str, Any], pl.Expr]:
    """A brush, and the same as a filter on the raw rows."""
    brush: dict[str, Any] = {}
    where = pl.lit(True)
    for name in KEYS:
        present = frame[name].unique(maintain_order=True).to_list()
        kind = draw(st.sampled_from(["all", "all", "some", "range"]))
        if kind == "some":
            chosen = draw(st.lists(st.sampled_from(present), unique=True))
            brush[name] = chosen
            where &= pl.col(name).is_in(pl.Series(chosen, dtype=frame.schema[name]).implode(), nulls_equal=True)
        elif kind == "range" and name in ("x_bin", "code"):
            low, high = draw(st.one_of(st.none(), st.integers(-5, 3))), draw(st.one_of(st.none(), st.integers(-3, 5)))
            if low is not None and high is not None:
                low, high = min(low, high), max(low, high)
            brush[name] = (low, high)
            where &= pl.col(name).is_not_null()
            where &= pl.lit(True) if low is None else pl.col(name) >= low
            where &= pl.lit(True) if high is None else pl.col(name) <= high
    if draw(st.booleans()):
        first, last = sorted(draw(st.tuples(st.sampled_from(DATES), st.sampled_from(DATES))))
        brush["date"] = (first, last)
        where &= pl.col("date").is_between(pl.lit(first), pl.lit(last))
    return brush, where.fill_null(False)


@settings(max_examples=80)
@given(st.data())
def test_a_brush_equals_the_aggregate_of_the_rows_it_picks(data: st.DataObject) -> None:
    frame = pl.DataFrame(data.draw(st.lists(rows, min_size=1, max_size=40)), schema=SCHEMA).sort(
        "date", maintain_order=True
    )
    layout = data.draw(st.sampled_from(["dense", "sparse"]))
    cube = vf.Cube.from_partials(partials(frame), layout=layout)
    assert cube.dates == frame["date"].unique().sort().to_list()
    for _ in range(3):
        brush, where = data.draw(brushes(frame))
        by = data.draw(st.permutations(KEYS))[: data.draw(st.integers(0, 4))]
        rows_in = frame.filter(where)
        got = cube.brush(brush).table(by)
        assert_same(got, vf.aggregate(rows_in, by, METRICS).collect(), by)
        dated = rows_in.with_columns(pl.col("date").str.to_date("%Y%m%d"))
        assert_same(
            cube.brush(brush).table(["date", *by]),
            vf.aggregate(dated, ["date", *by], METRICS).collect(),
            ["date", *by],
        )


@settings(max_examples=50)
@given(st.data())
def test_a_cube_equals_reduce_to_the_last_bit(data: st.DataObject) -> None:
    frame = pl.DataFrame(data.draw(st.lists(rows, min_size=1, max_size=40)), schema=SCHEMA)
    days = partials(frame)
    dims = data.draw(st.permutations(KEYS))[: data.draw(st.integers(1, 4))]
    cube = vf.Cube.from_partials(
        dict(data.draw(st.permutations(list(days.items())))),
        dims=dims,
        layout=data.draw(st.sampled_from(["dense", "sparse"])),
    )
    bits = [name for name in METRICS if name != "product"]
    want = vf.reduce(days, group_by=dims).collect()
    assert cube.table(dims, bits).equals(want.select(*dims, *bits), null_equal=True)
    by_date = vf.reduce(days, by="date", group_by=dims).collect()
    assert cube.to_polars(bits).equals(by_date.select("date", *dims, *bits), null_equal=True)
    assert_same(cube.table(dims), want, dims)
    one = vf.Cube.from_frame(vf.reduce(days, by="date", group_by=dims))
    assert_same(one.to_polars(), by_date, ["date", *dims])
    merged = vf.Cube.from_frame(vf.reduce(days))
    assert merged.dates == (list(days) if len(days) == 1 else [])
    assert_same(merged.table(dims), want, dims)


@settings(max_examples=15)
@given(st.lists(rows, min_size=1, max_size=30), st.sampled_from(["dense", "sparse"]), st.booleans())
def test_a_saved_cube_answers_the_same(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any]], layout: Any, mapped: bool
) -> None:
    frame = pl.DataFrame(drawn, schema=SCHEMA)
    cube = vf.Cube.from_partials(partials(frame), layout=layout)
    path: Path = cube.save(tmp_path_factory.mktemp("cube") / "c.arrow")
    with pytest.MonkeyPatch.context() as patch:
        if not mapped:
            patch.setitem(__import__("sys").modules, "pyarrow", None)
        again = vf.Cube.open(path)
    for by in (KEYS, ["date"], ["side", "date"], []):
        assert again.table(by).equals(cube.table(by), null_equal=True)
    assert (again.dates, again.metrics, again.layout, again.shape) == (cube.dates, cube.metrics, layout, cube.shape)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.one_of(st.none(), st.floats(-2, 2))), min_size=1, max_size=60),
    st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.77, 1.0]),
    st.sampled_from(["nearest", "lower", "higher", "midpoint", "linear"]),
    st.sampled_from([0.05, 0.5, 1.0]),
)
def test_a_quantile_is_within_half_a_bin_of_the_raw_one(drawn: Any, q: float, interpolation: Any, width: float) -> None:
    raw = pl.DataFrame(drawn, schema={"g": pl.String, "x": pl.Float64}, orient="row")
    states = vf.aggregate(vf.bin(raw, {"x": width}), ["x_bin", "g"], {"n": pl.len()})
    cube = vf.Cube.from_frame(states, bins={"x_bin": width})
    got = cube.quantile("x_bin", q, by="g", interpolation=interpolation)
    want = (
        raw.drop_nulls().group_by("g").agg(pl.col("x").quantile(q, interpolation), n=pl.len().cast(pl.Int64)).sort("g")
    )
    assert got.select("g", "n").equals(want.select("g", "n"))
    slack = 1e-9
    for value, low, high in zip(want["x"], got["low"], got["high"], strict=True):
        assert low - slack <= value <= high + slack
    assert (got["high"] - got["low"] - width).abs().max() or 0.0 <= 1e-12
