"""A config's schema: rules that are refused, days that drift, and the versions of what is saved."""

from __future__ import annotations

import datetime as dt
import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError
from vizflow.partials import versions
from vizflow.partials.versions import PartialSchema, alert, schema_version
from vizflow.schema.types import type_text

# ---- rules that are refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "parts"),
    [
        ([("qty", {})], ["schema is list", "a mapping"]),
        ({"qty": pl.Int64}, ["'qty'", "{'cast_to': pl.Int64}"]),
        ({"qty": None}, ["'qty'", "a rule is a mapping"]),
        ({"": {}}, ["a column's name is text"]),
        ({1: {}}, ["a column's name is text"]),
        ({"qty": {"castto": pl.Int64}}, ["'castto'", "did you mean 'cast_to'?"]),
        ({"qty": {"load": pl.Int64}}, ["'load'", "did you mean 'load_as'?"]),
        ({"qty": {"alias": ["a"]}}, ["'alias'", "did you mean 'aliases'?"]),
        ({"qty": {"xyz": 1}}, ["'xyz'", "load_as, cast_to, tolerance, default, aliases are accepted"]),
        ({"qty": {"cast_to": "Int46"}}, ["'Int46'", "did you mean Int64"]),
        ({"qty": {"cast_to": "number"}}, ["no type 'number'"]),
        ({"qty": {"cast_to": 64}}, ["cast_to", "64 is no data type"]),
        ({"qty": {"load_as": pl.List}}, ["load_as", "pl.List(pl.Int64)"]),
        ({"qty": {"cast_to": pl.Int64, "tolerance": 0.5}}, ["tolerance is 0.5", "0 <= tolerance < 0.5"]),
        ({"qty": {"cast_to": pl.Int64, "tolerance": "1e-6"}}, ["tolerance is '1e-6'"]),
        ({"qty": {"cast_to": pl.Int64, "tolerance": True}}, ["tolerance is True"]),
        ({"qty": {"cast_to": pl.Int64, "tolerance": float("nan")}}, ["tolerance is nan"]),
        ({"qty": {"cast_to": pl.Float64, "tolerance": 0.1}}, ["tolerance is for casts of floats to integers"]),
        ({"qty": {"aliases": "volume"}}, ["aliases is 'volume'", "a list of names"]),
        ({"qty": {"aliases": [1]}}, ["a list of names"]),
        ({"qty": {"aliases": ["v"]}, "volume": {"aliases": ["v"]}}, ["'volume'", "alias 'v' belongs to 'qty' too"]),
        ({"qty": {"aliases": ["volume"]}, "volume": {}}, ["'qty'", "alias 'volume' belongs to 'volume' too"]),
        ({"qty": {"default": "1", "cast_to": pl.Int64}}, ["the default '1' is no Int64"]),
        ({"qty": {"default": 1.5, "cast_to": pl.Int64}}, ["the default 1.5 is no Int64"]),
        ({"qty": {"default": True, "cast_to": pl.Int64}}, ["the default True is no Int64"]),
        ({"qty": {"default": 300, "cast_to": pl.UInt8}}, ["the default 300 is no UInt8"]),
        ({"qty": {"default": -1, "load_as": pl.UInt8}}, ["the default -1 is no UInt8"]),
        ({"qty": {"default": float("nan"), "cast_to": pl.Int64}}, ["the default nan is no Int64"]),
        ({"day": {"default": dt.datetime(2024, 1, 1), "cast_to": pl.Date}}, ["is no Date"]),
        ({"side": {"default": "C", "cast_to": pl.Enum(["B", "S"])}}, ["the default 'C' is no Enum"]),
        ({"note": {"default": None}}, ["the default None needs a type beside it"]),
        ({"note": {"default": [1]}}, ["the default [1] needs a type beside it"]),
    ],
)  # fmt: skip
def test_rules_that_are_refused_when_they_are_made(schema: Any, parts: list[str], tmp_path: Path) -> None:
    with raises(ConfigError, *parts):
        vf.Config(schema=schema)
    path = vf.save(pl.DataFrame({"qty": [1]}), tmp_path / "x.feather")
    with raises(ConfigError, *parts):
        vf.scan(path, schema=schema).collect()


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"cast_to": int},
        {"cast_to": "Int64"},
        {"load_as": float, "cast_to": pl.Int32, "tolerance": 0},
        {"default": None, "cast_to": pl.Int64},
        {"default": 1, "cast_to": pl.Float64},
        {"default": dt.date(2024, 1, 1)},
        {"default": "B", "cast_to": pl.Enum(["B", "S"])},
        {"aliases": ("a", "b", "qty")},
        {"cast_to": pl.Datetime("ms", "UTC")},
        {"load_as": pl.List(pl.Int64)},
    ],
)
def test_rules_that_are_accepted(rule: dict[str, Any]) -> None:
    vf.Config(schema={"qty": rule})


