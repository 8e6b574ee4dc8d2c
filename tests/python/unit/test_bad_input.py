"""The bad inputs of a day's run: each an error of its kind that says where, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, DataError, Error, SchemaError, StorageError

DATE = "20241001"
ROWS = 1_000
DAY = pl.DataFrame(
    {
        "ticktime": [93000000 + i // 60 % 60 * 100_000 + i % 60 * 1000 for i in range(ROWS)],
        "ukey": [i % 7 for i in range(ROWS)],
        "side": ["BSC"[i % 3] for i in range(ROWS)],
        "qty": [float(i % 9 + 1) for i in range(ROWS)],
        "price": [10.0 + i % 5 for i in range(ROWS)],
        "alpha": [i * 1e-5 for i in range(ROWS)],
    }
)


def put(column: str, value: Any, rows: list[int], dtype: Any = None) -> pl.DataFrame:
    """Return the day with a value in some rows of a column."""
    there = pl.int_range(pl.len()).is_in(rows)
    kept = pl.col(column) if dtype is None else pl.col(column).cast(dtype)
    return DAY.with_columns(
        pl.when(there).then(pl.lit(value, dtype=dtype or DAY.schema[column])).otherwise(kept).alias(column)
    )


def process_day(df: pl.LazyFrame, ctx: vf.Context, **options: Any) -> pl.LazyFrame:
    time: dict[str, Any] = {"unit": "HHMMSSmmm", "outside": "raise"} | options.get("time", {})
    rule: dict[str, Any] = {"entry_side": "B", "exit_side": "S"} | options.get("fifo", {})
    df = vf.parse_time(df, ctx.market, "ticktime", **time)
    df = vf.Enricher([vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", **rule)], "ukey", "elapsed_seconds").run(
        df
    )
    df = vf.forward_return(df, options.get("horizons", [60]), symbol_col="ukey")
    df = vf.bin(df, options.get("widths", {"alpha": 1e-4}))
    return vf.aggregate(df, options.get("group_by", ["alpha_bin"]), {"n": pl.len(), **options.get("metrics", {})})


@pytest.fixture
def refuse(tmp_path: Path) -> Callable[..., None]:
    """Run a day that must fail; check the error, and that the output folder holds nothing at all."""
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out", schema={"qty": {"cast_to": pl.Float64}})

    def check(
        kind: type[Error], *parts: str, day: pl.DataFrame | bytes = DAY, date: Any = DATE, schema: Any = None,
        expect: dict[str, Any] | None = None, **options: Any,
    ) -> None:  # fmt: skip
        file = tmp_path / "in" / f"{DATE}.feather"
        vf.save(DAY if isinstance(day, bytes) else day, file)
        if isinstance(day, bytes):
            file.write_bytes(day)
        config.schema = schema or config.schema
        with raises(kind, *parts, **(expect or {})):
            vf.run(lambda df, ctx: process_day(df, ctx, **options), config, date, save=True)
        assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
        assert [path.name for path in (tmp_path / "in").iterdir()] == [f"{DATE}.feather"]
        assert {path.name for path in tmp_path.iterdir()} <= {"in", "out"}

    return check


def test_the_good_day_passes(tmp_path: Path) -> None:
    vf.save(DAY, tmp_path / f"{DATE}.feather")
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path / "out")
    vf.run(process_day, config, DATE)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"{DATE}.parquet"]


@pytest.mark.parametrize(
    ("column", "hint"),
    [("ticktime", "tick_time"), ("side", "Side"), ("price", "Price"), ("ukey", "Ukey"), ("alpha", "alpha_")],
)
def test_missing_column(refuse: Callable[..., None], column: str, hint: str) -> None:
    refuse(
        SchemaError, f"'{column}'", f"did you mean '{hint}'", day=DAY.rename({column: hint}), expect={"column": column}
    )


def test_missing_column_of_the_schema(refuse: Callable[..., None]) -> None:
    refuse(
        SchemaError,
        f"{DATE}.feather",
        "'qty'",
        "did you mean 'Qty'",
        day=DAY.rename({"qty": "Qty"}),
        expect={"column": "qty"},
    )


@pytest.mark.parametrize(
    ("column", "dtype"),
    [
        ("ticktime", pl.Float64),
        ("ticktime", pl.Date),
        ("ukey", pl.Float64),
        ("price", pl.String),
        ("side", pl.Date),
        ("alpha", pl.String),
    ],
)
def test_wrong_type(refuse: Callable[..., None], column: str, dtype: Any) -> None:
    values = pl.lit(None, dtype=dtype) if dtype == pl.Date or column == "side" else pl.col(column).cast(dtype)
    refuse(SchemaError, str(dtype), day=DAY.with_columns(values.alias(column)), expect={"column": column})


@pytest.mark.parametrize("value", [99999999, 93060000, 240000001, 120000000, -1])
def test_impossible_times(refuse: Callable[..., None], value: int) -> None:
    day = put("ticktime", value, [400, 401, 998])
    refuse(
        DataError, '"ticktime"', "3 of 1000", "row 400", day=day, expect={"column": "ticktime", "row": 400, "count": 3}
    )


def test_times_that_may_be_either(refuse: Callable[..., None]) -> None:
    day = put("ticktime", 93000, [998])
    refuse(
        DataError,
        '"ticktime"',
        "unit=",
        day=day,
        time={"unit": None, "outside": "null"},
        expect={"column": "ticktime", "row": 998},
    )


@pytest.mark.parametrize("value", [-1.0, float("nan"), None, float("inf")])
def test_bad_quantity(refuse: Callable[..., None], value: float | None) -> None:
    day = put("qty", value, [500, 502, 600, 777])  # rows 500 and 776 + 1 lie on "C" and "B": only trades count
    trades = [row for row in (500, 502, 600, 777) if DAY["side"][row] != "C"]
    refuse(
        DataError,
        '"qty"',
        f"row {trades[0]}",
        day=day,
        expect={"column": "qty", "row": trades[0], "count": len(trades)},
    )


def test_null_time_on_a_trade_row(refuse: Callable[..., None]) -> None:
    day = put("ticktime", None, [300, 301])
    refuse(
        DataError, '"elapsed_seconds"', "row 300", day=day, expect={"column": "elapsed_seconds", "row": 300, "count": 2}
    )


def test_null_symbol_on_a_trade_row(refuse: Callable[..., None]) -> None:
    refuse(
        DataError,
        '"ukey"',
        "row 300",
        day=put("ukey", None, [300, 301]),
        expect={"column": "ukey", "row": 300, "count": 2},
    )


def test_sides_that_never_occur(refuse: Callable[..., None]) -> None:
    refuse(
        DataError,
        '"Buy"',
        '"Sell"',
        'found: "B", "S", "C"',
        fifo={"entry_side": "Buy", "exit_side": "Sell"},
        expect={"column": "side"},
    )


@pytest.mark.parametrize("column", ["elapsed_seconds", "matched_qty", "is_closed", "return_60", "alpha_bin"])
def test_name_clash(refuse: Callable[..., None], column: str) -> None:
    refuse(SchemaError, "would overwrite", day=DAY.with_columns(pl.lit(1).alias(column)), expect={"column": column})


def test_name_clash_of_a_metric(refuse: Callable[..., None]) -> None:
    refuse(SchemaError, "'alpha_bin'", metrics={"alpha_bin": pl.len()}, expect={"column": "alpha_bin"})


@pytest.mark.parametrize("width", [0, 0.0, float("nan"), -1e-4])
def test_bad_bin_width(refuse: Callable[..., None], width: float) -> None:
    refuse(ConfigError, "'alpha'", repr(width), widths={"alpha": width}, expect={"column": "alpha"})


def test_duplicate_horizons(refuse: Callable[..., None]) -> None:
    refuse(ConfigError, "horizon 60", "twice", horizons=[60, 300, 60])


@pytest.mark.parametrize("value", [125.5, float("nan"), 1e300])
def test_quantity_that_is_no_integer(refuse: Callable[..., None], value: float) -> None:
    schema = {"qty": {"load_as": pl.Float64, "cast_to": pl.Int64}}
    refuse(
        DataError,
        '"qty"',
        "row 700",
        day=put("qty", value, [700, 800]),
        schema=schema,
        expect={"column": "qty", "row": 700, "count": 2},
    )


def test_empty_file(refuse: Callable[..., None]) -> None:
    refuse(StorageError, f"{DATE}.feather", "empty", day=b"")


def feather(tmp_path: Path) -> bytearray:
    return bytearray(vf.save(DAY, tmp_path / "elsewhere" / "x.feather").read_bytes())


@pytest.mark.parametrize("part", [0.001, 0.3, 0.9, 0.9999])
def test_truncated_file(refuse: Callable[..., None], tmp_path_factory: pytest.TempPathFactory, part: float) -> None:
    data = feather(tmp_path_factory.mktemp("whole"))
    refuse(StorageError, f"{DATE}.feather", "truncated", day=bytes(data[: int(len(data) * part)]))


@pytest.mark.parametrize("where", ["magic at the end", "footer", "first block"])
def test_corrupt_file(refuse: Callable[..., None], tmp_path_factory: pytest.TempPathFactory, where: str) -> None:
    data = feather(tmp_path_factory.mktemp("whole"))
    start, length = {
        "magic at the end": (len(data) - 6, 6),
        "footer": (len(data) - 300, 280),
        "first block": (8, 2_000),
    }[where]
    data[start : start + length] = b"\x5a" * length
    refuse(StorageError, f"{DATE}.feather", day=bytes(data))


def test_missing_file(tmp_path: Path) -> None:
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path / "out")
    with raises(StorageError, f"{DATE}.feather", "no such file"):
        vf.run(process_day, config, DATE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("date", ["../../x", "20241399", "２０２４１００１", "", "20241001 ", None, 20241001])
def test_date_that_is_no_date(refuse: Callable[..., None], date: Any) -> None:
    refuse(ConfigError, "YYYYMMDD", repr(date), date=date)


def test_day_without_rows_is_no_error(tmp_path: Path) -> None:
    vf.save(DAY.clear(), tmp_path / f"{DATE}.feather")
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path / "out")
    assert vf.run(process_day, config, DATE).height == 0
