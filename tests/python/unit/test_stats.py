"""`vf.stats`: weighted means with coverage, clustered errors, daily means, against formulas written out."""

from __future__ import annotations

import datetime as dt
import math
import random
import statistics
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, SchemaError


def aggregated(frame: pl.DataFrame, **metrics: Any) -> dict[str, Any]:
    return vf.aggregate(frame, [], vf.stats.weighted("v", **metrics)).collect().row(0, named=True)


def test_null_markouts_are_not_zeros() -> None:
    frame = pl.DataFrame({"v": [10.0, 10.0, None, None], "w": [100, 100, 100, 100]})
    got = aggregated(frame, value=pl.col("v"), weight=pl.col("w"))
    assert got == {"v": 10.0, "v_sum": 2000.0, "v_weight": 200.0, "v_coverage": 0.5, "v_n": 4, "v_n_valid": 2}
    assert aggregated(frame, value=pl.col("v")) == {
        "v": 10.0,
        "v_sum": 20.0,
        "v_weight": 2.0,
        "v_coverage": 0.5,
        "v_n": 4,
        "v_n_valid": 2,
    }


@pytest.mark.parametrize(
    ("v", "w", "mean", "coverage", "n_valid"),
    [
        ([1.0, 3.0], [1.0, 3.0], 2.5, 1.0, 2),
        ([1.0, None], [None, 3.0], None, 0.0, 0),
        ([1.0, 3.0], [None, 3.0], 3.0, 1.0, 1),
        ([None, None], [1.0, 3.0], None, 0.0, 0),
        ([1.0, 3.0], [0.0, 0.0], None, None, 2),
        ([float("nan"), 3.0], [1.0, 3.0], 3.0, 0.75, 1),
        ([1.0, 3.0], [float("inf"), 3.0], 3.0, 1.0, 1),
        ([], [], None, None, 0),
    ],
)
def test_what_counts(v: list[Any], w: list[Any], mean: Any, coverage: Any, n_valid: int) -> None:
    frame = pl.DataFrame({"v": v, "w": w}, schema={"v": pl.Float64, "w": pl.Float64})
    got = aggregated(frame, value=pl.col("v"), weight=pl.col("w"))
    assert got["v"] == mean
    assert (got["v_coverage"], got["v_n_valid"], got["v_n"]) == (coverage, n_valid, len(v))


def days() -> dict[str, pl.LazyFrame]:
    out = {}
    for i, date in enumerate(["20240102", "20240103", "20240104", "20240105"]):
        frame = pl.DataFrame(
            {
                "side": ["B", "B", "S", "S" if i < 1 else "B"],
                "v": [0.1 * i, 0.3, -0.2 + i, None],
                "w": [1.0 + i, 2.0, 3.0, 4.0],
            }
        )
        out[date] = vf.aggregate(frame, ["side"], vf.stats.weighted("v", pl.col("v"), pl.col("w")))
    return out


def by_hand(sums: list[float], weights: list[float]) -> tuple[float, float]:
    ratio, n = sum(sums) / sum(weights), len(sums)
    squares = sum((s - ratio * w) ** 2 for s, w in zip(sums, weights, strict=True))
    return ratio, math.sqrt(n / (n - 1) * squares) / sum(weights)


@pytest.mark.parametrize("of", ["cube", "frame"])
def test_clustered_errors_follow_the_formula(of: str) -> None:
    data = vf.Cube.from_partials(days()) if of == "cube" else vf.reduce(days(), by="date")
    got = vf.stats.clustered(data, "v", by="side")
    rows = vf.reduce(days(), by="date").collect()
    assert got.columns == ["side", "v", "std_error", "t", "clusters"]
    for side, mean, error, t, clusters in got.rows():
        own = rows.filter(pl.col("side") == side)
        ratio, expected = by_hand(own["v_sum"].to_list(), own["v_weight"].to_list())
        assert (mean, error) == (pytest.approx(ratio, rel=1e-12), pytest.approx(expected, rel=1e-12))
        assert t == pytest.approx(ratio / expected, rel=1e-12)
        assert clusters == own.height


def test_clustered_errors_have_the_same_bits_in_every_order() -> None:
    rng = random.Random(5)
    rows = [
        (k, date, rng.gauss(0, 1) * 10.0 ** rng.randrange(-6, 6), rng.random()) for date in range(400) for k in range(7)
    ]
    frame = pl.DataFrame(rows, schema=["k", "date", "v_sum", "v_weight"], orient="row")
    first = vf.stats.clustered(frame, "v", by="k")
    for seed in range(3):
        assert vf.stats.clustered(frame.sample(fraction=1, shuffle=True, seed=seed), "v", by="k").equals(first)


