"""Forward returns: equal to the oracle that looks at every observation. All comparisons EXACT."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from oracle.return_oracle import forward_return_oracle
from support import chunked

Row = tuple[Any, Any, Any]

PRICES = st.one_of(
    st.integers(1, 100).map(lambda tick: tick / 8),
    st.floats(min_value=1e-3, max_value=1e6),
    st.sampled_from([None, 0.0, -1.0, math.nan, math.inf]),
)
SYMBOLS = st.sampled_from(["a", "b", "b", None])
SECONDS = st.one_of(st.integers(0, 30), st.none())
FRACTIONS = st.one_of(
    st.integers(0, 3000).map(lambda hundredths: hundredths / 100), st.sampled_from([None, math.nan, 0.1 + 0.2])
)
METHODS = st.sampled_from(["backward", "forward", "nearest"])
TOLERANCES = st.one_of(st.none(), st.integers(0, 6), st.just(0.5))
ENDS = st.one_of(st.none(), st.integers(0, 40))


def ticks(times: st.SearchStrategy[Any], most: int = 30) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.tuples(SYMBOLS, times, PRICES), max_size=most)


def frame_of(rows: list[Row], time: Any) -> pl.DataFrame:
    schema = {"symbol": pl.String, "elapsed_seconds": time, "price": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def run(frame: pl.DataFrame, horizons: list[Any], **options: Any) -> dict[Any, list[float | None]]:
    out = vf.forward_return(frame, horizons, **options).collect()
    return {h: out.to_series(frame.width + i).to_list() for i, h in enumerate(horizons)}


HORIZONS = st.lists(
    st.one_of(st.integers(1, 20), st.sampled_from([0.5, 0.25, 1.75])), min_size=1, max_size=3, unique=True
)


@settings(max_examples=150)
@given(rows=ticks(SECONDS), horizons=HORIZONS, method=METHODS, tolerance=TOLERANCES, end=ENDS)
def test_equal_to_the_oracle(rows: list[Row], horizons: list[Any], method: Any, tolerance: Any, end: Any) -> None:
    options = {"method": method, "tolerance": tolerance, "end": end}
    assert run(frame_of(rows, pl.Int64), horizons, **options) == forward_return_oracle(rows, horizons, **options)


@settings(max_examples=100)
@given(rows=ticks(FRACTIONS), horizons=HORIZONS, method=METHODS, tolerance=TOLERANCES)
def test_equal_to_the_oracle_with_fractions_of_a_second(
    rows: list[Row], horizons: list[Any], method: Any, tolerance: Any
) -> None:
    options = {"method": method, "tolerance": tolerance}
    assert run(frame_of(rows, pl.Float64), horizons, **options) == forward_return_oracle(rows, horizons, **options)


@settings(max_examples=100)
@given(rows=ticks(SECONDS), quotes=ticks(SECONDS), method=METHODS, tolerance=TOLERANCES, end=ENDS)
def test_equal_to_the_oracle_with_quotes(
    rows: list[Row], quotes: list[Row], method: Any, tolerance: Any, end: Any
) -> None:
    options = {"method": method, "tolerance": tolerance, "end": end}
    ours = run(frame_of(rows, pl.Int64), [3, 10], prices=frame_of(quotes, pl.Int64), **options)
    assert ours == forward_return_oracle(rows, [3, 10], prices=quotes, **options)


DAYS = st.sampled_from([dt.date(2024, 1, 2), dt.date(2024, 1, 3), None])


@settings(max_examples=60)
@given(rows=ticks(SECONDS), data=st.data(), method=METHODS)
def test_equal_to_the_oracle_with_days(rows: list[Row], data: st.DataObject, method: Any) -> None:
    days = data.draw(st.lists(DAYS, min_size=len(rows), max_size=len(rows)))
    frame = frame_of(rows, pl.Int64).with_columns(pl.Series("date", days, dtype=pl.Date))
    keyed = [((day, symbol), time, price) for day, (symbol, time, price) in zip(days, rows, strict=True)]
    assert run(frame, [5], method=method) == forward_return_oracle(keyed, [5], method=method)


@settings(max_examples=60)
@given(rows=ticks(SECONDS), chunk=st.integers(1, 9), method=METHODS)
def test_chunks_change_nothing(rows: list[Row], chunk: int, method: Any) -> None:
    frame = frame_of(rows, pl.Int64)
    assert run(chunked(frame, chunk), [4, 7], method=method) == run(frame, [4, 7], method=method)


@settings(max_examples=60)
@given(rows=ticks(st.integers(0, 10**6)), data=st.data(), method=METHODS)
def test_order_of_rows_changes_nothing_where_times_differ(rows: list[Row], data: st.DataObject, method: Any) -> None:
    rows = list({time: (symbol, time, price) for symbol, time, price in rows}.values())
    order = data.draw(st.permutations(range(len(rows))))
    whole = run(frame_of(rows, pl.Int64), [1000], method=method)[1000]
    shuffled = run(frame_of([rows[i] for i in order], pl.Int64), [1000], method=method)[1000]
    assert shuffled == [whole[i] for i in order]


@settings(max_examples=60)
@given(rows=ticks(SECONDS), shift=st.integers(-(10**6), 10**6), method=METHODS)
def test_shifting_the_clock_changes_nothing(rows: list[Row], shift: int, method: Any) -> None:
    moved = [(symbol, None if time is None else time + shift, price) for symbol, time, price in rows]
    assert run(frame_of(moved, pl.Int64), [6], method=method) == run(frame_of(rows, pl.Int64), [6], method=method)


@settings(max_examples=60)
@given(rows=ticks(SECONDS))
def test_each_horizon_is_what_it_is_alone(rows: list[Row]) -> None:
    frame = frame_of(rows, pl.Int64)
    together = run(frame, [9, 1, 4])
    for horizon in (9, 1, 4):
        assert together[horizon] == run(frame, [horizon])[horizon]
