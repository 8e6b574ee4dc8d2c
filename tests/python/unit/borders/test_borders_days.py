"""Days and instruments at the borders: what groups by symbol groups by day too, and no holding period is negative."""

from __future__ import annotations

import datetime as dt
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises

TUE, WED = dt.date(2024, 1, 2), dt.date(2024, 1, 3)


def match(df: pl.DataFrame, by: Any = "symbol", sort_by: str = "elapsed_seconds", **options: Any) -> pl.DataFrame:
    days = {"date_col": options.pop("date_col")} if "date_col" in options else {}
    rule = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price", **options)
    return vf.Enricher([rule], by=by, sort_by=sort_by, **days).run(chunked(df)).collect()


def two_days(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "date": [TUE, WED],
            "symbol": ["a", "a"],
            "side": ["S", "B"],
            "qty": [100, 100],
            "elapsed_seconds": [7200, 600],
            "price": [10.0, 11.0],
            **columns,
        }
    )


# ---- D1: FIFO over a frame with a date --------------------------------------------------------------------------


def test_a_sale_of_one_day_does_not_close_the_purchase_of_the_next() -> None:
    out = match(two_days(), extras=True)
    assert out["is_closed"].to_list() == [False, False]
    assert out["holding_period"].to_list() == [None, None]
    assert out["realized_pnl"].to_list() == [None, None]


@pytest.mark.parametrize("by", [["date", "symbol"], ["symbol"], ["symbol", "date"], ["date"], None, []])
def test_by_takes_a_list_of_names_or_none(by: Any) -> None:
    out = match(two_days(), by=by)
    assert out["is_closed"].to_list() == [False, False]
    both = match(two_days(date=[TUE, TUE]), by=by)
    assert both["is_closed"].to_list() == [True, True]


def test_date_col_none_says_that_no_column_is_a_day() -> None:
    out = match(two_days(), date_col=None)
    assert out["is_closed"].to_list() == [True, True]
    assert out["holding_period"].to_list() == [6600, 6600]


@pytest.mark.parametrize("days", [
    ["20240102", "20240103"], [20240102, 20240103], [dt.datetime(2024, 1, 2), dt.datetime(2024, 1, 3)],
    pl.Series([TUE, WED]).cast(pl.String).cast(pl.Categorical),
    pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
    pl.Series([dt.datetime(2024, 1, 2, 9), dt.datetime(2024, 1, 3, 9)]).dt.replace_time_zone("Asia/Shanghai"),
])  # fmt: skip
def test_days_are_kept_apart_in_any_spelling(days: Any) -> None:
    assert match(two_days(date=days))["is_closed"].to_list() == [False, False]
    renamed = two_days(date=days).rename({"date": "day"})
    assert match(renamed, date_col="day")["is_closed"].to_list() == [False, False]


def test_moments_in_the_date_column_are_of_their_day() -> None:
    frame = two_days(date=[dt.datetime(2024, 1, 2, 9, 30), dt.datetime(2024, 1, 2, 9, 31)])
    assert match(frame)["is_closed"].to_list() == [True, True]
    marked = vf.forward_return(frame.sort("elapsed_seconds"), [6600]).collect()
    assert marked["return_6600"].to_list() == [10.0 / 11.0 - 1, None]


def test_a_date_column_that_is_no_key_says_the_way_out() -> None:
    frame = two_days(date=[1.0, 2.0])
    with raises(vf.SchemaError, "date_col=None", column="date"):
        match(frame)
    assert match(frame, date_col=None).height == 2
    with raises(vf.SchemaError, "no column 'day'", column="day"):
        match(frame, date_col="day")


def test_a_null_key_of_a_trade_names_its_own_column() -> None:
    with raises(vf.DataError, 'column "date": 1 trade row', column="date", row=1, count=1):
        match(two_days(date=[TUE, None]))
    with raises(vf.DataError, 'column "symbol": 1 trade row', column="symbol", row=0, count=1):
        match(two_days(symbol=[None, "a"]))
    with raises(vf.DataError, 'column "venue"', column="venue", row=1, count=1):
        match(two_days(venue=["x", None]), by=["symbol", "venue"])


