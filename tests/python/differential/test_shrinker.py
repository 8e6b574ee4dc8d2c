"""Planted faults: what is wrong must be found, and the case must become small and paste back."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from differential import ops_clock, ops_columns, ops_fifo, ops_groups, ops_returns, shapes
from differential.core import UNIT, Case, Difference, Operation, compare
from differential.ledger import Ledger
from differential.shrink import literal, reproduction, shrink

pytestmark = pytest.mark.filterwarnings("ignore::vizflow.UnlistedSideWarning")  # cases of one side, drawn at random

ROUNDS = 60


def named(operations: list[Operation], name: str) -> Operation:
    return next(one for one in operations if one.name == name)


def hunted(operation: Operation, peer: str) -> Difference:
    """Find a difference with a peer, and shrink it."""
    for number in range(ROUNDS):
        case = operation.make(random.Random(f"planted/{operation.name}/{number}"))
        found = compare(operation, case, peer).difference
        if found is not None:
            small = shrink(operation, found, 60)
            assert compare(operation, small.case, peer).difference is not None
            return small
    raise AssertionError("the planted fault was not found")


def pasted(text: str, name: str = "rows") -> Any:
    """Run a reproduction, and give one of its names."""
    found: dict[str, Any] = {}
    exec(text, found)
    return found[name]


def edited(operation: Operation, peer: str, wrong: Any) -> Operation:
    """Put a fault into what VizFlow answers."""
    right = operation.ours

    def ours(case: Case) -> pl.DataFrame:
        return wrong(case, right(case))  # type: ignore[no-any-return]

    return replace(operation, ours=ours, peers={peer: operation.peers[peer]})


@pytest.mark.parametrize("peer", ["python", "polars", "duckdb"])
def test_a_tie_that_takes_the_first_row_shrinks_to_three(peer: str) -> None:
    """Of equal times the last row wins; the fault: the first does, for VizFlow is fed the rows backwards."""
    operation = named(ops_returns.OPERATIONS, "forward_return")

    def backwards(case: Case) -> pl.DataFrame:
        turned = {name: frame.reverse() for name, frame in case.frames.items()}
        return operation.ours(Case(turned, case.options)).reverse()

    small = hunted(replace(operation, ours=backwards), peer)
    assert small.case.rows <= 3
    assert not small.case.chunks
    assert small.case.options["horizons"][1:] == []
    assert small.case.options["method"] == "backward"
    text = reproduction(operation, small, "VIZFLOW_SEED=planted")
    assert text.count("\n") < 25
    assert pasted(text).equals(small.case["rows"])
    assert isinstance(pasted(text, "got"), pl.LazyFrame)


def test_a_wrong_order_of_matching_shrinks_to_three_rows() -> None:
    """The fault is in the peer: it takes entries first, the newest foremost."""
    operation = named(ops_fifo.OPERATIONS, "fifo")

    def newest(case: Case) -> pl.DataFrame | None:
        if case.options["sort_by"] != "t" or "opening" in case.frames:
            return None
        if not case["rows"].schema["t"].is_integer() or case.options["on_excess"] == "raise":
            return None
        entry = ops_fifo._is_side(case, "entry_side")
        order = pl.when(entry).then(-1 - pl.col("t").cast(pl.Int64)).otherwise(pl.col("t").cast(pl.Int64))
        rows = case["rows"].with_columns(order=order)
        return operation.peers["python"](Case({"rows": rows}, {**case.options, "sort_by": "order"}))

    small = hunted(replace(operation, peers={"newest": newest}), "newest")
    assert small.case.rows <= 3
    assert pasted(reproduction(operation, small, "")).rows() == small.case["rows"].rows()


def test_a_wrong_value_of_one_row_in_thousands_shrinks_to_that_row() -> None:
    """The fault: a bid of exactly 7 makes a mid that is one ulp too large."""
    operation = named(ops_columns.OPERATIONS, "mid")

    def wrong(case: Case, answer: pl.DataFrame) -> pl.DataFrame:
        odd = case["rows"]["bid"].cast(pl.Float64) == 7.0
        return answer.with_columns(mid=pl.when(odd).then(pl.col("mid") * (1 + 2.0**-52)).otherwise("mid"))

    small = hunted(edited(operation, "duckdb", wrong), "duckdb")
    assert small.case.rows == 1
    assert float(small.case["rows"]["bid"][0]) == 7.0


def test_a_fault_that_chunks_cause_keeps_its_chunks() -> None:
    operation = named(ops_columns.OPERATIONS, "bin")

    def wrong(case: Case, answer: pl.DataFrame) -> pl.DataFrame:
        if len(case.chunks.get("rows", [])) < 2 or "x_bin" not in answer.columns:
            return answer
        return answer.with_columns(pl.col("x_bin") + 1)

    small = hunted(edited(operation, "python", wrong), "python")
    assert small.case.rows == 1
    assert len(small.case.chunks["rows"]) == 2
    text = reproduction(operation, small, "")
    assert "pl.concat" in text
    assert pasted(text).n_chunks() >= 1


def test_an_exception_is_a_difference_that_shrinks() -> None:
    operation = named(ops_clock.OPERATIONS, "parse_time")

    def wrong(case: Case, answer: pl.DataFrame) -> pl.DataFrame:
        if case["rows"]["t"].null_count() >= 2:
            raise IndexError("beyond the buffer")
        return answer

    small = hunted(edited(operation, "python", wrong), "python")
    assert small.kind == "IndexError: beyond the buffer"
    assert small.case.rows == 2


def test_a_lost_group_shrinks_to_its_rows() -> None:
    """The fault: groups whose only value is null are left out."""
    operation = named(ops_groups.OPERATIONS, "aggregate")

    def wrong(case: Case, answer: pl.DataFrame) -> pl.DataFrame:
        return answer.filter(pl.col("count") > 0) if "count" in answer.columns else answer

    small = hunted(edited(operation, "duckdb", wrong), "duckdb")
    assert small.case.rows <= 2
    assert "count" in small.case.options["metrics"]


def test_a_real_fault_planted_in_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sign_by_side` with its sides exchanged, in vizflow itself, as the ledger finds and prints it."""
    right = vf.sign_by_side
    monkeypatch.setattr(vf, "sign_by_side", lambda df, *, buy, sell, nulls: right(df, buy=sell, sell=buy, nulls=nulls))
    ledger = Ledger("planted")
    ledger.until(named(ops_columns.OPERATIONS, "sign_by_side"), 10)
    assert ledger.differing["sign_by_side"] >= 1
    text = ledger.differences[0]
    assert "VIZFLOW_SEED=planted" in text
    assert "python -m differential --operation sign_by_side --round " in text
    assert "sign_by_side(rows, buy=" in text
    assert pasted(text).height == 1


