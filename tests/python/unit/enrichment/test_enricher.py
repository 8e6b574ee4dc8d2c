"""`Enricher` with rules of the user's own: State, TagRule, TagCondition, TagRunning, chains of them."""

# ruff: noqa: RUF012  (rules name their columns in lists, as their users do)
from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError

FRAME = pl.DataFrame(
    {
        "symbol": ["b", "a", "b", "a", "a"],
        "timestamp": [1, 3, 2, 1, 2],
        "qty": [10, 30, 20, 40, 50],
        "side": ["B", "B", "S", "S", None],
    }
)


def run(rules: Any, frame: pl.DataFrame = FRAME, *, engine: Any = "auto", **options: Any) -> pl.DataFrame:
    return vf.Enricher(rules, **options).run(chunked(frame)).collect(engine=engine)


class Position(vf.State):
    """Holds a position and notes what is called when."""

    def __init__(self) -> None:
        self.log: list[Any] = []
        self.held = 0

    def reset(self, symbol: Any) -> None:
        self.held = 0
        self.log.append(("reset", symbol))


class Track(vf.TagRule):
    """Adds the position after each row, and remembers the state it saw."""

    output_columns = ["held"]
    output_schema = {"held": pl.Int64}
    input_columns = ["qty"]
    seen: list[Position]

    def __init__(self) -> None:
        self.seen = []

    def process(self, row: dict[str, Any], state: Position) -> dict[str, Any]:
        state.held += row["qty"]
        state.log.append(row["qty"])
        return {"held": state.held}

    def finish(self, state: Position) -> None:
        state.log.append("finish")
        self.seen.append(state)


class Split(vf.TagRule):
    """Gives a row for each 20 of quantity, and none for the rest."""

    output_columns = ["part", "of"]
    output_schema = {"part": pl.Int32, "of": pl.Int32}

    def process(self, row: dict[str, Any], state: vf.State) -> list[dict[str, Any]]:
        parts = row["qty"] // 20
        return [{"part": part, "of": parts} for part in range(parts)]


def test_rows_come_in_order_of_time_and_leave_in_order_of_input(engine: Any) -> None:
    out = run([Track()], state_class=Position, engine=engine)
    assert out["held"].to_list() == [10, 120, 30, 40, 90]
    assert out.select(FRAME.columns).equals(FRAME)


def test_state_is_reset_before_and_finished_after_each_symbol() -> None:
    rule = Track()
    run([rule], state_class=Position)
    (state,) = {id(state): state for state in rule.seen}.values()
    assert state.log == [("reset", "a"), 40, 50, 30, "finish", ("reset", "b"), 10, 20, "finish"]


def test_equal_times_keep_the_order_of_rows() -> None:
    frame = pl.DataFrame({"symbol": ["a"] * 4, "timestamp": [2, 1, 2, 1], "qty": [1, 2, 3, 4], "side": ["B"] * 4})
    rule = Track()
    run([rule], frame, state_class=Position)
    assert rule.seen[0].log[1:-1] == [2, 4, 1, 3]


def test_a_rule_gets_a_dict_of_every_column_or_of_those_it_names() -> None:
    rows: list[dict[str, Any]] = []

    class Look(vf.TagRule):
        output_columns = ["n"]
        output_schema = {"n": pl.Int64}

        def process(self, row: dict[str, Any], state: vf.State) -> dict[str, Any]:
            rows.append(dict(row))
            return {"n": len(row)}

    assert run([Look()])["n"].to_list() == [4] * 5
    assert rows[0] == {"symbol": "a", "timestamp": 1, "qty": 40, "side": "S"}
    narrow = Look()
    narrow.input_columns = ["side"]
    assert run([narrow])["n"].to_list() == [1] * 5


def test_values_of_any_type_reach_the_rule_as_python_values() -> None:
    values: dict[str, Any] = {
        "flag": True, "text": "ä", "real": 1.5, "day": dt.date(2024, 1, 2), "at": dt.datetime(2024, 1, 2, 9, 30),
        "time": dt.time(9, 30), "span": dt.timedelta(seconds=1), "list": [1, 2], "none": None,
    }  # fmt: skip
    frame = pl.DataFrame({"symbol": ["a"], "timestamp": [1], **{name: [value] for name, value in values.items()}})
    seen: dict[str, Any] = {}

    def look(row: dict[str, Any]) -> bool:
        seen.update(row)
        return True

    run([vf.TagCondition("c", look)], frame)
    assert {name: seen[name] for name in values} == values


