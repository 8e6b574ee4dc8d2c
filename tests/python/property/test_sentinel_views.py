"""Sentinels in every numeric input of every report and figure: what is no number is left out or refused, and counted.

The law: with a sentinel in one row, a report or figure gives what it gives with null in its place (and a note, where it
was no number), or an error that names the column; what is a number gives numbers, none of them absurd.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from vizflow.viz.explorer.engine import Engine
from vizflow.viz.explorer.source import CubeSource

NO_NUMBERS = [math.nan, math.inf, -math.inf, 1.7976931348623157e308, -1.7976931348623157e308, 1e300, -1e300]
NUMBERS = [[0.0, -0.0, 5e-324, -5e-324, -0.5], [9.99e299]]
INTEGERS = [0, -1, 2**63 - 1, -(2**63)]
ABSURD = 1e299
AT = 5


def base(seed: int = 0, rows: int = 24) -> pl.DataFrame:
    rng = random.Random(seed)
    return pl.DataFrame({
        "symbol": [f"s{k % 3}" for k in range(rows)], "elapsed_seconds": [60.0 * k for k in range(rows)],
        "a": [rng.gauss(0, 1) for _ in range(rows)], "return_60": [rng.gauss(0, 1e-3) for _ in range(rows)],
        "return_300": [rng.gauss(0, 1e-3) for _ in range(rows)], "orderSide": ["B", "S"] * (rows // 2),
        "matched_qty": [100.0 * rng.randrange(1, 9) for _ in range(rows)], "mid": [10.0] * rows,
        "fillPrice": [round(rng.uniform(9.9, 10.1), 2) for _ in range(rows)], "BidPrice1": [9.99] * rows,
        "AskPrice1": [10.01] * rows, "realized_pnl": [rng.gauss(0, 9) for _ in range(rows)],
        "holding_period": [rng.expovariate(1 / 300) for _ in range(rows)], "k": [k % 4 for k in range(rows)],
    })  # fmt: skip


def put(frame: pl.DataFrame, column: str, *sentinels: Any, dtype: Any = pl.Float64) -> pl.DataFrame:
    values = frame[column].cast(dtype).to_list()
    values[AT : AT + len(sentinels)] = sentinels
    return frame.with_columns(pl.Series(column, values, dtype=dtype))


def days(frame: pl.DataFrame) -> dict[str, pl.DataFrame]:
    return {"20240102": frame, "20240103": base(1)}


def alpha(frame: pl.DataFrame) -> vf.reports.Report:
    return vf.reports.alpha(days(frame), "a", quantiles=3)


def trades(frame: pl.DataFrame) -> vf.reports.Report:
    return vf.reports.trades(days(frame), alpha="a", buckets=2)


REPORTS: dict[str, tuple[Callable[[pl.DataFrame], vf.reports.Report], list[str]]] = {
    "alpha": (alpha, ["a", "return_60", "return_300", "elapsed_seconds"]),
    "trades": (trades, ["matched_qty", "fillPrice", "mid", "return_60", "return_300", "a", "realized_pnl", "BidPrice1",
                        "elapsed_seconds", "holding_period"]),
}  # fmt: skip
PLACES = [(name, column) for name, (_, columns) in REPORTS.items() for column in columns]


def tables(report: vf.reports.Report) -> Iterator[tuple[str, pl.DataFrame]]:
    yield "summary", report.frame
    yield from ((name, frame) for name, frame in report.frames.items() if name not in ("left_out", "dates"))


def assert_sane(report: vf.reports.Report, most: float = ABSURD) -> None:
    for where, frame in [*tables(report), *report.frames.items()]:
        for name, values in frame.to_dict().items():
            if values.dtype.is_float():
                known = values.drop_nulls()
                assert known.is_finite().all(), (where, name)
                assert known.is_empty() or float(known.abs().max()) < most, (where, name, known.max())  # type: ignore[arg-type]


@pytest.mark.parametrize(("report", "column"), PLACES)
def test_a_report_with_what_is_no_number_is_the_report_with_null(report: str, column: str) -> None:
    make, _ = REPORTS[report]
    nulled = make(put(base(), column, *[None] * len(NO_NUMBERS)))
    found = make(put(base(), column, *NO_NUMBERS))
    assert_sane(nulled)
    for (where, mine), (_, other) in zip(tables(found), tables(nulled), strict=True):
        assert mine.equals(other, null_equal=True), (where, mine, other)
    said = [note for note in found.notes if note.startswith((f"{column}: ", f"'{column}' is not a finite number: "))]
    assert len(said) == 1, found.notes
    assert f" {len(NO_NUMBERS)} " in said[0]


@pytest.mark.parametrize(("report", "column"), PLACES)
@pytest.mark.parametrize("values", [*NUMBERS, INTEGERS], ids=["small", "large", "integers"])
def test_a_report_with_numbers_has_numbers(report: str, column: str, values: list[Any]) -> None:
    make, _ = REPORTS[report]
    try:
        found = make(put(base(), column, *values, dtype=pl.Int64 if values is INTEGERS else pl.Float64))
    except vf.DataError as error:
        if f"'{column}'" not in str(error):
            raise
    else:
        assert_sane(found, math.inf if 9.99e299 in values else ABSURD)


@pytest.mark.parametrize("column", ["a", "return_60", "matched_qty", "fillPrice", "mid", "realized_pnl"])
def test_text_in_a_column_of_numbers_is_said(column: str) -> None:
    make = alpha if column in ("a", "return_60") else trades
    for value in ("", "NaN", "1e999", "x"):
        with pytest.raises(vf.Error, match=column):
            make(put(base(), column, value, dtype=pl.String))


# ---- figures ----------------------------------------------------------------------------------------------------

FIGURES: dict[str, Callable[[pl.DataFrame], Any]] = {
    "heatmap of a mean": lambda f: vf.viz.heatmap(f, "k", "orderSide", {"m": vf.viz.weighted_mean("a", "matched_qty")}),
    "heatmap by weight": lambda f: vf.viz.heatmap(f, "k", "orderSide", "a", weight="matched_qty"),
    "line by weight": lambda f: vf.viz.line(f, "k", "a", weight="matched_qty", by="orderSide"),
    "line of coverage": lambda f: vf.viz.line(f, "k", {"c": vf.viz.coverage("a", "matched_qty")}),
}


def drawn(figure: Any) -> str:
    """Return what a browser gets: strict JSON."""
    text = str(figure.to_json())
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    return text


@pytest.mark.parametrize("column", ["a", "matched_qty"])
@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_with_what_is_no_number_is_the_figure_with_null(figure: str, column: str) -> None:
    make = FIGURES[figure]
    nulled = drawn(make(put(base(), column, *[None] * len(NO_NUMBERS))))
    assert drawn(make(put(base(), column, *NO_NUMBERS))) == nulled
    for values in NUMBERS:
        try:
            drawn(make(put(base(), column, *values)))
        except vf.DataError as error:
            if f"'{column}'" not in str(error):
                raise


# ---- partials, and the explorer -----------------------------------------------------------------------------------


def cells(frame: pl.DataFrame) -> dict[str, pl.LazyFrame]:
    metrics = {
        "n": pl.len(), "mean": pl.col("a").mean(), "sum": pl.col("a").sum(), "low": pl.col("a").min(),
        "high": pl.col("a").max(), "sd": pl.col("a").std(), "wm": vf.viz.weighted_mean("a", "matched_qty"),
        "markout_60": vf.viz.weighted_mean("return_60", "matched_qty"), "count": pl.len(),
    }  # fmt: skip
    return {date: vf.aggregate(day, ["k", "orderSide"], metrics) for date, day in days(frame).items()}


@pytest.mark.parametrize("column", ["a", "matched_qty"])
def test_the_explorer_shows_nothing_for_what_is_no_number(column: str) -> None:
    nulled = Engine(CubeSource.of(cells(put(base(), column, *[None] * 7)), units=None, title=None))
    panels = ["total", "heat", "curve", "series", "table"]

    def asked(engine: Engine, metric: str) -> Any:
        text = engine.answer({"x": "k", "y": "orderSide", "metric": metric, "panels": panels}).decode()
        found = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))["panels"]
        assert not any("error" in panel for panel in found.values()), found
        return {name: {k: v for k, v in panel.items() if k != "mark"} for name, panel in found.items()}

    for values in [NO_NUMBERS, *NUMBERS]:
        engine = Engine(CubeSource.of(cells(put(base(), column, *values)), units=None, title=None))
        found = {metric: asked(engine, metric) for metric in engine.source.metrics}
        if values is NO_NUMBERS:
            shown = asked(nulled, "wm")
            assert [found["wm"][name] for name in panels[:4]] == [shown[name] for name in panels[:4]]


def test_a_report_of_partials_leaves_out_what_is_no_number() -> None:
    given = NO_NUMBERS, [None] * len(NO_NUMBERS)
    found = [vf.reports.trades(vf.Cube.from_partials(cells(put(base(), "return_60", *values)))) for values in given]
    for (where, mine), (_, other) in zip(*(tables(report) for report in found), strict=True):
        assert mine.equals(other, null_equal=True), where
    assert_sane(found[0])
