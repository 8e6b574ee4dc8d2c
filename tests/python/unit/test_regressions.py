"""Silent errors: wrong numbers that a project near this one gives without a word. Each test is named after one."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import DataError, SchemaError


def ticks(*rows: tuple[object, ...]) -> pl.DataFrame:
    schema = {"symbol": pl.String, "elapsed_seconds": pl.Int64, "price": pl.Float64}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def trades(*rows: tuple[object, ...]) -> pl.DataFrame:
    schema = {"symbol": pl.String, "side": pl.String, "qty": pl.Int64, "elapsed_seconds": pl.Int64, "price": pl.Float64}
    return pl.DataFrame(list(rows), schema=schema, orient="row")


def match(frame: pl.DataFrame, **options: object) -> pl.DataFrame:
    rule = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", **options)  # type: ignore[arg-type]
    return vf.Enricher([rule], sort_by="elapsed_seconds").run(frame).collect()


def test_midday_break_times_are_not_the_same_elapsed_time() -> None:
    """11:45 lies in no session; it was given the elapsed time of 13:15."""
    stamps = pl.DataFrame({"t": [dt.time(11, 29), dt.time(11, 45), dt.time(12, 30), dt.time(13, 15)]})
    assert vf.parse_time(stamps, vf.CN, "t").collect()["elapsed_seconds"].to_list() == [7140.0, None, None, 8100.0]
    with raises(DataError, "outside the sessions"):
        vf.CN.elapsed_seconds(dt.time(11, 45))


def test_0_99999998_is_not_cast_to_0() -> None:
    frame = pl.DataFrame({"qty": [0.99999998, 1.00000002, -0.99999998]})
    assert frame.select(vf.near_integer("qty"))["qty"].to_list() == [1, 1, -1]


def test_125_5_is_not_cast_to_126_nor_to_125() -> None:
    frame = pl.DataFrame({"qty": [100.0, 125.5]})
    with raises(DataError, "125.5", column="qty", row=1, count=1):
        frame.lazy().select(vf.near_integer("qty")).collect(engine="in-memory")


def test_as_of_lookups_do_not_mix_days() -> None:
    """The last quote of one day is not the first of the next."""
    days = pl.Series("date", [dt.date(2024, 1, 2)] * 2 + [dt.date(2024, 1, 3)] * 2)
    frame = ticks(("a", 0, 10.0), ("a", 60, 11.0), ("a", 0, 20.0), ("a", 60, 24.0)).with_columns(days)
    out = vf.forward_return(frame, [60]).collect()
    assert out["return_60"].to_list() == [11.0 / 10 - 1, None, 24.0 / 20 - 1, None]


def test_trade_near_the_close_is_not_priced_with_the_last_quote_for_every_horizon() -> None:
    frame = ticks(("a", 14_000, 10.0), ("a", 14_390, 11.0), ("a", 14_400, 12.0))
    out = vf.forward_return(frame, [10, 60, 300]).collect()
    assert out.select("return_10", "return_60", "return_300").row(1) == (12.0 / 11 - 1, None, None)


def test_nearest_is_the_closest_and_backward_never_looks_ahead() -> None:
    """An "as of" that takes the nearest quote sees the future; only the method of that name may."""
    frame = ticks(("a", 0, 10.0), ("a", 55, 11.0), ("a", 61, 99.0), ("a", 200, 12.0))
    backward = vf.forward_return(frame, [60]).collect()["return_60"]
    nearest = vf.forward_return(frame, [60], method="nearest").collect()["return_60"]
    assert backward[0] == 11.0 / 10 - 1
    assert nearest[0] == 99.0 / 10 - 1
    tied = vf.forward_return(ticks(("a", 0, 10.0), ("a", 55, 11.0), ("a", 65, 99.0)), [60], method="nearest").collect()
    assert tied["return_60"][0] == 11.0 / 10 - 1


@pytest.mark.parametrize("price", [0.0, None, float("nan"), -1.0])
def test_zero_forward_price_is_no_return_of_minus_100_percent(price: float | None) -> None:
    frame = ticks(("a", 0, 10.0), ("a", 60, price), ("a", 120, 12.0))
    assert vf.forward_return(frame, [60]).collect()["return_60"].to_list()[0] == 0.0
    alone = ticks(("a", 0, 10.0), ("a", 60, price))
    assert vf.forward_return(alone, [60]).collect()["return_60"].to_list() == [None, None]


def test_frames_own_price_column_is_not_taken_for_the_looked_up_one() -> None:
    quotes = ticks(("a", 60, 20.0), ("a", 120, 30.0))
    frame = ticks(("a", 0, 10.0), ("a", 60, 12.0)).with_columns(price_right=pl.lit(1.0), price_60=pl.lit(2.0))
    out = vf.forward_return(frame, [60], prices=quotes).collect()
    assert out["return_60"].to_list() == [20.0 / 10 - 1, 30.0 / 12 - 1]
    assert out.select(frame.columns).equals(frame)


def test_frames_own_entry_price_is_not_replaced_by_that_of_the_match() -> None:
    frame = trades(("a", "B", 5, 0, 10.0), ("a", "S", 5, 60, 11.0)).with_columns(
        entry_price=pl.lit(7.0), realized_pnl=pl.lit("mine")
    )
    out = match(frame)
    assert out["entry_price"].to_list() == [7.0, 7.0]
    assert out["realized_pnl"].to_list() == ["mine", "mine"]


def test_row_order_is_not_lost() -> None:
    rows = [
        ("b", "B", 1, 9, 1.0),
        ("a", "B", 2, 5, 1.0),
        ("b", "S", 3, 1, 1.0),
        ("a", "S", 2, 7, 1.0),
        ("b", "S", 1, 9, 1.0),
    ]
    frame = trades(*rows).with_row_index("row")
    assert match(frame)["row"].is_sorted()
    assert vf.forward_return(frame, [1]).collect()["row"].to_list() == [0, 1, 2, 3, 4]


def test_sides_s_and_null_are_not_counted_as_buys() -> None:
    """With sides called "Buy" and "Sell", the values "S", "B" and null are no trades, and never buys."""
    frame = trades(
        ("a", "Buy", 5, 0, 1.0),
        ("a", "S", 7, 1, 1.0),
        ("a", None, 9, 2, 1.0),
        ("a", "B", 3, 3, 1.0),
        ("a", "Sell", 6, 4, 1.0),
    )
    with pytest.warns(vf.UnlistedSideWarning, match='"S" \\(1 row\\), "B" \\(1 row\\)'):
        out = match(frame, entry_side="Buy", exit_side="Sell")
    assert out.select("side", "matched_qty", "is_closed").rows() == [
        ("Buy", 5, True), ("S", None, None), (None, None, None), ("B", None, None), ("Sell", 5, True),
        ("Sell", 1, False),
    ]  # fmt: skip


def test_one_sided_book_does_not_halve_the_mid() -> None:
    book = pl.DataFrame({"bid": [9.99, 0.0, None, 10.0], "ask": [10.01, 10.0, 10.0, None]})
    assert book.select(m=vf.mid("bid", "ask"))["m"].to_list() == [10.0, None, None, None]


def test_existing_columns_are_not_overwritten() -> None:
    frame = ticks(("a", 0, 10.0)).with_columns(return_60=1.0)
    with raises(SchemaError, "would overwrite", column="return_60"):
        vf.forward_return(frame, [60])


def test_morning_close_and_afternoon_open_do_not_swap_rows() -> None:
    """11:30:00 and 13:00:00 are both 7200 seconds: equal times keep the order of rows."""
    frame = pl.DataFrame(
        {"t": [113000, 130000], "symbol": ["a", "a"], "side": ["B", "S"], "qty": [5, 5], "price": [1.0, 2.0]}
    )
    out = match(vf.parse_time(frame, vf.CN, "t", unit="HHMMSS").collect())
    assert out["matched_entry_id"].to_list() == [0, 0]
    assert out["holding_period"].to_list() == [0, 0]


def test_error_in_a_streamed_run_counts_rows_of_the_file_and_not_of_a_batch() -> None:
    frame = pl.LazyFrame({"t": [93000] * 300_000 + [120000] * 5})
    with raises(DataError, "5 of 300005", "row 300000", row=300_000, count=5):
        vf.parse_time(frame, vf.CN, "t", unit="HHMMSS", outside="raise").collect(engine="streaming")