def test_row_expanding_rule(engine: Any) -> None:
    out = run([Split()], engine=engine)
    assert out.select("symbol", "qty", "part", "of").rows() == [
        ("a", 30, 0, 1), ("b", 20, 0, 1), ("a", 40, 0, 2), ("a", 40, 1, 2), ("a", 50, 0, 2), ("a", 50, 1, 2),
    ]  # fmt: skip
    assert out.schema == {**FRAME.schema, "part": pl.Int32, "of": pl.Int32}


def test_row_expanding_rule_that_gives_no_rows_at_all() -> None:
    class Nothing(Split):
        def process(self, row: dict[str, Any], state: vf.State) -> list[dict[str, Any]]:
            return []

    out = run([Nothing()])
    assert out.height == 0
    assert out.schema == {**FRAME.schema, "part": pl.Int32, "of": pl.Int32}


def test_rules_form_a_chain_and_see_the_columns_of_those_before() -> None:
    rules = [
        vf.TagRunning("n", lambda n, row: n + 1),
        Split(),
        vf.TagCondition("odd", lambda row: (row["n"] + row["part"]) % 2 == 1),
    ]
    out = run(rules)
    assert out.columns[-4:] == ["n", "part", "of", "odd"]
    assert out.select("qty", "n", "part", "odd").rows() == [
        (30, 3, 0, True), (20, 2, 0, False), (40, 1, 0, True), (40, 1, 1, False), (50, 2, 0, False), (50, 2, 1, True),
    ]  # fmt: skip


def test_a_chain_through_fifo_and_expressions() -> None:
    frame = FRAME.with_columns(price=1.0)
    rules = [
        vf.TagCondition("large", pl.col("qty") > 25),
        vf.FIFOMatch("side", "qty", "timestamp", "price"),
        vf.TagRunning("matched", lambda total, row: total + (row["matched_qty"] or 0), input_columns=["matched_qty"]),
        vf.TagCondition("open", lambda row: row["is_closed"] is False, input_columns=["is_closed"]),
    ]
    out = run(rules, frame)
    assert out.select("symbol", "qty", "large", "matched_qty", "matched", "open").rows() == [
        ("b", 10, False, 10, 10, False),
        ("a", 30, True, 30, 70, True),
        ("b", 20, False, 10, 20, False),
        ("b", 20, False, 10, 30, True),
        ("a", 40, True, 40, 40, True),
        ("a", 50, True, None, 40, False),
    ]


def test_two_row_expanding_rules_are_refused() -> None:
    class Other(Split):
        output_columns = ["p2", "o2"]
        output_schema = {"p2": pl.Int32, "o2": pl.Int32}

        def process(self, row: dict[str, Any], state: vf.State) -> list[dict[str, Any]]:
            return [{"p2": 1, "o2": 2}]

    with pytest.raises(TypeError, match="both expand rows"):
        run([Split(), Other()])
    fifo = vf.FIFOMatch("side", "qty", "timestamp", "price")
    with raises(ConfigError, "only one rule"):
        vf.Enricher([fifo, fifo])


# ---- conditions and running values ----


def test_condition_as_callable_and_as_expression_agree() -> None:
    by_row = run([vf.TagCondition("c", lambda row: row["qty"] > 25)])
    by_expr = run([vf.TagCondition("c", pl.col("qty") > 25)])
    assert by_row.equals(by_expr)
    assert by_row["c"].to_list() == [False, True, False, True, True]
    assert by_row.schema["c"] == by_expr.schema["c"] == pl.Boolean


def test_condition_may_be_null_and_is_a_boolean() -> None:
    out = run([vf.TagCondition("c", lambda row: None if row["side"] is None else row["side"] == "B")])
    assert out["c"].to_list() == [True, True, False, False, None]
    assert run([vf.TagCondition("c", lambda row: row["qty"])])["c"].to_list() == [True] * 5
    assert run([vf.TagCondition("c", pl.col("qty"))]).schema["c"] == pl.Boolean


