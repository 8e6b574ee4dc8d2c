"""Steps before and after the repetition of rows: the same bits (docs/decisions/0005 and 0008)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import vizflow as vf
from vizflow.lazy.two_pass import origin

ROW = st.fixed_dictionaries(
    {
        "symbol": st.sampled_from(["a", "b", None]),
        "t": st.integers(0, 300),
        "side": st.sampled_from(["B", "S", "C"]),
        "qty": st.integers(0, 9),
        "price": st.sampled_from([None, 0.0, 10.0, 10.5, 11.0]),
    }
)
SCHEMA = {"symbol": pl.String, "t": pl.Int64, "side": pl.String, "qty": pl.Int64, "price": pl.Float64}


def matched(rows: list[dict[str, Any]], mode: Any) -> pl.LazyFrame:
    named = [row | {"symbol": row["symbol"] or "c"} if row["side"] != "C" else row for row in rows]
    rule = vf.FIFOMatch("side", "qty", "t", "price", rows=mode)
    return vf.Enricher([rule], sort_by="t").run(pl.DataFrame(named, schema=SCHEMA))


@pytest.mark.parametrize("mode", ["both", "exits", "lots"])
@settings(max_examples=60)
@given(rows=st.lists(ROW, min_size=1, max_size=30), method=st.sampled_from(["backward", "forward", "nearest"]))
def test_marking_commutes_with_matching(mode: str, rows: list[dict[str, Any]], method: Any) -> None:
    if not any(row["side"] != "C" for row in rows):
        rows = [*rows, {"symbol": "a", "t": 0, "side": "B", "qty": 1, "price": 10.0}]
    whole = matched(rows, mode)
    opaque = whole.collect().lazy()
    assert (origin(whole) is not None) == (mode != "lots")
    assert origin(opaque) is None
    got, want = (
        vf.forward_return(lf, [60, 0.5], time_col="t", method=method, tolerance=90).collect() for lf in (whole, opaque)
    )
    assert_frame_equal(got, want, check_exact=True)


METRICS = {
    "n": pl.len(),
    "qty": pl.col("matched_qty").sum(),
    "vwap": (pl.col("price") * pl.col("matched_qty")).sum() / pl.col("matched_qty").sum(),
    "first": pl.col("price").first(),
    "closed": pl.col("is_closed").sum(),
}
KEYS: list[list[str]] = [
    ["side"],
    ["price_bin", "side"],
    ["symbol", "return_60_bin", "price_bin"],
    ["is_closed", "side"],
    [],
]


@pytest.mark.parametrize("keys", KEYS, ids=str)
@pytest.mark.parametrize("mode", ["both", "exits", "lots"])
@settings(max_examples=25)
@given(rows=st.lists(ROW, min_size=1, max_size=30))
def test_bins_and_groups_commute_with_matching(mode: str, keys: list[str], rows: list[dict[str, Any]]) -> None:
    rows = [*rows, {"symbol": "a", "t": 0, "side": "B", "qty": 1, "price": 10.0}]

    def grouped(lf: pl.LazyFrame) -> pl.LazyFrame:
        lf = vf.forward_return(lf, [60], time_col="t")
        lf = vf.bin(lf, {"price": 0.5, "return_60": 0.01})
        return vf.aggregate(vf.bin(lf, {"matched_qty": 2.0}), keys, METRICS)

    whole = matched(rows, mode)
    assert_frame_equal(grouped(whole).collect(), grouped(whole.collect().lazy()).collect(), check_exact=True)


@pytest.mark.parametrize("mode", ["both", "lots"])
def test_bins_stand_where_they_were_asked_for(mode: str) -> None:
    whole = matched([{"symbol": "a", "t": 0, "side": "B", "qty": 1, "price": 10.0}], mode)
    names = whole.collect_schema().names()
    binned = vf.bin(vf.bin(whole, {"price": 0.5}), {"matched_qty": 1.0, "qty": 2.0})
    want = [*names, "price_bin", "matched_qty_bin", "qty_bin"]
    assert binned.collect_schema().names() == want
    assert binned.collect().columns == want
    assert binned.select("qty_bin", "price_bin").collect().rows() == [(0, 20)]
