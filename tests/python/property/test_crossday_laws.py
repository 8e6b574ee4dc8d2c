"""Merges, overnight returns, marks to the close, days and quantile bins: equal to the oracles. Comparisons are EXACT
but for interpolated quantiles, which are EPS(1e-12 relative) of the exact rational."""

from __future__ import annotations

import datetime as dt
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from oracle.crossday_oracle import (
    bars_oracle,
    bin_oracle,
    close_oracle,
    cuts_oracle,
    merge_oracle,
    overnight_oracle,
)
from support import chunked

SYMBOLS = st.sampled_from(["a", "b", "b", None])
SECONDS = st.one_of(st.integers(0, 30), st.none())
FRACTIONS = st.one_of(st.integers(0, 3000).map(lambda n: n / 100), st.sampled_from([None, math.nan, 0.1 + 0.2]))
PRICES = st.one_of(
    st.integers(1, 100).map(lambda tick: tick / 8), st.sampled_from([None, 0.0, -1.0, math.nan, math.inf])
)
HORIZONS = st.lists(
    st.one_of(st.integers(-20, 20), st.sampled_from([0.5, -0.25])), min_size=1, max_size=4, unique_by=float
)
OPTIONS = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["backward", "forward", "nearest"]),
        "tolerance": st.one_of(st.none(), st.integers(0, 6), st.just(0.5)),
        "end": st.one_of(st.none(), st.integers(0, 40)),
        "strict": st.booleans(),
        "past_last": st.sampled_from(["null", "keep"]),
    }
)
DAYS = [dt.date(2024, 1, day) for day in (2, 3, 4, 5)]


def stamps(times: st.SearchStrategy[Any]) -> st.SearchStrategy[list[tuple[Any, Any]]]:
    return st.lists(st.tuples(SYMBOLS, times), max_size=30)


def frame(rows: list[tuple[Any, Any]], time: Any) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"symbol": pl.String, "elapsed_seconds": time}, orient="row")


def found(rows: pl.DataFrame, quotes: pl.DataFrame, horizons: list[Any], **options: Any) -> dict[Any, list[int | None]]:
    out = vf.merge_forward(rows, quotes.with_row_index("row"), ["row"], horizons, **options).collect()
    assert out.select(rows.columns).equals(rows)
    return {h: out.to_series(rows.width + i).to_list() for i, h in enumerate(horizons)}


@settings(max_examples=200)
@given(rows=stamps(SECONDS), quotes=stamps(SECONDS), horizons=HORIZONS, options=OPTIONS)
def test_merge_is_equal_to_the_oracle(rows: Any, quotes: Any, horizons: list[Any], options: dict[str, Any]) -> None:
    ours = found(frame(rows, pl.Int64), frame(quotes, pl.Int64), horizons, **options)
    assert ours == merge_oracle(rows, quotes, horizons, **options)


@settings(max_examples=100)
@given(rows=stamps(FRACTIONS), quotes=stamps(FRACTIONS), horizons=HORIZONS, options=OPTIONS)
def test_merge_is_equal_to_the_oracle_with_fractions(
    rows: Any, quotes: Any, horizons: list[Any], options: dict[str, Any]
) -> None:
    ours = found(frame(rows, pl.Float64), frame(quotes, pl.Float64), horizons, **options)
    assert ours == merge_oracle(rows, quotes, horizons, **options)


@settings(max_examples=60)
@given(rows=stamps(SECONDS), quotes=stamps(SECONDS), data=st.data())
def test_merge_never_mixes_days(rows: Any, quotes: Any, data: st.DataObject) -> None:
    def with_days(stamped: Any) -> tuple[pl.DataFrame, list[Any]]:
        days = data.draw(st.lists(st.sampled_from([*DAYS[:2], None]), min_size=len(stamped), max_size=len(stamped)))
        made = frame(stamped, pl.Int64).with_columns(pl.Series("date", days, dtype=pl.Date))
        return made, [((day, symbol), time) for day, (symbol, time) in zip(days, stamped, strict=True)]

    (left, keyed), (right, keyed_quotes) = with_days(rows), with_days(quotes)
    assert found(left, right, [-3, 0, 4]) == merge_oracle(keyed, keyed_quotes, [-3, 0, 4])


@settings(max_examples=60)
@given(rows=stamps(SECONDS), quotes=stamps(SECONDS), chunk=st.integers(1, 7), options=OPTIONS)
def test_chunks_change_no_merge(rows: Any, quotes: Any, chunk: int, options: dict[str, Any]) -> None:
    left, right = frame(rows, pl.Int64), frame(quotes, pl.Int64)
    assert found(chunked(left, chunk), chunked(right, chunk), [-2, 5], **options) == found(
        left, right, [-2, 5], **options
    )


