"""Quantities, sides, fills and lots at their borders: SPEC section 10.4 and 10.8."""

from __future__ import annotations

import datetime as dt
import math
import random
import struct
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from oracle.fifo_oracle import fifo_oracle
from support import chunked, raises

FLOATS = [pl.Float64, pl.Float32]
PIECES = ["row", "matched_entry_id", "matched_qty", "is_closed"]


def day(sides: Any, quantities: Any, dtype: Any = pl.Float64, **columns: Any) -> pl.DataFrame:
    n = len(quantities)
    frame = pl.DataFrame(
        {
            "symbol": columns.pop("symbol", ["a"] * n),
            "side": pl.Series(list(sides)),
            "qty": pl.Series(quantities, dtype=pl.Float64 if dtype == pl.Float32 else dtype).cast(dtype),
            "price": columns.pop("price", [10.0 + i % 7 for i in range(n)]),
            "t": range(n),
        }
    )
    return frame.with_columns(**columns).with_row_index("row")


def match(frame: pl.DataFrame, *, extras: bool = True, sort_by: str = "t", **options: Any) -> pl.DataFrame:
    rule = vf.FIFOMatch("side", "qty", "t", "price", extras=extras, **options)
    return vf.Enricher([rule], sort_by=sort_by).run(chunked(frame)).collect()


def still_open(out: pl.DataFrame) -> list[Any]:
    return out.filter(~pl.col("is_closed")).select("row", "matched_qty").rows()


# ---- quantities (Q1 to Q6) ------------------------------------------------------------------------------------------

DAYS = {
    "Q1: 0.1 and 0.2 are not closed by 0.3": ("BBS", [0.1, 0.2, 0.3]),
    "Q2: a rest of 1e-11 of 250000.001": ("BSS", [250000.001, 250000, 0.001]),
    "Q3: a rest after 7705 sales": ("B" + "S" * 7705, [770.5] + [0.1] * 7705),
    "Q4: dust beside a lot of 1e-8": ("BSSS", [1.0, 0.9, 0.09999999, 1e-8]),
    "Q5: a real lot of 1e-8 is lost": ("BSSS", [10, 9.9, 0.09999999, 1e-8]),
    "Q6: the rest of 5e-7 is lost": ("BSS", [1000.0000005, 1000, 5e-7]),
    "a third, three times": ("BSSS", [1.0] + [1 / 3] * 3),
    "a seventh, seven times": ("B" + "S" * 7, [1.0] + [1 / 7] * 7),
    "three of 1e7 / 3": ("BSSS", [1e7] + [1e7 / 3] * 3),
    "a sum that was computed": ("BBS", [0.1, 0.2, 0.1 + 0.2]),
    "0.7 of ten computed sevenths": ("B" + "S" * 7, [0.7] + [0.1] * 7),
}


@pytest.mark.parametrize(
    "options", [{}, {"on_excess": "open_short"}, {"on_excess": "raise"}, {"rows": "lots"}], ids=str
)
@pytest.mark.parametrize("what", DAYS)
def test_no_dust_is_left_and_no_lot_is_lost(what: str, options: dict[str, Any]) -> None:
    sides, quantities = DAYS[what]
    out = match(day(sides, quantities), **options)
    assert still_open(out) == []
    sold = out.filter(pl.col("side") == "S")
    assert sold["row"].to_list() == sorted(sold["row"].to_list())
    if set(sides[:-1]) != {"B"}:
        assert sold.height == sides.count("S")  # each closes a piece of the one lot
        assert (sold["matched_qty"] - sold["qty"]).abs().max() <= 1e-9  # type: ignore[operator]


@pytest.mark.parametrize("what", [what for what in DAYS if what[:2] not in ("Q2", "Q6")])
def test_no_dust_is_left_of_float32(what: str) -> None:
    assert still_open(match(day(*DAYS[what], dtype=pl.Float32), on_excess="open_short")) == []


def test_what_float32_cannot_hold_is_a_lot_of_its_own() -> None:
    """250000.001 is 250000 there: the sale of 0.001 has nothing to close."""
    out = match(day("BSS", [250000.001, 250000, 0.001], pl.Float32))
    assert still_open(out) == [(2, pytest.approx(0.001))]


def test_a_share_of_ten_million_float32_is_a_lot() -> None:
    assert still_open(match(day("BSS", [9_999_999, 9_999_998, 1], pl.Float32))) == []
    assert still_open(match(day("BS", [9_999_999, 9_999_998], pl.Float32))) == [(0, 1.0)]
    assert still_open(match(day("BS", [8388607.5, 8388607], pl.Float32))) == [(0, 0.5)]


def test_pieces_of_decimals_are_the_closest_floats() -> None:
    out = match(day("BBBS", [0.1, 0.2, 0.4, 0.65]))
    assert out.filter(pl.col("side") == "S")["matched_qty"].to_list() == [0.1, 0.2, 0.35]
    assert still_open(out) == [(2, 0.05)]
    closed = match(day("BSSS", [0.6, 0.1, 0.2, 0.3]), rows="exits").head(1)
    assert closed.select("matched_qty", "is_closed").row(0) == (0.6, True)