@pytest.mark.parametrize("dtype", [*shapes.TIME_TYPES, *shapes.INTEGERS, pl.Float32, pl.Float64], ids=str)
def test_a_column_comes_back_from_its_literal(dtype: Any) -> None:
    rng = random.Random(str(dtype))
    columns = [shapes.time_series(rng, "t", [0, 1, 2] * 5, dtype, 100)]
    if dtype.is_numeric():
        columns.append(shapes.price_series(rng, "t", list(range(40)), dtype))
    for column in columns:
        words = {"pl": pl, "nan": float("nan"), "inf": float("inf")}
        assert eval(literal(column), words).equals(column, check_dtypes=True, null_equal=True)


def test_a_case_is_the_same_each_time_it_is_made() -> None:
    for operation in [*ops_fifo.OPERATIONS, *ops_returns.OPERATIONS, *ops_groups.OPERATIONS, *ops_clock.OPERATIONS]:
        first, second = (operation.make(random.Random("again")) for _ in range(2))
        assert (first.options, first.chunks) == (second.options, second.chunks)
        assert all(first[name].equals(second[name], null_equal=True) for name in first.frames)


def test_equal_and_different_answers_are_told_apart() -> None:
    def judge(ours: Any, theirs: Any, **more: Any) -> bool:
        left = pl.DataFrame({UNIT: [0], "x": ours}, schema_overrides={"x": pl.Float64})
        right = pl.DataFrame({UNIT: [0], "x": theirs}, schema_overrides={"x": pl.Float64})
        operation = Operation("x", lambda rng: Case({}), lambda case: left, {"p": lambda case: right}, str, **more)
        return compare(operation, Case({}), "p").difference is None

    assert judge([1.0], [1.0])
    assert judge([None], [None])
    assert judge([float("nan")], [float("nan")])
    assert not judge([1.0], [1.0 + 2.0**-52])
    assert not judge([0.0], [-0.0])
    assert not judge([None], [float("nan")])
    assert not judge([None], [0.0])
    assert judge([1.0], [1.0 + 2.0**-52], classes={"x": "EPS"})
    assert not judge([1.0], [1.0 + 1e-11], classes={"x": "EPS"})
    assert not judge([float("inf")], [1e308], classes={"x": "EPS"})
    assert judge([0.0], [-0.0], classes={"x": "EPS"})
    assert not judge([1.0], [1.0 + 2.0**-52], classes={"x": "EPS", "p:x": "EXACT"})