@settings(max_examples=60)
@given(quotes=st.lists(st.tuples(SYMBOLS, SECONDS, PRICES), max_size=30))
def test_merge_and_forward_return_agree_on_valid_quotes(quotes: Any) -> None:
    schema = {"symbol": pl.String, "elapsed_seconds": pl.Int64, "price": pl.Float64}
    one = pl.DataFrame(quotes, schema=schema, orient="row")
    good = one.filter(pl.col("price").is_finite() & (pl.col("price") > 0))
    merged = vf.merge_forward(good, good, ["price"], [6]).collect()
    returns = vf.forward_return(good, [6]).collect()["return_6"]
    assert (merged["price_6"] / merged["price"] - 1).to_list() == returns.to_list()


ENDS = {dt.date(2024, 11, 27): 23_400, dt.date(2024, 11, 29): 12_600, dt.date(2024, 12, 24): 12_600}  # of US
NEAR_ENDS = st.one_of(
    st.none(), st.builds(lambda end, ms: end + ms / 8, st.sampled_from([12_600, 23_400]), st.integers(-40, 16))
)


@settings(max_examples=100)
@given(
    rows=st.lists(st.tuples(SYMBOLS, NEAR_ENDS, PRICES, st.sampled_from([*ENDS, None])), max_size=40),
    options=OPTIONS,
    horizons=HORIZONS,
)
def test_days_that_end_apart_are_as_each_alone(rows: Any, options: dict[str, Any], horizons: list[Any]) -> None:
    schema = {"symbol": pl.String, "elapsed_seconds": pl.Float64, "price": pl.Float64, "date": pl.Date}
    one = pl.DataFrame(rows, schema=schema, orient="row").with_row_index("row")
    both = {name: options[name] for name in ("method", "tolerance")}
    ahead = list(dict.fromkeys(abs(h) or 1 for h in horizons))
    merges = {**both, "strict": options["strict"], "past_last": options["past_last"]}

    def all_three(part: pl.DataFrame, end: Any) -> pl.DataFrame:
        lazy = vf.forward_return(part, ahead, end=end, **both)
        lazy = vf.mark_to_close(lazy, end=end)
        return vf.merge_forward(lazy, part, ["row"], horizons, end=end, **merges).collect()

    alone = [all_three(one.filter(pl.col("date").eq_missing(day)), end) for day, end in [*ENDS.items(), (None, 0)]]
    assert all_three(one, vf.US).equals(pl.concat(alone).sort("row"))


BARS = st.dictionaries(
    st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from(DAYS)),
    st.fixed_dictionaries({"open": PRICES, "close": PRICES, "prev_close": PRICES}),
    max_size=12,
)


def frame_of_bars(bars: list[Any]) -> pl.DataFrame:
    schema = {"symbol": pl.String, "date": pl.Date, "open": pl.Float64, "close": pl.Float64, "prev_close": pl.Float64}
    rows = [(*key, bar["open"], bar["close"], bar["prev_close"]) for key, bar in bars]
    return pl.DataFrame(rows, schema=schema, orient="row")


@settings(max_examples=150)
@given(
    bars=BARS,
    rows=st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.sampled_from([*DAYS, None])), max_size=20),
    adjusted=st.booleans(),
)
def test_overnight_is_equal_to_the_oracle(bars: Any, rows: Any, adjusted: bool) -> None:
    daily = frame_of_bars(list(bars.items()))
    df = pl.DataFrame(rows, schema={"symbol": pl.String, "date": pl.Date}, orient="row")
    column = "prev_close" if adjusted else None
    out = vf.overnight_return(df, vf.calendar.generate(DAYS), daily=daily, prev_close_col=column, missing="null")
    assert out.collect()["overnight_return"].to_list() == overnight_oracle(rows, bars, DAYS, adjusted)


@settings(max_examples=60)
@given(bars=BARS, seed=st.randoms(use_true_random=False))
def test_order_of_rows_changes_no_overnight_return(bars: Any, seed: Any) -> None:
    mixed = list(bars.items())
    seed.shuffle(mixed)
    one, other = frame_of_bars(list(bars.items())), frame_of_bars(mixed)
    days = vf.calendar.generate(DAYS)
    first = vf.overnight_return(one, days, missing="null").collect().sort("symbol", "date")
    second = vf.overnight_return(other, days, missing="null").collect().sort("symbol", "date")
    assert first.equals(second)


