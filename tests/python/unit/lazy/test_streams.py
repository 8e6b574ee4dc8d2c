"""Laziness: what is read, when, and how often; and that a second reading is checked. All comparisons EXACT."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
import vizflow._core as _core
from support import Watched, chunked, eager_steps, raises
from vizflow.errors import ReplayError
from vizflow.lazy.two_pass import is_replayable

Step = Callable[[pl.LazyFrame], pl.LazyFrame]
ADDED = ["matched_entry_id", "matched_qty", "holding_period", "is_closed"]


def make_day(rows: int, symbols: int = 7, seed: int = 1) -> pl.DataFrame:
    dice = random.Random(seed)
    return pl.DataFrame(
        {
            "symbol": [f"s{dice.randrange(symbols)}" for _ in range(rows)],
            "t": [dice.randrange(1000) for _ in range(rows)],
            "side": [dice.choice(["B", "S", None]) for _ in range(rows)],
            "qty": [dice.randrange(1, 50) for _ in range(rows)],
            "price": [dice.randrange(1, 500) / 10 for _ in range(rows)],
            "note": [f"note {i}" for i in range(rows)],
            "unused": list(range(rows)),
        }
    )


DAY = make_day(300)
TRADE = 200 + DAY["side"][200:].to_list().index("S")


def fifo(lf: Any, **options: Any) -> pl.LazyFrame:
    rule = vf.FIFOMatch("side", "qty", "t", "price", **options)
    return vf.Enricher([rule], sort_by="t").run(lf)


def returns(lf: Any, *horizons: float) -> pl.LazyFrame:
    return vf.forward_return(lf, list(horizons or (60,)), time_col="t")


def python_rule(lf: Any) -> pl.LazyFrame:
    rule = vf.TagRunning("n", lambda n, row: n + row["qty"], dtype=pl.Int64, input_columns=["qty"])
    return vf.Enricher([rule], sort_by="t").run(lf)


def groups(lf: Any) -> pl.LazyFrame:
    return vf.aggregate(lf, ["side"], {"n": pl.len(), "q": pl.col("qty").sum()})


STEPS: dict[str, Step] = {"fifo": fifo, "returns": returns, "python rule": python_rule, "aggregate": groups}
steps = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
steps_of_rows = pytest.mark.parametrize("step", [fifo, returns, python_rule])


# ---- nothing is read before it is asked for ----


@steps
def test_nothing_is_read_before_collect(step: Step) -> None:
    watched = Watched(DAY)
    lf = step(watched.lazy)
    lf.collect_schema()
    lf.explain()
    assert watched.reads == []
    lf.collect()
    assert watched.reads


def test_inference_reads_no_more_than_a_sample() -> None:
    watched = Watched(make_day(5000), batch_rows=100)
    vf.Enricher([vf.TagRunning("n", lambda n, row: n + 1, input_columns=[])], sort_by="t").run(watched.lazy)
    assert watched.rows <= 1100
    assert watched.columns == {"symbol", "t"}


@steps
def test_schema_is_known_before_collect_and_is_what_comes(step: Step, engine: Any) -> None:
    lf = step(DAY.lazy())
    assert lf.collect_schema() == lf.collect(engine=engine).schema


# ---- only the columns that are needed ----


@pytest.mark.parametrize(
    ("step", "select", "read"),
    [
        (fifo, ["matched_qty"], {"symbol", "t", "side", "qty"}),
        (fifo, ["note", "is_closed"], {"symbol", "t", "side", "qty", "note"}),
        (lambda lf: fifo(lf, extras=True), ["matched_qty"], {"symbol", "t", "side", "qty"}),
        (lambda lf: fifo(lf, extras=True), ["realized_pnl"], {"symbol", "t", "side", "qty", "price"}),
        (lambda lf: fifo(lf, id_col="note"), ["matched_qty"], {"symbol", "t", "side", "qty"}),
        (lambda lf: fifo(lf, id_col="note"), ["matched_entry_id"], {"symbol", "t", "side", "qty", "note"}),
        (returns, ["return_60"], {"symbol", "t", "price"}),
        (returns, ["note", "return_60"], {"symbol", "t", "price", "note"}),
        (python_rule, ["n"], {"symbol", "t", "qty"}),
        (groups, ["n"], {"side", "qty"}),
        (lambda lf: groups(returns(fifo(lf))), ["n"], {"symbol", "t", "side", "qty"}),
    ],
)
@pytest.mark.parametrize("cheap", [True, False])
def test_projection_is_pushed_down(step: Step, select: list[str], read: set[str], cheap: bool, engine: Any) -> None:
    watched = Watched(DAY, cheap=cheap)
    out = step(watched.lazy).select(select).collect(engine=engine)
    assert out.columns == select
    assert watched.columns == read
    assert_frame_equal(out, step(DAY.lazy()).collect().select(select))


def test_plan_shows_the_projection() -> None:
    plan = fifo(DAY.lazy()).select("matched_qty").explain()
    assert "vizflow FIFOMatch" in plan
    assert "1/11" in plan


def test_scan_of_a_file_is_read_twice_and_never_held(tmp_path: Path) -> None:
    path = vf.save(DAY, tmp_path / "day.feather")
    assert is_replayable(vf.scan(path))
    assert_frame_equal(fifo(vf.scan(path)).collect(), fifo(DAY).collect())


def test_learning_reads_only_what_matching_needs() -> None:
    watched = Watched(DAY)
    fifo(watched.lazy).collect()
    assert [set(read) for read in watched.reads] == [{"symbol", "t", "side", "qty"}, set(DAY.columns)]


def test_dear_input_is_read_once() -> None:
    watched = Watched(DAY, cheap=False)
    fifo(watched.lazy).collect()
    assert len(watched.reads) == 1


# ---- what Polars pushes down gives the same rows ----


@steps
@pytest.mark.parametrize("n", [0, 1, 2, 100, 10_000])
def test_head(step: Step, n: int, engine: Any) -> None:
    assert_frame_equal(step(DAY.lazy()).head(n).collect(engine=engine), step(DAY.lazy()).collect().head(n))


@steps
def test_slice_and_tail(step: Step, engine: Any) -> None:
    whole = step(DAY.lazy()).collect()
    assert_frame_equal(step(DAY.lazy()).slice(2, 5).collect(engine=engine), whole.slice(2, 5))
    assert_frame_equal(step(DAY.lazy()).tail(3).collect(engine=engine), whole.tail(3))


@steps
def test_len(step: Step, engine: Any) -> None:
    assert step(DAY.lazy()).select(pl.len()).collect(engine=engine).item() == step(DAY.lazy()).collect().height


@steps
def test_filter_comes_after_the_step_and_never_before_it(step: Step, engine: Any) -> None:
    """A filter that got below would take lots, observations and rows from the step."""
    predicate = pl.col("side") == "B"
    assert_frame_equal(
        step(DAY.lazy()).filter(predicate).collect(engine=engine), step(DAY.lazy()).collect().filter(predicate)
    )
    both = step(DAY.lazy()).filter(predicate).head(2)
    assert_frame_equal(both.collect(engine=engine), step(DAY.lazy()).collect().filter(predicate).head(2))


def test_filter_on_an_added_column_that_is_not_selected(engine: Any) -> None:
    lf = fifo(DAY.lazy()).filter(pl.col("is_closed")).select("note")
    assert_frame_equal(lf.collect(engine=engine), fifo(DAY).collect().filter(pl.col("is_closed")).select("note"))


@steps
def test_no_column_selected(step: Step) -> None:
    assert step(DAY.lazy()).select([]).collect().width == 0


@steps_of_rows
def test_row_order_is_the_inputs(step: Step, engine: Any) -> None:
    out = step(DAY.with_row_index("row").lazy()).collect(engine=engine)
    assert out["row"].is_sorted()
    assert out["row"].n_unique() == DAY.height


@steps
def test_a_plan_can_be_collected_twice_and_by_two_threads(step: Step) -> None:
    lf = step(DAY.lazy())
    expected = lf.collect()
    assert_frame_equal(lf.collect(), expected)
    results: list[pl.DataFrame] = []
    workers = [threading.Thread(target=lambda: results.append(lf.collect())) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 4
    for result in results:
        assert_frame_equal(result, expected)


@steps_of_rows
def test_a_plan_put_below_itself(step: Step) -> None:
    lf = step(DAY.with_row_index("row").lazy())
    once = lf.collect()
    twice = pl.concat([lf, lf]).collect()
    assert_frame_equal(twice, pl.concat([once, once]))


# ---- other kinds of input ----


@steps
def test_frames_and_arrow_streams_are_taken(step: Step) -> None:
    expected = step(DAY.lazy()).collect()
    assert_frame_equal(step(DAY).collect(), expected)  # type: ignore[arg-type]
    pytest.importorskip("pyarrow")
    table = DAY.to_arrow()
    assert_frame_equal(step(table).collect(), expected)
    assert_frame_equal(step(table.to_reader(max_chunksize=10)).collect(), expected)


def test_arrow_types_that_polars_does_not_write_itself() -> None:
    pa = pytest.importorskip("pyarrow")
    table = pa.table(
        {
            "symbol": pa.array(["x", "x"]).dictionary_encode(),
            "t": pa.array([0, 60], pa.time32("s")),
            "side": pa.array(["B", "S"], pa.large_string()),
            "qty": pa.array([5, 5], pa.int16()),
            "price": pa.array([1.0, 2.0], pa.float32()),
        }
    )
    assert (
        fifo(table).collect()["holding_period"].to_list()
        == fifo(pl.DataFrame(table)).collect()["holding_period"].to_list()
    )
    assert returns(table).collect()["return_60"].to_list() == [1.0, None]


@pytest.mark.parametrize("thing", [[1, 2], {"a": [1]}, None, "day.feather", 1.5])
def test_what_is_no_frame_is_refused(thing: Any) -> None:
    for step in STEPS.values():
        with raises(vf.SchemaError, "LazyFrame or DataFrame"):
            step(thing)


# ---- a chain of lazy steps is a chain of eager ones ----

CHAINS: dict[str, list[Step]] = {
    "returns, returns": [lambda lf: returns(lf, 60), lambda lf: returns(lf, 30, 5.5)],
    "fifo, returns": [fifo, lambda lf: returns(lf, 60, 300)],
    "returns, fifo": [returns, fifo],
    "fifo, returns, aggregate": [
        lambda lf: fifo(lf, extras=True),
        returns,
        lambda lf: vf.bin(lf, {"return_60": 0.1}),
        lambda lf: vf.aggregate(lf, ["return_60_bin", "side"], {"n": pl.len(), "pnl": pl.col("realized_pnl").sum()}),
    ],
    "returns with quotes of their own": [lambda lf: vf.forward_return(lf, [60], time_col="t", prices=returns(lf, 30))],
    "fifo, filter, fifo": [
        lambda lf: fifo(lf).filter(pl.col("is_closed")).drop(ADDED),
        lambda lf: fifo(lf, rows="lots"),
        returns,
    ],
    "rule, fifo, rule": [
        python_rule,
        fifo,
        lambda lf: vf.Enricher([vf.TagRunning("m", pl.col("matched_qty").cum_sum())], sort_by="t").run(lf),
    ],
    "sort, returns, fifo, returns": [
        lambda lf: lf.sort("t", maintain_order=True),
        returns,
        fifo,
        lambda lf: vf.forward_return(lf, [10], time_col="t", method="nearest"),
    ],
    "fifo, group_by of Polars": [
        fifo,
        lambda lf: lf.group_by("symbol", maintain_order=True).agg(pl.col("matched_qty").sum()),
    ],
}


@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
@pytest.mark.parametrize("cheap", [True, False])
def test_lazy_chain_is_the_eager_chain(chain: list[Step], cheap: bool, engine: Any) -> None:
    frame = chunked(DAY)
    lf = Watched(frame, cheap=cheap, batch_rows=37).lazy
    for step in chain:
        lf = step(lf)
    assert_frame_equal(lf.collect(engine=engine), eager_steps(frame.lazy(), *chain), check_exact=True)


def chained(lf: Any) -> pl.LazyFrame:
    """Steps that read each other without Polars in between."""
    lf = vf.bin(returns(fifo(lf), 60, 300), {"price": 0.5, "return_60": 0.01})
    return vf.aggregate(lf, ["price_bin", "return_60_bin", "side"], {"n": pl.len(), "q": pl.col("matched_qty").sum()})


@pytest.mark.parametrize("cheap", [True, False])
def test_a_chain_to_groups_reads_its_input_as_its_steps_do(cheap: bool) -> None:
    watched = Watched(DAY, cheap=cheap)
    got = chained(watched.lazy).collect()
    assert len(watched.reads) == (2 if cheap else 1)
    assert "note" not in watched.columns
    assert "unused" not in watched.columns
    eager = returns(fifo(DAY).collect(), 60, 300).collect()
    eager = vf.bin(eager, {"price": 0.5, "return_60": 0.01}).collect()
    keys = ["price_bin", "return_60_bin", "side"]
    want = vf.aggregate(eager, keys, {"n": pl.len(), "q": pl.col("matched_qty").sum()}).collect()
    assert_frame_equal(got, want, check_exact=True)


def test_a_chain_to_groups_of_no_rows() -> None:
    trades = DAY.filter(side="no such side")
    assert chained(trades).collect().height == 0


def test_an_error_inside_a_chain_is_the_step_s_own() -> None:
    huge = DAY.with_columns(price=pl.when(pl.col("unused") == 150).then(1e300).otherwise("price"))
    with pytest.raises(vf.DataError, match="price"):
        chained(huge).collect()
    with pytest.raises(vf.DataError, match="qty"):
        chained(DAY.with_columns(qty=-pl.col("qty"))).collect()


@pytest.mark.parametrize("change", [lambda reading, frame: frame.reverse() if reading > 1 else frame])
def test_a_chain_to_groups_compares_its_readings(change: Any) -> None:
    with pytest.raises(ReplayError):
        chained(Watched(DAY, change=change).lazy).collect()


def test_inner_step_learns_once_for_an_outer_one() -> None:
    watched = Watched(DAY)
    returns(fifo(watched.lazy)).collect()
    assert len(watched.reads) == 2  # what both learn from, once; then everything
    assert set(watched.reads[0]) == {"symbol", "t", "side", "qty", "price"} < set(watched.reads[1])


# ---- a second reading that gives other rows ----


def change_value(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame
        if reading == 1
        else frame.with_columns(qty=pl.when(pl.int_range(pl.len()) == TRADE).then(1_000).otherwise("qty"))
    )


def change_price(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame
        if reading == 1
        else frame.with_columns(price=pl.when(pl.int_range(pl.len()) == 200).then(1e3).otherwise("price"))
    )


def change_symbol(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return frame if reading == 1 else frame.with_columns(symbol=pl.col("symbol").shift(1).fill_null("s0"))


def change_null(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return (
        frame if reading == 1 else frame.with_columns(t=pl.when(pl.int_range(pl.len()) == 0).then(None).otherwise("t"))
    )


def swap_rows(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return frame if reading == 1 else frame.reverse()


def lose_rows(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return frame if reading == 1 else frame.head(-1)


def add_rows(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return frame if reading == 1 else pl.concat([frame, frame.head(1)])


def lose_all(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
    return frame if reading == 1 else frame.clear()


@pytest.mark.parametrize(
    ("step", "change"),
    [
        (step, change)
        for step, own in ((fifo, change_value), (returns, change_price))
        for change in (own, change_symbol, change_null, swap_rows, lose_rows, add_rows, lose_all)
    ],
)
@pytest.mark.parametrize("batch_rows", [0, 11])
def test_input_that_changes_between_readings_is_an_error_and_never_a_number(
    step: Step, change: Callable[[int, pl.DataFrame], pl.DataFrame], batch_rows: int, engine: Any
) -> None:
    watched = Watched(DAY, change=change, batch_rows=batch_rows)
    with raises(ReplayError):
        step(watched.lazy).collect(engine=engine)
    assert len(watched.reads) == 2


@pytest.mark.parametrize("step", [fifo, returns])
def test_input_that_comes_in_other_batches_the_second_time_is_the_same(step: Step) -> None:
    watched = Watched(DAY, batch_rows=7)

    def cut(reading: int, frame: pl.DataFrame) -> pl.DataFrame:
        watched._batch_rows = 7 if reading == 1 else 113
        return frame

    watched._change = cut
    assert_frame_equal(step(watched.lazy).collect(), step(DAY).collect())  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [fifo, returns])
def test_column_that_merely_goes_along_may_change(step: Step) -> None:
    watched = Watched(DAY, change=lambda reading, frame: frame.with_columns(unused=pl.lit(reading, dtype=pl.Int64)))
    assert step(watched.lazy).collect()["unused"].unique().to_list() == [2]


@pytest.mark.parametrize("step", [fifo, returns])
def test_source_that_is_not_known_to_repeat_is_collected_once(step: Step) -> None:
    watched = Watched(DAY, cheap=False, change=swap_rows)
    assert_frame_equal(step(watched.lazy).collect(), step(DAY).collect())  # type: ignore[arg-type]
    assert len(watched.reads) == 1


@pytest.mark.parametrize(
    ("plan", "replayable"),
    [
        (lambda lf: lf, True),
        (lambda lf: lf.select("t", "qty"), True),
        (lambda lf: lf.filter(pl.col("qty") > 3).head(5), True),
        (lambda lf: lf.with_columns(x=pl.col("qty") * 2).rename({"x": "y"}), True),
        (lambda lf: vf.parse_time(lf, "crypto", "t", unit="HHMMSS"), True),
        (lambda lf: vf.bin(lf, {"qty": 2}), True),
        (returns, True),
        (lambda lf: lf.sort("t"), False),
        (lambda lf: lf.group_by("t").agg(pl.len()), False),
        (lambda lf: lf.join(lf, on="t"), False),
        (lambda lf: lf.unique(), False),
        (lambda lf: lf.map_batches(lambda df: df), False),
        (lambda lf: pl.concat([lf, lf.sort("t")]), False),
        (lambda lf: lf.unpivot(on=["qty"], index="t"), False),
    ],
)
def test_which_plans_are_taken_to_repeat(plan: Callable[[pl.LazyFrame], pl.LazyFrame], replayable: bool) -> None:
    assert is_replayable(plan(DAY.lazy())) is replayable


def test_source_that_is_not_known_to_repeat_is_collected_once_below_a_chain_too() -> None:
    """It was read by the outer step once for itself and once through the inner one."""
    watched = Watched(DAY, cheap=False, change=change_price)
    got = returns(fifo(watched.lazy), 60).collect()
    assert len(watched.reads) == 1
    assert_frame_equal(got, returns(fifo(DAY), 60).collect(), check_exact=True)


def test_expression_that_is_random_is_an_error_or_one_reading() -> None:
    """Sampling, shuffling: values that differ from reading to reading must not be matched with each other."""
    lf = DAY.lazy().with_columns(pl.col("qty").shuffle())
    try:
        out = fifo(lf).collect()
    except ReplayError:
        return
    sides = out.filter(pl.col("side").is_not_null())
    per_row = sides.group_by("note").agg(pl.col("matched_qty").sum(), pl.col("qty").first())
    assert (per_row["matched_qty"] == per_row["qty"]).all()


def test_large_blocks_are_polars_own() -> None:
    assert _core.allocator == "polars"  # else: has Polars' capsule for plugins another name now? python/ext/memory.h
