"""`sign_by_side`: +1 and -1 by values that are named; anything else raises."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Enum(["B", "S", "Sell", "X"])])
def test_texts(dtype: Any, engine: Any) -> None:
    df = chunked(pl.DataFrame({"side": pl.Series(["B", "S", "Sell", "B"], dtype=dtype)}))
    out = vf.sign_by_side(df, buy="B", sell=["S", "Sell"]).collect(engine=engine)
    assert out["sign"].to_list() == [1, -1, -1, 1]
    assert out.schema["sign"] == pl.Int64
    assert out["side"].equals(df["side"])


@pytest.mark.parametrize(
    ("values", "buy", "sell"), [([1, -1, 1], 1, -1), ([True, False, True], True, False), ([1, 2, 1], 1, [2, 3])]
)
def test_integers_and_booleans(values: list[Any], buy: Any, sell: Any) -> None:
    assert pl.DataFrame({"d": values}).select(vf.sign_by_side("d", buy=buy, sell=sell))["d"].to_list() == [1, -1, 1]


def test_an_expression_gives_an_expression() -> None:
    df = pl.DataFrame({"side": ["buy", "sell"], "quantity": pl.Series([200, 100], dtype=pl.UInt8)})
    sign = vf.sign_by_side(pl.col("side").str.to_uppercase(), buy="BUY", sell="SELL")
    assert df.select(q=sign * pl.col("quantity"))["q"].to_list() == [200, -100]


def test_anything_else_raises_with_count_first_row_and_values(engine: Any) -> None:
    df = chunked(pl.DataFrame({"side": ["B", "S", "X", None, "X", "cancel", "B"]}), 2)
    with raises(vf.DataError, "4 values", "row 2", "'X', null, 'cancel'", column="side", row=2, count=4):
        vf.sign_by_side(df, buy="B", sell="S").collect(engine=engine)
    with raises(vf.DataError, "3 values", "'X', 'cancel'", count=3):
        vf.sign_by_side(df, buy="B", sell="S", nulls="null").collect(engine=engine)
    numbers = pl.DataFrame({"side": [1, 7, -9, 7]})
    with raises(vf.DataError, "3 values", "found: 7, -9", row=1, count=3):
        vf.sign_by_side(numbers, buy=1, sell=2).collect(engine=engine)


def test_many_other_values_are_not_all_shown() -> None:
    df = pl.DataFrame({"side": [f"side number {i} with a long name" for i in range(100)]})
    with raises(vf.DataError, "100 values", "and perhaps more", count=100):
        vf.sign_by_side(df, buy="B", sell="S").collect()


def test_nulls_may_stay_null() -> None:
    df = pl.DataFrame({"side": ["B", None]})
    assert vf.sign_by_side(df, buy="B", sell="S", nulls="null").collect()["sign"].to_list() == [1, None]
    with raises(vf.DataError, "found: null", row=1, count=1):
        vf.sign_by_side(df, buy="B", sell="S").collect()
    nothing = pl.DataFrame({"side": [None, None]})
    assert vf.sign_by_side(nothing, buy="B", sell="S", nulls="null").collect()["sign"].to_list() == [None, None]


def test_text_sides_never_meet_numbers() -> None:
    with raises(vf.DataError, "found: 1", count=1):
        vf.sign_by_side(pl.DataFrame({"side": [1]}), buy="1", sell="2").collect()
    with raises(vf.DataError, "found: '1'", count=1):
        vf.sign_by_side(pl.DataFrame({"side": ["1"]}), buy=1, sell=2).collect()


def test_options_that_are_not_accepted() -> None:
    df = pl.DataFrame({"side": ["B"]})
    with raises(vf.ConfigError, "share the value 'B'"):
        vf.sign_by_side(df, buy="B", sell=["S", "B"])
    with raises(vf.ConfigError, "share the value"):
        vf.sign_by_side(df, buy=1, sell=True)
    with raises(vf.ConfigError, "names no value"):
        vf.sign_by_side(df, buy=[], sell="S")
    with raises(vf.ConfigError, "1.5 is no side"):
        vf.sign_by_side(df, buy=1.5, sell="S")  # type: ignore[call-overload]
    with raises(vf.ConfigError, "nulls is 'keep'"):
        vf.sign_by_side(df, buy="B", sell="S", nulls="keep")  # type: ignore[call-overload]
    with raises(vf.SchemaError, "no column 'Side'", "'side'", column="Side"):
        vf.sign_by_side(df, "Side", buy="B", sell="S")
    with raises(vf.SchemaError, "Date", column="side"):
        vf.sign_by_side(df.with_columns(side=pl.date(2024, 1, 2)), buy=1, sell=2)
    with raises(vf.SchemaError, "overwrite", column="sign"):
        vf.sign_by_side(df.with_columns(sign=1), buy="B", sell="S")


def test_a_hundred_values_are_too_many() -> None:
    with raises(vf.ConfigError, "at most 64"):
        vf.sign_by_side(pl.DataFrame({"side": ["B"]}), buy=[str(i) for i in range(100)], sell="S").collect()