# ---- days that drift ---------------------------------------------------------------------------------------------


def read(tmp_path: Path, frame: pl.DataFrame, schema: dict[str, Any]) -> pl.DataFrame:
    return vf.load(vf.save(chunked(frame), tmp_path / "x.feather"), schema=schema)


def test_two_aliases_on_one_day_are_refused(tmp_path: Path) -> None:
    rules = {"ticktime": {"aliases": ["tick_time", "TickTime", "time"]}}
    frame = pl.DataFrame({"TickTime": [1], "time": [2]})
    with raises(SchemaError, "x.feather", "'TickTime' and 'time'", "both there", column="ticktime"):
        read(tmp_path, frame, rules)
    assert read(tmp_path, frame.drop("time"), rules).to_dict(as_series=False) == {"ticktime": [1]}
    assert read(tmp_path, frame.with_columns(ticktime=3), rules)["ticktime"].to_list() == [3]


def test_unknown_columns_pass_through_untouched(tmp_path: Path) -> None:
    frame = pl.DataFrame({"qty": [1.0], "new": [[1, 2]], "old name": ["é"], "": [None]})
    out = read(tmp_path, frame, {"qty": {"cast_to": pl.Int64}})
    assert out.columns == frame.columns
    assert out.drop("qty").equals(frame.drop("qty"))


def test_defaults_have_the_type_that_other_days_have(tmp_path: Path) -> None:
    rules = {"lot": {"default": 100}, "rate": {"default": 0.5}, "venue": {"default": "SH"}, "open": {"default": True}}
    out = read(tmp_path, pl.DataFrame({"x": [1, 2]}), rules)
    assert out.schema == {"x": pl.Int64, "lot": pl.Int64, "rate": pl.Float64, "venue": pl.String, "open": pl.Boolean}
    assert read(tmp_path, pl.DataFrame({"x": [], "y": []}), rules).height == 0
    typed = {"lot": {"default": None, "load_as": pl.Float64, "cast_to": "Int16"}}
    assert read(tmp_path, pl.DataFrame({"x": [1]}), typed).schema["lot"] == pl.Int16


def test_identifiers_keep_every_digit_on_the_days_that_have_integers(tmp_path: Path) -> None:
    rules = {"id": {"load_as": pl.Float64, "cast_to": pl.Int64}}
    exact = 2**53 + 1
    assert read(tmp_path, pl.DataFrame({"id": [exact]}), rules)["id"].to_list() == [exact]
    assert read(tmp_path, pl.DataFrame({"id": [7.0]}), rules)["id"].to_list() == [7]


@pytest.mark.parametrize(
    "rule", [{"load_as": pl.Int64}, {"cast_to": pl.Int64}, {"load_as": pl.Int64, "cast_to": pl.Int32}]
)
def test_no_rule_truncates_a_float(tmp_path: Path, rule: dict[str, Any]) -> None:
    with raises(DataError, "x.feather", "1 of 3", "row 2", "125.5", column="qty", row=2, count=1):
        read(tmp_path, pl.DataFrame({"qty": [1.0, None, 125.5]}), {"qty": rule})


