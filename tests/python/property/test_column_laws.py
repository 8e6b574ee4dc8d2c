"""Bins, casts, mids and the clock: element by element, EXACT."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal, assert_series_equal

import vizflow as vf
from support import chunked, raises
from vizflow.errors import DataError

# ---- bins ----

VALUES = st.one_of(
    st.floats(-1e6, 1e6),
    st.integers(-1000, 1000).map(lambda halves: halves / 2),
    st.integers(-1000, 1000).map(lambda bins: bins * 1e-4 + 5e-5),
    st.sampled_from([None, math.nan, math.inf, -math.inf, -0.0, 5e-324]),
)
WIDTHS = st.one_of(st.sampled_from([1.0, 1e-4, 0.1, 3.0, 1e-9, 7e5]), st.floats(1e-6, 1e6))


@settings(max_examples=150)
@given(values=st.lists(VALUES, max_size=40), width=WIDTHS, chunk=st.integers(1, 9))
def test_bin_is_round_half_even_of_the_true_quotient(values: list[float | None], width: float, chunk: int) -> None:
    """EXACT. Python divides as IEEE 754 says and rounds halves to even."""
    frame = chunked(pl.DataFrame({"x": values}, schema={"x": pl.Float64}), chunk)
    expected = [None if x is None or not math.isfinite(x) else round(x / width) for x in values]
    assert vf.bin(frame, {"x": width}).collect()["x_bin"].to_list() == expected


@settings(max_examples=150)
@given(values=st.lists(VALUES, min_size=2, max_size=40), width=WIDTHS)
def test_bin_is_bit_equal_to_polars_column_by_column(values: list[float | None], width: float) -> None:
    """EXACT, against Polars' quotient of two columns: by a scalar it multiplies with 1 / w, which rounds twice."""
    frame = pl.DataFrame({"x": values, "w": [width] * len(values)}, schema={"x": pl.Float64, "w": pl.Float64})
    finite = pl.when(pl.col("x").is_finite()).then(pl.col("x"))
    expected = frame.select((finite / pl.col("w")).round().cast(pl.Int64).alias("x_bin"))["x_bin"]
    assert_series_equal(vf.bin(frame, {"x": width}).collect()["x_bin"], expected)


@settings(max_examples=80)
@given(value=st.integers(-(2**40), 2**40), width=WIDTHS)
def test_snap_moves_only_what_is_next_to_a_half(value: int, width: float) -> None:
    half = (value + 0.5) * width
    assume(math.isfinite(half))
    frame = pl.DataFrame({"x": [half, value * width]})
    snapped = vf.bin(frame, {"x": width}, snap=True).collect()["x_bin"].to_list()
    assert snapped[0] == (value if value % 2 == 0 else value + 1)  # half to even, though the quotient is not exact
    assert snapped[1] == value


# ---- casts ----


@settings(max_examples=100)
@given(values=st.lists(st.one_of(st.integers(-(2**52), 2**52), st.none()), max_size=20), noise=st.floats(-9e-7, 9e-7))
def test_noisy_integers_become_themselves(values: list[int | None], noise: float) -> None:
    noisy = [None if value is None else value + noise * min(max(1, abs(value)), 1000) for value in values]
    frame = pl.DataFrame({"q": noisy}, schema={"q": pl.Float64})
    assert frame.select(vf.near_integer("q", tolerance=1e-6))["q"].to_list() == values


@settings(max_examples=100)
@given(value=st.floats(-1e9, 1e9), tolerance=st.sampled_from([0.0, 1e-9, 1e-6, 1e-3]))
def test_what_is_no_integer_is_refused_and_never_cut(value: float, tolerance: float) -> None:
    frame = pl.LazyFrame({"q": [value]})
    near = abs(value - round(value)) <= min(tolerance * max(1.0, abs(value)), max(tolerance, 1e-3))
    if near:
        assert frame.select(vf.near_integer("q", tolerance=tolerance)).collect().item() == round(value)
    else:
        with raises(DataError, column="q", row=0):
            frame.select(vf.near_integer("q", tolerance=tolerance)).collect()


PRICES = st.one_of(st.floats(), st.integers(-3, 3).map(float), st.none())


@settings(max_examples=100)
@given(sides=st.lists(st.tuples(PRICES, PRICES), max_size=20))
def test_mid(sides: list[tuple[float | None, float | None]]) -> None:
    def is_price(value: float | None) -> bool:
        return value is not None and 0 < value < math.inf

    def middle(bid: float, ask: float) -> float:
        return (bid + ask) / 2 if math.isfinite(bid + ask) else bid / 2 + ask / 2

    frame = pl.DataFrame(sides, schema={"b": pl.Float64, "a": pl.Float64}, orient="row")
    expected = [middle(b, a) if is_price(b) and is_price(a) else None for b, a in sides]  # type: ignore[arg-type]
    assert frame.select(m=vf.mid("b", "a"))["m"].to_list() == expected