def test_other_symbols_change_nothing() -> None:
    """Thirds in one symbol do not take another one's decimals."""
    own = day("BBS", [0.1, 0.2, 0.3])
    both = day("BBSBSSS", [0.1, 0.2, 0.3, 1, 1 / 3, 1 / 3, 1 / 3], symbol=["a"] * 3 + ["b"] * 4)
    assert match(own).rows() == match(both).filter(pl.col("symbol") == "a").rows()


def test_beyond_nine_places_a_rest_below_four_ulps_is_nothing() -> None:
    x = 1.2345678901234567
    assert still_open(match(day("BBS", [x, x, 2 * x + 2**-51]), on_excess="open_short")) == []
    assert still_open(match(day("BS", [x, x - 2**-40]))) == [(0, 2**-40)]
    huge = match(day("BSSS", [1e300, 2e299, 3e299, 5e299]))
    assert still_open(huge) == []


@pytest.mark.parametrize("dtype", [pl.Float64, pl.Float32, pl.Decimal(38, 9)])
def test_a_long_chain_leaves_nothing(dtype: Any) -> None:
    n = 20_000
    step: Any = Decimal("0.001") if dtype == pl.Decimal(38, 9) else 0.001
    out = match(day("B" + "S" * n, [step * n] + [step] * n, dtype), extras=False, on_excess="raise")
    assert out.height == 2 * n
    assert still_open(out) == []


@pytest.mark.slow
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_million_fills_leave_nothing(dtype: Any) -> None:
    n = 1_000_000
    for step in (0.1, 1 / 3, 0.07):
        out = match(day("B" + "S" * n, [step * n] + [step] * n, dtype), extras=False, on_excess="open_short")
        assert still_open(out) == []


# ---- decimals -------------------------------------------------------------------------------------------------------


def test_decimal_quantities_are_taken_and_exact() -> None:
    out = match(day("BBS", [Decimal("0.10"), Decimal("0.20"), Decimal("0.25")], pl.Decimal(10, 2)), rows="exits")
    assert out.schema["matched_qty"] == pl.Decimal(10, 2)
    assert out["matched_qty"].to_list() == [Decimal("0.10"), Decimal("0.15"), Decimal("0.10"), Decimal("0.15")]
    assert out["realized_pnl"].to_list()[2:] == [pytest.approx(0.2), pytest.approx(0.15)]


def test_decimals_beyond_64_bits_are_exact() -> None:
    """Eighteen places, as exchanges of coins have them: 100 is 1e20 units."""
    texts = ["100", "23.123456789012345678", "101.000000000000000001", "22.123456789012345676"]
    frame = day("BBSS", [Decimal(text) for text in texts], pl.Decimal(38, 18))
    for rows in ("both", "exits", "lots"):
        out = match(frame, rows=rows, on_excess="open_short")
        if rows == "exits":
            assert out["matched_qty"].to_list()[:2] == [Decimal("100"), Decimal("23.123456789012345677")]
        else:
            assert still_open(out) == [(1, Decimal("0.000000000000000001"))]
    short = match(day("SB", [Decimal(10) ** 19, Decimal(10) ** 19 - 1], pl.Decimal(38, 18)), on_excess="open_short")
    assert still_open(short) == [(0, Decimal(1))]
    assert short["realized_pnl"].sum() == pytest.approx(-(1e19 - 1))


def test_bad_decimals_are_named() -> None:
    with pytest.raises(vf.DataError, match=r"1 trade row.*row 1, which is negative"):
        match(day("BS", [Decimal(1), Decimal(-1)], pl.Decimal(10, 2)))
    with pytest.raises(vf.DataError, match=r"row 0, which is null"):
        match(day("BS", [None, Decimal(1)], pl.Decimal(10, 2)))


def test_decimal_prices_are_prices() -> None:
    prices = pl.Series("price", [Decimal("10.1"), Decimal("10.3")], dtype=pl.Decimal(10, 1))
    out = match(day("BS", [2, 2], pl.Int64, price=prices))
    assert out["entry_price"].to_list() == [10.1, 10.1]
    assert out["exit_price"].to_list() == [10.3, 10.3]
    assert out["realized_pnl"].to_list() == [None, (10.3 - 10.1) * 2]
    wide = pl.Series("price", [Decimal("0." + "3" * 30), None], dtype=pl.Decimal(38, 30))
    assert match(day("BS", [2, 2], pl.Int64, price=wide))["entry_price"].to_list() == [0.3333333333333333] * 2


