"""`FIFOMatch` by hand: SPEC section 4, its options and its errors. All comparisons EXACT but where EPS is said."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError, UnlistedSideWarning

COLUMNS = ["matched_entry_id", "matched_qty", "holding_period", "is_closed"]
EXTRAS = ["matched_exit_id", "entry_price", "exit_price", "close_markout", "realized_pnl"]

WORKED = pl.DataFrame(
    {
        "symbol": ["x"] * 7,
        "side": ["B", "B", "S", "S", "B", "C", "S"],
        "qty": [100, 50, 120, 80, 40, 10, 10],
        "t": [0, 60, 100, 160, 200, 210, 260],
        "price": [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0],
    }
)


def match(
    frame: pl.DataFrame = WORKED, *, by: str = "symbol", sort_by: str = "t", engine: Any = "auto", **options: Any
) -> pl.DataFrame:
    named = {"side_col": "side", "qty_col": "qty", "time_col": "t", "price_col": "price"} | options
    return vf.Enricher([vf.FIFOMatch(**named)], by=by, sort_by=sort_by).run(chunked(frame)).collect(engine=engine)


def pieces(frame: pl.DataFrame = WORKED, **options: Any) -> list[tuple[Any, ...]]:
    """Return (row, entry, quantity, holding, closed) of each piece."""
    out = match(frame.with_row_index("row"), **options)
    return out.select("row", *COLUMNS).rows()


def trades(*rows: tuple[Any, ...], **types: Any) -> pl.DataFrame:
    """Make a frame of (symbol, side, qty, t) rows, price 10."""
    schema = {"symbol": pl.String, "side": pl.String, "qty": pl.Int64, "t": pl.Int64} | types
    return pl.DataFrame(list(rows), schema=schema, orient="row", strict=False).with_columns(price=pl.lit(10.0))


# ---- the worked example ----

BOTH = [
    (0, 0, 100, 100, True), (1, 1, 20, 40, True), (1, 1, 30, 100, True), (2, 0, 100, 100, True), (2, 1, 20, 40, True),
    (3, 1, 30, 100, True), (3, None, 50, None, False), (4, 4, 10, 60, True), (4, 4, 30, None, False),
    (5, None, None, None, None), (6, 4, 10, 60, True),
]  # fmt: skip


def test_worked_example_of_the_specification(engine: Any) -> None:
    assert pieces(engine=engine) == BOTH


def test_worked_example_exits(engine: Any) -> None:
    assert pieces(rows="exits", engine=engine) == [
        (0, 0, 100, None, True), (1, 1, 50, None, True), (2, 0, 100, 100, True), (2, 1, 20, 40, True),
        (3, 1, 30, 100, True), (3, None, 50, None, False), (4, 4, 10, None, False), (5, None, None, None, None),
        (6, 4, 10, 60, True),
    ]  # fmt: skip


def test_worked_example_lots(engine: Any) -> None:
    assert pieces(rows="lots", engine=engine) == [
        (2, 0, 100, 100, True), (2, 1, 20, 40, True), (3, 1, 30, 100, True), (3, None, 50, None, False),
        (4, 4, 30, None, False), (6, 4, 10, 60, True),
    ]  # fmt: skip


def test_worked_example_extras() -> None:
    out = match(extras=True).select(EXTRAS).rows()
    assert out == [
        (2, 10.0, 12.0, 12.0 / 10.0 - 1, None),
        (2, 11.0, 12.0, 12.0 / 11.0 - 1, None),
        (3, 11.0, 13.0, 13.0 / 11.0 - 1, None),
        (2, 10.0, 12.0, 12.0 / 10.0 - 1, 200.0),
        (2, 11.0, 12.0, 12.0 / 11.0 - 1, 20.0),
        (3, 11.0, 13.0, 13.0 / 11.0 - 1, 60.0),
        (3, None, 13.0, None, None),
        (6, 14.0, 16.0, 16.0 / 14.0 - 1, None),
        (None, 14.0, None, None, None),
        (None, None, None, None, None),
        (6, 14.0, 16.0, 16.0 / 14.0 - 1, 20.0),
    ]


def test_worked_example_open_short() -> None:
    assert pieces(on_excess="open_short") == [
        (0, 0, 100, 100, True), (1, 1, 20, 40, True), (1, 1, 30, 100, True), (2, 0, 100, 100, True),
        (2, 1, 20, 40, True), (3, 1, 30, 100, True), (3, 3, 40, 40, True),
        (3, 3, 10, None, False),
        (4, 3, 40, 40, True), (5, None, None, None, None), (6, 6, 10, None, False),
    ]  # fmt: skip
    out = match(on_excess="open_short", extras=True)
    short = out.filter(pl.col("matched_exit_id") == 4)
    assert short["close_markout"].to_list() == [-(14.0 / 13.0 - 1)] * 2
    assert short["realized_pnl"].to_list() == [None, -40.0]


def test_worked_example_with_inventory() -> None:
    opening = pl.DataFrame({"symbol": ["x", "y"], "qty": [70, 5], "price": [9.0, 1.0]})
    assert pieces(opening=opening) == [
        (0, 0, 50, 100, True), (0, 0, 50, 160, True), (1, 1, 30, 100, True), (1, 1, 10, 200, True),
        (1, 1, 10, None, False), (2, None, 70, None, True), (2, 0, 50, 100, True),
        (3, 0, 50, 160, True),
        (3, 1, 30, 100, True), (4, 4, 40, None, False), (5, None, None, None, None), (6, 1, 10, 200, True),
    ]  # fmt: skip
    first = match(opening=opening.lazy(), extras=True).filter(pl.col("t") == 100).row(0, named=True)
    assert (first["entry_price"], first["realized_pnl"], first["matched_exit_id"]) == (9.0, 210.0, 2)


def test_worked_example_with_ids_of_the_caller() -> None:
    frame = WORKED.with_columns(id=pl.lit("#") + pl.col("t").cast(pl.String))
    out = match(frame, id_col="id", extras=True)
    assert out.schema["matched_entry_id"] == out.schema["matched_exit_id"] == pl.String
    names = dict(enumerate(frame["id"]))
    plain = match(frame, extras=True)
    for column in ("matched_entry_id", "matched_exit_id"):
        assert out[column].to_list() == [names.get(row) for row in plain[column]]


# ---- what comes out ----


def test_types_and_column_order() -> None:
    out = match(extras=True)
    assert out.columns == [*WORKED.columns, *COLUMNS, *EXTRAS, "fill_id"]
    types = [pl.UInt32, pl.Int64, pl.Int64, pl.Boolean, pl.UInt32, *[pl.Float64] * 4, pl.UInt32]
    assert out.dtypes == [*WORKED.dtypes, *types]


@pytest.mark.parametrize(
    "dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt32, pl.UInt64, pl.Float32, pl.Float64]
)
def test_matched_qty_has_the_type_of_the_quantity(dtype: Any) -> None:
    out = match(WORKED.with_columns(pl.col("qty").cast(dtype)))
    assert out.schema["matched_qty"] == dtype
    assert out["matched_qty"].to_list() == match()["matched_qty"].to_list()


@pytest.mark.parametrize(
    ("time", "difference"),
    [
        (pl.Int32, pl.Int64),
        (pl.UInt64, pl.Int64),
        (pl.Float64, pl.Float64),
        (pl.Datetime("ms"), pl.Duration("ms")),
        (pl.Datetime("us"), pl.Duration("us")),
        (pl.Datetime("ns"), pl.Duration("ns")),
        (pl.Duration("us"), pl.Duration("us")),
        (pl.Time, pl.Duration("ns")),
    ],
)
def test_holding_period_has_the_type_of_time_differences(time: Any, difference: Any) -> None:
    out = match(WORKED.with_columns(pl.col("t").cast(time)))
    assert out.schema["holding_period"] == difference
    assert out["holding_period"].cast(pl.Int64).to_list() == match()["holding_period"].to_list()


def test_holding_period_of_dates() -> None:
    frame = WORKED.with_columns(t=pl.date(2024, 1, 1) + pl.duration(days=pl.col("t")))
    out = match(frame)
    assert out.schema["holding_period"] == pl.Duration("us")
    assert out["holding_period"][0] == dt.timedelta(days=100)


def test_holding_period_may_be_of_another_column_than_the_order() -> None:
    frame = WORKED.with_columns(seq=pl.Series([1, 2, 3, 4, 5, 6, 7]), t=pl.col("t") * 1000)
    assert match(frame, sort_by="seq")["holding_period"].to_list()[:3] == [100_000, 40_000, 100_000]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical, pl.Int64, pl.UInt8, pl.Boolean, pl.Enum(["0", "1"])])
def test_symbols_of_any_type_do_not_touch_each_other(dtype: Any) -> None:
    two = pl.concat([WORKED.with_columns(symbol=pl.lit("0")), WORKED.with_columns(symbol=pl.lit("1"))])
    number = pl.col("symbol").cast(pl.Int64)
    frame = two.with_columns(
        symbol=number == 1
        if dtype == pl.Boolean
        else number.cast(dtype)
        if dtype.is_integer()
        else pl.col("symbol").cast(dtype)
    )
    shift = [(None if entry is None else entry + 7, *rest) for _, entry, *rest in BOTH]
    assert match(frame).select(COLUMNS).rows() == [tuple(piece[1:]) for piece in BOTH] + shift


def test_row_order_is_kept_and_input_may_be_unsorted() -> None:
    order = [6, 2, 0, 5, 4, 1, 3]
    frame = WORKED.with_row_index("row")[order]
    place = {row: position for position, row in enumerate(order)}
    expected = [
        (row, None if entry is None else place[entry], *rest) for row in order for at, entry, *rest in BOTH if at == row
    ]
    assert match(frame).select("row", *COLUMNS).rows() == expected


def test_equal_times_keep_the_order_of_rows() -> None:
    frame = trades(("x", "B", 1, 5), ("x", "B", 2, 5), ("x", "S", 3, 5), ("x", "S", 1, 5))
    assert pieces(frame) == [
        (0, 0, 1, 0, True), (1, 1, 2, 0, True), (2, 0, 1, 0, True), (2, 1, 2, 0, True), (3, None, 1, None, False),
    ]  # fmt: skip


def test_every_other_column_goes_along() -> None:
    others = {
        "text": ["a", None, "a string that is longer than a view", "", "ä", "f", "g"],
        "flag": [True, None, False, True, True, False, None],
        "small": pl.Series([1, 2, 3, 4, None, 6, 7], dtype=pl.Int8),
        "price32": pl.Series([1.5, None, 2.5, 3.5, 4.5, 5.5, 6.5], dtype=pl.Float32),
        "day": [*[dt.date(2024, 1, 1)] * 6, None],
        "at": [dt.datetime(2024, 1, 1, 9)] * 7,
        "code": pl.Series(["p", "q", "p", None, "r", "p", "q"], dtype=pl.Categorical),
        "nothing": pl.Series([None] * 7, dtype=pl.Null),
        "blob": [b"1", b"", None, b"4", b"5", b"6", b"seven bytes and more"],
    }
    frame = WORKED.with_columns(pl.Series(name, values) for name, values in others.items())
    out = match(frame)
    rows = pl.Series([row for row, *_ in BOTH])
    assert_frame_equal(out.select(frame.columns), frame[rows])


def test_nested_and_decimal_columns_go_along() -> None:
    frame = WORKED.with_columns(
        list=pl.Series([[1], [], None, [4, 5], [6], [7], [8]]),
        struct=pl.struct("side", "qty"),
        decimal=pl.col("price").cast(pl.Decimal(10, 2)),
        wide=pl.col("qty").cast(pl.Int128),
        array=pl.Series([[1, 2]] * 7, dtype=pl.Array(pl.Int64, 2)),
    )
    assert_frame_equal(match(frame).select(frame.columns), frame[pl.Series([row for row, *_ in BOTH])])


# ---- boundary rows ----


@pytest.mark.parametrize("rows", ["both", "exits", "lots"])
def test_no_rows(rows: str, engine: Any) -> None:
    out = match(WORKED.clear(), rows=rows, extras=True, engine=engine)
    assert out.height == 0
    assert out.schema == match(extras=True).schema


def test_one_and_two_rows() -> None:
    assert pieces(trades(("x", "B", 5, 1))) == [(0, 0, 5, None, False)]
    assert pieces(trades(("x", "S", 5, 1))) == [(0, None, 5, None, False)]
    assert pieces(trades(("x", "B", 5, 1), ("x", "S", 5, 1))) == [(0, 0, 5, 0, True), (1, 0, 5, 0, True)]
    assert pieces(trades(("x", "S", 5, 1), ("x", "B", 5, 2))) == [(0, None, 5, None, False), (1, 1, 5, None, False)]
    assert pieces(trades(("x", "B", 5, 1), ("y", "S", 5, 2))) == [(0, 0, 5, None, False), (1, None, 5, None, False)]


def test_rows_that_are_no_trades_may_hold_anything() -> None:
    frame = trades(
        (None, None, None, None), ("x", "B", 5, 1), ("x", "C", -5, None), (None, "Q", None, 3), ("x", "S", 5, 4)
    )
    nothing = (None, None, None, None)
    assert pieces(frame) == [(0, *nothing), (1, 1, 5, 3, True), (2, *nothing), (3, *nothing), (4, 1, 5, 3, True)]


def test_zero_quantity_is_a_piece_of_its_own() -> None:
    frame = trades(("x", "B", 0, 1), ("x", "B", 5, 2), ("x", "S", 0, 3), ("x", "S", 5, 4))
    assert pieces(frame) == [(0, 0, 0, None, False), (1, 1, 5, 2, True), (2, None, 0, None, False), (3, 1, 5, 2, True)]


def test_limits_of_int64() -> None:
    top = 2**63 - 1
    for zero in (-(2**63), -1, top - 3):
        frame = trades(
            ("x", "B", top, zero), ("x", "S", top, zero + 1), ("x", "B", 1, zero + 2), ("x", "S", 1, zero + 3)
        )
        assert pieces(frame) == [(0, 0, top, 1, True), (1, 0, top, 1, True), (2, 2, 1, 1, True), (3, 2, 1, 1, True)]
    assert pieces(trades(("x", "B", 1, 0), ("x", "S", 1, top)))[0] == (0, 0, 1, top, True)


def test_inventory_above_int64_is_no_overflow() -> None:
    top = 2**63 - 1
    frame = trades(("x", "B", top, 0), ("x", "B", top, 1), ("x", "S", top, 2), ("x", "S", top, 3))
    assert [piece[1:] for piece in pieces(frame)] == [(0, top, 2, True), (1, top, 2, True)] * 2


def test_holding_period_beyond_int64_is_refused() -> None:
    frame = trades(("x", "B", 1, -(2**63)), ("x", "S", 1, 2**63 - 1))
    with raises(DataError, "t"):
        match(frame)


def test_floats_leave_no_dust() -> None:
    frame = trades(("x", "B", 0.3, 1), ("x", "S", 0.1, 2), ("x", "S", 0.1, 3), ("x", "S", 0.1, 4), qty=pl.Float64)
    out = match(frame)
    assert out["is_closed"].to_list() == [True] * 6
    assert out.filter(side="B")["matched_qty"].sum() == pytest.approx(0.3, rel=1e-12)


def test_fractional_quantities() -> None:
    frame = trades(("x", "B", 1.5, 1), ("x", "S", 0.5, 2), ("x", "S", 2.0, 3), qty=pl.Float64)
    assert pieces(frame) == [
        (0, 0, 0.5, 1, True), (0, 0, 1.0, 2, True), (1, 0, 0.5, 1, True), (2, 0, 1.0, 2, True),
        (2, None, 1.0, None, False),
    ]  # fmt: skip


def test_many_pieces_of_one_row() -> None:
    n = 5_000
    frame = trades(*(("x", "B", 1, i) for i in range(n)), ("x", "S", n, n))
    out = match(frame)
    assert out.height == 2 * n
    assert out["matched_entry_id"].to_list() == [*range(n), *range(n)]


# ---- sides ----


def test_lists_of_sides() -> None:
    frame = WORKED.with_columns(side=pl.Series(["B", "Buy", "S", "Sell", "b", "C", "s"]))
    assert pieces(frame, entry_side=["B", "Buy", "b"], exit_side=("S", "Sell", "s")) == BOTH


@pytest.mark.parametrize("dtype", [pl.Int64, pl.Int8, pl.UInt16])
def test_integer_sides(dtype: Any) -> None:
    codes = pl.Series([1, 1, 2, 2, 1, 3, 2], dtype=dtype)
    assert pieces(WORKED.with_columns(side=codes), entry_side=1, exit_side=2) == BOTH
    assert pieces(WORKED.with_columns(side=codes), entry_side=["B", "Buy", 1], exit_side=["S", 2]) == BOTH


def test_negative_integer_sides() -> None:
    codes = pl.Series([1, 1, -1, -1, 1, 0, -1])
    assert pieces(WORKED.with_columns(side=codes), entry_side=1, exit_side=-1) == BOTH


def test_boolean_sides() -> None:
    flags = pl.Series([True, True, False, False, True, None, False])
    assert pieces(WORKED.with_columns(side=flags), entry_side=True, exit_side=False) == BOTH


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["C", "S", "B"])])
def test_categorical_sides(dtype: Any) -> None:
    assert pieces(WORKED.with_columns(pl.col("side").cast(dtype))) == BOTH


def test_sides_that_never_occur_raise_and_show_what_does() -> None:
    with raises(DataError, '"side"', '"Buy"', '"Sell"', 'found: "B", "S", "C"', column="side"):
        match(entry_side="Buy", exit_side="Sell")
    with raises(DataError, "null", column="side"):
        match(WORKED.with_columns(side=pl.lit(None, dtype=pl.String)))


def test_one_side_that_never_occurs_is_a_quiet_day() -> None:
    assert {piece[4] for piece in pieces(WORKED.filter(pl.col("side") != "S"))} == {False, None}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"entry_side": "S"}, "share the value 'S'"),
        ({"entry_side": ["B", "S"]}, "share the value 'S'"),
        ({"entry_side": []}, "entry_side names no value"),
        ({"exit_side": []}, "exit_side names no value"),
        ({"exit_side": 1.5}, "float"),
        ({"exit_side": None}, "NoneType"),
        ({"rows": "all"}, "'both', 'exits', 'lots'"),
        ({"on_excess": "ignore"}, "'unclosed', 'open_short', 'raise'"),
    ],
)
def test_bad_options(options: dict[str, Any], text: str) -> None:
    with raises(ConfigError, text):
        match(**options)


def test_one_listed_side_that_no_row_carries_is_doubted() -> None:
    text = (
        'no row of column "side" carries a listed entry side; listed: entry "Buy", exit "S"; also found: "B", "C"; '
        'not listed, and like a side: "B" (3 rows)'
    )
    with pytest.warns(UnlistedSideWarning, match=re.escape(text)):
        out = match(entry_side="Buy")
    assert out["is_closed"].drop_nulls().to_list() == [False] * 3  # and yet every exit is there


# ---- excess and inventory ----


def test_on_excess_raise() -> None:
    with raises(DataError, "beyond the inventory", column="qty", row=3, count=1):
        match(on_excess="raise")
    assert match(WORKED.head(3), on_excess="raise").height == 5


def test_open_short_reverses() -> None:
    frame = trades(("x", "S", 10, 1), ("x", "B", 15, 2), ("x", "S", 5, 3))
    assert pieces(frame, on_excess="open_short") == [
        (0, 0, 10, 1, True), (1, 0, 10, 1, True), (1, 1, 5, 1, True), (2, 1, 5, 1, True),
    ]  # fmt: skip


def test_short_inventory() -> None:
    frame = trades(("x", "B", 15, 2))
    opening = pl.DataFrame({"symbol": ["x"], "qty": [-10], "price": [12.0]})
    out = match(frame, on_excess="open_short", opening=opening, extras=True)
    assert out.select(COLUMNS).rows() == [(None, 10, None, True), (0, 5, None, False)]
    assert out["realized_pnl"].to_list() == [20.0, None]
    assert out["close_markout"].to_list() == [-(10.0 / 12.0 - 1), None]
    with raises(DataError, "open_short", column="qty", row=0):
        match(frame, opening=opening)


def test_inventory_lots_are_oldest_first() -> None:
    opening = pl.DataFrame({"symbol": ["x", "y", "x"], "qty": [3, 9, 4], "price": [1.0, 2.0, 3.0]})
    out = match(trades(("x", "S", 5, 1)), opening=opening, extras=True)
    assert out.select("matched_qty", "entry_price").rows() == [(3, 1.0), (2, 3.0)]


def test_inventory_is_checked() -> None:
    good: dict[str, list[Any]] = {"symbol": ["x"], "qty": [1], "price": [1.0]}
    with raises(SchemaError, "opening", "did you mean 'Qty'?", column="qty"):
        match(opening=pl.DataFrame({"symbol": ["x"], "Qty": [1], "price": [1.0]}))
    with raises(DataError, "symbol", "null"):
        match(opening=pl.DataFrame(good | {"symbol": [None]}, schema_overrides={"symbol": pl.String}))
    with raises(DataError, "qty"):
        match(opening=pl.DataFrame(good | {"qty": [None]}, schema_overrides={"qty": pl.Int64}))
    with raises(SchemaError, "symbol"):
        match(opening=pl.DataFrame(good | {"symbol": [1]}))


# ---- errors ----


@pytest.mark.parametrize(
    ("column", "value", "dtype"),
    [
        ("qty", None, pl.Int64), ("qty", -1, pl.Int64), ("qty", -0.5, pl.Float64), ("qty", float("nan"), pl.Float64),
        ("qty", float("inf"), pl.Float64), ("t", None, pl.Int64), ("t", float("nan"), pl.Float64),
        ("symbol", None, pl.String),
    ],
)  # fmt: skip
def test_bad_values_on_trade_rows_name_column_count_and_first_row(
    column: str, value: Any, dtype: Any, engine: Any
) -> None:
    bad = pl.int_range(pl.len()).is_in([3, 4, 5])  # row 5 is no trade
    frame = WORKED.with_columns(
        pl.when(bad).then(pl.lit(value, dtype=dtype)).otherwise(pl.col(column).cast(dtype)).alias(column)
    )
    with raises(DataError, f'"{column}"', "row 3", column=column, row=3, count=2):
        match(frame, engine=engine)


def test_null_in_a_separate_order_column_is_refused() -> None:
    frame = WORKED.with_columns(seq=pl.Series([1, 2, None, 4, 5, 6, 7]))
    with raises(DataError, column="seq", row=2):
        match(frame, sort_by="seq")


def test_prices_never_matter_to_matching() -> None:
    frame = WORKED.with_columns(price=pl.Series([None, float("nan"), -1.0, 0.0, float("inf"), None, 1.0]))
    assert pieces(frame) == BOTH


@pytest.mark.parametrize("name", ["side_col", "qty_col", "time_col", "price_col", "id_col"])
def test_missing_columns_show_near_names(name: str) -> None:
    with raises(SchemaError, name, "'pricee'", "did you mean 'price'?", column="pricee"):
        match(**{name: "pricee"})


def test_missing_by_and_sort_by() -> None:
    with raises(SchemaError, "by", "did you mean 'symbol'?", column="symbl"):
        match(by="symbl")
    with raises(SchemaError, "sort_by", column="timestamp"):
        match(sort_by="timestamp")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("qty", ["1"] * 7),
        ("qty", [True] * 7),
        ("t", ["1"] * 7),
        ("side", [dt.date(2024, 1, 2)] * 7),
        ("symbol", [1.0] * 7),
    ],
)
def test_wrong_types(column: str, values: list[Any]) -> None:
    with raises(SchemaError, column, column=column):
        match(WORKED.with_columns(pl.Series(column, values)))


@pytest.mark.parametrize("name", COLUMNS)
def test_name_clash(name: str) -> None:
    with raises(SchemaError, "would overwrite", column=name):
        match(WORKED.with_columns(pl.lit(1).alias(name)))


def test_name_clash_of_extras_only_where_they_are_added() -> None:
    frame = WORKED.with_columns(entry_price=1.0)
    assert match(frame)["entry_price"].to_list() == [1.0] * 11
    with raises(SchemaError, column="entry_price"):
        match(frame, extras=True)


def test_by_hand_it_does_not_run() -> None:
    with pytest.raises(TypeError, match="Enricher"):
        vf.FIFOMatch("side", "qty", "t", "price").process({}, vf.State())


def test_output_columns_as_designed() -> None:
    assert vf.FIFOMatch.output_columns == COLUMNS
    assert vf.FIFOMatch("side", "qty", "t", "price").output_columns == COLUMNS
    assert vf.FIFOMatch("side", "qty", "t", "price", extras=True).output_columns == [*COLUMNS, *EXTRAS, "fill_id"]