TICKS = st.lists(st.tuples(SYMBOLS, SECONDS, PRICES), max_size=30)


@settings(max_examples=150)
@given(rows=TICKS, quotes=st.one_of(st.none(), TICKS), end=st.one_of(st.none(), st.integers(0, 30)))
def test_mark_to_close_is_equal_to_the_oracle(rows: Any, quotes: Any, end: Any) -> None:
    schema = {"symbol": pl.String, "elapsed_seconds": pl.Int64, "price": pl.Float64}
    df = pl.DataFrame(rows, schema=schema, orient="row")
    prices = None if quotes is None else pl.DataFrame(quotes, schema=schema, orient="row")
    out = vf.mark_to_close(df, prices=prices, end=end).collect()
    assert out["close_return"].to_list() == close_oracle(rows, quotes, end)


WALLS = st.one_of(
    st.none(),
    st.integers(33_000, 55_000),
    st.sampled_from([33_900, 34_199, 34_200, 41_400, 41_401, 46_799, 46_800, 54_000, 54_060, 54_061]),
)
TRADES = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), WALLS, PRICES, st.one_of(st.none(), st.integers(0, 10))), max_size=25
)


@settings(max_examples=60)
@given(rows=TRADES, grace=st.sampled_from([0, 60, 300]))
def test_daily_is_equal_to_the_oracle(rows: Any, grace: int, tmp_path_factory: Any) -> None:
    folder: Path = tmp_path_factory.mktemp("days")
    day = pl.DataFrame(
        rows,
        schema={"symbol": pl.String, "t": pl.Int64, "price": pl.Float64, "volume": pl.Int64},
        orient="row",
    ).with_columns(t=pl.from_epoch(pl.col("t") + 1_704_153_600, time_unit="s"))  # midnight of 2024-01-02
    vf.save(day, folder / "20240102.feather")
    config = vf.Config(input_dir=folder, columns={"timestamp": "t"})
    out = vf.daily(config, ["20240102"], grace=grace).collect()
    want = bars_oracle(rows, [(34_200, 41_400), (46_800, 54_000)], grace)
    assert {row.pop("symbol"): row for row in out.drop("date").to_dicts()} == want
    assert out["symbol"].to_list() == sorted(want)


VALUES = st.lists(
    st.one_of(
        st.floats(width=32), st.integers(-3, 3).map(float), st.sampled_from([None, math.nan, math.inf, 1e308, -1e308])
    ),
    min_size=1,
    max_size=40,
)


@settings(max_examples=200)
@given(values=VALUES, n=st.integers(2, 12), method=st.sampled_from(["linear", "inverse_cdf"]), data=st.data())
def test_edges_are_the_quantiles_by_exact_arithmetic(values: Any, n: int, method: Any, data: st.DataObject) -> None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    column = pl.DataFrame({"x": values}, schema={"x": pl.Float64})
    if not finite:
        return
    edges = vf.qbin_edges(column, "x", n, method=method, duplicates="drop")
    assert (edges.low, edges.high, edges.n) == (min(finite), max(finite), len(finite))
    want = cuts_oracle(values, n, method)
    inner = [cut for cut in want if min(finite) < cut < max(finite)]
    near = Fraction(max(abs(value) for value in finite)) / 10**12
    assert all(any(abs(Fraction(cut) - w) <= near for cut in edges.cuts) for w in inner)
    assert all(any(abs(Fraction(cut) - w) <= near for w in want) for cut in edges.cuts)
    if method == "inverse_cdf":
        assert list(edges.cuts) == sorted(set(inner))
    order = data.draw(st.permutations(values))
    again = vf.qbin_edges(
        [column.clear(), pl.DataFrame({"x": order}, schema=column.schema)], "x", n, method=method, duplicates="drop"
    )
    assert again == edges


@settings(max_examples=150)
@given(
    values=VALUES,
    cuts=st.lists(st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6)), max_size=12, unique=True).map(sorted),
    closed=st.sampled_from(["right", "left"]),
)
def test_qbin_is_equal_to_the_oracle(values: Any, cuts: list[float], closed: Any) -> None:
    cuts = [cut for cut in cuts if cut != 0] + ([0.0] if 0 in cuts else [])  # -0.0 and 0.0 are one edge
    edges = vf.Edges("x", tuple(sorted(cuts)), closed=closed)
    out = vf.qbin(pl.DataFrame({"x": values}, schema={"x": pl.Float64}), edges).collect()["x_qbin"].to_list()
    assert out == [bin_oracle(value, edges.cuts, closed) for value in values]