def test_decimals_are_not_truncated_either(tmp_path: Path) -> None:
    frame = pl.DataFrame({"qty": ["1.00", "125.50"]}).cast(pl.Decimal(10, 2))
    with raises(SchemaError, "x.feather", "'load_as': pl.Float64", column="qty"):
        read(tmp_path, frame, {"qty": {"cast_to": pl.Int64}})
    rules = {"qty": {"load_as": pl.Float64, "cast_to": pl.Int64}}
    with raises(DataError, "125.5", column="qty", row=1):
        read(tmp_path, frame, rules)
    assert read(tmp_path, frame.head(1), rules)["qty"].to_list() == [1]


@pytest.mark.parametrize("rows", [5, 400_000])  # many batches of the streaming engine
def test_text_that_is_no_number_is_counted_with_its_first_row(tmp_path: Path, rows: int) -> None:
    values = [str(i % 100 + 0.5) for i in range(rows)]
    values[rows - 2], values[rows - 1] = "n/a", "-"
    frame = pl.DataFrame({"other": ["x"] * rows, "px": values})
    rules = {"price": {"load_as": pl.Float64, "aliases": ["px"]}}
    text = f"2 of {rows} values cannot be cast from String to Float64, the first in row {rows - 2}: 'n/a'"
    with raises(DataError, "x.feather", text, column="price", row=rows - 2, count=2):
        read(tmp_path, frame, rules)
    config = vf.Config(input_dir=tmp_path, input_pattern="x{date}.feather", output_dir=tmp_path / "out", schema=rules)
    vf.save(frame, tmp_path / "x20241001.feather")
    with raises(DataError, "x20241001.feather", text, column="price", row=rows - 2, count=2):
        vf.run(lambda df, ctx: df.select(pl.col("price").sum()), config, "20241001")
    assert not (tmp_path / "out").exists()


def test_near_integers_are_counted_over_the_whole_file(tmp_path: Path) -> None:
    values = [float(i) for i in range(400_000)]
    values[250_000] = 0.5
    values[399_999] = float("nan")
    rules = {"qty": {"cast_to": pl.Int64}}
    with raises(DataError, "2 of 400000", "row 250000", "0.5", column="qty", row=250_000, count=2):
        read(tmp_path, pl.DataFrame({"qty": values}), rules)


def test_floats_that_do_not_fit_count_only_where_all_are_near_integers(tmp_path: Path) -> None:
    values = [float(i % 100) for i in range(400_000)]
    values[10], values[250_000], values[399_999] = 300.0, 300.0, 1e30
    rules = {"qty": {"cast_to": pl.UInt8}}
    with raises(DataError, "3 of 400000 values do not fit UInt8, the first in row 10: 300.0", row=10, count=3):
        read(tmp_path, pl.DataFrame({"qty": values}), rules)
    values[300_000] = 0.5
    with raises(DataError, "1 of 400000 values are no UInt8", "row 300000: 0.5", row=300_000, count=1):
        read(tmp_path, pl.DataFrame({"qty": values}), rules)


@pytest.mark.parametrize("rule", [{"load_as": pl.Float64}, {"cast_to": float}])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt64])
def test_integers_that_no_float_holds(tmp_path: Path, rule: dict[str, Any], dtype: Any) -> None:
    values = pl.Series("id", [2**53, 2**53 + 2, 2**60, None, 1], dtype=dtype)
    out = read(tmp_path, values.to_frame(), {"id": rule})["id"]
    assert out.dtype == pl.Float64
    assert out.to_list() == [2.0**53, 2.0**53 + 2, 2.0**60, None, 1.0]
    bad = pl.concat([values, pl.Series("id", [2**53 + 1, 2**60 + 1], dtype=dtype)])
    with raises(DataError, "2 of 7 values are past 2^53", "row 5: 9007199254740993", column="id", row=5, count=2):
        read(tmp_path, bad.to_frame(), {"id": rule})


