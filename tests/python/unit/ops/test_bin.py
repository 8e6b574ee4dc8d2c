"""`bin`."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError

HALVES = [-2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5]


def bins(
    values: list[Any], width: float = 1.0, dtype: Any = pl.Float64, engine: Any = "auto", **options: Any
) -> list[Any]:
    frame = chunked(pl.DataFrame({"x": pl.Series(values, dtype=dtype, strict=False)}))
    out = vf.bin(frame, {"x": width}, **options).collect(engine=engine)
    assert out.schema == {"x": dtype, "x_bin": pl.Int64}
    return out["x_bin"].to_list()


def test_halves_go_to_even(engine: Any) -> None:
    assert bins(HALVES, engine=engine) == [-2, -2, 0, 0, 0, 2, 2]


def test_several_columns_and_names() -> None:
    frame = pl.DataFrame({"alpha": [0.00026], "return_60": [-0.0011], "rest": ["a"]})
    out = vf.bin(frame, {"alpha": 1e-4, "return_60": 1e-3}).collect()
    assert out.columns == ["alpha", "return_60", "rest", "alpha_bin", "return_60_bin"]
    assert out.row(0)[3:] == (3, -1)
    assert vf.bin(frame, {}).collect().equals(frame)


@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_in_no_bin(value: float | None) -> None:
    assert bins([value, 1.0]) == [None, 1]


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_quotient_is_rounded_once_whatever_the_rows_beside_it(engine: Any, rows: int) -> None:
    """x * (1 / w), as Polars computes x / w for two rows or more, would be 501 here."""
    assert 0.050050000000000004 / 1e-4 == 500.5
    assert bins([0.050050000000000004] * rows, 1e-4, engine=engine) == [500] * rows


def test_snap_takes_a_quotient_next_to_a_half_for_the_half() -> None:
    assert bins([0.00015], 1e-4) == [1]
    assert bins([0.00015, 0.00025, 0.000149, -0.00015], 1e-4, snap=True) == [2, 2, 1, -2]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt64, pl.Float32])
def test_every_numeric_type(dtype: Any) -> None:
    assert bins([0, 7, 8, 100], 5.0, dtype) == [0, 1, 2, 20]


def test_decimal_column() -> None:
    frame = pl.DataFrame({"x": ["1.26"]}).with_columns(pl.col("x").cast(pl.Decimal(10, 2)))
    assert vf.bin(frame, {"x": 0.1}).collect()["x_bin"].to_list() == [13]


def test_bins_that_would_not_be_exact_are_refused() -> None:
    largest = 2.0**53 - 1
    assert bins([largest, -largest]) == [2**53 - 1, 1 - 2**53]
    with raises(DataError, "2^53", "wider", column="x", row=1, count=2):
        vf.bin(pl.DataFrame({"x": [0.0, 2.0**53, -(2.0**53)]}), {"x": 1.0}).collect(engine="in-memory")
    with raises(DataError, "2^53"):
        bins([1.0], 5e-324)


@pytest.mark.parametrize("width", [0, 0.0, -1e-4, math.nan, math.inf, True, "1", None])
def test_bad_width(width: Any) -> None:
    with raises(ConfigError, "'x'", repr(width), column="x"):
        bins([1.0], width)


def test_names_are_checked() -> None:
    frame = pl.DataFrame({"alpha": [1.0], "side": ["B"], "beta": [1.0], "beta_bin": [1]})
    with raises(SchemaError, "did you mean 'alpha'?", column="alpah"):
        vf.bin(frame, {"alpah": 1.0})
    with raises(SchemaError, "numeric", column="side"):
        vf.bin(frame, {"side": 1.0})
    with raises(SchemaError, "would overwrite", column="beta_bin"):
        vf.bin(frame, {"beta": 1.0})


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_empty_and_all_null(values: list[None], engine: Any) -> None:
    assert bins(values, engine=engine) == values


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_column_of_type_null(values: list[None]) -> None:
    assert (
        vf.bin(pl.DataFrame({"x": pl.Series(values, dtype=pl.Null)}), {"x": 1.0}).collect()["x_bin"].to_list() == values
    )