@pytest.mark.parametrize(
    ("rows", "lots", "held"),
    [
        (pl.Decimal(10, 2), pl.Decimal(20, 4), Decimal("0.5000")),
        (pl.Decimal(10, 2), pl.Float64, 0.5),
        (pl.Decimal(38, 30), pl.Float64, 0.5),
        (pl.Float64, pl.Decimal(10, 2), Decimal("0.50")),
        (pl.Float32, pl.Float64, 0.5),
    ],
)
def test_opening_lots_of_another_type_are_the_same_lots(rows: Any, lots: Any, held: Any) -> None:
    opening = pl.DataFrame({"symbol": ["a"], "qty": pl.Series([held], dtype=lots), "price": [9.0]})
    half: Any = Decimal("0.5") if rows.is_decimal() else 0.5
    assert still_open(match(day("S", [half], rows), opening=opening, on_excess="raise")) == []


def test_an_opening_lot_that_does_not_fit_is_refused() -> None:
    lots = pl.DataFrame({"symbol": ["a", "a"], "qty": [1.0, 0.125], "price": [9.0, 9.0]})
    with pytest.raises(vf.DataError, match=r"row 1: 0\.125 is not an integer"):
        match(day("S", [1], pl.Int64), opening=lots)
    with pytest.raises(vf.DataError, match=r"row 1: 0\.125 is not a decimal of so many places"):
        match(day("S", [Decimal(1)], pl.Decimal(10, 2)), opening=lots)


def test_an_opening_lot_decides_the_unit_too() -> None:
    lots = pl.DataFrame({"symbol": ["a"] * 2, "qty": [0.1, 0.2], "price": [9.0, 9.0]})
    for dtype in FLOATS:
        assert still_open(match(day("S", [0.3], dtype), opening=lots, on_excess="raise")) == []


# ---- the kind: any decimal, in any type ----------------------------------------------------------------------------

ROWS = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("BS"), st.integers(0, 3000)), min_size=1, max_size=30)
LOTS = st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3000)), max_size=3)
TYPES = ["Float64", "Float32", "Decimal", "Int64"]


def nearest(units: int, place: int, dtype: str) -> Any:
    exact = Fraction(units, 10**place)
    if dtype == "Int64":
        return units
    if dtype == "Decimal":
        return Decimal(units) / Decimal(10) ** place
    return float(exact) if dtype == "Float64" else struct.unpack("f", struct.pack("f", float(exact)))[0]


def drawn(made: Any, place: int, dtype: str) -> tuple[Any, pl.DataFrame]:
    """Return the type of quantities, and a day of rows (symbol, side, units) whose unit is the given decimal place."""
    kind: Any = {"Decimal": pl.Decimal(38, 9)}.get(dtype) or getattr(pl, dtype)
    quantities = [nearest(units, place, dtype) for *_, units in made]
    return kind, day([side for _, side, _ in made], quantities, kind, symbol=[symbol for symbol, *_ in made])


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=60, deadline=None)
@given(
    made=ROWS,
    held=LOTS,
    place=st.integers(0, 9),
    rows=st.sampled_from(["both", "exits", "lots"]),
    on_excess=st.sampled_from(["unclosed", "open_short"]),
    seed=st.integers(0, 99),
)
def test_decimals_match_as_whole_units_do(
    dtype: str, made: Any, held: Any, place: int, rows: str, on_excess: str, seed: int
) -> None:
    kind, frame = drawn(made, place, dtype)
    opening = pl.DataFrame(
        {
            "symbol": pl.Series([symbol for symbol, _ in held], dtype=pl.String),
            "qty": pl.Series([nearest(units, place, dtype) for _, units in held], dtype=kind),
            "price": pl.Series([9.0] * len(held), dtype=pl.Float64),
        }
    )
    cut = chunked(frame, random.Random(seed).choice([0, 1, 5]))
    rule = vf.FIFOMatch("side", "qty", "t", "price", rows=rows, on_excess=on_excess, opening=opening)  # type: ignore[arg-type]
    out = vf.Enricher([rule], sort_by="t").run(cut).collect()
    trades = [
        {"symbol": symbol, "side": side, "qty": units, "t": t, "price": 1.0}
        for t, (symbol, side, units) in enumerate(made)
    ]
    pieces = fifo_oracle(trades, entry="B", exit="S", rows=rows, on_excess=on_excess, opening=held)
    want = [(p["row"], p["matched_entry_id"], nearest(p["matched_qty"], place, dtype), p["is_closed"]) for p in pieces]
    assert out.select(PIECES).rows() == want


@settings(max_examples=60, deadline=None)
@given(
    quantities=st.lists(st.floats(1e-3, 1e7), min_size=1, max_size=12),
    parts=st.integers(2, 9),
    dtype=st.sampled_from(FLOATS),
)
def test_a_lot_that_is_sold_in_computed_parts_is_gone(quantities: list[float], parts: int, dtype: Any) -> None:
    """EPS: each part is rounded, and together they are the lot but for an ulp a part."""
    whole = pl.Series(quantities).cast(dtype)
    sold = [part for q in whole for part in [q / parts] * parts]
    frame = day("B" * len(whole) + "S" * len(sold), [*whole, *sold], dtype)
    out = match(frame, on_excess="open_short", extras=False)
    eps = 2.0 ** (-52 if dtype == pl.Float64 else -23)
    total = math.fsum(quantities)
    assert all(qty <= 8 * parts * eps * total for _, qty in still_open(out))


