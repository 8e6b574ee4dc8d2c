"""Partials by hand: what `run` saves, what `load` gives back, what `reduce` merges, and what each refuses."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
import vizflow._core as _core
from support import raises
from vizflow.errors import ConfigError, DataError, NotMergeableWarning, SchemaError, StorageError
from vizflow.partials import file, language, traced
from vizflow.partials.metrics import make_job
from vizflow.partials.plan import Plan

DAYS = {
    "20240102": pl.DataFrame(
        {"side": ["B", "S", "B"], "bin": [1, 1, 2], "price": [10.0, 9.0, 12.0], "qty": [100, 50, 300]}
    ),
    "20240103": pl.DataFrame({"side": ["B", "S"], "bin": [1, 3], "price": [11.0, None], "qty": [100, 7]}),
    "20240201": pl.DataFrame({"side": ["S"], "bin": [1], "price": [8.0], "qty": [1]}),
}
PRICE, QTY = pl.col("price"), pl.col("qty")
METRICS = {
    "n": pl.len(),
    "qty": QTY.sum(),
    "vwap": (PRICE * QTY).sum() / QTY.sum(),
    "mean": PRICE.mean(),
    "first": PRICE.first(),
    "last": QTY.last(),
}


def frames(
    metrics: dict[str, pl.Expr] = METRICS, keys: Any = ("side", "bin"), **options: Any
) -> dict[str, pl.LazyFrame]:
    return {day: vf.aggregate(frame, list(keys), metrics, **options) for day, frame in DAYS.items()}


def saved(folder: Path, metrics: dict[str, pl.Expr] = METRICS, **options: Any) -> vf.Config:
    """The three days run, and their partials saved."""
    config = vf.Config(input_dir=folder / "in", output_dir=folder / "out")
    for day, frame in DAYS.items():
        vf.save(frame, folder / "in" / f"{day}.feather")
        vf.run(lambda df, ctx: vf.aggregate(df, ["side", "bin"], metrics, **options), config, day)
    return config


# ---- what is saved, and what comes back -------------------------------------------------------------------------


def test_run_saves_states_and_load_gives_the_metrics_that_run_gave(tmp_path: Path) -> None:
    vf.save(DAYS["20240102"], tmp_path / "in" / "20240102.feather")
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    given = vf.run(lambda df, ctx: vf.aggregate(df, ["side"], METRICS), config, "20240102")
    path = tmp_path / "out" / "20240102.parquet"
    assert given.columns == ["side", *METRICS]
    assert_frame_equal(vf.load(path), given, check_exact=True)
    assert_frame_equal(vf.scan(path).select("vwap").collect(), given.select("vwap"), check_exact=True)
    states = vf.load(path, states=True)
    assert states.columns == pl.read_parquet(path).columns
    assert states.columns[:3] == ["side", "rows", "qty.sum"]
    assert states["price.first.date"].to_list() == [dt.date(2024, 1, 2)] * 2
    assert_frame_equal(vf.scan(path, states=True).collect(), states)


def test_metadata_of_a_partial(tmp_path: Path) -> None:
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    vf.save(DAYS["20240102"].with_columns(alpha=pl.lit(0.0005)), tmp_path / "in" / "20240102.feather")

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        return vf.aggregate(vf.bin(df, {"alpha": 1e-4}), ["alpha_bin"], {"n": pl.len()})

    vf.run(pipeline, config, "20240102")
    known = file.info(tmp_path / "out" / "20240102.parquet")
    assert known is not None
    assert (known.kind, known.date, known.dates) == ("states", "20240102", ("20240102",))
    assert known.bins == {"alpha_bin": 1e-4}
    assert known.plan is not None
    assert known.plan.group_by == ("alpha_bin",)
    assert [state.kind for state in known.plan.states] == ["add_int"]
    assert len(known.schema_version) == 16
    assert known.metadata["vizflow.input"] == "20240102.feather"


def test_shared_leaves_are_stored_once() -> None:
    metrics = {
        "n": pl.len(), "count": PRICE.count(), "sum": PRICE.sum(), "mean": PRICE.mean(), "var": PRICE.var(),
        "std": PRICE.std(ddof=0), "cv": PRICE.std() / PRICE.mean(),
    }  # fmt: skip
    plan = traced.plan_of(vf.aggregate(DAYS["20240102"], ["side"], metrics))
    assert plan is not None
    assert [state.name for state in plan.states] == ["rows", "price.nulls", "price.sum", "price.squares"]


def test_a_plan_is_read_back_from_its_text() -> None:
    plan = traced.plan_of(frames(derived={"half": pl.col("vwap") / 2})["20240102"])
    assert plan is not None
    again = Plan.from_json(plan.to_json())
    assert (again, again.id) == (plan, plan.id)
    assert "Column" not in plan.to_json()  # Polars' own form is not stored
    with raises(StorageError, "format 99"):
        Plan.from_json(json.dumps({**json.loads(plan.to_json()), "format": 99}))
    for text in ("", "[]", '{"format":2}', plan.to_json().replace('"/"', '"eval"')):
        with raises(StorageError, "plan cannot be read"):
            Plan.from_json(text)


def test_pipeline_that_goes_on_saves_metrics_with_a_warning(tmp_path: Path) -> None:
    vf.save(DAYS["20240102"], tmp_path / "in" / "20240102.feather")
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    path = tmp_path / "out" / "20240102.parquet"
    with pytest.warns(NotMergeableWarning, match=r"20240102\.parquet: the pipeline goes on after vf\.aggregate"):
        vf.run(lambda df, ctx: vf.aggregate(df, ["side"], METRICS).filter(pl.col("n") > 1), config, "20240102")
    assert vf.load(path)["side"].to_list() == ["B"]
    known = file.info(path)
    assert known is not None
    assert (known.kind, known.plan) == ("metrics", None)
    with raises(ConfigError, "it holds metrics as they are"):
        vf.reduce(path)
    with raises(ConfigError, "it holds no states"):
        vf.load(path, states=True)


def test_not_mergeable_metrics_are_saved_without_a_warning(tmp_path: Path) -> None:
    saved(tmp_path, {"median": PRICE.median(), "n": pl.len()}, mergeable=False)
    assert vf.load(tmp_path / "out" / "20240103.parquet")["median"].to_list() == [11.0, None]
    with raises(ConfigError, "20240102.parquet: it holds metrics"):
        vf.reduce(tmp_path / "out")


def test_save_of_an_untouched_aggregate_saves_states(tmp_path: Path) -> None:
    path = vf.save(frames()["20240102"], tmp_path / "a.parquet")
    assert_frame_equal(vf.load(path), frames()["20240102"].collect())
    assert vf.save(frames()["20240102"], tmp_path / "a.csv").read_text().startswith("side,bin,n,qty,vwap")
    touched = vf.save(frames()["20240102"].filter(pl.col("n") > 0), tmp_path / "b.parquet")
    assert file.info(touched) is None


def test_a_loaded_frame_that_was_changed_in_place_is_no_partial(tmp_path: Path) -> None:
    loaded = vf.load(vf.save(frames({"n": pl.len()})["20240102"], tmp_path / "a.parquet"), states=True)
    assert vf.reduce([loaded]).collect()["n"].to_list() == [1, 1, 1]
    loaded.replace_column(2, pl.Series("rows", [5, 5, 5]))
    with raises(ConfigError, "does not know its states"):
        vf.reduce([loaded])


# ---- merging ----------------------------------------------------------------------------------------------------


def test_reduce_by_hand() -> None:
    out = vf.reduce(frames()).collect()
    assert out.columns == ["side", "bin", *METRICS]
    assert out.rows() == [
        ("B", 1, 2, 200, 10.5, 10.5, 10.0, 100),
        ("B", 2, 1, 300, 12.0, 12.0, 12.0, 300),
        ("S", 1, 2, 51, (9.0 * 50 + 8) / 51, 8.5, 9.0, 1),
        ("S", 3, 1, 7, 0.0, None, None, 7),
    ]
    assert out.schema["n"] == pl.Int64


def test_reduce_of_files_folder_glob_list_and_frames(tmp_path: Path) -> None:
    saved(tmp_path)
    folder = tmp_path / "out"
    want = vf.reduce(frames()).collect()
    paths = sorted(folder.glob("*.parquet"))
    forms: list[Any] = [
        folder, str(folder / "2024*.parquet"), paths, list(reversed(paths)),
        [paths[0], str(paths[1]), vf.scan(paths[2])],
        [vf.load(path, states=True) for path in paths], {path.stem: path for path in paths},
        [folder / "202401*.parquet", paths[2]],
    ]  # fmt: skip
    for form in forms:
        assert_frame_equal(vf.reduce(form).collect(), want, check_exact=True)


def test_subsets_and_series(tmp_path: Path) -> None:
    saved(tmp_path)
    folder = tmp_path / "out"
    assert vf.reduce(folder, group_by=[]).collect().select("n", "qty", "first", "last").rows() == [(6, 558, 10.0, 1)]
    assert vf.reduce(folder, group_by="side").collect().select("side", "n").rows() == [("B", 3), ("S", 3)]
    by_date = vf.reduce(folder, by="date", group_by=["side"]).collect().select("date", "side", "n").rows()
    assert by_date == [
        (dt.date(2024, 1, 2), "B", 2), (dt.date(2024, 1, 2), "S", 1), (dt.date(2024, 1, 3), "B", 1),
        (dt.date(2024, 1, 3), "S", 1), (dt.date(2024, 2, 1), "S", 1),
    ]  # fmt: skip
    by_month = vf.reduce(folder, by="month", group_by=[]).collect().select("month", "n").rows()
    assert by_month == [(dt.date(2024, 1, 1), 5), (dt.date(2024, 2, 1), 1)]
    assert vf.reduce(folder, by="year", group_by=[]).collect().select("year", "n").rows() == [(dt.date(2024, 1, 1), 6)]
    assert vf.reduce(folder, dates=("20240103", "20240301"), group_by=[]).collect()["n"].item() == 3
    assert vf.reduce(folder, dates=["20240201", "20240102"], group_by=[]).collect()["n"].item() == 4


def test_merged_partials_merge_further(tmp_path: Path) -> None:
    saved(tmp_path)
    january = vf.reduce(tmp_path / "out", dates=("20240101", "20240131"))
    path = vf.save(january, tmp_path / "january.parquet")
    known = file.info(path)
    assert known is not None
    assert known.dates == ("20240102", "20240103")
    assert_frame_equal(vf.load(path), january.collect(), check_exact=True)
    out = vf.reduce([tmp_path / "out" / "20240201.parquet", path])
    assert_frame_equal(out.collect(), vf.reduce(tmp_path / "out").collect(), check_exact=True)
    with raises(ConfigError, "date 20240102 is in", "january.parquet", "would count twice"):
        vf.reduce([path, tmp_path / "out" / "20240102.parquet"])
    with raises(ConfigError, "holds 2 dates merged, of which 1 are asked for"):
        vf.reduce([path], dates=["20240102"])
    with raises(ConfigError, "of more than one date"):
        vf.reduce([path], by="date").collect()
    assert vf.reduce([path], by="month", group_by=[]).collect()["n"].to_list() == [5]


def test_derived_metrics_are_computed_after_the_merge() -> None:
    parts = frames({"notional": (PRICE * QTY).sum(), "qty": QTY.sum()}, derived={
        "vwap": pl.col("notional") / pl.col("qty"), "bps": (pl.col("vwap") * 1e4).round(1),
    })  # fmt: skip
    out = vf.reduce(parts, group_by=["side"]).collect()
    assert out.columns == ["side", "notional", "qty", "vwap", "bps"]
    assert out["vwap"].to_list() == [5700 / 500, 458 / 58]
    with raises(ConfigError, "derived 'd' holds the function 'rank'", "mergeable=False"):
        frames(derived={"d": pl.col("n").rank()})
    with raises(SchemaError, "derived 'd': there is no column 'm'"):
        frames(derived={"d": pl.col("m")})
    with raises(SchemaError, "derived 'n' has the name of a metric"):
        frames(derived={"n": pl.col("qty")})


def test_keys_of_every_type_survive_a_file(tmp_path: Path) -> None:
    frame = pl.DataFrame({
        "e": pl.Series(["b", "a", None], dtype=pl.Enum(["b", "a"])),
        "c": pl.Series(["y", "x", "x"], dtype=pl.Categorical),
        "d": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 2)],
        "u": pl.Series([2**64 - 1, 0, 1], dtype=pl.UInt64),
        "ok": [True, None, False],
        "x": [1.0, 2.0, 3.0],
    })  # fmt: skip
    keys = ["e", "c", "d", "u", "ok"]
    lf = vf.aggregate(frame, keys, {"x": pl.col("x").sum()})
    parts = {f"2024010{i}": vf.save(lf, tmp_path / f"2024010{i}.parquet") for i in (1, 2)}
    out = vf.reduce(parts).collect()
    assert out.schema == lf.collect_schema()
    assert out["x"].to_list() == [2 * x for x in lf.collect()["x"]]


def test_variance_far_from_zero_over_dates() -> None:
    days = {
        f"202401{day:02d}": pl.DataFrame({"x": [1e6 + math.sin(day * 100 + i) for i in range(100)]})
        for day in range(1, 20)
    }
    out = vf.reduce({day: vf.aggregate(f, [], {"v": pl.col("x").var()}) for day, f in days.items()}).collect().item()
    values = [x for f in days.values() for x in f["x"]]
    mean = math.fsum(values) / len(values)
    want = math.fsum((x - mean) ** 2 for x in values) / (len(values) - 1)
    assert abs(out / want - 1) < 1e-9


def test_integer_sums_are_exact_and_checked() -> None:
    big = pl.DataFrame({"x": [2**62]})
    one = vf.aggregate(big, [], {"s": pl.col("x").sum(), "n": pl.len()})
    assert vf.reduce({"20240101": one}).collect().row(0) == (2**62, 1)
    with raises(DataError, "sum of x", "does not fit Int64"):
        vf.reduce(
            {"20240101": one, "20240102": vf.aggregate(big, [], {"s": pl.col("x").sum(), "n": pl.len()})}
        ).collect()
    many = vf.aggregate(big, [], {"n": pl.len()})
    counted = traced.traced(many)
    assert counted is not None
    # 4.29e9 rows do not wrap around
    huge = traced.Traced(counted.plan, lambda: counted.states().with_columns(rows=pl.lit(2**40, dtype=pl.Int64)))
    other = many.select(pl.all())
    traced.remember(other, huge)
    assert vf.reduce({"20240101": other, "20240102": many}).collect().item() == 2**40 + 1


def test_float_sums_past_the_largest_double_come_back() -> None:
    up, down = pl.DataFrame({"x": [1.7e308, 1.7e308]}), pl.DataFrame({"x": [-1.7e308]})
    parts = {
        f"2024010{i}": vf.aggregate(f, [], {"s": pl.col("x").sum(), "m": pl.col("x").mean()})
        for i, f in enumerate((up, down), 1)
    }
    assert parts["20240101"].collect().row(0) == (math.inf, 1.7e308)
    assert vf.reduce(parts).collect()["s"].item() == 1.7e308


# ---- refusals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "reason", "remedy"),
    [
        (PRICE.median(), "median needs all rows", "bin the column"),
        (PRICE.quantile(0.5), "quantile needs all rows", "bin the column"),
        (PRICE.n_unique(), "n_unique needs all rows", "into group_by"),
        (PRICE.mode().first(), "mode needs all rows", "into group_by"),
        (PRICE.rank().sum(), "rank needs all rows", "before aggregate"),
        (PRICE.diff().sum(), "diff needs all rows", "before aggregate"),
        (PRICE.shift().sum(), "shift needs all rows", "before aggregate"),
        (PRICE.cum_sum().last(), "cum_sum needs all rows", "before aggregate"),
        (PRICE.sum().over("bin"), "over needs all rows", "before aggregate"),
        (PRICE.sort_by("qty").first(), "sort_by needs all rows", "before aggregate"),
        (PRICE.map_batches(lambda s: s).sum(), "a Python function", "before aggregate"),
        (PRICE.sum().map_elements(lambda v: v, return_dtype=pl.Float64), "a Python function", "vf.load or vf.reduce"),
        (PRICE, "column 'price' stands in it without an aggregate", "add one"),
        (PRICE - PRICE.mean(), "column 'price' stands in it", "add one"),
        ((PRICE - PRICE.mean()).sum(), "sum is taken of another aggregate", "before aggregate"),
        (pl.col("^p.*$").sum(), "it selects several columns", "name each column"),
        (pl.all().sum(), "it selects several columns", "name each column"),
        (pl.lit(1), "it is a constant", "with_columns"),
        (PRICE.drop_nulls().sum(), "drop_nulls needs all rows", "leave it out"),
        ((PRICE.filter(QTY > 1) * 2).sum(), "a filter stands in the middle", "when/then"),
        (PRICE.filter(QTY > 1).filter(PRICE > 1).sum(), "filtered twice", "&"),
        (PRICE.filter(PRICE.mean() < PRICE).sum(), "another aggregate", "before aggregate"),
        (pl.len().filter(QTY > 1), "is a list", "use pl.col(...).filter(...).len()"),
        (PRICE.nan_max(), "nan_max", "is_nan().any()"),
        (PRICE.sum().is_in([1.0]), "holds the function 'is_in'", "with_columns"),
        (pl.col("side").first(), "which is String", "to_physical()"),
        (pl.corr("price", "qty", method="spearman"), "rank correlation", "take pl.corr of them"),
        (PRICE.cast(pl.Decimal(10, 2)).sum(), "Decimal", "cast it"),
    ],
)  # fmt: skip
def test_what_cannot_merge_is_refused_with_reason_and_remedy(metric: pl.Expr, reason: str, remedy: str) -> None:
    with raises(ConfigError, "metric 'm' cannot be merged over dates", reason, remedy, "mergeable=False", column="m"):
        vf.aggregate(DAYS["20240102"], ["bin"], {"n": pl.len(), "m": metric})


def test_partials_of_other_plans_are_refused_with_the_difference(tmp_path: Path) -> None:
    saved(tmp_path)
    other = tmp_path / "out" / "20240103.parquet"
    for metrics, keys, text in (
        (
            {**METRICS, "mean": PRICE.max()},
            ["side", "bin"],
            "metric 'mean' is max of price as Float64, not mean(sum of price",
        ),
        ({**METRICS, "vwap": (PRICE * QTY).sum() / pl.len()}, ["side", "bin"], "metric 'vwap' is"),
        ({name: METRICS[name] for name in ("n", "qty")}, ["side", "bin"], "metric 'vwap' is missing"),
        ({**METRICS, "more": QTY.max()}, ["side", "bin"], "metric 'more' = max of qty as Int64 is one more"),
        (METRICS, ["side"], "group_by is ['side'], not ['side', 'bin']"),
    ):
        vf.save(vf.aggregate(DAYS["20240103"], keys, metrics), other)
        with raises(ConfigError, "20240103.parquet has another plan than", "20240102.parquet", text):
            vf.reduce({path.stem: path for path in (other.with_name("20240102.parquet"), other)})


def test_partials_of_other_bin_widths_are_refused(tmp_path: Path) -> None:
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")
    for day, width in (("20240102", 1.0), ("20240103", 0.5)):
        vf.save(DAYS[day], tmp_path / "in" / f"{day}.feather")

        def pipeline(df: pl.LazyFrame, ctx: vf.Context, width: float = width) -> pl.LazyFrame:
            return vf.aggregate(vf.bin(df, {"price": width}), ["price_bin"], {"n": pl.len()})

        vf.run(pipeline, config, day)
    with raises(ConfigError, "20240103.parquet has other bins than", "price_bin has width 0.5, not width 1.0"):
        vf.reduce(tmp_path / "out")


def test_bad_requests(tmp_path: Path) -> None:
    parts = frames()
    config = saved(tmp_path)
    with raises(SchemaError, "the partials have no column 'sides' to group by", "did you mean 'side'?"):
        vf.reduce(parts, group_by=["sides"])
    with raises(ConfigError, "names a column twice"):
        vf.reduce(parts, group_by=["side", "side"])
    with raises(ConfigError, "by is 'week'"):
        vf.reduce(parts, by="week")  # type: ignore[arg-type]
    with raises(ConfigError, "there is no partial of 20240105"):
        vf.reduce(parts, dates=["20240102", "20240105"])
    with raises(ConfigError, "there is no partial from 20250101 to 20251231"):
        vf.reduce(parts, dates=("20250101", "20251231"))
    with raises(ConfigError, "20241399"):
        vf.reduce(parts, dates=["20241399"])
    with raises(ConfigError, "there is no partial to merge"):
        vf.reduce([])
    with raises(StorageError, "there is no partial"):
        vf.reduce(tmp_path / "in")
    with raises(StorageError, "there is no such file"):
        vf.reduce(tmp_path / "none.parquet")
    with raises(ConfigError, "partials[0]: this frame does not know its states"):
        vf.reduce([parts["20240102"].filter(pl.col("n") > 0)])
    with raises(ConfigError, "first and last values: the date of partials[0] is not known", "mapping of dates"):
        vf.reduce(list(parts.values()))
    undated = list(frames({"n": pl.len()}).values())
    assert vf.reduce(undated, group_by=[]).collect().item() == 6
    with raises(ConfigError, "the date of partials[0] is not known"):
        vf.reduce(undated, by="date").collect()
    with raises(ConfigError, "VizFlow did not write it"):
        vf.reduce(vf.save(DAYS["20240102"], tmp_path / "foreign.parquet"))
    path = config.get_partial_path("20240102")
    path.write_bytes(path.read_bytes()[:-20])
    with raises(StorageError, "20240102.parquet: ", "not those that were written"):
        vf.reduce(tmp_path / "out")


def test_key_types_that_drift_are_refused(tmp_path: Path) -> None:
    vf.save(vf.aggregate(DAYS["20240102"], ["bin"], {"n": pl.len()}), tmp_path / "20240102.parquet")
    drifted = DAYS["20240103"].with_columns(pl.col("bin").cast(pl.Int32))
    vf.save(vf.aggregate(drifted, ["bin"], {"n": pl.len()}), tmp_path / "20240103.parquet")
    with raises(ConfigError, "20240103.parquet: column 'bin' is Int32", "it is Int64"):
        vf.reduce({path.stem: path for path in sorted(tmp_path.glob("*.parquet"))})


# ---- the small language -----------------------------------------------------------------------------------------

A, B = pl.col("a"), pl.col("b")


@pytest.mark.parametrize(
    "expr",
    [
        A + B, A - B, A * B, A / B, A // B, A % B, A == B, A != B, A < 1, A <= 1.5, A > B, A >= B, (A > 1) & (B > 2),
        (A > 1) | (B > 2), (A > 1) ^ (B > 2), A.eq_missing(B), A.ne_missing(1), A.abs(), -A, ~(A > 1), A.sign(),
        A.sqrt(), A.cbrt(), A**2, 2**A, A**B, A.exp(), A.log(), A.log(10), A.log1p(), A.floor(), A.ceil(), A.round(),
        A.round(2, mode="half_away_from_zero"), A.round_sig_figs(3), A.fill_null(0), A.fill_null(B), A.fill_nan(0.0),
        A.is_null(), A.is_not_null(), A.is_nan(), A.is_finite(), A.is_between(1, 2, closed="left"), A.clip(0, 3),
        A.clip(upper_bound=B), pl.coalesce(A, B, 1), pl.max_horizontal(A, B), pl.min_horizontal(A, 1),
        A.cast(pl.Float32), A.cast(pl.Int64, strict=False), A.cast(pl.Duration("ms")),
        A.cast(pl.Datetime("us", "Asia/Shanghai")),
        pl.when(A > 1).then(B).when(A > 0).then(1).otherwise(None), A * pl.lit(2, dtype=pl.Int8), pl.lit("x") == A,
        pl.lit(dt.date(2020, 1, 1)) < A, A * 10**18, A > -1, A & True,
    ],
    ids=str,
)  # fmt: skip
def test_language_reads_back_what_it_wrote(expr: pl.Expr) -> None:
    tree = json.loads(json.dumps(language.encode(expr)))
    assert language.decode(tree).meta.eq(expr.meta.undo_aliases())
    assert language.show(tree)


@pytest.mark.parametrize(
    ("expr", "what"),
    [
        (A.sum(), "an aggregate"), (A.over("b"), "over"), (A.rank(), "'rank'"), (A.is_in([1]), "'is_in'"),
        (A.map_batches(lambda s: s), "a Python function"),
        (pl.lit(dt.datetime(2020, 1, 1)) < A, "a literal of type Datetime"), (A.cast(pl.Decimal(10, 2)), "the type"),
    ],
    ids=str,
)  # fmt: skip
def test_language_refuses_what_it_lacks(expr: pl.Expr, what: str) -> None:
    with pytest.raises(language.NotInLanguage, match=what):
        language.encode(expr)


@pytest.mark.parametrize("value", [[], [[]], [1], {}])
def test_language_reads_no_lists_as_literals(value: object) -> None:
    """Polars panics over some of them, and an expression that was written has none."""
    with pytest.raises(language.NotInLanguage, match="list"):
        language.decode(["call", "+", [["lit", None, value], ["col", "x"]], {}])


def test_columns_of_states_are_named_in_c_as_in_files() -> None:
    df = pl.DataFrame({"k": [1], "x": [2.5], "i": [3]})
    metrics = {
        "sum": pl.col("x").sum(), "ints": pl.col("i").sum(), "product": pl.col("x").product(),
        "first": pl.col("x").first(), "last": pl.col("i").last(), "least": pl.col("x").min(), "std": pl.col("x").std(),
    }  # fmt: skip
    job = make_job(metrics, df.schema, ["k"])
    leaves = [leaf.spec(state.name) for leaf, state in zip(job.leaves, job.states, strict=True)]
    agg = _core.Agg(leaves=leaves, n_keys=1, n_values=len(job.values), n_threads=1)
    agg.update([df["k"]], list(df.select(job.values)), df.height)
    named = [pl.Series(column).name for column in agg.states()][1:]
    assert named == [column for state in job.states for column in state.columns]
