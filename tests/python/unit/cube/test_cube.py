"""`vf.Cube`: axes, selections, tables, memory, files, errors. Numbers against the raw rows are in property/."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.cube import store
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError
from vizflow.files import atomic

METRICS = {"n": pl.len(), "qty": pl.col("qty").sum(), "mean": pl.col("x").mean(), "most": pl.col("x").max()}
DAYS = {
    "20240102": {"x": [0.1, 0.25, -0.3, 0.1], "side": ["B", "S", None, "B"], "qty": [1, 2, 4, 8]},
    "20240104": {"x": [0.1, 2.0], "side": ["B", "x"], "qty": [16, 32]},
    "20240105": {"x": [None], "side": ["S"], "qty": [64]},
}


def day(date: str) -> pl.LazyFrame:
    frame = pl.DataFrame(DAYS[date], schema={"x": pl.Float64, "side": pl.String, "qty": pl.Int64})
    return vf.aggregate(vf.bin(frame, {"x": 0.1}), ["x_bin", "side"], METRICS)


def make(**options: Any) -> vf.Cube:
    return vf.Cube.from_partials({date: day(date) for date in DAYS}, bins={"x_bin": 0.1}, **options)


@pytest.fixture(params=["dense", "sparse"])
def cube(request: pytest.FixtureRequest) -> vf.Cube:
    return make(layout=request.param)


# ---- axes


def test_axes_have_values_centres_and_labels(cube: vf.Cube) -> None:
    x, side = cube.dims["x_bin"], cube.dims["side"]
    assert x.values.to_list() == [None, -3, 1, 2, 20]
    assert x.kind == "bin"
    assert x.centres is not None
    assert x.centres.to_list() == [None, -3 * 0.1, 0.1, 0.2, 20 * 0.1]
    assert x.labels.to_list() == ["null", "-0.3", "0.1", "0.2", "2"]
    assert side.values.to_list() == [None, "B", "S", "x"]
    assert (side.kind, side.centres, side.labels.to_list()) == ("category", None, ["null", "B", "S", "x"])
    assert cube.dates == list(DAYS)
    assert cube.metrics == list(METRICS)
    assert cube.shape == (3, 5, 4)
    assert repr(cube).startswith(f"Cube(3 dates x x_bin 5 x side 4, 4 metrics, {cube.layout}, ")


@pytest.mark.parametrize(
    ("width", "number", "label"), [(1e-4, -3, "-0.0003"), (0.1, 3, "0.3"), (2.5, 4, "10"), (1e-4, 0, "0")]
)
def test_labels_are_exact_decimals(width: float, number: int, label: str) -> None:
    df = pl.DataFrame({"b": [number]})
    cube = vf.Cube.from_frame(vf.aggregate(df, ["b"], {"n": pl.len()}), bins={"b": width})
    assert cube.dims["b"].labels.to_list() == [label]


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.Date, [dt.date(2024, 1, 3), dt.date(1969, 1, 1)]),
        (pl.Datetime("us"), [dt.datetime(2024, 1, 3, 9, 30), dt.datetime(2024, 1, 3, 9, 31)]),
        (pl.Duration("ms"), [dt.timedelta(seconds=3), dt.timedelta(seconds=-3)]),
        (pl.Time, [dt.time(9, 30), dt.time(15)]),
        (pl.Boolean, [True, False]),
        (pl.UInt8, [255, 0]),
        (pl.Enum(["S", "B"]), ["B", "S"]),
        (pl.Categorical, ["z", "a"]),
    ],
)
def test_keys_of_every_type_come_back(dtype: Any, values: list[Any], tmp_path: Path) -> None:
    frame = pl.DataFrame({"k": pl.Series([*values, None], dtype=dtype)})
    made = vf.aggregate(frame, ["k"], {"n": pl.len()})
    cube = vf.Cube.from_frame(made)
    expected = made.collect()
    for one in (cube, vf.Cube.open(cube.save(tmp_path / "c.arrow"))):
        assert one.table("k").equals(expected, null_equal=True)
        assert one.table("k").schema == expected.schema
    assert cube.brush({"k": values[0]}).total() == {"n": 1}
    assert cube.brush({"k": None}).total() == {"n": 1}


def test_states_of_every_type_come_back() -> None:
    at = dt.datetime(2024, 1, 3, 9, 30, tzinfo=dt.timezone.utc)
    frame = pl.DataFrame(
        {
            "date": [dt.date(2024, 1, 3)],
            "stamp": [at],
            "wait": [dt.timedelta(seconds=3)],
            "flag": [True],
            "big": pl.Series([2**63 + 5], dtype=pl.UInt64),
            "small": pl.Series([1.5], dtype=pl.Float32),
        }
    )
    columns = frame.columns
    metrics = {f"{c}_{op}": getattr(pl.col(c), op)() for c in columns for op in ("min", "max", "first", "last")}
    metrics["wait"] = pl.col("wait").sum()
    made = vf.aggregate(frame, [], metrics)
    assert vf.Cube.from_frame(made).table().equals(made.collect())
    assert vf.Cube.from_frame(made).table().schema == made.collect_schema()


@pytest.mark.parametrize("layout", ["dense", "sparse"])
def test_products_have_the_bits_that_reduce_gives(layout: Any) -> None:
    days: dict[str, Any] = {}
    for day_ in range(10, 31):
        x = [(1 + (day_ * 37 + i * 101) % 997 / 991) * 10.0 ** (i % 5 * 60 - 120) for i in range(10)]
        days[f"202401{day_}"] = vf.aggregate(pl.DataFrame({"x": x}), [], {"p": pl.col("x").product()})
    whole = vf.reduce(list(days.values())).collect()["p"].item()
    assert vf.Cube.from_partials(days, layout=layout).table([]).get_column("p").item() == whole


# ---- selections


@pytest.mark.parametrize(
    ("selection", "qty"),
    [
        ({}, 127),
        ({"x_bin": (1, 2)}, 27),
        ({"x_bin": (None, 1)}, 29),
        ({"x_bin": (2, None)}, 34),
        ({"x_bin": (3, 3)}, 0),
        ({"x_bin": [1, 7]}, 25),
        ({"x_bin": [None]}, 64),
        ({"x_bin": None}, 64),
        ({"x_bin": 20}, 32),
        ({"x": (0.05, 0.25)}, 27),
        ({"side": ["B", None]}, 29),
        ({"side": "S"}, 66),
        ({"side": ("A", "T")}, 91),
        ({"date": ("20240103", None)}, 112),
        ({"date": ["20240102", dt.date(2024, 1, 5)]}, 79),
        ({"date": "20240104", "side": "B"}, 16),
        ({"date": []}, 0),
    ],
)
def test_a_brush_takes_ranges_lists_and_values(cube: vf.Cube, selection: dict[str, Any], qty: int) -> None:
    view = cube.brush(selection)
    assert view.total("qty") == {"qty": qty}
    assert sum(view.table(["date", "side"])["qty"]) == qty


def test_brushes_narrow_and_show_what_they_picked(cube: vf.Cube) -> None:
    view = cube.brush({"side": ["B", "S"]}).brush({"side": ["S", "x"], "date": ("20240104", None)})
    assert view.dims["side"].values.to_list() == ["S"]
    assert view.dates == ["20240104", "20240105"]
    assert view.total("qty") == {"qty": 64}
    assert cube.total("qty") == {"qty": 127}


def test_a_slice_drops_its_dimension(cube: vf.Cube) -> None:
    view = cube.slice({"side": "B", "date": ("20240102", "20240104")})
    assert list(view.dims) == ["x_bin"]
    assert view.to_polars("qty").rows() == [(1, 25)]
    with raises(SchemaError, "pivot: there is no dimension 'side'"):
        view.pivot("side")


def test_a_reversed_range_is_refused_and_not_empty(cube: vf.Cube) -> None:
    with raises(ConfigError, "x_bin: the range ends before it begins"):
        cube.brush({"x_bin": (2, 1)})
    with raises(ConfigError, "date: the range ends before it begins"):
        cube.brush({"date": ("20240104", "20240102")})


def test_what_cannot_be_picked_is_told(cube: vf.Cube) -> None:
    with raises(SchemaError, "there is no dimension 'sides'; did you mean 'side'?", column="sides"):
        cube.brush({"sides": "B"})
    with raises(ConfigError, "side: there is no 'b' on this axis"):
        cube.brush({"side": "b"})
    with raises(ConfigError, "date: there is no 20240103 on this axis; it goes from 20240102 to 20240105"):
        cube.brush({"date": "20240103"})
    with raises(ConfigError, "side: 3 cannot be compared with its values, which are String"):
        cube.brush({"side": (3, None)})
    with raises(ConfigError, "x_bin: True cannot be compared"):
        cube.brush({"x_bin": True})
    with raises(ConfigError, "is no range"):
        cube.brush({"x_bin": (1, 2, 3)})
    with raises(ConfigError, "20240230"):
        cube.brush({"date": "20240230"})
    with raises(ConfigError, "by centre a range is needed"):
        cube.brush({"x": [0.1]})
    with raises(SchemaError, "there is no metric 'vwap'"):
        cube.table([], "vwap")
    with raises(ConfigError, "named twice"):
        cube.table(["side", "side"])


# ---- tables


def test_pivots_marginals_and_top(cube: vf.Cube) -> None:
    assert cube.pivot("side", metrics="qty").rows() == [(None, 4), ("B", 25), ("S", 66), ("x", 32)]
    assert cube.marginal("date", "qty").rows() == [
        (dt.date(2024, 1, 2), 15),
        (dt.date(2024, 1, 4), 48),
        (dt.date(2024, 1, 5), 64),
    ]
    wide = cube.pivot("x_bin", "side", "qty", wide=True, centres=True)
    assert wide.columns == ["x_bin", "x_bin_centre", "null", "B", "S", "x"]
    assert wide.row(1) == (-3, -3 * 0.1, 4, None, None, None)
    assert cube.pivot("side", "x_bin", "qty").columns == ["side", "x_bin", "qty"]
    assert cube.top("qty", 2).select("x_bin", "side", "qty").rows() == [(None, "S", 64), (20, "x", 32)]
    assert cube.top("qty", 1, by="side", metrics="n", descending=False).rows() == [(None, 1, 4)]
    assert cube.top("qty", 9, where=pl.col("n") > 1, metrics=["mean"])["qty"].to_list() == [25]
    assert cube.top("mean", 9, metrics="mean")["mean"].to_list()[-1] is None


def test_numbers_of_a_table_by_hand(cube: vf.Cube) -> None:
    row = cube.brush({"date": ("20240102", "20240104")}).table([], ["n", "mean", "most"]).row(0)
    assert row == (6, pytest.approx(2.25 / 6, rel=1e-15), 2.0)
    assert cube.brush({"date": "20240105"}).table([]).row(0) == (1, 64, None, None)
    assert cube.brush({"date": []}).table([]).row(0) == (0, 0, None, None)
    assert cube.brush({"date": []}).table(["side"]).height == 0


def test_a_small_value_beside_huge_ones_is_not_lost() -> None:
    days = {
        f"202401{10 + i}": vf.aggregate(pl.DataFrame({"x": [x]}), [], {"x": pl.col("x").sum()})
        for i, x in enumerate([1e300, 0.1, -1e300, 3e-310, float("inf"), float("nan")])
    }
    for layout in ("dense", "sparse"):
        cube = vf.Cube.from_partials(days, layout=layout)  # type: ignore[arg-type]
        assert cube.marginal("date")["x"].to_list()[:5] == [1e300, 0.1, -1e300, 3e-310, float("inf")]
        assert cube.brush({"date": ("20240110", "20240113")}).total() == {"x": 0.1}
        assert cube.brush({"date": ("20240113", "20240114")}).total() == {"x": float("inf")}


def test_an_integer_sum_that_leaves_int64_is_an_error() -> None:
    days = {
        date: vf.aggregate(pl.DataFrame({"q": [2**62]}), [], {"q": pl.col("q").sum()})
        for date in ("20240102", "20240103")
    }
    cube = vf.Cube.from_partials(days)
    assert cube.brush({"date": "20240103"}).total() == {"q": 2**62}
    with raises(DataError, "does not fit Int64", count=1):
        cube.total()


# ---- where it comes from


def test_dims_and_metrics_may_be_fewer() -> None:
    cube = make(dims=["side"], metrics=["qty"], dates=("20240102", "20240104"))
    assert cube.shape == (2, 4)
    assert cube.metrics == ["qty"]
    assert cube.marginal("side").rows() == [(None, 4), ("B", 25), ("S", 2), ("x", 32)]
    assert make(dims=[]).table("date", "qty")["qty"].to_list() == [15, 48, 64]


def test_files_folders_and_globs(tmp_path: Path) -> None:
    for date in DAYS:
        pl.DataFrame(DAYS[date], schema={"x": pl.Float64, "side": pl.String, "qty": pl.Int64}).write_ipc(
            tmp_path / f"{date}.feather"
        )
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path / "partials")

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        return vf.aggregate(vf.bin(df, {"x": 0.1}), ["x_bin", "side"], METRICS)

    for date in DAYS:
        vf.run(pipeline, config, date)
    want = make().to_polars()
    for source in (
        tmp_path / "partials",
        str(tmp_path / "partials" / "*.parquet"),
        sorted((tmp_path / "partials").iterdir()),
    ):
        cube = vf.Cube.from_partials(source)
        assert cube.to_polars().equals(want, null_equal=True)
        assert cube.dims["x_bin"].width == 0.1


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    days = {date: day(date) for date in DAYS}
    other = vf.aggregate(pl.DataFrame({"side": ["B"], "qty": [1]}), ["side"], {"qty": pl.col("qty").sum()})
    with raises(ConfigError, "another plan"):
        vf.Cube.from_partials({**days, "20240108": other})
    with raises(ConfigError, "holds 3 dates merged", "Cube.from_frame"):
        vf.Cube.from_partials([vf.reduce(days)])
    with raises(ConfigError, "does not know its states"):
        vf.Cube.from_frame(pl.DataFrame({"a": [1]}))
    with raises(SchemaError, "no group_by column 'sid'", column="sid"):
        make(dims=["sid"])
    with raises(SchemaError, "no metric 'q'", column="q"):
        make(metrics=["q"])
    with raises(ConfigError, "metrics is empty"):
        make(metrics=[])
    with raises(ConfigError, "layout is 'flat'"):
        make(layout="flat")
    with raises(SchemaError, "bins: there is no dimension 'y_bin'", column="y_bin"):
        vf.Cube.from_partials(days, bins={"y_bin": 1.0})
    named = vf.aggregate(pl.DataFrame({"date": [1]}), ["date"], {"n": pl.len()})
    with raises(ConfigError, "would be taken for the axis of dates"):
        vf.Cube.from_partials({"20240102": named})
    with raises(SchemaError, "the axis of dates is of type Date"):
        vf.Cube.from_frame(named)
    with raises(ConfigError, "from_partials, Cube.from_frame or Cube.open"):
        vf.Cube()


def test_a_partial_that_changes_between_the_readings_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    days = {date: day(date) for date in DAYS}
    from vizflow.partials import traced

    first = traced.traced(days["20240102"])
    assert first is not None
    frames = iter([first.states(), first.states().with_columns(qty=pl.lit(2**40))])
    column = next(state.columns[0] for state in first.plan.states if "qty" in state.of)
    frames = iter([first.states(), first.states().with_columns(pl.lit(2**40).alias(column))])
    traced.remember(days["20240102"], traced.Traced(first.plan, lambda: next(frames), first.bins, first.dates))
    with raises(vf.ReplayError, "other values were added than were learnt"):
        vf.Cube.from_partials(days)


# ---- memory


def test_memory_is_told_before_it_is_allocated() -> None:
    days = {date: day(date) for date in DAYS}
    told = vf.Cube.estimate(days, memory_limit="1 GiB")
    assert (told.rows, told.shape, told.cells, told.layout) == (6, (3, 5, 4), 60, "dense")
    assert told.memory_limit == 2**30
    cube = vf.Cube.from_partials(days)
    assert cube.nbytes == told.dense_kept
    sparse = vf.Cube.from_partials(days, layout="sparse")
    assert sparse.nbytes <= told.sparse_kept
    with raises(
        ConfigError, "the cube needs", "(date 3 x x_bin 5 x side 4 = 60 cells)", "memory_limit is 1.0 KiB", "dims="
    ):
        vf.Cube.from_partials(days, memory_limit=1024)
    with raises(ConfigError, "with layout='dense'"):
        vf.Cube.from_partials(days, memory_limit=1024, layout="dense")
    assert vf.Cube.estimate(days, memory_limit=1024).layout == "none"


def test_auto_takes_the_sparse_layout_where_the_dense_one_is_too_large() -> None:
    frame = pl.DataFrame({"a": range(3000), "b": range(3000), "q": range(3000)})
    made = vf.aggregate(frame, ["a", "b"], {"q": pl.col("q").sum()})
    cube = vf.Cube.from_frame(made, memory_limit="20 MB")
    assert cube.layout == "sparse"
    assert cube.to_polars().equals(made.collect())
    assert cube.pivot("b", "a").equals(made.collect().select("b", "a", "q"))
    assert cube.brush({"a": (10, 12)}).to_polars().rows() == [(10, 10, 10), (11, 11, 11), (12, 12, 12)]
    assert vf.Cube.from_frame(made, memory_limit="1 GiB").layout == "dense"


def test_a_result_that_is_too_large_is_refused() -> None:
    frame = pl.DataFrame({"a": range(1000), "b": range(1000)})
    cube = vf.Cube.from_frame(vf.aggregate(frame, ["a", "b"], {"n": pl.len()}), layout="dense", memory_limit="20 MB")
    with raises(ConfigError, "keep fewer axes"):
        cube.table(["a", "b"])
    assert cube.brush({"a": (0, 9)}).table(["a", "b"]).height == 10


@pytest.mark.parametrize(
    ("given", "limit"), [("8 GiB", 2**33), ("500MB", 5 * 10**8), ("1.5 kib", 1536), ("77", 77), (5, 5)]
)
def test_limits_are_bytes_or_text(given: Any, limit: int) -> None:
    assert vf.Cube.estimate({"20240102": day("20240102")}, memory_limit=given).memory_limit == limit


@pytest.mark.parametrize("given", ["much", "8 XB", 0, -1, 1.5, True, "", "GiB"])
def test_limits_that_are_none_are_refused(given: Any) -> None:
    with raises(ConfigError, "memory_limit is"):
        vf.Cube.estimate({"20240102": day("20240102")}, memory_limit=given)


# ---- files


def test_a_cube_is_saved_and_opened(cube: vf.Cube, tmp_path: Path) -> None:
    path = cube.save(tmp_path / "c.arrow")
    again = vf.Cube.open(path)
    assert again.to_polars().equals(cube.to_polars(), null_equal=True)
    assert again.dims["x_bin"].labels.to_list() == cube.dims["x_bin"].labels.to_list()
    second = again.save(tmp_path / "d.arrow")
    assert vf.Cube.open(second).brush({"side": "B"}).total() == cube.brush({"side": "B"}).total()
    with raises(ConfigError, "read into memory", "memory_limit"):
        vf.Cube.open(path, memory_limit=10)


def test_files_that_are_no_cube_are_told(cube: vf.Cube, tmp_path: Path) -> None:
    path = cube.save(tmp_path / "c.arrow")
    with raises(ConfigError, ".arrow"):
        cube.save(tmp_path / "c.parquet")
    with raises(StorageError, "there is no such file"):
        vf.Cube.open(tmp_path / "none.arrow")
    pl.DataFrame({"a": [1]}).write_ipc(tmp_path / "other.arrow")
    with raises(StorageError, "carries no digest", "no cube"):
        vf.Cube.open(tmp_path / "other.arrow")
    whole = path.read_bytes()
    (tmp_path / "half.arrow").write_bytes(whole[: len(whole) // 2])
    with raises(StorageError, "half.arrow"):
        vf.Cube.open(tmp_path / "half.arrow")
    frame = pl.read_ipc(path).drop("vizflow.digest")
    damaged = frame.with_columns(part_000=pl.col("part_000").list.eval(pl.element() + 1))
    with atomic.atomic(tmp_path / "damaged.arrow") as file:
        store.write(damaged, file)
    with raises(StorageError, "damaged.arrow", "header is damaged"):
        vf.Cube.open(tmp_path / "damaged.arrow")
    later = frame.with_columns(vizflow=pl.col("vizflow").str.replace('"format": 3', '"format": 9'))
    with atomic.atomic(tmp_path / "later.arrow") as file:
        store.write(later, file)
    with raises(StorageError, "format 9"):
        vf.Cube.open(tmp_path / "later.arrow")


def test_xarray(cube: vf.Cube, monkeypatch: pytest.MonkeyPatch) -> None:
    xarray = pytest.importorskip("xarray")
    data = cube.to_xarray(["qty", "mean"])
    assert isinstance(data, xarray.Dataset)
    assert data["qty"].dims == ("date", "x_bin", "side")
    assert data["qty"].shape == (3, 5, 4)
    assert float(data["qty"].sum()) == 127.0
    assert float(data["qty"][0, 2, 1]) == 9.0
    assert [x if isinstance(x, str) else None for x in data.coords["side"].values] == [None, "B", "S", "x"]
    assert "x_bin_centre" in data.coords
    by_date = cube.slice({"x_bin": [None, -3, 1, 2, 20], "side": [None, "B", "S", "x"]}).to_xarray("qty")
    assert by_date["qty"].dtype.kind == "i"
    assert by_date["qty"].values.tolist() == [15, 48, 64]
    monkeypatch.setitem(sys.modules, "xarray", None)
    with raises(ConfigError, "pip install xarray"):
        cube.to_xarray()


# ---- quantiles


def test_quantiles_by_hand() -> None:
    raw = pl.DataFrame({"ret": [0.011, 0.019, 0.032, 0.5, None], "g": ["a", "a", "a", "b", "b"], "w": [1, 1, 8, 3, 9]})
    metrics = {"n": pl.len(), "w": pl.col("w").sum(), "signed": pl.col("w").sum() - 5}
    made = vf.aggregate(vf.bin(raw, {"ret": 0.01}), ["ret_bin", "g"], metrics)
    cube = vf.Cube.from_frame(made, bins={"ret_bin": 0.01})
    out = cube.quantile("ret_bin", [0.0, 0.5, 1.0], by="g", interpolation="lower")
    assert out.columns == ["g", "q", "quantile", "low", "high", "n"]
    assert out["quantile"].to_list() == pytest.approx([0.01, 0.02, 0.03, 0.5, 0.5, 0.5])
    assert out["n"].to_list() == [3, 3, 3, 1, 1, 1]
    assert cube.quantile("ret_bin", 0.5, by="g", weight="w")["quantile"].to_list() == pytest.approx([0.03, 0.5])
    assert cube.quantile("ret_bin", 0.1, by="g", weight="w")["quantile"].to_list() == pytest.approx([0.01, 0.5])
    with raises(ConfigError, "dimension 'g' is String"):
        cube.quantile("g", 0.5)
    with raises(ConfigError, "q is 1.5"):
        cube.quantile("ret_bin", 1.5)
    with raises(ConfigError, "interpolation is 'best'"):
        cube.quantile("ret_bin", 0.5, interpolation="best")  # type: ignore[arg-type]
    with raises(DataError, "weight 'signed' is negative"):
        cube.quantile("ret_bin", 0.5, weight="signed")
    with raises(ConfigError, "does not count its rows"):
        vf.Cube.from_frame(vf.aggregate(raw, ["w"], {"w2": pl.col("w").sum()})).quantile("w", 0.5)