@settings(max_examples=40, deadline=None)
@given(
    made=ROWS.filter(lambda rows: any(units for *_, units in rows)),
    power=st.integers(-4, 4),
    dtype=st.sampled_from([pl.Float64, pl.Float32]),
)
def test_powers_of_ten_change_nothing_else(made: Any, power: int, dtype: Any) -> None:
    """Which rows meet stays what it is; quantities are the scaled ones, rounded to the type."""
    sides, symbols = [side for _, side, _ in made], [symbol for symbol, *_ in made]
    plain = match(day(sides, [units / 10 for *_, units in made], dtype, symbol=symbols))
    scaled = match(day(sides, [float(Fraction(units) / 10 * Fraction(10) ** power) for *_, units in made], dtype,
                       symbol=symbols))  # fmt: skip
    same = ["row", "matched_entry_id", "matched_exit_id", "is_closed", "holding_period"]
    assert plain.select(same).rows() == scaled.select(same).rows()
    ratio = scaled["matched_qty"].cast(pl.Float64) / plain["matched_qty"].cast(pl.Float64)
    assert (ratio.drop_nans() / 10.0**power - 1).abs().max() in (None, pytest.approx(0, abs=1e-6))


# ---- sides (Q10) ---------------------------------------------------------------------------------------------------


def sided(values: Any, dtype: Any = None) -> pl.DataFrame:
    return day("B" * len(values), [1] * len(values), pl.Int64).with_columns(side=pl.Series(values, dtype=dtype))


def test_other_spellings_beside_a_listed_one_are_warned_about() -> None:
    """Q10: they pass as no trades, and that is said, with values and counts."""
    frame = sided(["B", "Buy", "Buy", "S", "Sell", None, "C"])
    text = (
        'column "side": 3 rows have a side that is not listed, and pass as no trade: "Buy" \\(2 rows\\), "Sell" '
        '\\(1 row\\); listed: entry "B", exit "S"; list them too'
    )
    with pytest.warns(vf.UnlistedSideWarning, match=text):
        out = match(frame)
    assert out["is_closed"].to_list() == [True, None, None, True, None, None, None]
    listed = match(frame, entry_side=["B", "Buy"], exit_side=["S", "Sell"])  # the advice works
    assert listed["is_closed"].to_list()[:5] == [True, True, False, True, True]
    assert match(frame.filter(~pl.col("side").is_in(["Buy", "Sell"])))["is_closed"].to_list() == [True, True, None]


def test_a_spelling_that_comes_late_is_counted_too() -> None:
    frame = sided(["B", "S", *(f"note {i}" for i in range(40)), *["BUY TO COVER"] * 3])
    with pytest.warns(vf.UnlistedSideWarning, match=r'"BUY TO COVER" \(3 rows\)'):
        match(frame)


def test_what_is_no_side_is_not_warned_about() -> None:
    match(sided(["B", "S", "C", "cancel", "", None, "T", "N"]))
    match(sided([1, 2, 0, None, 3, 9], pl.Int64), entry_side=1, exit_side=2)
    match(sided([48, 49, 1, 2], pl.Int64), entry_side=48, exit_side=49)


@pytest.mark.parametrize(("other", "shown"), [(5, "5"), (-1, "-1")])
@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt8, pl.Float64])
def test_a_short_sale_of_fix_is_warned_about(other: int, shown: str, dtype: Any) -> None:
    if other < 0 and dtype == pl.UInt8:
        return
    with pytest.warns(vf.UnlistedSideWarning, match=f"{shown} \\(1 row\\); listed: entry 1, exit 2"):
        match(sided([1, 2, other], dtype), entry_side=1, exit_side=2)
    out = match(sided([1, 1, 2, 5], dtype), entry_side=1, exit_side=[2, 5])
    assert out["is_closed"].to_list() == [True] * 4


def test_the_case_of_letters_does_not_matter() -> None:
    want = [(0, 0, 1, True), (1, 1, 1, True), (2, 0, 1, True), (3, 1, 1, True)]
    for kind in (pl.String, pl.Categorical, pl.Enum(["buy", "Buy", "SELL", "sell"])):
        frame = sided(["Buy", "buy", "SELL", "sell"], kind)
        assert match(frame, entry_side="BUY", exit_side="Sell").select(PIECES).rows() == want
    long = sided(["A LONG name of a purchase", "a long NAME of a purchase", "S", "s"])
    assert match(long, entry_side="a long name of a purchase").select(PIECES).rows() == want
    assert match(sided(["ä", "ä", "s[", "s["]), entry_side="ä", exit_side="S[").select(PIECES).rows() == want
    with pytest.raises(vf.DataError, match=r'found: "s\{"'):
        match(sided(["s{"]), exit_side="S[")  # only letters have a case
    with pytest.raises(vf.ConfigError, match="entry_side and exit_side share the value 'b'"):
        vf.FIFOMatch("side", "qty", "t", "price", entry_side="B", exit_side="b")


