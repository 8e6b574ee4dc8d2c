"""`mid` and `near_integer`."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError

INF, NAN = math.inf, math.nan


def mid(bid: list[Any], ask: list[Any], dtype: Any = pl.Float64, engine: Any = "auto") -> list[float | None]:
    book = chunked(pl.DataFrame({"bid": bid, "ask": ask}, schema={"bid": dtype, "ask": dtype}, strict=False))
    out = book.lazy().select(mid=vf.mid("bid", "ask")).collect(engine=engine)["mid"]
    assert out.dtype == pl.Float64
    return out.to_list()


def test_mid_of_a_two_sided_book(engine: Any) -> None:
    assert mid([9.99, 10.0, 0.1], [10.01, 10.0, 0.2], engine=engine) == [(9.99 + 10.01) / 2, 10.0, (0.1 + 0.2) / 2]


@pytest.mark.parametrize("bad", [None, 0.0, -0.0, -1.0, NAN, INF, -INF])
def test_mid_is_null_where_a_side_is_not_a_price(bad: float | None) -> None:
    assert mid([bad, 10.0, bad], [10.0, bad, bad]) == [None, None, None]


def test_mid_does_not_overflow() -> None:
    biggest = math.nextafter(1e300, 0)  # above it there are no prices, only vendors' words for none
    assert mid([biggest], [biggest]) == [biggest]
    assert mid([1e300, biggest], [1e300, 1.7e308]) == [None, None]


@pytest.mark.parametrize("dtype", [pl.Float32, pl.Int64, pl.Int32, pl.UInt16])
def test_mid_of_other_numbers(dtype: Any) -> None:
    assert mid([10], [13], dtype) == [11.5]


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_mid_of_nothing(values: list[None]) -> None:
    assert mid(values, values) == values


def test_mid_takes_expressions_and_goes_over_groups() -> None:
    book = pl.DataFrame({"b": [1.0, 3.0], "a": [2.0, 4.0]})
    assert book.select(x=vf.mid(pl.col("b") * 2, pl.col("a") * 2))["x"].to_list() == [3.0, 7.0]
    assert book.filter(vf.mid("b", "a") > 2)["b"].to_list() == [3.0]


INTEGERS = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]


def near(values: list[float | None], dtype: Any = pl.Int64, engine: Any = "in-memory", **options: Any) -> pl.Series:
    frame = chunked(pl.DataFrame({"q": pl.Series(values, dtype=pl.Float64, strict=False)}))
    return frame.lazy().select(vf.near_integer("q", dtype, **options)).collect(engine=engine)["q"]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_near_integer_to_every_integer_type(engine: Any, dtype: Any) -> None:
    out = near([1.00000002, 0.99999998, 0.0, None, 127.00001], dtype, engine)
    assert out.to_list() == [1, 1, 0, None, 127]
    assert out.dtype == dtype


def test_near_integer_takes_instances_and_expressions() -> None:
    out = pl.DataFrame({"q": [1.0]}).select(vf.near_integer(pl.col("q") * 3, pl.Int32()))
    assert out["q"].to_list() == [3]


@pytest.mark.parametrize("value", [125.5, 0.9999, -0.5, NAN, INF, -INF])
def test_near_integer_refuses_what_is_no_integer(value: float) -> None:
    with raises(DataError, '"q"', "row 1", column="q", row=1, count=2):
        near([1.0, value, 2.0, value])


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (128.0, pl.Int8),
        (-129.0, pl.Int8),
        (-1.0, pl.UInt64),
        (2.0**63, pl.Int64),
        (2.0**64, pl.UInt64),
        (1e300, pl.Int64),
    ],
)
def test_near_integer_refuses_what_does_not_fit(value: float, dtype: Any) -> None:
    with raises(DataError, column="q", row=0):
        near([value], dtype)


def test_near_integer_reaches_the_limits_exactly() -> None:
    assert near([-(2.0**63), 2.0**63 - 1024]).to_list() == [-(2**63), 2**63 - 1024]
    assert near([2.0**64 - 2048, -0.0], pl.UInt64).to_list() == [2**64 - 2048, 0]


def test_tolerance_is_relative_above_one_and_absolute_below() -> None:
    assert near([500.0004, 1e6 + 0.0009]).to_list() == [500, 1_000_000]
    assert near([1e-7, -1e-7]).to_list() == [0, 0]
    with raises(DataError, "1e-09"):
        near([1.00000002], tolerance=1e-9)
    assert near([7.0], tolerance=0).to_list() == [7]


def test_half_of_a_large_number_is_no_noise() -> None:
    """1e-6 of 1 500 000.5 is more than its half."""
    with raises(DataError, "1500000.5"):
        near([1_500_000.5])
    assert near([1_500_000.4], tolerance=0.4).to_list() == [1_500_000]


@pytest.mark.parametrize("tolerance", [-1e-9, 0.5, NAN, INF])
def test_bad_tolerance(tolerance: float) -> None:
    with raises(ConfigError, "tolerance"):
        vf.near_integer("q", tolerance=tolerance)


@pytest.mark.parametrize("dtype", [pl.Float64, pl.String, pl.Boolean, pl.Int128])
def test_near_integer_to_what_is_no_integer_type(dtype: Any) -> None:
    with raises(ConfigError, "integer type"):
        vf.near_integer("q", dtype)


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_near_integer_of_nothing(values: list[None]) -> None:
    assert near(values).to_list() == values