def test_by_that_is_no_name_is_an_error() -> None:
    for by in (3, ["symbol", 3], ["symbol", "symbol"]):
        with raises(vf.ConfigError, "by"):
            match(two_days(), by=by)
    with raises(vf.SchemaError, "venue", column="venue"):
        match(two_days(), by=["symbol", "venue"])


# ---- lots held at the open --------------------------------------------------------------------------------------


def lots(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({"symbol": ["a"], "qty": [100], "price": [9.0], **columns})


def test_opening_lots_are_held_at_the_open_of_their_own_day() -> None:
    sales = two_days(side=["S", "S"])
    out = match(sales, opening=lots(date=[WED]), extras=True)
    assert out["is_closed"].to_list() == [False, True]
    assert out["entry_price"].to_list() == [None, 9.0]


def test_opening_lots_without_a_date_are_those_of_the_only_day() -> None:
    sales = two_days(side=["S", "S"], date=[TUE, TUE])
    out = match(sales, opening=lots())
    assert out["is_closed"].to_list() == [False, True]  # by time: the second row comes first
    with raises(vf.DataError, "more than one day", "row 1", column="date", row=1):
        match(two_days(side=["S", "S"]), opening=lots())
    assert match(two_days(side=["S", "S"]), opening=lots(date=[TUE]))["is_closed"].to_list() == [True, False]


def test_opening_lots_without_a_date_wait_for_the_first_day() -> None:
    sales = two_days(side=["C", "S"], date=[None, WED])
    assert match(sales, opening=lots())["is_closed"].to_list() == [None, True]
    cancelled = two_days(side=["C", "C"], date=[None, None]).with_columns(pl.col("date").cast(pl.Date))
    with raises(vf.DataError, "no row of column"):
        match(cancelled, opening=lots())


def test_opening_lots_of_other_days_are_not_left_out_unseen() -> None:
    with raises(vf.DataError, "2024-01-01", "drop its column 'date'", column="date", count=1):
        match(two_days(), opening=lots(date=[dt.date(2024, 1, 1)]))
    with raises(vf.SchemaError, "opening has the column 'date'", column="date"):
        match(two_days().drop("date"), opening=lots(date=[TUE]))
    assert match(two_days().drop("date"), opening=lots(date=[TUE]).drop("date")).height > 0
    assert match(two_days(), opening=lots(date=[TUE]), date_col=None)["is_closed"].to_list() == [True, False]


@pytest.mark.parametrize("mine", ["Date", "text", "Int64", "Datetime", "Categorical"])
@pytest.mark.parametrize("theirs", ["Date", "text", "iso", "Int32", "Datetime", "Categorical"])
def test_the_day_of_opening_lots_may_be_spelt_otherwise(mine: str, theirs: str) -> None:
    def spell(kind: str) -> pl.Expr:
        day, text = pl.col("date"), pl.col("date").dt.strftime("%Y%m%d")
        if kind.startswith("Int"):
            return text.cast(getattr(pl, kind))
        spelt = {"Date": day, "text": text, "iso": day.cast(pl.String), "Datetime": day.cast(pl.Datetime("ms"))}
        return spelt.get(kind, text.cast(pl.Categorical))

    lots = pl.DataFrame({"date": [TUE], "symbol": ["a"], "qty": [100], "price": [9.0]}).with_columns(spell(theirs))
    rows = two_days().with_columns(spell(mine))
    if theirs == "iso" and mine in ("text", "Categorical"):  # text beside text is taken as it is
        with raises(vf.DataError, "no row is of", "2024-01-02", column="date"):
            match(rows, opening=lots)
    else:
        assert match(rows, opening=lots)["is_closed"].to_list() == [True, False]
        with raises(vf.DataError, "no row is of", column="date"):
            match(rows.tail(1), opening=lots)


def test_opening_lots_go_by_all_names_of_by() -> None:
    sales = two_days(side=["S", "S"], venue=["x", "y"], date=[TUE, TUE])
    out = match(sales, by=["symbol", "venue"], opening=lots(venue=["y"]))
    assert out["is_closed"].to_list() == [False, True]
    alone = match(sales, by=None, opening=lots())
    assert alone["is_closed"].to_list() == [False, True]
    with raises(vf.SchemaError, "venue", column="venue"):
        match(sales, by=["symbol", "venue"], opening=lots())


# ---- D6: time goes forward --------------------------------------------------------------------------------------


def test_no_holding_period_is_negative() -> None:
    frame = two_days(side=["B", "S"]).with_columns(
        at=pl.Series([dt.datetime(2024, 1, 2, 14, 30), dt.datetime(2024, 1, 3, 9, 40)])
    )
    assert match(frame, sort_by="at")["holding_period"].to_list() == [None, None]
    with raises(
        vf.DataError, 'column "elapsed_seconds": 1 trade row', '"at"', column="elapsed_seconds", row=1, count=1
    ):
        match(frame.drop("date"), sort_by="at")
    # the ways out that the message names
    assert match(frame, sort_by="at").height == 2
    assert match(frame.drop("date"), sort_by="elapsed_seconds")["holding_period"].to_list() == [None, None]
    rule = vf.FIFOMatch("side", "qty", "at", "price")
    held = vf.Enricher([rule], sort_by="at").run(frame.drop("date")).collect()["holding_period"]
    assert held.to_list() == [dt.timedelta(hours=19, minutes=10)] * 2


def test_time_falls_count_the_first_row_of_all_symbols() -> None:
    n = 3_000
    frame = pl.DataFrame({
        "symbol": ["a", "b", "c"] * n, "side": ["B", "S", "S"] * n, "qty": [1] * 3 * n, "price": [1.0] * 3 * n,
        "sort": list(range(3 * n)), "elapsed_seconds": list(range(3 * n)),
    })  # fmt: skip
    fallen = frame.with_columns(
        pl.when(pl.col("sort").is_in([4_000, 5_001, 5_002])).then(0).otherwise(pl.col("elapsed_seconds"))
        .alias("elapsed_seconds")
    )  # fmt: skip
    with raises(vf.DataError, "3 trade rows are", column="elapsed_seconds", row=4_000, count=3):
        match(fallen, sort_by="sort")
    shuffled = fallen.reverse()
    with raises(vf.DataError, column="elapsed_seconds", row=3 * n - 1 - 5_002, count=3):
        match(shuffled, sort_by="sort")
    for on_excess in ("open_short", "raise"):
        with raises(vf.DataError, "3 trade rows are", count=3):
            match(fallen, sort_by="sort", on_excess=on_excess)


def test_equal_times_and_rows_that_are_no_trades_may_stand_anywhere() -> None:
    frame = pl.DataFrame({
        "symbol": ["a"] * 4, "side": ["B", "C", "X", "S"], "qty": [1] * 4, "price": [1.0] * 4,
        "sort": [1, 2, 3, 4], "elapsed_seconds": [60, 0, None, 60],
    })  # fmt: skip
    assert match(frame, sort_by="sort")["holding_period"].to_list() == [0, None, None, 0]


# ---- the other rules of an Enricher -----------------------------------------------------------------------------


class Seen(vf.State):
    def __init__(self) -> None:
        self.resets: list[Any] = []

    def reset(self, symbol: Any) -> None:
        self.resets.append(symbol)
        self.n = 0


class Count(vf.TagRule):
    output_columns = ("nth", "resets")
    output_schema = MappingProxyType({"nth": pl.Int64, "resets": pl.String})

    def process(self, row: dict[str, Any], state: Any) -> dict[str, Any]:
        state.n += 1
        return {"nth": state.n, "resets": repr(state.resets)}


@pytest.mark.parametrize(("by", "told"), [
    ("symbol", "['a', 'a']"), (["symbol"], "['a', 'a']"), (None, "[None, None]"),
    (["symbol", "side"], "[('a', 'S'), ('a', 'B')]"),
    (["date", "symbol"], f"[({TUE!r}, 'a'), ({WED!r}, 'a')]"),
])  # fmt: skip
def test_a_state_is_reset_for_each_day_and_told_the_symbol(by: Any, told: str) -> None:
    out = vf.Enricher([Count()], by=by, sort_by="elapsed_seconds", state_class=Seen).run(two_days()).collect()
    assert out["nth"].to_list() == [1, 1]
    assert out["resets"][1] == told


def test_running_rules_begin_anew_each_day() -> None:
    rules = [vf.TagRunning("python", lambda n, row: n + row["qty"]), vf.TagRunning("expr", pl.col("qty").cum_sum())]
    for by in ("symbol", None, ["symbol", "date"]):
        out = vf.Enricher(rules, by=by, sort_by="elapsed_seconds").run(two_days()).collect()
        assert out["python"].to_list() == out["expr"].to_list() == [100, 100]
    undated = vf.Enricher(rules, by=None, sort_by="elapsed_seconds").run(two_days().drop("date")).collect()
    assert undated["python"].to_list() == undated["expr"].to_list() == [200, 100]
    condition = vf.TagCondition("last", pl.col("qty").cum_sum() == pl.col("qty").sum())
    assert vf.Enricher([condition], sort_by="elapsed_seconds").run(two_days()).collect()["last"].to_list() == [
        True,
        True,
    ]


# ---- D2: look-ups -----------------------------------------------------------------------------------------------

QUOTES = pl.DataFrame(
    {
        "date": [TUE, WED],
        "symbol": ["a", "a"],
        "elapsed_seconds": [60, 60],
        "price": [11.0, 99.0],
        "close": [11.0, 99.0],
    }
)
TRADE = pl.DataFrame({"symbol": ["a"], "elapsed_seconds": [0], "price": [10.0]})


def look_ups(trades: pl.DataFrame, quotes: pl.DataFrame, **options: Any) -> dict[str, Any]:
    def merged() -> pl.Series:
        at = vf.merge_forward(trades, quotes, ["price"], [60], **options)
        return at.select(r=pl.col("price_60") / pl.col("price") - 1).collect()["r"]

    return {
        "forward_return": lambda: vf.forward_return(trades, [60], prices=quotes, **options).collect()["return_60"],
        "merge_forward": merged,
        "mark_to_close": lambda: vf.mark_to_close(trades, close=quotes, **options).collect()["close_return"],
        "marked to prices": lambda: vf.mark_to_close(trades, prices=quotes, **options).collect()["close_return"],
    }


NAMES = ["forward_return", "merge_forward", "mark_to_close", "marked to prices"]


@pytest.mark.parametrize("name", NAMES)
def test_trades_without_a_date_do_not_meet_the_quotes_of_two_days(name: str) -> None:
    with raises(vf.SchemaError, "date=", "date_col=None", column="date"):
        look_ups(TRADE, QUOTES)[name]()
    said = look_ups(TRADE, QUOTES, date="20240102")[name]().to_list()
    assert said == [pytest.approx(0.1)]
    dated = TRADE.with_columns(date=TUE)
    assert look_ups(dated, QUOTES)[name]().to_list() == said
    with raises(vf.SchemaError, "prices" if "prices" in name else "", column="date"):
        look_ups(dated, QUOTES.drop("date"))[name]()


@pytest.mark.parametrize("name", NAMES)
def test_the_day_that_is_said_is_checked(name: str) -> None:
    with raises(vf.DataError, "20240104", "no row of it", column="date"):
        look_ups(TRADE, QUOTES, date="20240104")[name]()
    dated, one = pl.concat([TRADE, TRADE]).with_columns(date=pl.Series([TUE, WED])), QUOTES.head(1).drop("date")
    with raises(vf.DataError, "20240102", "row 1", column="date", row=1, count=1):
        look_ups(dated, one, date=TUE)[name]()
    assert look_ups(dated.head(1), one, date=TUE)[name]().to_list() == [pytest.approx(0.1)]
    with raises(vf.ConfigError, "date"):
        look_ups(dated, QUOTES, date=TUE)[name]()
    with raises(vf.ConfigError, "date"):
        look_ups(TRADE, one, date=TUE)[name]()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spell", ["String", "iso", "Int64", "Datetime"])
def test_the_day_that_is_said_is_met_in_any_spelling(name: str, spell: str) -> None:
    day = pl.col("date")
    spelt = {
        "String": day.dt.strftime("%Y%m%d"), "iso": day.cast(pl.String), "Datetime": day.cast(pl.Datetime("ms")),
        "Int64": day.dt.strftime("%Y%m%d").cast(pl.Int64),
    }[spell]  # fmt: skip
    quotes = QUOTES.with_columns(spelt)
    assert look_ups(TRADE, quotes, date="20240102")[name]().to_list() == [pytest.approx(0.1)]
    words = QUOTES.with_columns(date=pl.lit("someday"))
    with raises(vf.DataError, "no dates", column="date", row=0):
        look_ups(TRADE, words, date="20240102")[name]()


@pytest.mark.parametrize("name", NAMES)
def test_days_of_two_spellings_meet(name: str) -> None:
    text = pl.col("date").dt.strftime("%Y%m%d")
    number = text.cast(pl.Int64)
    moment = pl.col("date").cast(pl.Datetime("us")).dt.offset_by("9h")
    iso = pl.col("date").cast(pl.String)
    word = text.cast(pl.Categorical)
    for mine, theirs in (
        (text, number), (pl.col("date"), text), (number, moment), (moment, pl.col("date")), (text, iso), (iso, text),
        (iso, iso), (word, iso), (iso, word), (word, pl.col("date")),
    ):  # fmt: skip
        trades = TRADE.with_columns(date=TUE).with_columns(mine.alias("date"))
        found = look_ups(trades, QUOTES.with_columns(theirs.alias("date")))[name]()
        assert found.to_list() == [pytest.approx(0.1)]
    wrong = QUOTES.with_columns(date=pl.Series(["2 Jan", "3 Jan"]))
    with raises(vf.DataError, "no dates", column="date", row=0, count=2):
        look_ups(TRADE.with_columns(date=TUE), wrong)[name]()


@pytest.mark.parametrize("name", NAMES)
def test_a_look_up_takes_several_names_or_one_instrument(name: str) -> None:
    quotes = pl.concat(
        [QUOTES.with_columns(venue=pl.lit("x")), QUOTES.with_columns(venue=pl.lit("y"), price=50.0, close=50.0)]
    )
    trades = TRADE.with_columns(date=TUE, venue=pl.lit("x"))
    assert look_ups(trades, quotes, symbol_col=["symbol", "venue"])[name]().to_list() == [pytest.approx(0.1)]
    assert look_ups(trades, QUOTES, symbol_col=None)[name]().to_list() == [pytest.approx(0.1)]
    one = QUOTES.head(1)
    assert look_ups(TRADE, one, symbol_col=None, date_col=None)[name]().to_list() == [pytest.approx(0.1)]
    with raises(vf.SchemaError, "venue", column="venue"):
        look_ups(trades, QUOTES, symbol_col=["symbol", "venue"])[name]()


@pytest.mark.parametrize("name", NAMES)
def test_a_named_date_column_separates_days_too(name: str) -> None:
    trades, quotes = TRADE.with_columns(day=TUE), QUOTES.rename({"date": "day"})
    assert look_ups(trades, quotes, date_col="day")[name]().to_list() == [pytest.approx(0.1)]
    with raises(vf.SchemaError, "day", column="day"):
        look_ups(TRADE, quotes, date_col="day")[name]()
    assert look_ups(TRADE, quotes, date_col="day", date=TUE)[name]().to_list() == [pytest.approx(0.1)]


def test_returns_of_one_frame_keep_days_apart_by_any_names() -> None:
    frame = pl.DataFrame({
        "date": [TUE, WED, TUE], "symbol": ["a", "a", "a"], "elapsed_seconds": [0, 60, 60], "price": [10.0, 99.0, 11.0],
    })  # fmt: skip
    for by in ("symbol", ["symbol"], None, ["date", "symbol"]):
        assert vf.forward_return(frame, [60], symbol_col=by).collect()["return_60"].to_list() == [
            pytest.approx(0.1), None, None,
        ]  # fmt: skip
        assert vf.mark_to_close(frame, symbol_col=by).collect()["close_return"].to_list() == [
            pytest.approx(0.1),
            0.0,
            0.0,
        ]
    mixed = vf.forward_return(frame, [60], date_col=None).collect()["return_60"].to_list()
    assert mixed == [pytest.approx(0.1), None, None]  # of equal times the last row


def test_overnight_returns_go_by_all_names_of_the_symbol() -> None:
    days = vf.calendar.generate(["20240102", "20240103"])
    frame = pl.DataFrame({
        "date": [TUE, TUE, WED, WED], "symbol": ["a"] * 4, "venue": ["x", "y"] * 2,
        "open": [1.0, 1.0, 11.0, 30.0], "close": [10.0, 20.0, 1.0, 1.0],
    })  # fmt: skip
    out = vf.overnight_return(frame, days, symbol_col=["symbol", "venue"]).collect()["overnight_return"].to_list()
    assert out == [pytest.approx(0.1), pytest.approx(0.5), None, None]
    alone = frame.filter(venue="x").drop("symbol", "venue")
    assert vf.overnight_return(alone, days, symbol_col=None).collect()["overnight_return"].to_list() == [
        pytest.approx(0.1), None,
    ]  # fmt: skip
    with raises(vf.DataError, "symbol 'a'", "row 1"):
        vf.overnight_return(frame, days).collect()
    with raises(vf.DataError, "one instrument", "row 1"):
        vf.overnight_return(frame, days, symbol_col=None).collect()


def test_daily_goes_by_all_names_of_the_symbol(tmp_path: Any) -> None:
    day = pl.DataFrame({
        "symbol": ["a", "a", "a"], "venue": ["y", "x", "y"], "t": [93000, 93001, 93002], "price": [1.0, 2.0, 3.0],
    })  # fmt: skip
    vf.save(day, tmp_path / "20240102.feather")
    config = vf.Config(input_dir=tmp_path, columns={"timestamp": "t"})
    both = vf.daily(config, ["20240102"], unit="HHMMSS", symbol_col=["symbol", "venue"]).collect()
    assert both.select("symbol", "venue", "open", "close").rows() == [("a", "x", 2.0, 2.0), ("a", "y", 1.0, 3.0)]
    alone = vf.daily(config, ["20240102"], unit="HHMMSS", symbol_col=[]).collect()
    assert alone.select("date", "open", "close", "n").rows() == [(TUE, 1.0, 3.0, 3)]
    assert "symbol" not in alone.columns


def test_daily_does_not_count_the_rows_of_other_days(tmp_path: Any) -> None:
    day = pl.DataFrame({"date": [TUE, WED], "symbol": ["a", "a"], "t": [93000, 93001], "price": [1.0, 99.0]})
    spelt = day.with_columns(date=pl.lit("Tuesday"))
    vf.save(spelt, tmp_path / "20240102.feather")
    with raises(vf.DataError, "'date'", "no dates", "date_col=None", column="date", row=0):
        vf.daily(vf.Config(input_dir=tmp_path, columns={"timestamp": "t"}), ["20240102"], unit="HHMMSS").collect()
    vf.save(day, tmp_path / "20240102.feather")
    config = vf.Config(input_dir=tmp_path, columns={"timestamp": "t"})
    with raises(vf.DataError, "20240102.feather", "'date'", "2024-01-03", column="date", row=1, count=1):
        vf.daily(config, ["20240102"], unit="HHMMSS").collect()
    kept = vf.daily(config, ["20240102"], unit="HHMMSS", where=pl.col("date") == TUE).collect()
    assert kept["close"].to_list() == [1.0]
    assert vf.daily(config, ["20240102"], unit="HHMMSS", date_col=None).collect()["close"].to_list() == [99.0]