@pytest.mark.parametrize(
    ("values", "dtype", "entry", "exit_"),
    [
        ([1.0, 1.0, -1.0, -1.0], pl.Float64, 1, -1),
        ([1.0, 1.0, -1.0, -1.0], pl.Float32, 1.0, -1.0),
        ([1, 1, -1, -1], pl.Int64, 1.0, -1.0),
        ([1, 1, 2, 2], pl.UInt8, 1, 2),
        ([True, True, False, False], pl.Boolean, True, False),
        ([True, True, False, False], pl.Boolean, 1, 0),
        (["1", "1", "2", "2"], pl.String, "1", "2"),
        (["b", "B", "s", "S"], pl.Categorical, "B", "S"),
        (["Buy", "B", "S", "Short"], pl.Enum(["B", "Buy", "S", "Short"]), ["b", "buy"], ("S", "SHORT")),
    ],
)
def test_sides_of_every_kind_mean_the_same_to_fifo_and_to_signs(
    values: Any, dtype: Any, entry: Any, exit_: Any
) -> None:
    frame = sided(values, dtype)
    out = match(frame, entry_side=entry, exit_side=exit_)
    assert out.select(PIECES).rows() == [(0, 0, 1, True), (1, 1, 1, True), (2, 0, 1, True), (3, 1, 1, True)]
    assert vf.sign_by_side(chunked(frame), buy=entry, sell=exit_).collect()["sign"].to_list() == [1, 1, -1, -1]


def test_floats_that_are_no_side() -> None:
    frame = sided([1.0, -1.0, 1.5, math.nan, None], pl.Float64)
    assert match(frame, entry_side=1, exit_side=-1)["is_closed"].to_list() == [True, True, None, None, None]
    with raises(vf.DataError, "2 values are none of the sides given, the first in row 2; found: 1.5, NaN"):
        vf.sign_by_side(chunked(frame), buy=1, sell=-1, nulls="null").collect()


@pytest.mark.parametrize("value", [1.5, math.nan, math.inf, None, 2**63, Decimal(1), b"B"])
def test_values_that_name_no_side_are_refused(value: Any) -> None:
    with pytest.raises(vf.ConfigError, match=r"entry_side: .* is no side"):
        vf.FIFOMatch("side", "qty", "t", "price", entry_side=value)
    with pytest.raises(vf.ConfigError, match=r"buy: .* is no side"):
        vf.sign_by_side("side", buy=value, sell="S")


def test_values_from_numpy_and_enums_are_sides() -> None:
    import enum

    import numpy as np

    class Side(enum.Enum):
        BUY = 1
        SELL = 2

    frame = sided([1, 1, 2, 2])
    for entry, exit_ in [(np.int64(1), np.float32(2)), (np.array([1]), np.array([2.0])), (Side.BUY, [Side.SELL])]:
        assert match(frame, entry_side=entry, exit_side=exit_)["is_closed"].to_list() == [True] * 4
        assert vf.sign_by_side(frame, buy=entry, sell=exit_).collect()["sign"].to_list() == [1, 1, -1, -1]


@settings(max_examples=30, deadline=None)
@given(made=ROWS, seed=st.integers(0, 99))
def test_a_change_of_spelling_changes_nothing(made: Any, seed: int) -> None:
    rng = random.Random(seed)
    sides = [side for _, side, _ in made]
    names = {"B": ["B", "b", "Buy", "BUY", "bUy"], "S": ["S", "s", "sell", "SELL"]}
    other = [rng.choice(names[side]) for side in sides]
    quantities = [units for *_, units in made]
    symbols = [symbol for symbol, *_ in made]
    plain = match(day(sides, quantities, pl.Int64, symbol=symbols))
    spelt = match(day(other, quantities, pl.Int64, symbol=symbols), entry_side=["B", "Buy"], exit_side=["S", "Sell"])
    assert plain.drop("side").equals(spelt.drop("side"))


# ---- fills ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["both", "exits", "lots"])
@pytest.mark.parametrize("ids", [None, "number", "text"])
def test_every_row_carries_the_identity_of_its_fill(rows: Any, ids: Any) -> None:
    """R1's days: four purchases of 100 and a sale of 400 are five fills, however many pieces they are matched in."""
    frame = day("BBBBSCS", [100, 100, 100, 100, 400, 1, 7], pl.Int64).with_columns(
        number=pl.int_range(70, 77, dtype=pl.Int16), text=pl.format("fill number {} of the day", "row")
    )
    out = match(frame, rows=rows, id_col=ids)
    want = out["row"] if ids is None else frame[ids].gather(out["row"])
    assert out.schema["fill_id"] == (pl.UInt32 if ids is None else frame.schema[ids])
    assert out["fill_id"].to_list() == want.to_list()
    lazy = vf.Enricher([vf.FIFOMatch("side", "qty", "t", "price", extras=True, rows=rows, id_col=ids)], sort_by="t")
    alone = lazy.run(chunked(frame, 2)).select("fill_id").collect()
    assert alone["fill_id"].to_list() == want.to_list()
    if rows == "both":
        assert out.filter(pl.col("side").is_in(["B", "S"]))["fill_id"].n_unique() == 6
        fills = out.group_by("fill_id").agg(pl.col("matched_qty").sum()).sort("fill_id")
        assert fills["matched_qty"].to_list() == [100, 100, 100, 100, 400, 0, 7]