def test_integers_that_do_not_fit(tmp_path: Path) -> None:
    with raises(DataError, "1 of 2 values", "Int64 to UInt8", "row 1: 256", column="qty", row=1, count=1):
        read(tmp_path, pl.DataFrame({"qty": [255, 256]}), {"qty": {"cast_to": pl.UInt8}})


def test_error_of_the_pipeline_is_not_taken_for_the_schemas(tmp_path: Path) -> None:
    vf.save(pl.DataFrame({"qty": ["1"], "x": ["a"]}), tmp_path / "20241001.feather")
    config = vf.Config(input_dir=tmp_path, schema={"qty": {"cast_to": pl.Int64}})
    with raises(DataError, "20241001.feather: the file itself reads well", "'x'"):
        vf.run(lambda df, ctx: df.select(pl.col("x").cast(pl.Int64)), config, "20241001", save=False)


# ---- versions ----------------------------------------------------------------------------------------------------

SCHEMA = {"side": pl.String, "n": pl.Int64, "total": pl.Float64}


def test_version_is_pinned() -> None:
    """It is in files: it may change only with FORMAT."""
    assert schema_version(SCHEMA, "plan", {"alpha": 1e-4}) == "69a491b7a4194641"


def test_version_depends_on_all_and_on_nothing_else() -> None:
    base = schema_version(SCHEMA, "plan", {"alpha": 1e-4, "beta": 1})
    same = [
        schema_version(dict(reversed(SCHEMA.items())), "plan", {"beta": 1.0, "alpha": 0.0001}),
        schema_version(pl.Schema(SCHEMA), "plan", {"alpha": 1e-4, "beta": 1}),
        schema_version({name: dtype() for name, dtype in SCHEMA.items()}, "plan", {"alpha": 1e-4, "beta": 1}),
    ]
    assert same == [base] * 3
    others = {
        schema_version(SCHEMA | {"n": pl.Int32}, "plan", {"alpha": 1e-4, "beta": 1}),
        schema_version(SCHEMA | {"more": pl.Int64}, "plan", {"alpha": 1e-4, "beta": 1}),
        schema_version({"Side": pl.String, "n": pl.Int64, "total": pl.Float64}, "plan", {"alpha": 1e-4, "beta": 1}),
        schema_version(SCHEMA, "plan2", {"alpha": 1e-4, "beta": 1}),
        schema_version(SCHEMA, None, {"alpha": 1e-4, "beta": 1}),
        schema_version(SCHEMA, "plan", {"alpha": 2e-4, "beta": 1}),
        schema_version(SCHEMA, "plan", None),
    }
    assert len(others) == 7
    assert base not in others


@pytest.mark.parametrize(
    ("dtype", "text"),
    [
        (pl.Int64, "Int64"),
        (pl.Datetime, "Datetime[us]"),
        (pl.Datetime("ns", "Asia/Shanghai"), "Datetime[ns, Asia/Shanghai]"),
        (pl.Duration("ms"), "Duration[ms]"),
        (pl.Decimal(10, 2), "Decimal[10, 2]"),
        (pl.Enum(["B", "S"]), 'Enum[["B", "S"]]'),
        (pl.List(pl.Datetime("us")), "List[Datetime[us]]"),
        (pl.Array(pl.Int8, 3), "Array[Int8, (3,)]"),
        (pl.Struct({"a": pl.Int8, "b": pl.List(pl.String)}), "Struct[a: Int8, b: List[String]]"),
        (pl.Categorical(), "Categorical"),
        (pl.Null(), "Null"),
    ],
)
def test_types_are_named_by_us(dtype: Any, text: str) -> None:
    assert type_text(dtype) == text


def partial(
    path: Path, frame: pl.DataFrame, plan: str | None = None, bins: str | None = None, version: str = ""
) -> Path:
    metadata = {"vizflow.format": versions.FORMAT}
    metadata |= {"vizflow.plan": plan} if plan else {}
    metadata |= {"vizflow.bins": bins} if bins else {}
    metadata |= {"vizflow.schema_version": version} if version else {}
    return vf.save(frame, path, metadata=metadata)


