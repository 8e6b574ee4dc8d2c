"""`qbin_edges`, `qbin` and `Edges`: learnt once, kept, applied; ties, ends, nulls and files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import Watched, chunked, raises
from vizflow.files import digest


def frame(*values: float | None) -> pl.DataFrame:
    return pl.DataFrame({"x": values}, schema={"x": pl.Float64})


def numbers(df: pl.DataFrame, edges: Any, **options: Any) -> list[int | None]:
    return vf.qbin(df, edges, **options).collect()["x_qbin"].to_list()


def test_equal_counts_of_distinct_values() -> None:
    column = pl.DataFrame({"x": [float((i * 7919) % 1000) for i in range(1000)]})
    edges = vf.qbin_edges(column, "x", 8)
    counts = vf.qbin(column, edges).collect()["x_qbin"].value_counts(sort=False).sort("x_qbin")
    assert counts["count"].to_list() == [125] * 8
    assert (edges.low, edges.high, edges.n, edges.bins, edges.asked) == (0.0, 999.0, 1000, 8, 8)


def test_linear_quantiles_are_numpys() -> None:
    np = pytest.importorskip("numpy")
    values = np.random.default_rng(1).normal(size=997)
    edges = vf.qbin_edges(pl.DataFrame({"x": values}), "x", 13)
    want = np.quantile(values, [k / 13 for k in range(1, 13)], method="linear")
    assert max(abs(a / b - 1) for a, b in zip(edges.cuts, want, strict=True)) < 1e-12
    inverse = vf.qbin_edges(pl.DataFrame({"x": values}), "x", 4, method="inverse_cdf")
    assert list(inverse.cuts) == np.quantile(values, [0.25, 0.5, 0.75], method="inverted_cdf").tolist()


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Int64, pl.Decimal(10, 2)])
def test_numeric_types(dtype: Any) -> None:
    column = pl.DataFrame({"x": [1, 2, 3, 4, 5]}).with_columns(pl.col("x").cast(dtype))
    edges = vf.qbin_edges(column, "x", 2)
    assert edges.cuts == (3.0,)
    assert numbers(column, edges) == [0, 0, 0, 1, 1]


def test_a_value_at_an_edge_is_in_the_bin_that_includes_it() -> None:
    column = frame(1.0, 2.0, 3.0)
    assert numbers(column, vf.Edges("x", (2.0,))) == [0, 0, 1]
    assert numbers(column, vf.Edges("x", (2.0,), closed="left")) == [0, 1, 1]
    assert vf.Edges("x", (2.0,), closed="left").labels() == ["(-inf, 2.0)", "[2.0, inf)"]
    assert numbers(frame(-0.0, 0.0), vf.Edges("x", (0.0,))) == [0, 0]
    assert numbers(frame(-0.0, 0.0), vf.Edges("x", (-0.0,), closed="left")) == [1, 1]


def test_null_nan_and_infinities_are_passed_over_counted_and_null() -> None:
    column = frame(1.0, None, math.nan, 2.0, math.inf, -math.inf, 3.0)
    edges = vf.qbin_edges(column, "x", 2)
    assert (edges.n, edges.n_null, edges.n_nan, edges.n_infinite) == (3, 1, 1, 2)
    assert numbers(column, edges) == [0, None, None, 0, None, None, 1]


def test_values_beyond_what_was_learnt() -> None:
    edges = vf.qbin_edges(frame(0.0, 1.0, 2.0, 3.0), "x", 2)
    later = frame(-5.0, 0.0, 3.0, 3.5)
    assert numbers(later, edges) == [0, 0, 1, 1]
    assert numbers(later, edges, outside="null") == [None, 0, 1, None]
    with raises(vf.DataError, "2 values lie outside 0 to 3", "row 0", column="x", row=0, count=2):
        numbers(chunked(later, 1), edges, outside="raise")


def test_equal_edges_are_refused_or_dropped() -> None:
    column = frame(*[0.0] * 8, 1.0, 2.0)
    with raises(vf.DataError, "5 edges of 4 bins, 2 are distinct", "duplicates='drop'", "at most 1", column="x"):
        vf.qbin_edges(column, "x", 4)
    edges = vf.qbin_edges(column, "x", 4, duplicates="drop")
    assert (edges.cuts, edges.bins, edges.asked) == ((), 1, 4)
    assert numbers(column, edges) == [0] * 10
    ten = vf.qbin_edges(column, "x", 10, duplicates="drop")
    assert all(cut not in (0.0, 2.0) for cut in ten.cuts)


def test_days_learnt_together_are_learnt_as_one() -> None:
    days = [frame(3.0, 1.0), frame(None), frame(2.0, 5.0, 4.0)]
    assert vf.qbin_edges(days, "x", 2) == vf.qbin_edges(pl.concat(days), "x", 2)
    assert vf.qbin_edges(tuple(day.lazy() for day in days), "x", 4).cuts == (2.0, 3.0, 4.0)
    with raises(vf.ConfigError, "empty list"):
        vf.qbin_edges([], "x", 2)


def test_few_values_and_many_bins() -> None:
    edges = vf.qbin_edges(frame(1.0, 2.0), "x", 10)
    assert edges.cuts == tuple(1 + k / 10 for k in range(1, 10))
    assert vf.qbin_edges(frame(1.0, 2.0), "x", 10, method="inverse_cdf", duplicates="drop").cuts == ()
    one = vf.qbin_edges(frame(7.0), "x", 4096, duplicates="drop")
    assert (one.cuts, one.low, one.high) == ((), 7.0, 7.0)


def test_extreme_values_stay_between_their_neighbours() -> None:
    edges = vf.qbin_edges(frame(-1.7e308, 1.7e308), "x", 4)
    assert edges.cuts == pytest.approx((-0.85e308, 0.0, 0.85e308), rel=1e-15)
    tiny = vf.qbin_edges(frame(5e-324, 1e-323, 1.5e-323), "x", 2)
    assert tiny.cuts == (1e-323,)


def test_no_finite_value_is_an_error() -> None:
    with raises(vf.DataError, "no finite value", "1 null", "1 NaN", "1 infinite", column="x"):
        vf.qbin_edges(frame(None, math.nan, math.inf), "x", 2)


def test_an_input_that_changes_between_readings_is_an_error() -> None:
    for change in (
        lambda n, f: f.with_columns(pl.col("x") + (n == 3)),
        lambda n, f: f.head(2) if n > 1 else f,
        lambda n, f: pl.concat([f, f]) if n == 2 else f,
    ):
        with raises(vf.ReplayError, "other values than the first", column="x"):
            vf.qbin_edges(Watched(frame(1.0, 2.0, 3.0), change=change).lazy, "x", 2)


def test_a_frame_that_is_dear_to_compute_is_read_once() -> None:
    dear = Watched(frame(1.0, 2.0, 3.0).with_columns(y=1), cheap=False)
    assert vf.qbin_edges(dear.lazy, "x", 2).cuts == (2.0,)
    assert dear.reads == [["x"]]


def test_saved_edges_come_back_the_same(tmp_path: Path) -> None:
    edges = vf.qbin_edges(frame(0.1, 0.2, 0.30000000000000004, 1 / 3, None), "x", 3, closed="left")
    path = edges.save(tmp_path / "sub" / "x.json")
    assert vf.Edges.load(path) == edges
    assert vf.Edges.load(vf.Edges("y", (1.5,)).save(tmp_path / "y.json")) == vf.Edges("y", (1.5,))
    content = json.loads(path.read_text(encoding="utf-8"))
    assert (content["kind"], content["version"], content["cuts"]) == ("vizflow.qbin_edges", 2, list(edges.cuts))
    with raises(vf.ConfigError, ".json"):
        edges.save(tmp_path / "x.pickle")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "cannot be read"), ("[]", "no edges"), ('{"kind": "other"}', "no edges"),
        ('{"kind": "vizflow.qbin_edges", "version": 1}', "version 1"),
        ('{"kind": "vizflow.qbin_edges", "version": 2, "column": "x", "cuts": [2, 1]}', "ascend"),
        ('{"kind": "vizflow.qbin_edges", "version": 2, "column": "x", "cuts": ["a"]}', "damaged"),
        ('{"kind": "vizflow.qbin_edges", "version": 2, "column": "x", "cuts": [], "eval": 1}', "damaged"),
    ],
)  # fmt: skip
def test_files_that_are_no_edges(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "edges.json"
    if '"version": 2' in text:
        text = json.dumps(digest.sealed(json.loads(text)))
    path.write_text(text, encoding="utf-8")
    with raises(vf.StorageError, "edges.json", part):
        vf.Edges.load(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with raises(vf.StorageError, "none.json"):
        vf.Edges.load(tmp_path / "none.json")


def test_several_columns_and_edges_of_ones_own(engine: Any) -> None:
    df = pl.DataFrame({"x": [0.0, 5.0], "y": [1, 9]})
    out = vf.qbin(df, {"x": [1.0], "y": vf.Edges("other", (5.0,))}).collect(engine=engine)
    assert out.rows() == [(0.0, 1, 0, 0), (5.0, 9, 1, 1)]
    assert vf.qbin(df, [vf.Edges("x", (1.0,)), vf.Edges("y", (5.0,))]).collect(engine=engine).equals(out)
    many = vf.qbin(frame(-1.0, 70_000.0), {"x": [float(i) for i in range(65_535)]})
    assert many.collect(engine=engine)["x_qbin"].to_list() == [0, 65_535]


def test_options_that_are_not_accepted() -> None:
    df = frame(1.0, 2.0)
    for n in (1, 4097, 2.5, True):
        with raises(vf.ConfigError, f"n is {n!r}"):
            vf.qbin_edges(df, "x", n)  # type: ignore[arg-type]
    with raises(vf.ConfigError, "method is 'median'"):
        vf.qbin_edges(df, "x", 2, method="median")  # type: ignore[arg-type]
    with raises(vf.ConfigError, "closed is 'both'"):
        vf.qbin_edges(df, "x", 2, closed="both")  # type: ignore[arg-type]
    with raises(vf.ConfigError, "duplicates is 'keep'"):
        vf.qbin_edges(df, "x", 2, duplicates="keep")  # type: ignore[arg-type]
    with raises(vf.SchemaError, "no column 'y'", column="y"):
        vf.qbin_edges(df, "y", 2)
    with raises(vf.SchemaError, "String", column="x"):
        vf.qbin_edges(df.with_columns(pl.col("x").cast(pl.String)), "x", 2)
    for cuts in ([2.0, 1.0], [1.0, 1.0], [math.nan], [math.inf]):
        with raises(vf.ConfigError, "ascend strictly"):
            vf.qbin(df, {"x": cuts})
    for edges in ({}, [], [vf.Edges("x", ())] * 2, 3):
        with raises(vf.ConfigError, "edges"):
            vf.qbin(df, edges)  # type: ignore[arg-type]
    with raises(vf.ConfigError, "outside is 'drop'"):
        vf.qbin(df, {"x": [1.0]}, outside="drop")  # type: ignore[arg-type]
    with raises(vf.SchemaError, "overwrite", column="x_qbin"):
        vf.qbin(df.with_columns(x_qbin=1), {"x": [1.0]})
    with raises(vf.SchemaError, "String", column="x"):
        vf.qbin(df.with_columns(pl.col("x").cast(pl.String)), {"x": [1.0]})
    with raises(vf.ConfigError, "low"):
        vf.Edges("x", (), low=2.0, high=1.0)
    with raises(vf.ConfigError, "65536 cuts"):
        vf.Edges("x", tuple(float(i) for i in range(65_536)))