def test_a_fill_id_of_the_input_is_kept() -> None:
    frame = day("BS", [1, 1], pl.Int64).with_columns(fill_id=pl.Series(["x", "y"]))
    assert match(frame)["fill_id"].to_list() == ["x", "y"]
    assert match(frame, id_col="fill_id")["matched_entry_id"].to_list() == ["x", "x"]


def test_without_extras_there_are_four_columns() -> None:
    assert vf.FIFOMatch.output_columns == ["matched_entry_id", "matched_qty", "holding_period", "is_closed"]
    frame = day("BS", [1, 1], pl.Int64)
    assert match(frame, extras=False).columns == [*frame.columns, *vf.FIFOMatch.output_columns]


def test_fills_stand_before_what_is_computed_of_them() -> None:
    """`forward_return` of an Enricher's frame is computed before rows are repeated, and gives the same columns."""
    frame = day("BBSS", [2, 2, 1, 3], pl.Int64, price=[10.0, 11.0, 12.0, 13.0])
    lazy = vf.Enricher([vf.FIFOMatch("side", "qty", "t", "price", extras=True)], sort_by="t").run(chunked(frame))
    out = vf.forward_return(lazy, [1], time_col="t").collect()
    assert out["fill_id"].to_list() == out["row"].to_list()


# ---- lots over nights (F12) ----------------------------------------------------------------------------------------


def rule(**options: Any) -> vf.FIFOMatch:
    return vf.FIFOMatch("side", "qty", "t", "price", **options)


def lots(*rows: tuple[str, Any, float | None], dtype: Any = pl.Int64) -> pl.DataFrame:
    names, quantities, prices = zip(*rows, strict=True) if rows else ((), (), ())
    return pl.DataFrame(
        {
            "symbol": pl.Series(names, dtype=pl.String),
            "qty": pl.Series(quantities, dtype=dtype),
            "price": pl.Series(prices, dtype=pl.Float64),
        }
    )


def test_the_rest_of_an_opening_lot_is_carried_on() -> None:
    """F12: of lots of 40 and 20 a sale of 50 leaves 10, and a lot of a symbol that was not traded stays."""
    opening = lots(("a", 40, 5.0), ("z", 7, 6.0), ("a", 20, 5.5))
    frame = day("SB", [50, 3], pl.Int64)
    held = vf.closing_lots(chunked(frame), rule(opening=opening))
    assert isinstance(held, pl.LazyFrame)
    assert held.collect_schema() == {"symbol": pl.String, "qty": pl.Int64, "price": pl.Float64}
    assert held.collect().rows() == [("a", 10, 5.5), ("a", 3, 11.0), ("z", 7, 6.0)]
    assert held.select("price").collect().height == 3


def test_lots_of_a_day_without_rows_are_all_carried_on() -> None:
    opening = lots(("a", 40, 5.0), ("z", 0, 6.0), ("b", -3, None))
    empty = day("", [], pl.Int64).with_columns(pl.col("symbol").cast(pl.String), pl.col("side").cast(pl.String))
    held = vf.closing_lots(empty, rule(opening=opening, on_excess="open_short")).collect()
    assert held.rows() == [("a", 40, 5.0), ("b", -3, None)]
    assert vf.closing_lots(empty, rule()).collect().height == 0


def test_closing_lots_are_oldest_first_by_time_and_signed() -> None:
    frame = day("BBBSS", [1, 2, 3, 9, 4], pl.UInt16, symbol=["a", "b", "a", "c", "b"]).with_columns(
        t=pl.Series([5, 1, 3, 2, 4])
    )
    held = vf.closing_lots(chunked(frame), rule(on_excess="open_short")).collect()
    assert held.schema["qty"] == pl.Int64
    assert held.rows() == [("a", 3, 12.0), ("a", 1, 10.0), ("b", -2, 14.0), ("c", -9, 13.0)]


@pytest.mark.parametrize("kind", [pl.Categorical, pl.Enum(["a", "b"])])
def test_closing_lots_of_categoricals_and_decimals(kind: Any) -> None:
    frame = day("SB", [Decimal("0.25"), Decimal("1.50")], pl.Decimal(10, 2), symbol=pl.Series(["a", "b"], dtype=kind))
    held = vf.closing_lots(chunked(frame), rule(on_excess="open_short")).collect()
    assert held.dtypes == [kind, pl.Decimal(10, 2), pl.Float64]
    assert held.rows() == [("a", Decimal("-0.25"), 10.0), ("b", Decimal("1.50"), 11.0)]
    wide = day("BS", [Decimal(10) ** 19, Decimal(1)], pl.Decimal(38, 18))
    assert vf.closing_lots(wide, rule()).collect()["qty"].to_list() == [Decimal(10) ** 19 - 1]


