"""FIFO matching: equal to the plain-Python oracle, and the laws of SPEC section 4. EXACT unless EPS is said."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vizflow as vf
from oracle.fifo_oracle import COLUMNS, fifo_oracle
from support import chunked

pytestmark = pytest.mark.filterwarnings("ignore::vizflow.UnlistedSideWarning")  # of rows with "bx" and none with "B"
Trade = dict[str, Any]
SCHEMA = {"symbol": pl.String, "side": pl.String, "qty": pl.Int64, "t": pl.Int64, "price": pl.Float64}
WHOLE = st.integers(0, 12)
NO_TRADE = st.sampled_from(["C", None, "", "bx"])


def rows(quantities: st.SearchStrategy[Any] = WHOLE, *, sides: int = 8) -> st.SearchStrategy[list[Trade]]:
    """Lists of rows of few symbols and few times, so that ties, excess and splits are common."""
    side = st.sampled_from(["B", "S"])
    return st.lists(
        st.fixed_dictionaries(
            {
                "symbol": st.sampled_from(["a", "b", "c"]),
                "side": st.one_of(*[side] * sides, NO_TRADE),
                "qty": quantities,
                "t": st.integers(0, 8),
                "price": st.integers(1, 40).map(lambda tick: tick / 4),
            }
        ),
        max_size=25,
    ).filter(lambda made: not made or any(row["side"] in ("B", "S") for row in made))


def match(made: list[Trade], *, schema: Any = None, chunk: int = 0, extras: bool = True, **options: Any) -> list[Trade]:
    frame = pl.DataFrame(made, schema=schema or SCHEMA, orient="row").with_row_index("row")
    rule = vf.FIFOMatch("side", "qty", "t", "price", extras=extras, **options)
    out = vf.Enricher([rule], sort_by="t").run(chunked(frame, chunk)).collect()
    return out.select(name for name in COLUMNS if name in out.columns).to_dicts()


def trade_rows(made: list[Trade]) -> list[int]:
    return [i for i, row in enumerate(made) if row["side"] in ("B", "S")]


OPENING = st.lists(
    st.tuples(st.sampled_from(["a", "b", "z"]), st.integers(0, 9), st.integers(1, 9).map(float)), max_size=4
)


@pytest.mark.parametrize("shape", ["both", "exits", "lots"])
@pytest.mark.parametrize("on_excess", ["unclosed", "open_short"])
@settings(max_examples=60)
@given(made=rows(), opening=OPENING, short=st.booleans())
def test_equal_to_the_oracle(shape: str, on_excess: str, made: list[Trade], opening: list[Any], short: bool) -> None:
    lots = [(symbol, -qty if short and on_excess == "open_short" else qty, price) for symbol, qty, price in opening]
    frame = pl.DataFrame(lots, schema={"symbol": pl.String, "qty": pl.Int64, "price": pl.Float64}, orient="row")
    ours = match(made, rows=shape, on_excess=on_excess, opening=frame)
    assert ours == fifo_oracle(made, entry="B", exit="S", rows=shape, on_excess=on_excess, opening=lots)


@settings(max_examples=80)
@given(made=rows(st.integers(0, 40).map(lambda eighths: eighths / 8)))
def test_equal_to_the_oracle_with_fractions(made: list[Trade]) -> None:
    assert match(made, schema={**SCHEMA, "qty": pl.Float64}) == fifo_oracle(made, entry="B", exit="S")


@settings(max_examples=60)
@given(made=rows(st.floats(0, 1e6, allow_subnormal=False)))
def test_floats_add_up(made: list[Trade]) -> None:
    """EPS: pieces of a row sum to its quantity within 1e-9 of it."""
    out = match(made, schema={**SCHEMA, "qty": pl.Float64}, extras=False)
    total: dict[int, list[float]] = defaultdict(list)
    for piece in out:
        total[piece["row"]].append(piece["matched_qty"])
    for row in trade_rows(made):
        assert math.isclose(math.fsum(total[row]), made[row]["qty"], rel_tol=2e-9)
        assert all(piece >= 0 for piece in total[row])


@settings(max_examples=80)
@given(made=rows(), short=st.booleans())
def test_laws_of_one_day(made: list[Trade], short: bool) -> None:
    out = match(made, on_excess="open_short" if short else "unclosed")
    pieces: dict[int, list[Trade]] = defaultdict(list)
    for piece in out:
        pieces[piece["row"]].append(piece)
    for row, trade in enumerate(made):  # every row stays, and its pieces add up
        if trade["side"] in ("B", "S"):
            assert sum(piece["matched_qty"] for piece in pieces[row]) == trade["qty"]
        else:
            assert [piece["matched_qty"] for piece in pieces[row]] == [None]
    assert [piece["row"] for piece in out] == sorted(piece["row"] for piece in out)
    closed = [piece for piece in out if piece["is_closed"]]
    entry_leg = sorted(leg(piece) for piece in closed if piece["row"] == piece["matched_entry_id"])
    exit_leg = sorted(leg(piece) for piece in closed if piece["row"] == piece["matched_exit_id"])
    assert entry_leg == exit_leg  # the legs mirror each other
    for piece in closed:
        entry, out_row = made[piece["matched_entry_id"]], made[piece["matched_exit_id"]]
        assert entry["symbol"] == out_row["symbol"]
        assert {entry["side"], out_row["side"]} == {"B", "S"}
        assert piece["holding_period"] == out_row["t"] - entry["t"] >= 0
        assert piece["matched_qty"] > 0
    assert_first_in_first_out(made, closed)


def leg(piece: Trade) -> tuple[Any, ...]:
    return tuple(
        piece[name]
        for name in ("matched_entry_id", "matched_exit_id", "matched_qty", "holding_period", "close_markout")
    )


def assert_first_in_first_out(made: list[Trade], closed: list[Trade]) -> None:
    """Of one symbol, in order of exits, entries never go back in time."""

    def order(row: int) -> tuple[int, int]:
        return made[row]["t"], row

    for symbol in "abc":
        legs = [p for p in closed if p["row"] == p["matched_exit_id"] and made[p["row"]]["symbol"] == symbol]
        legs.sort(key=lambda piece: order(piece["row"]))  # stable: pieces of a row stay in match order
        entries = [order(piece["matched_entry_id"]) for piece in legs]
        assert entries == sorted(entries)


@settings(max_examples=40)
@given(made=rows())
def test_symbols_do_not_touch_each_other(made: list[Trade]) -> None:
    whole = match(made)
    for symbol in "abc":
        own = [i for i, row in enumerate(made) if row["symbol"] == symbol]
        if not any(made[i]["side"] in ("B", "S") for i in own):
            continue
        alone = match([made[i] for i in own])
        for piece in alone:
            for name in ("row", "matched_entry_id", "matched_exit_id"):
                piece[name] = None if piece[name] is None else own[piece[name]]
        assert alone == [piece for piece in whole if piece["row"] in own]


@settings(max_examples=40)
@given(made=rows(), factor=st.integers(2, 1000))
def test_scaling_every_quantity_scales_every_piece(made: list[Trade], factor: int) -> None:
    scaled = match([{**row, "qty": row["qty"] * factor} for row in made], extras=False)
    expected = match(made, extras=False)
    for piece in expected:
        piece["matched_qty"] = None if piece["matched_qty"] is None else piece["matched_qty"] * factor
    assert scaled == expected


@settings(max_examples=40)
@given(made=rows(st.integers(2, 12)), data=st.data())
def test_splitting_a_trade_changes_nothing_else(made: list[Trade], data: st.DataObject) -> None:
    if not made:
        return
    at = data.draw(st.integers(0, len(made) - 1))
    first = data.draw(st.integers(1, made[at]["qty"] - 1))
    halves = [{**made[at], "qty": first}, {**made[at], "qty": made[at]["qty"] - first}]
    split = match(made[:at] + halves + made[at + 1 :])

    def by_original(pieces: list[Trade], shift: bool) -> dict[Any, int]:
        total: dict[Any, int] = defaultdict(int)
        for piece in pieces:
            ids = [piece[name] for name in ("row", "matched_entry_id", "matched_exit_id")]
            ids = [None if i is None else i - (shift and i > at) for i in ids]
            total[(*ids, piece["is_closed"], piece["holding_period"])] += piece["matched_qty"] or 0
        return dict(total)

    merged = by_original(split, shift=True)
    assert merged == by_original(match(made), shift=False)


@settings(max_examples=40)
@given(made=rows(), chunk=st.integers(1, 7))
def test_chunks_change_nothing(made: list[Trade], chunk: int) -> None:
    assert match(made, chunk=chunk) == match(made)


@settings(max_examples=40)
@given(made=rows(), data=st.data())
def test_order_of_rows_changes_nothing_where_times_differ(made: list[Trade], data: st.DataObject) -> None:
    made = [{**row, "t": i} for i, row in enumerate(made)]
    order = data.draw(st.permutations(range(len(made))))
    place = {row: position for position, row in enumerate(order)}
    shuffled = match([made[i] for i in order])
    expected = match(made)
    for piece in expected:
        for name in ("row", "matched_entry_id", "matched_exit_id"):
            piece[name] = None if piece[name] is None else place[piece[name]]
    assert shuffled == sorted(expected, key=lambda piece: piece["row"])


@settings(max_examples=40)
@given(made=rows())
def test_prices_do_not_matter_to_matching(made: list[Trade]) -> None:
    other = [{**row, "price": None} for row in made]
    assert match(made, extras=False) == match(other, extras=False)


@settings(max_examples=60)
@given(made=rows(), short=st.booleans())
def test_cash_identity(made: list[Trade], short: bool) -> None:
    """EPS(1e-12): profit is the cash of the matched quantities: what was sold less what was bought."""
    out = match(made, on_excess="open_short" if short else "unclosed")
    profit = math.fsum(piece["realized_pnl"] or 0.0 for piece in out)
    cash = 0.0
    for piece in out:
        if piece["is_closed"]:
            trade = made[piece["row"]]
            cash += piece["matched_qty"] * trade["price"] * (1 if trade["side"] == "S" else -1)
    assert math.isclose(profit, cash, rel_tol=1e-12, abs_tol=1e-9)


@settings(max_examples=40)
@given(made=rows(), short=st.booleans())
def test_the_three_shapes_tell_the_same(made: list[Trade], short: bool) -> None:
    excess = "open_short" if short else "unclosed"
    both, exits, lots = (match(made, rows=shape, on_excess=excess) for shape in ("both", "exits", "lots"))
    matched = [piece for piece in both if piece["is_closed"] and piece["row"] == piece["matched_exit_id"]]
    assert matched == [piece for piece in lots if piece["is_closed"]]
    assert matched == [piece for piece in exits if piece["is_closed"] and piece["row"] == piece["matched_exit_id"]]
    assert sum(piece["realized_pnl"] or 0 for piece in both) == sum(piece["realized_pnl"] or 0 for piece in lots)
    assert all(piece["matched_qty"] for piece in lots)