def test_running_as_callable_and_as_expression_agree() -> None:
    by_row = run([vf.TagRunning("total", lambda total, row: total + row["qty"])])
    by_expr = run([vf.TagRunning("total", pl.col("qty").cum_sum())])
    assert by_row["total"].to_list() == by_expr["total"].to_list() == [10, 120, 30, 40, 90]


def test_running_expressions_see_each_symbol_in_order_of_time() -> None:
    assert run([vf.TagRunning("before", pl.col("qty").shift())])["before"].to_list() == [None, 50, 10, None, 40]


def test_running_starts_anew_for_each_symbol_and_each_run() -> None:
    enricher = vf.Enricher([vf.TagRunning("n", lambda n, row: n + 1, initial=100)])
    for _ in range(2):
        assert enricher.run(FRAME).collect()["n"].to_list() == [101, 103, 102, 101, 102]


def test_running_of_any_type() -> None:
    out = run([vf.TagRunning("path", lambda path, row: path + (row["side"] or "-"), "")])
    assert out["path"].to_list() == ["B", "S-B", "BS", "S", "S-"]
    out = run([vf.TagRunning("mean", lambda mean, row: (mean + row["qty"]) / 2, 0, dtype=pl.Float32)])
    assert out.schema["mean"] == pl.Float32


# ---- types of what comes out ----


class Give(vf.TagRule):
    """Gives a value of its own for each quantity."""

    output_columns = ["v"]
    input_columns = ["qty"]

    def __init__(self, values: dict[int, Any], dtype: Any = None) -> None:
        self.values = values
        self.output_schema = None if dtype is None else {"v": dtype}

    def process(self, row: dict[str, Any], state: vf.State) -> dict[str, Any]:
        return {"v": self.values[row["qty"]]} if row["qty"] in self.values else {}


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1, pl.Int64),
        (1.5, pl.Float64),
        ("a", pl.String),
        (True, pl.Boolean),
        (dt.date(2024, 1, 1), pl.Date),
        ([1], pl.List(pl.Int64)),
    ],
)
def test_type_is_inferred_from_the_first_value_that_is_not_none(value: Any, dtype: Any) -> None:
    out = run([Give({40: None, 50: value, 10: value})])
    assert out.schema["v"] == dtype
    assert out["v"].to_list() == [value, None, None, None, value]


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, int, float, pl.Int16()])
def test_type_that_is_declared(dtype: Any) -> None:
    out = run([Give({10: 1, 50: 2}, dtype)])
    assert (
        out.schema["v"] == pl.DataType.from_python(dtype)
        if isinstance(dtype, type) and dtype in (int, float)
        else dtype
    )
    assert out["v"].to_list() == [1, None, None, None, 2]


def test_value_of_a_later_type_is_an_error_with_its_row(engine: Any) -> None:
    with raises(DataError, "'v'", "row 1", "'late'", "str", "Int64", "output_schema", column="v", row=1):
        run([Give({40: 1, 50: 2, 30: "late"})], engine=engine)


def test_value_that_would_be_cut_is_an_error_with_its_row() -> None:
    with raises(DataError, "row 4", "2.5", column="v", row=4):
        run([Give({40: 1, 50: 2.5, 30: 3})])
    with raises(DataError, "row 2", "300", column="v", row=2):
        run([Give({20: 300}, pl.UInt8)])


def test_row_of_the_error_is_the_inputs_row_under_a_row_expanding_rule() -> None:
    class Bad(Split):
        def process(self, row: dict[str, Any], state: vf.State) -> list[dict[str, Any]]:
            return [{"part": 1, "of": "x" if row["qty"] == 20 else 2}] * 3

    with raises(DataError, "row 2", column="of", row=2):
        run([Bad()])


def test_type_that_cannot_be_inferred() -> None:
    with raises(SchemaError, "'v'", "cannot be inferred", "output_schema", column="v"):
        run([Give({})])
    assert run([Give({}, pl.Float64)])["v"].to_list() == [None] * 5


def test_inference_uses_no_more_than_a_sample_and_the_error_still_comes() -> None:
    n = 3_000
    frame = pl.DataFrame({"symbol": ["a"] * n, "timestamp": range(n), "qty": range(n)})
    with raises(DataError, "row 2999", column="v", row=2999):
        run([vf.TagRunning("v", lambda _, row: "x" if row["qty"] == n - 1 else row["qty"])], frame)


