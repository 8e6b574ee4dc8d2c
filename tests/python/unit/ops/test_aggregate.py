"""`aggregate` by hand: keys, leaves, metrics made of them, and metrics left to Polars."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError
from vizflow.partials.metrics import make_job

NAN, INF = math.nan, math.inf
TRADES = pl.DataFrame(
    {
        "side": ["S", "B", None, "B", "S", None],
        "bin": [2, 1, 1, None, 2, 1],
        "qty": pl.Series([10, 20, 30, None, 50, 60], dtype=pl.Int32),
        "price": [1.5, 2.5, None, 4.5, -5.5, 0.25],
        "ok": [True, False, None, True, True, False],
        "at": [dt.datetime(2024, 1, 1, 9, m) for m in (5, 4, 3, 2, 1, 0)],
    }
)


def agg(frame: pl.DataFrame, group_by: Any, engine: Any = "auto", **metrics: pl.Expr) -> pl.DataFrame:
    return vf.aggregate(chunked(frame), group_by, metrics, mergeable="md" not in metrics).collect(engine=engine)


def one(values: list[Any], metric: str, dtype: Any = None) -> Any:
    frame = pl.DataFrame({"k": [1] * len(values), "x": pl.Series(values, dtype=dtype)})
    return agg(frame, ["k"], m=getattr(pl.col("x"), metric)())["m"].to_list()


def test_design_document_example(engine: Any) -> None:
    frame = pl.DataFrame({"side": ["S", "B", "S"], "notional": [10.0, 20.0, 30.0], "quantity": [1, 2, 4]})
    out = agg(
        frame,
        ["side"],
        engine,
        count=pl.len(),
        total_qty=pl.col("quantity").sum(),
        vwap=pl.col("notional").sum() / pl.col("quantity").sum(),
    )
    assert out.rows() == [("B", 1, 2, 10.0), ("S", 2, 5, 8.0)]
    assert out.schema == {"side": pl.String, "count": pl.Int64, "total_qty": pl.Int64, "vwap": pl.Float64}


def test_sorted_by_the_keys_nulls_first_and_columns_in_order(engine: Any) -> None:
    out = agg(TRADES, ["side", "bin"], engine, n=pl.len(), total=pl.col("qty").sum())
    assert out.columns == ["side", "bin", "n", "total"]
    assert out.rows() == [(None, 1, 2, 90), ("B", None, 1, 0), ("B", 1, 1, 20), ("S", 2, 2, 60)]


def test_every_leaf() -> None:
    x = pl.col("price")
    leaves = {
        "len": pl.len(),
        "count": x.count(),
        "nulls": x.null_count(),
        "sum": x.sum(),
        "mean": x.mean(),
        "min": x.min(),
        "max": x.max(),
    }
    assert len(make_job(leaves, TRADES.schema, []).states) == 5  # len, nulls, sum, min, max: all in C, each once
    out = agg(TRADES, ["side"], **leaves)
    assert out.rows() == [
        (None, 2, 1, 1, 0.25, 0.25, 0.25, 0.25),
        ("B", 2, 2, 0, 7.0, 3.5, 2.5, 4.5),
        ("S", 2, 2, 0, -4.0, -2.0, -5.5, 1.5),
    ]


def test_metrics_made_of_leaves_and_functions_of_them() -> None:
    q, p = pl.col("qty"), pl.col("price")
    metrics = {
        "vwap": (p * q).sum() / q.sum(),
        "rounded": (p.sum() / pl.len()).round(2),
        "range": p.max() - p.min(),
        "share": pl.when(q.sum() > 50).then(q.sum()).otherwise(None),
        "as_float": q.sum().cast(pl.Float32),
        "clipped": p.mean().clip(0, 3),
        "buys": (pl.col("ok") & (q > 10)).sum(),
    }
    assert_frame_equal(
        agg(TRADES, ["side"], **metrics), TRADES.group_by("side").agg(**metrics).sort("side"), check_dtypes=False
    )


def test_other_metrics_are_polars_own_when_they_need_not_merge() -> None:
    metrics = {
        "median": pl.col("price").median(),
        "first": pl.col("qty").first(),
        "std": pl.col("price").std(),
        "unique": pl.col("qty").n_unique(),
        "list": pl.col("qty"),
        "filtered": pl.col("qty").filter(pl.col("ok")).sum(),
        "constant": pl.lit(7),
    }
    others = make_job(metrics, TRADES.schema, ["side"], mergeable=False).others
    assert set(others) == {"median", "unique", "list", "constant"}
    out = vf.aggregate(chunked(TRADES), ["side"], {"n": pl.len(), **metrics}, mergeable=False).collect()
    expected = TRADES.group_by("side", maintain_order=True).agg(n=pl.len().cast(pl.Int64), **metrics).sort("side")
    assert_frame_equal(out, expected, check_dtypes=False)


def test_order_dependent_expressions_are_never_taken_apart() -> None:
    for metric in (
        pl.col("price").cum_sum().max(),
        pl.col("price").shift().sum(),
        pl.col("price").sort().first(),
        pl.col("price").diff().mean(),
    ):
        assert "m" in make_job({"m": metric}, TRADES.schema, [], mergeable=False).others


def test_values_that_drop_rows_are_not_taken_for_row_wise() -> None:
    for metric in (pl.col("price").drop_nulls().sum(), pl.col("price").drop_nans().max()):
        assert "m" in make_job({"m": metric}, TRADES.schema, [], mergeable=False).others
    one = pl.DataFrame({"x": [None, 2.0, None]})  # a column of one row would be repeated
    out = vf.aggregate(one, [], {"n": pl.len(), "m": pl.col("x").drop_nulls().sum()}, mergeable=False).collect()
    assert out.row(0) == (3, 2.0)


def test_column_minus_its_mean_is_not_taken_for_row_wise() -> None:
    metric = ((pl.col("price") - pl.col("price").mean()) ** 2).sum()
    out = vf.aggregate(TRADES, ["side"], {"m": metric}, mergeable=False).collect()
    expected = TRADES.group_by("side").agg(m=metric).sort("side")
    assert_frame_equal(out, expected)


def test_aliases_and_names_inside_metrics_do_not_matter() -> None:
    out = agg(
        TRADES, ["bin"], total=pl.col("qty").sum().alias("other"), twice=(pl.col("qty").alias("z").sum() * 2).alias("w")
    )
    assert out.columns == ["bin", "total", "twice"]
    assert out["twice"].to_list() == [2 * total for total in out["total"]]


def test_float_sums_are_exact_before_one_rounding() -> None:
    assert one([1e16, 1.0, -1e16, 1.0], "sum") == [2.0]
    assert one([1e308, 1e308, -1e308], "sum") == [1e308]
    assert one([0.1] * 10, "sum") == [1.0]
    assert one([5e-324] * 3, "sum") == [1.5e-323]
    assert one([0.1] * 10, "mean") == [0.1]


def test_special_floats() -> None:
    assert one([INF, 1.0], "sum") == [INF]
    assert math.isnan(one([INF, -INF], "sum")[0])
    assert math.isnan(one([NAN, 1.0], "sum")[0])
    assert one([NAN, 1.0], "min") == [1.0]
    assert one([NAN, 1.0], "max") == [1.0]
    assert math.isnan(one([NAN, None], "max")[0])


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64])
def test_integers(dtype: Any) -> None:
    values = [100, 100, None, 27]
    assert one(values, "sum", dtype) == [227]
    assert one(values, "mean", dtype) == [227 / 3]
    assert one(values, "min", dtype) == [27]
    frame = pl.DataFrame({"k": [1], "x": pl.Series([1], dtype=dtype)})
    assert agg(frame, ["k"], s=pl.col("x").sum(), m=pl.col("x").max()).dtypes[1:] == [pl.Int64, dtype]


def test_integer_sums_are_checked() -> None:
    top = 2**63 - 1
    assert one([top, 1, -1], "sum") == [top]
    assert one([top, top, -top], "sum") == [top]
    assert one([2**64 - 1], "max", pl.UInt64) == [2**64 - 1]
    for values, dtype in (([top, 1], pl.Int64), ([-top, -2], pl.Int64), ([2**63], pl.UInt64)):
        with raises(DataError, "does not fit Int64", "cast"):
            one(values, "sum", dtype)


def test_overflow_names_the_metric_not_an_inner_name() -> None:
    frame = pl.DataFrame({"k": [1, 1], "x": [2**63 - 1, 1]})
    with raises(DataError, "x") as caught:
        agg(frame, ["k"], total=pl.col("x").sum())
    assert "__vf" not in str(caught.error)
    assert "__vf" not in (caught.error.column or "")


def test_mean_of_large_integers_is_exact() -> None:
    assert one([2**62 + 1, 2**62 + 3, 2**62 + 2], "mean") == [float(2**62 + 2)]


def test_booleans_and_times() -> None:
    out = agg(
        TRADES,
        ["side"],
        share=pl.col("ok").mean(),
        n=pl.col("ok").sum(),
        first=pl.col("at").min(),
        last=pl.col("at").max(),
    )
    assert out["share"].to_list() == [0.0, 0.5, 1.0]
    assert out["n"].to_list() == [0, 1, 2]
    assert out["first"].to_list() == [dt.datetime(2024, 1, 1, 9, m) for m in (0, 2, 1)]
    assert out.schema["last"] == pl.Datetime("us")


def test_durations() -> None:
    frame = TRADES.with_columns(d=pl.duration(seconds=pl.col("qty")))
    metrics = {"s": pl.col("d").sum(), "m": pl.col("d").mean(), "x": pl.col("d").max()}
    assert_frame_equal(agg(frame, ["side"], **metrics), frame.group_by("side").agg(**metrics).sort("side"))


def test_no_values_and_all_null_groups() -> None:
    assert one([None, None], "sum", pl.Float64) == [0.0]
    assert one([None, None], "sum", pl.Int64) == [0]
    for metric in ("mean", "min", "max"):
        assert one([None], metric, pl.Float64) == [None]
    assert one([None], "count", pl.Int64) == [0]


def test_no_rows(engine: Any) -> None:
    metrics = {"n": pl.len(), "s": pl.col("price").sum(), "m": pl.col("price").mean(), "md": pl.col("price").median()}
    out = agg(TRADES.clear(), ["side"], engine, **metrics)
    assert out.height == 0
    assert out.schema == agg(TRADES, ["side"], **metrics).schema
    assert agg(TRADES.clear(), [], engine, **metrics).rows() == [(0, 0.0, None, None)]


def test_no_keys_is_one_row(engine: Any) -> None:
    assert agg(TRADES, [], engine, n=pl.len(), s=pl.col("price").sum()).rows() == [(6, 3.25)]
    assert agg(TRADES, [], engine, n=pl.len()).rows() == [(6,)]
    assert agg(TRADES, [], engine, md=pl.col("qty").median()).rows() == [(30.0,)]


def test_a_string_is_one_key() -> None:
    assert_frame_equal(agg(TRADES, "side", n=pl.len()), agg(TRADES, ["side"], n=pl.len()))


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([3, 1, None, 3], dtype=pl.Int8),
        pl.Series([2**64 - 1, 0, None, 2**64 - 1], dtype=pl.UInt64),
        pl.Series([True, False, None, True]),
        pl.Series(["b", "a", None, "b"]),
        pl.Series(["b" * 40, "a" * 40, None, "b" * 40]),
        pl.Series(["b", "a", None, "b"], dtype=pl.Categorical),
        pl.Series(["b", "a", None, "b"], dtype=pl.Enum(["b", "a"])),
        pl.Series([dt.date(2024, 1, 2), dt.date(2024, 1, 1), None, dt.date(2024, 1, 2)]),
        pl.Series([dt.time(2), dt.time(1), None, dt.time(2)]),
        pl.Series(
            [dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 1), None, dt.datetime(2024, 1, 2)],
            dtype=pl.Datetime("ns", "UTC"),
        ),
        pl.Series([dt.timedelta(2), dt.timedelta(1), None, dt.timedelta(2)], dtype=pl.Duration("ms")),
        pl.Series([b"b", b"a", None, b"b"]),
    ],
    ids=lambda series: str(series.dtype),
)
def test_keys_of_any_type(values: pl.Series) -> None:
    frame = pl.DataFrame({"k": values, "x": [1, 2, 3, 4]})
    out = agg(frame, ["k"], s=pl.col("x").sum())
    expected = frame.group_by("k").agg(s=pl.col("x").sum()).sort("k")
    assert_frame_equal(out, expected)
    assert out.schema["k"] == values.dtype


def test_key_may_also_be_a_value() -> None:
    assert agg(TRADES, ["bin"], m=pl.col("bin").max(), n=pl.col("bin").count()).rows() == [
        (None, None, 0),
        (1, 1, 3),
        (2, 2, 2),
    ]


def test_many_groups() -> None:
    n = 20_000
    frame = pl.DataFrame({"a": range(n), "b": [str(i % 7) for i in range(n)], "x": [float(i) for i in range(n)]})
    out = agg(frame, ["b", "a"], s=pl.col("x").sum())
    assert_frame_equal(out, frame.select("b", "a", pl.col("x").alias("s")).sort("b", "a"))


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32])
def test_float_keys_are_refused(dtype: Any) -> None:
    with raises(SchemaError, "'price'", "bin", column="price"):
        agg(TRADES.with_columns(pl.col("price").cast(dtype)), ["price"], n=pl.len())


def test_nested_keys_are_refused() -> None:
    with raises(SchemaError, "'l'", column="l"):
        agg(pl.DataFrame({"l": [[1]]}), ["l"], n=pl.len())


def test_bad_keys_and_metrics() -> None:
    with raises(SchemaError, "group_by", "did you mean 'side'?", column="Side"):
        agg(TRADES, ["Side"], n=pl.len())
    with raises(SchemaError, "metric 'v'", "did you mean 'price'?", column="pryce"):
        agg(TRADES, ["side"], v=pl.col("pryce").sum())
    with raises(ConfigError, "twice"):
        agg(TRADES, ["side", "side"], n=pl.len())
    with raises(SchemaError, "'side'", column="side"):
        agg(TRADES, ["side"], side=pl.len())
    with raises(ConfigError, "metrics is empty"):
        agg(TRADES, ["side"])
    with raises(ConfigError, "'v'", "int"):
        agg(TRADES, ["side"], v=1)  # type: ignore[arg-type]


def test_metric_that_makes_no_sense_is_polars_error_before_collecting() -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        vf.aggregate(TRADES, ["side"], {"m": pl.col("side") - pl.col("at")}, mergeable=False)
    with pytest.raises(pl.exceptions.PolarsError):
        vf.aggregate(TRADES, ["side"], {"m": pl.col("qty").sum() - pl.col("at").max()})


def test_pipeline_may_go_on_after_it() -> None:
    out = (
        vf.aggregate(TRADES, ["side"], {"n": pl.len(), "s": pl.col("qty").sum()})
        .filter(pl.col("n") > 1)
        .rename({"s": "total"})
    )
    assert out.select("total").collect()["total"].to_list() == [90, 20, 60]