def test_an_enricher_may_be_given() -> None:
    frame = day("BS", [5, 2], pl.Int64).rename({"symbol": "code"})
    large = vf.TagCondition("large", pl.col("qty") > 3)
    enricher = vf.Enricher([large, rule(extras=True, rows="lots")], by="code", sort_by="t")
    assert vf.closing_lots(frame, enricher).collect().rows() == [("a", 3, 10.0)]
    assert vf.closing_lots(frame, rule(), by="code", sort_by="row").collect().rows() == [("a", 3, 10.0)]
    with pytest.raises(vf.ConfigError, match="by, sort_by and date_col are the Enricher's"):
        vf.closing_lots(frame, enricher, by="code")
    with pytest.raises(vf.ConfigError, match="has no FIFOMatch"):
        vf.closing_lots(frame, vf.Enricher([large], by="code", sort_by="t"))
    with pytest.raises(vf.ConfigError, match="rule is str"):
        vf.closing_lots(frame, "fifo")  # type: ignore[arg-type]
    with pytest.raises(vf.SchemaError, match="symbol"):
        vf.closing_lots(frame, rule())


def test_exits_beyond_the_inventory_leave_nothing() -> None:
    assert vf.closing_lots(day("BS", [5, 9], pl.Int64), rule()).collect().height == 0
    with pytest.raises(vf.DataError, match="beyond the inventory"):
        vf.closing_lots(day("BS", [5, 9], pl.Int64), rule(on_excess="raise")).collect()
    assert vf.closing_lots(day("BS", [9, 5], pl.Int64), rule(on_excess="raise")).collect()["qty"].to_list() == [4]


@pytest.mark.parametrize("dtype", TYPES)
@settings(max_examples=50, deadline=None)
@given(
    made=ROWS,
    held=LOTS,
    cut=st.integers(0, 30),
    place=st.integers(0, 6),
    short=st.booleans(),
    seed=st.integers(0, 99),
)
def test_two_days_with_lots_carried_on_are_the_undivided_day(
    dtype: str, made: Any, held: Any, cut: int, place: int, short: bool, seed: int
) -> None:
    kind, frame = drawn(made, place, dtype)
    opening = lots(*((symbol, nearest(units, place, dtype), 9.0) for symbol, units in held), dtype=kind)
    options: dict[str, Any] = {"on_excess": "open_short" if short else "unclosed", "extras": True}
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    enricher = vf.Enricher([rule(opening=opening, **options)], sort_by="t")
    whole = enricher.run(chunked(frame)).collect()
    closing = vf.closing_lots(chunked(shuffled), enricher).collect()
    # the conservation law, in units
    units = {symbol: sum(u for s, u in held if s == symbol) for symbol in "ab"}
    beyond = whole.filter(~pl.col("is_closed") & (pl.col("row") == pl.col("matched_exit_id")) & (pl.col("qty") != 0))
    for symbol in "ab":
        for s, side, u in made:
            units[symbol] += (u if side == "B" else -u) if s == symbol else 0
        for qty in beyond.filter(pl.col("symbol") == symbol)["matched_qty"]:
            units[symbol] += round(Fraction(qty) * 10 ** (0 if dtype == "Int64" else place))
        left = [round(Fraction(qty) * 10 ** (0 if dtype == "Int64" else place))
                for qty in closing.filter(pl.col("symbol") == symbol)["qty"]]  # fmt: skip
        assert sum(left) == units[symbol]
    # one day and then the other
    first, second = frame.head(cut), frame.slice(cut)
    carried = vf.closing_lots(chunked(first), rule(opening=opening, **options)).collect()
    if second.height:
        then = vf.Enricher([rule(opening=carried, **options)], sort_by="t").run(chunked(second)).collect()
        exits = pl.col("row") == pl.col("matched_exit_id")
        same = ["row", "matched_qty", "is_closed", "entry_price", "exit_price", "close_markout", "realized_pnl"]
        after = whole.filter((pl.col("row") >= cut) & exits)
        last = then.with_columns(pl.col("matched_exit_id") + min(cut, frame.height)).filter(exits)
        assert after.select(same).rows() == last.select(same).rows()
        end = vf.closing_lots(chunked(second), rule(opening=carried, **options)).collect()
        assert end.sort("symbol", maintain_order=True).rows() == closing.sort("symbol", maintain_order=True).rows()