# ---- the clock ----

DAY = 86_400_000_000
MARKETS = st.sampled_from(
    [
        vf.CN,
        vf.KR,
        vf.HK,
        vf.US,
        vf.CRYPTO,
        vf.Market("night", [vf.Session("21:00", "02:30"), vf.Session("09:00", "10:15")]),
    ]
)


def plain_clock(market: vf.Market, us: int, outside: str, grace_us: int) -> int | None:
    """Elapsed microseconds of a time of day, from the definition alone."""
    offset, best = 0, None
    for session in market.sessions:
        start, end = (edge(text) for text in (session.start, session.end))
        if end <= start:
            start -= DAY
        for moment in (us, us - DAY):
            if start <= moment <= end:
                return offset + moment - start
        for moment in (us, us - DAY):
            distance, at = min((abs(moment - start), offset), (abs(moment - end), offset + end - start))
            if best is None or distance < best[0]:
                best = distance, at
        offset += end - start
    assert best is not None
    return best[1] if outside == "clip" or best[0] <= grace_us else None


def edge(text: str) -> int:
    hour, minute = text.split(":")
    return (int(hour) * 60 + int(minute)) * 60_000_000


EDGES = [0, 9 * 3600, 9 * 3600 + 1800, 11 * 3600 + 1800, 12 * 3600, 13 * 3600, 15 * 3600, 16 * 3600, 21 * 3600, 9000]
TIMES = st.one_of(
    st.integers(0, DAY - 1),
    st.tuples(st.sampled_from(EDGES), st.integers(-2, 2)).map(lambda pair: (pair[0] * 1_000_000 + pair[1]) % DAY),
)


@settings(max_examples=150)
@given(market=MARKETS, times=st.lists(TIMES, max_size=20), grace=st.sampled_from([0, 1, 300]), chunk=st.integers(1, 9))
def test_clock_against_a_plain_one(market: vf.Market, times: list[int], grace: int, chunk: int) -> None:
    frame = chunked(pl.DataFrame({"t": pl.Series(times, dtype=pl.Int64).cast(pl.Duration("us"))}), chunk)
    stamps = frame.with_columns(t=pl.lit(dt.datetime(2024, 3, 5)) + pl.col("t"))
    expected = [plain_clock(market, us, "null", grace * 1_000_000) for us in times]
    out = vf.parse_time(stamps, market, "t", grace=grace).collect()["elapsed_seconds"]
    assert out.to_list() == [None if us is None else us / 1e6 for us in expected]
    for us, elapsed in zip(times, expected, strict=True):
        moment = (dt.datetime(2024, 3, 5) + dt.timedelta(microseconds=us)).time()
        one = market.elapsed_seconds(moment, outside="null", grace=grace)
        assert one == (None if elapsed is None else elapsed / 1e6)


@settings(max_examples=60)
@given(market=MARKETS, times=st.lists(TIMES, min_size=1, max_size=20))
def test_every_way_to_write_a_time_gives_the_same(market: vf.Market, times: list[int]) -> None:
    times = [us // 1000 * 1000 for us in times]
    stamps = [dt.datetime(2024, 3, 5) + dt.timedelta(microseconds=us) for us in times]
    zone = market.timezone
    ways: dict[str, tuple[pl.Series, Any]] = {
        "datetime": (pl.Series(stamps), None),
        "time": (pl.Series([stamp.time() for stamp in stamps]), None),
        "text": (pl.Series([stamp.isoformat() for stamp in stamps]), None),
        "clock text": (pl.Series([stamp.time().isoformat() for stamp in stamps]), None),
        "digits": (pl.Series([int(stamp.strftime("%H%M%S%f")[:9]) for stamp in stamps]), "HHMMSSmmm"),
    }
    if zone is not None:
        utc = pl.Series(stamps).dt.replace_time_zone(zone)
        ways["zoned"] = (utc.dt.convert_time_zone("UTC"), None)
        ways["epoch"] = (utc.dt.epoch("ms"), "ms")
    results = [
        vf.parse_time(pl.DataFrame({"t": values}), market, "t", unit=unit).collect() for values, unit in ways.values()
    ]
    for result in results[1:]:
        assert_frame_equal(result.select("elapsed_seconds"), results[0].select("elapsed_seconds"))


@settings(max_examples=60)
@given(market=MARKETS, times=st.lists(TIMES, max_size=20))
def test_elapsed_time_never_goes_back_within_a_session(market: vf.Market, times: list[int]) -> None:
    clipped = [plain_clock(market, us, "clip", 0) for us in times]
    values = pl.DataFrame({"t": (pl.Series(times, dtype=pl.Int64) * 1000).cast(pl.Time)})
    out = vf.parse_time(values, market, "t", outside="clip").collect()["elapsed_seconds"].to_list()
    assert out == [us / 1e6 for us in clipped if us is not None]
    assert all(0 <= value <= market.seconds for value in out)