def test_no_rows_and_one_row() -> None:
    assert run([Track(), Split()], FRAME.clear(), state_class=Position).schema["held"] == pl.Int64
    assert run([Track()], FRAME.head(1), state_class=Position)["held"].to_list() == [10]


# ---- errors ----


def test_errors_of_a_rule_come_through_as_they_are(engine: Any) -> None:
    def fail(row: dict[str, Any]) -> bool:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run([vf.TagCondition("c", fail)], engine=engine)


def test_what_a_rule_gives_is_checked() -> None:
    class Wrong(Give):
        def process(self, row: dict[str, Any], state: vf.State) -> Any:
            return self.values

    with pytest.raises(KeyError, match="output_columns"):
        run([Wrong({"w": 1}, pl.Int64)])  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="a dict, or a list of dicts"):
        run([Wrong(7, pl.Int64)])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a dict, or a list of dicts"):
        run([Wrong([7], pl.Int64)])  # type: ignore[arg-type]


def test_null_order_is_refused_with_its_row() -> None:
    frame = FRAME.with_columns(timestamp=pl.Series([1, 2, None, None, 3]))
    with raises(DataError, "timestamp", column="timestamp", row=2, count=2):
        run([Track()], frame, state_class=Position)


def test_names_are_checked() -> None:
    with raises(SchemaError, "by", column="symbl"):
        run([Track()], by="symbl")
    with raises(SchemaError, "sort_by", "did you mean 'timestamp'?", column="time_stamp"):
        run([Track()], sort_by="time_stamp")
    with raises(SchemaError, "would overwrite", column="qty"):
        run([vf.TagCondition("qty", lambda row: True)])
    with raises(SchemaError, "would overwrite", column="qty"):
        run([vf.TagCondition("qty", pl.col("qty") > 1)])
    with raises(SchemaError, "'c'"):
        run([vf.TagCondition("c", lambda row: True), vf.TagCondition("c", lambda row: True)])
    with raises(SchemaError, "did you mean 'qty'?", column="qtyy"):
        run([vf.TagCondition("c", lambda row: True, input_columns=["qtyy"])])
    with raises(SchemaError, "did you mean 'qty'?", column="qtyy"):
        run([vf.TagCondition("c", pl.col("qtyy") > 1)])
    wrong = Give({})
    wrong.output_schema = {"w": pl.Int64}
    with raises(ConfigError, "'w'"):
        run([wrong])


def test_rules_are_rules() -> None:
    with raises(ConfigError, "at least one"):
        vf.Enricher([])
    with raises(ConfigError, "function"):
        vf.Enricher([lambda row: row])  # type: ignore[list-item]


def test_base_classes_ask_to_be_filled_in() -> None:
    rule = vf.TagRule()
    with pytest.raises(NotImplementedError):
        rule.process({}, vf.State())
    rule.finish(vf.State())
    vf.State().reset("a")


def test_design_document_attributes() -> None:
    enricher = vf.Enricher([Track()])
    assert (enricher.by, enricher.sort_by, enricher.state_class) == ("symbol", "timestamp", vf.State)
    condition = vf.TagCondition("c", len)
    assert (condition.name, condition.condition, condition.output_columns) == ("c", len, ["c"])
    running = vf.TagRunning("r", max, 1)
    assert (running.name, running.update_fn, running.initial) == ("r", max, 1)


class TagTwice(vf.TagRule):
    output_columns = ("copy",)
    output_schema = {"copy": pl.Int64}
    input_columns = ("qty",)

    def process(self, row: dict[str, Any], state: Any) -> list[dict[str, Any]]:
        return [{"copy": 0}, {"copy": 1}]


def test_only_one_rule_of_an_enricher_may_expand_rows() -> None:
    trades = pl.DataFrame({"symbol": ["a"], "t": [0], "side": ["B"], "qty": [1], "price": [1.0]})
    fifo = vf.FIFOMatch("side", "qty", "t", "price")
    with pytest.raises(vf.ConfigError, match="TagTwice expands rows, and so does FIFOMatch"):
        vf.Enricher([TagTwice(), fifo], sort_by="t").run(trades).collect()
    assert vf.Enricher([TagTwice()], sort_by="t").run(trades).collect()["copy"].to_list() == [0, 1]