def test_lots_are_closed_a_day_at_a_time() -> None:
    """Rows of two days are an error; filtered to one, its lots go on to the next whatever that is called."""
    monday, tuesday = dt.date(2024, 1, 8), dt.date(2024, 1, 9)
    frame = day("BBS", [5, 3, 2], pl.Int64).with_columns(date=pl.Series([monday, monday, tuesday]))
    with pytest.raises(vf.DataError, match="hold 2024-01-09, and 2024-01-08 before, in row 2; lots are closed a day"):
        vf.closing_lots(chunked(frame), rule()).collect()
    assert vf.closing_lots(frame, rule(), date_col=None).collect()["qty"].to_list() == [3, 3]  # the advice works
    held = vf.closing_lots(frame.filter(date=monday), rule()).collect()
    assert held.rows() == [("a", 5, 10.0), ("a", 3, 11.0)]
    last = vf.closing_lots(frame.filter(date=tuesday), rule(opening=held)).collect()
    assert last.rows() == [("a", 3, 10.0), ("a", 3, 11.0)]
    of_monday = held.with_columns(date=pl.lit(monday))
    with pytest.raises(vf.DataError, match="hold 2024-01-09, and 2024-01-08 before"):
        vf.closing_lots(frame.filter(date=tuesday), rule(opening=of_monday)).collect()
    with pytest.raises(vf.DataError, match="no day in row 1"):
        vf.closing_lots(frame.with_columns(date=pl.Series([monday, None, monday])), rule()).collect()
    assert vf.closing_lots(frame.clear(), rule(opening=held)).collect().equals(held)


def test_lots_of_several_keys_or_none() -> None:
    frame = day("BBS", [5, 3, 2], pl.Int64, symbol=["a", "a", "b"]).with_columns(book=pl.Series([1, 2, 1]))
    two = vf.closing_lots(chunked(frame), rule(on_excess="open_short"), by=["symbol", "book"]).collect()
    assert two.rows() == [("a", 1, 5, 10.0), ("a", 2, 3, 11.0), ("b", 1, -2, 12.0)]
    again = vf.closing_lots(frame, rule(on_excess="open_short", opening=two), by=["symbol", "book"]).collect()
    assert again["qty"].to_list() == [5, 5, 3, 3, -2, -2]
    one = vf.closing_lots(chunked(frame), rule(), by=None).collect()
    assert one.rows() == [(3, 10.0), (3, 11.0)]
    assert vf.closing_lots(frame, rule(opening=one), by=None).collect().rows() == [
        (1, 10.0),
        (3, 11.0),
        (5, 10.0),
        (3, 11.0),
    ]


# ---- sentinels ------------------------------------------------------------------------------------------------------

BAD = [None, math.nan, math.inf, -math.inf, -1.0, -5e-324]
ODD = [0.0, -0.0, 5e-324, 1e-300, 2.0**53 + 2, 1e300, 1.7976931348623157e308]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("bad", BAD)
def test_what_is_no_quantity_is_refused(bad: Any, dtype: Any) -> None:
    if bad == -5e-324 and dtype == pl.Float32:
        bad = -1e-45
    frame = day("BS", [1.0, bad], dtype)
    for call in (lambda: match(frame), lambda: vf.closing_lots(chunked(frame), rule()).collect()):
        with raises(vf.DataError, "1 trade row", "row 1", column="qty", row=1, count=1):
            call()
    if bad is None or not bad < 0:
        held = lots(("a", bad, 1.0), dtype=pl.Float64)
        with raises(vf.DataError, "inventory", column="qty", row=0):
            match(day("S", [1.0], dtype), opening=held)


@pytest.mark.parametrize("on_excess", ["unclosed", "open_short"])
@pytest.mark.parametrize("rows", ["both", "exits", "lots"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_quantities_give_finite_pieces_that_add_up(odd: float, rows: Any, on_excess: Any) -> None:
    frame = day("BSBSB", [odd, 3.25, 1 / 3, odd, 0.1])
    out = match(frame, rows=rows, on_excess=on_excess)
    assert out["matched_qty"].is_finite().all()
    assert (out["matched_qty"] >= 0).all()
    if rows == "both":
        sums = out.group_by("row").agg(pl.col("matched_qty").sum()).sort("row")["matched_qty"]
        assert sums.to_list() == pytest.approx(frame["qty"].to_list(), rel=1e-15, abs=4e-16 * min(odd, 1e300))
    held = vf.closing_lots(frame, rule(on_excess=on_excess)).collect()
    assert held["qty"].is_finite().all()
    assert (held["qty"] != 0).all()


@pytest.mark.parametrize("text", ["", " ", "B\0", "\0", "b" * 100, "é"])
def test_odd_texts_are_sides_only_where_they_are_listed(text: str) -> None:
    frame = sided(["B", text, "S"])
    plain = match(frame.filter(pl.col("side") != text)).drop("row", "fill_id")
    out = match(frame).filter(pl.col("is_closed").is_not_null()).drop("row", "fill_id")
    assert out["is_closed"].to_list() == plain["is_closed"].to_list()
    assert match(frame, entry_side=["B", text])["is_closed"].to_list() == [True, False, True]