def test_alert_on_a_change_says_what_is_different(tmp_path: Path) -> None:
    old = pl.DataFrame({"side": ["B"], "n": [1], "gone": [1]})
    new = pl.DataFrame({"side": ["B"], "n": [1.0], "more": ["x"]})
    plan = '{"metrics": {"vwap": ["sum"], "n": "len"}}', '{"metrics": {"vwap": ["mean"], "top": 1}}'
    for i in range(3):
        partial(tmp_path / f"2024010{i + 1}.parquet", old, plan[0], '{"alpha": 0.0001, "x": 1}', "1111")
    last = partial(tmp_path / "20240104.parquet", new, plan[1], '{"alpha": 0.0002}', "2222")
    parts = sorted(tmp_path.glob("*.parquet"))
    with pytest.warns(vf.SchemaChangeWarning) as caught:
        found = alert(parts, reference=last)
    assert [paths for paths, _ in found] == [parts[:3]]
    assert found[0][1] == [
        "column 'gone' is gone",
        "column 'more' (String) is new",
        "column 'n' was Int64, is Float64",
        "the bin width of 'alpha' was 0.0001, is 0.0002",
        "the bins of 'x' are gone",
        "the metrics' plan differs (metrics.vwap, metrics.n is gone, metrics.top is new)",
    ]
    text = str(caught[0].message)
    assert "3 partial results" in text
    assert "20240101.parquet to 20240103.parquet" in text
    assert "skip_existing=False" in text
    assert len(caught) == 1
    texts: list[str] = []
    found = alert(parts, warn=texts.append)  # most of them say what is right
    assert [paths for paths, _ in found] == [[last]]
    assert "1 partial result in" in texts[0]
    assert "column 'n' was Float64, is Int64" in texts[0]


def test_alert_is_silent_where_nothing_changed(tmp_path: Path) -> None:
    frame = pl.DataFrame({"side": ["B"], "n": [1]})
    version = schema_version(frame.schema, "id", {"alpha": 1e-4})
    paths = [partial(tmp_path / f"{i}.parquet", frame, '{"id": 1}', '{"alpha": 0.0001}', version) for i in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert alert(paths) == []
        assert alert([]) == []
        assert alert(paths, reference=PartialSchema.of(frame.schema, "id", {"alpha": 1e-4})) == []
        assert alert([partial(tmp_path / f"v{i}.parquet", frame) for i in range(2)]) == []  # without versions


def test_alert_of_a_new_plan_before_it_ran(tmp_path: Path) -> None:
    frame = pl.DataFrame({"side": ["B"], "n": [1]})
    paths = [partial(tmp_path / "1.parquet", frame, '{"id": 1}', None, schema_version(frame.schema, "id", None))]
    texts: list[str] = []
    assert alert(paths, PartialSchema.of(frame.schema, "other", None), warn=texts.append)[0][1] == [
        "the metrics' plan differs"
    ]
    assert alert(paths, PartialSchema.of(frame.schema, "id", {"a": 1.0}), warn=texts.append)[0][1] == [
        "the bins of 'a' are new"
    ]
    assert len(texts) == 2


@pytest.mark.parametrize("bins", ["[1", "[1]", '{"a": [1]}', '{"a": null}'])
def test_alert_refuses_what_is_no_partial(tmp_path: Path, bins: str) -> None:
    path = partial(tmp_path / "1.parquet", pl.DataFrame({"n": [1]}), bins=bins)
    with raises(StorageError, "1.parquet", "no whole partial"):
        alert([path])
    (tmp_path / "2.parquet").write_bytes(b"PAR1 and nothing")
    with raises(StorageError, "2.parquet"):
        alert([tmp_path / "2.parquet"])
    with raises(StorageError, "3.parquet"):
        alert([tmp_path / "3.parquet"])