def test_clustered_equals_the_robust_error_of_a_regression_on_a_constant() -> None:
    """Rows y_i with weights w_i in clusters: the sandwich, written out."""
    y = [[1.0, 2.0, 4.0], [3.0], [0.5, -1.0], [2.5, 2.5]]
    w = [[1.0, 1.0, 2.0], [5.0], [1.0, 3.0], [2.0, 0.5]]
    parts = {
        f"2024010{i + 2}": vf.aggregate(
            pl.DataFrame({"y": ys, "w": ws}), [], vf.stats.weighted("y", pl.col("y"), pl.col("w"))
        )
        for i, (ys, ws) in enumerate(zip(y, w, strict=True))
    }
    total = sum(map(sum, w))
    beta = sum(a * b for ys, ws in zip(y, w, strict=True) for a, b in zip(ys, ws, strict=True)) / total
    meat = sum(sum(b * (a - beta) for a, b in zip(ys, ws, strict=True)) ** 2 for ys, ws in zip(y, w, strict=True))
    robust = math.sqrt(4 / 3 * meat / total**2)
    got = vf.stats.clustered(vf.Cube.from_partials(parts), "y").row(0)
    assert got[:2] == (pytest.approx(beta, rel=1e-13), pytest.approx(robust, rel=1e-13))


def test_few_clusters_and_no_weight_have_no_error() -> None:
    one = vf.Cube.from_partials({"20240102": days()["20240102"]})
    assert vf.stats.clustered(one, "v").row(0)[1:] == (None, None, 1)
    empty = pl.DataFrame({"date": [1, 2], "v_sum": [0.0, 0.0], "v_weight": [0.0, 0.0]})
    assert vf.stats.clustered(empty, "v").row(0) == (None, None, None, 0)
    with raises(ConfigError, "several rows for one 'date'"):
        vf.stats.clustered(pl.concat([empty, empty]), "v")
    with raises(SchemaError, "u_sum"):
        vf.stats.clustered(empty, "u")
    with raises(SchemaError, "a number is needed"):
        vf.stats.clustered(empty.with_columns(v_sum=pl.lit("x")), "v")


def test_daily_means_by_hand() -> None:
    x = [0.02, 0.05, -0.01, 0.03, 0.04, 0.0]
    frame = pl.DataFrame({"date": [3, 1, 2, 5, 4, 6, 7, 8], "ic": [x[2], x[0], x[1], x[4], x[3], x[5], None, math.nan]})
    mean, std, error, t, n = vf.stats.over_dates(frame, "ic").row(0)
    assert mean == pytest.approx(statistics.fmean(x), rel=1e-14)
    assert std == pytest.approx(statistics.stdev(x), rel=1e-14)
    assert error == pytest.approx(std / math.sqrt(6), rel=1e-14)
    assert (t, n) == (pytest.approx(mean / error, rel=1e-14), 6)
    e = [value - mean for value in x]
    gamma = [sum(e[i] * e[i - lag] for i in range(lag, 6)) / 6 for lag in range(3)]
    newey_west = math.sqrt((gamma[0] + 2 * (2 / 3 * gamma[1] + 1 / 3 * gamma[2])) / 5)
    assert vf.stats.over_dates(frame, "ic", lags=2)["std_error"].item() == pytest.approx(newey_west, rel=1e-13)
    assert vf.stats.over_dates(frame.head(2), "ic", lags=2)["std_error"].item() is None
    with raises(ConfigError, "lags is -1"):
        vf.stats.over_dates(frame, "ic", lags=-1)


def test_daily_means_of_a_cube() -> None:
    got = vf.stats.over_dates(vf.Cube.from_partials(days()), "v", by="side")
    rows = vf.reduce(days(), by="date").collect()
    for side, mean, _, error, _, n in got.rows():
        own = rows.filter(pl.col("side") == side)["v"].to_list()
        assert mean == pytest.approx(statistics.fmean(own), rel=1e-14)
        assert error == pytest.approx(statistics.stdev(own) / math.sqrt(len(own)), rel=1e-12)
        assert n == len(own)


def test_t_of_independent_rows() -> None:
    frame = pl.DataFrame({"m": [0.5, 0.5, 0.5, None], "s": [2.0, 0.0, 2.0, 1.0], "n": [64, 64, 1, 9]})
    assert frame.select(vf.stats.t_statistic("m", pl.col("s"), "n")).to_series().to_list() == [2.0, None, None, None]


def test_the_mean_over_dates_of_values_that_cancel_is_exact() -> None:
    values = [0.1, 0.2, -0.3, 1e-17]
    days = [dt.date(2024, 1, 2 + i) for i in range(4)]
    out = vf.stats.over_dates(pl.DataFrame({"date": days, "ic": values}), "ic")
    assert out["ic"].item() == float(sum(Fraction(value) for value in values) / 4)
