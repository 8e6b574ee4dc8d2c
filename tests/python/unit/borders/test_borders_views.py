"""Reports and pages at the borders: fills and not pieces, markouts against the fill, what is left out counted."""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, DataError
from vizflow.viz import explorer


def matched(rows: pl.DataFrame, **options: Any) -> pl.DataFrame:
    """Match fills, pieces and ids as a pipeline gives them."""
    named = {"side_col": "orderSide", "qty_col": "quantity", "time_col": "elapsed_seconds", "price_col": "fillPrice"}
    rule = vf.FIFOMatch(**{**named, "entry_side": "B", "exit_side": "S", "extras": True, **options})  # type: ignore[arg-type]
    return vf.Enricher(rules=[rule], by="symbol", sort_by="elapsed_seconds").run(rows.lazy()).collect()


def trading(*rows: tuple[str, float, float], symbol: str = "a") -> pl.DataFrame:
    """Return fills (side, quantity, price), a minute after one another, at a mid of 10 that does not move."""
    return pl.DataFrame({
        "symbol": [symbol] * len(rows), "orderSide": [r[0] for r in rows], "quantity": [r[1] for r in rows],
        "fillPrice": [float(r[2]) for r in rows], "elapsed_seconds": [60.0 * k for k in range(len(rows))],
        "mid": [10.0] * len(rows), "return_60": [0.0] * len(rows),
    })  # fmt: skip


def report_of(frame: pl.DataFrame, **options: Any) -> vf.reports.Report:
    return vf.reports.trades({"20240102": frame}, **options)


FIVE = [("B", 100, 10)] * 4 + [("S", 400, 11)]


# ---- R1: fills and not pieces -----------------------------------------------------------------------------------


def test_a_sale_that_closes_four_lots_is_one_fill() -> None:
    report = report_of(matched(trading(*FIVE)), every=240)
    assert report.frame.select("rows", "pieces", "quantity").rows() == [(4, 4, 400), (1, 4, 400), (5, 8, 800)]
    assert report.frames["dates"].select("rows", "pieces").row(0) == (5, 8)
    sizes = report.frames["sizes"].group_by("bin").agg(pl.col("rows").sum()).sort("bin")
    assert sizes.rows() == [(6, 4), (8, 1)]  # four of 100, one of 400
    assert report.frames["profile"].sort("slice").select("slice", "rows").rows() == [(0, 4), (1, 1)]  # 80 to 20
    assert report.frames["markouts"].select("side", "rows").sort("side").rows() == [("Buy", 4), ("Sell", 1)]


@pytest.mark.parametrize("seed", range(4))
def test_reports_do_not_change_with_the_pieces_that_matching_makes(seed: int) -> None:
    rng = random.Random(seed)
    rows = [(rng.choice("BBS"), rng.randrange(1, 9) * 100, round(rng.uniform(9, 11), 2)) for _ in range(60)]
    whole = trading(*rows).with_columns(alpha=pl.Series([rng.gauss(0, 1) for _ in rows]))
    whole = whole.with_columns(return_60=pl.Series([rng.gauss(0, 1e-3) for _ in rows]))
    options = {"alpha": "alpha", "buckets": 3}
    plain = report_of(whole.rename({"quantity": "matched_qty"}), **options)
    pieces = report_of(matched(whole), **options)
    shared = [name for name in plain.frame.columns if name != "pieces"]
    assert_close(plain.frame.select(shared), pieces.frame.select(shared))
    for name in ("markouts", "alpha_buy", "alpha_sell", "sizes", "profile", "spread"):
        assert_close(plain.frames[name], pieces.frames[name])


def assert_close(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert one.columns == other.columns
    for mine, theirs in zip(one.rows(), other.rows(), strict=True):
        for a, b in zip(mine, theirs, strict=True):
            assert a == b or b == pytest.approx(a, rel=1e-9, abs=1e-15), (mine, theirs)


def test_pieces_that_cannot_be_told_to_be_fills_are_not_called_so() -> None:
    frame = matched(trading(*FIVE)).drop("fill_id")
    report = report_of(frame)
    missing = {s.name: s.missing for s in report.sections if s.missing}
    assert "FIFOMatch(extras=True) adds it" in missing["sizes"]
    assert "fill_id" in missing["profile"]
    assert any(note.startswith("Rows are counted, not fills") for note in report.notes)
    assert "8 pieces of fills" in report.about
    named = report_of(frame.with_columns(order=pl.col("elapsed_seconds")), fill_col="order")  # the way out
    assert named.frames["dates"]["rows"].to_list() == [5]


def test_a_fill_column_with_nulls_is_refused() -> None:
    frame = trading(*FIVE).rename({"quantity": "matched_qty"}).with_columns(fill_id=pl.Series([1, 2, None, 4, 5]))
    with raises(DataError, "'fill_id' is null on 1 fills", "fill_col="):
        report_of(frame)


# ---- R2: markouts against the fill price --------------------------------------------------------------------------


def test_a_buy_above_a_flat_mid_has_a_markout_below_zero() -> None:
    report = report_of(trading(("B", 100, 10.01)).rename({"quantity": "matched_qty"}))
    assert report.frame["markout_60"][0] == pytest.approx(10 / 10.01 - 1)
    assert report.frame["spread_cost"][0] == pytest.approx(10 / 10.01 - 1)


def test_signs_are_good_above_zero_on_both_sides() -> None:
    frame = trading(("B", 100, 9.99), ("S", 100, 10.01)).rename({"quantity": "matched_qty"})
    frame = frame.with_columns(BidPrice1=9.99, AskPrice1=10.01, return_60=pl.Series([1e-3, -1e-3]))
    report = report_of(frame)
    assert report.frame["spread_capture"].to_list() == pytest.approx(
        [1.0, 1.0, 1.0]
    )  # bought at the bid, sold at the ask
    assert all(value > 1.9e-3 for value in report.frame["markout_60"])
    crossed = report_of(frame.with_columns(fillPrice=pl.Series([10.01, 9.99])))
    assert crossed.frame["spread_capture"].to_list() == pytest.approx([-1.0, -1.0, -1.0])
    assert "above zero is good" in crossed.sections[0].text


def test_without_the_mid_a_return_is_called_a_return() -> None:
    frame = trading(("B", 100, 10.01)).rename({"quantity": "matched_qty"}).drop("mid")
    report = report_of(frame)
    assert "markout_60" not in report.frame.columns
    assert report.frame["return_60"][0] == 0.0
    assert report.sections[0].title == "Return by side"
    own = report_of(frame, mid="fillPrice")  # returns of the fill price itself
    assert own.frame["markout_60"][0] == 0.0
    with raises(DataError, "some days have a column 'mid'"):
        vf.reports.trades({"20240102": frame, "20240103": frame.with_columns(mid=10.0)})


def test_returns_in_basis_points_are_refused_as_fractions() -> None:
    with raises(DataError, "'return_60' holds 1 values of -1 or less", "fractions"):
        report_of(trading(("B", 100, 10)).rename({"quantity": "matched_qty"}).with_columns(return_60=-2.0))


# ---- R3: units once ------------------------------------------------------------------------------------------------


def partial_of(tmp_path: Path, metric: pl.Expr, name: str = "markout_60") -> Path:
    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        return vf.aggregate(df, ["orderSide"], {"count": pl.len(), name: metric})

    config = vf.Config(input_dir=tmp_path / "days", output_dir=tmp_path / "out")
    for date in ("20240102", "20240103"):
        vf.save(pl.DataFrame({"orderSide": ["B", "S", "X"], "v": [-2e-4, -2e-4, 1.0]}), config.get_file_path(date))
        vf.run(pipeline, config, date)
    return tmp_path / "out"


def test_a_metric_in_basis_points_is_not_scaled_again(tmp_path: Path) -> None:
    report = vf.reports.trades(partial_of(tmp_path, (pl.col("v") * 1e4).mean()))
    assert report.frame["markout_60"][0] == pytest.approx(-2.0)
    assert report.units["markout_60"] == ("", 1.0)
    assert any("as the partials hold them" in note for note in report.notes)
    said = vf.reports.trades(tmp_path / "out", units={"markout": ("bp", 1)})
    assert said.units["markout_60"] == ("bp", 1.0)
    assert not any("as the partials hold them" in note for note in said.notes)


def test_partials_count_what_has_neither_side(tmp_path: Path) -> None:
    report = vf.reports.trades(partial_of(tmp_path, pl.col("v").mean(), "return_60"))
    assert report.frames["left_out"].select("reason", "side", "rows").rows() == [("neither side", "X", 2)]
    assert report.sections[0].title == "Return by side"
    assert any("pieces of fills, not fills" in note for note in report.notes)


# ---- R4, R5: what is left out -----------------------------------------------------------------------------------


def test_profits_of_shorts_are_in_the_report() -> None:
    rows = trading(("B", 100, 10), ("S", 150, 11), ("B", 50, 9))
    report = report_of(matched(rows, on_excess="open_short"))
    assert report.frame["pnl"][2] == 200.0
    assert report.frames["holding"]["notional"].sum() == 1550.0
    assert report.frames["pnl_dates"]["lots"].to_list() == [2]


@pytest.mark.parametrize("drop", [[], ["matched_exit_id"], ["fill_id"], ["matched_exit_id", "fill_id"]])
def test_profits_of_shorts_whatever_ids_there_are(drop: list[str]) -> None:
    frame = matched(trading(("B", 100, 10), ("S", 150, 11), ("B", 50, 9)), on_excess="open_short")
    report = report_of(frame.drop(drop))
    assert (report.frame["pnl"][2], report.frames["holding"]["notional"].sum()) == (200.0, 1550.0)


def test_profits_that_are_not_taken_are_counted_by_side() -> None:
    frame = matched(trading(("B", 100, 10), ("S", 150, 11), ("B", 50, 9)), on_excess="open_short")
    report = report_of(frame, exit_side="S")
    assert report.frame["pnl"][2] == 100.0
    left = report.frames["left_out"].filter(reason="a profit, but no closed exit")
    assert left.select("side", "rows", "pnl").rows() == [("B", 1, 100.0)]
    assert any("profits add up to 100" in note for note in report.notes)


@pytest.mark.parametrize(
    ("buy", "sell"),
    [(1, 2), ("1", "2"), ("BUY", "sell"), ("b", "S"), (1.0, 2.0), (1, -1), (True, False)],
)
def test_sides_are_known_in_every_usual_spelling(buy: Any, sell: Any) -> None:
    frame = trading(*FIVE).rename({"quantity": "matched_qty"})
    frame = frame.with_columns(orderSide=pl.Series([buy] * 4 + [sell]))
    report = report_of(frame)
    assert report.frame["rows"].to_list() == [4, 1, 5]
    assert report_of(frame, buy=buy, sell=sell).frame["rows"].to_list() == [4, 1, 5]
    if buy is True:
        assert "is Boolean" in report.notes[0]


def test_sides_that_are_not_listed_are_counted_by_value() -> None:
    frame = trading(*FIVE).rename({"quantity": "matched_qty"})
    frame = frame.with_columns(
        orderSide=pl.Series(["B", "X", None, "B", "Borrow"]), realized_pnl=pl.Series([None, 7.0, None, None, 3.0])
    )
    left = report_of(frame).frames["left_out"].filter(reason="neither side")
    assert left.select("side", "rows", "quantity", "pnl").sort("side", nulls_last=True).rows() == [
        ("Borrow", 1, 400.0, 3.0), ("X", 1, 100.0, 7.0), (None, 1, 100.0, None)
    ]  # fmt: skip
    with raises(ConfigError, "share the value"):
        report_of(frame, buy=["1"], sell=[1])


# ---- Q8: what is no number ---------------------------------------------------------------------------------------

NO_NUMBERS = [math.inf, -math.inf, math.nan, 1.7976931348623157e308, 1e300, -1e300]


@pytest.mark.parametrize("bad", NO_NUMBERS)
@pytest.mark.parametrize("column", ["a", "return_60"])
def test_one_infinite_value_does_not_make_an_ic_of_one(bad: float, column: str) -> None:
    rng = random.Random(5)
    frame = pl.DataFrame({"a": [rng.gauss(0, 1) for _ in range(50)], "return_60": [rng.gauss(0, 1) for _ in range(50)]})
    spoilt = frame.with_columns(pl.when(pl.int_range(pl.len()) == 7).then(bad).otherwise(pl.col(column)).alias(column))
    report = vf.reports.alpha({"20240102": spoilt}, "a", quantiles=3)
    without = vf.reports.alpha({"20240102": frame[[*range(7), *range(8, 50)]]}, "a", quantiles=3)
    for name in ("ic", "rank_ic", "hit_rate"):
        assert report.frame[name][0] == pytest.approx(without.frame[name][0], rel=1e-12)
    assert f"{column}: 1 values are not finite numbers; they are left out." in report.notes


def test_an_ic_of_large_values_is_what_it_is_of_small_ones() -> None:
    rng = random.Random(6)
    frame = pl.DataFrame({"a": [rng.gauss(0, 1) for _ in range(50)], "return_60": [rng.gauss(0, 1) for _ in range(50)]})
    one = vf.reports.alpha({"20240102": frame}, "a", quantiles=3).frame["ic"][0]
    for scale in (1e200, 1e-200):
        scaled = vf.reports.alpha({"20240102": frame * scale}, "a", quantiles=3)
        assert scaled.frame["ic"][0] == pytest.approx(one, rel=1e-9)


@pytest.mark.parametrize("bad", NO_NUMBERS)
def test_a_weighted_mean_leaves_out_what_is_no_number(bad: float) -> None:
    rows = pl.DataFrame({"w": [1.0, 1.0, 2.0], "v": [1.0, bad, 4.0]})
    metrics = {"v": vf.viz.weighted_mean("v", "w"), "c": vf.viz.coverage("v", "w"), "n": vf.viz.coverage("v")}
    assert vf.aggregate(rows, [], metrics).collect().row(0) == (3.0, 0.75, 2 / 3)


# ---- R6: codes that are no bins are categories, and whole ----------------------------------------------------------

CODES = [1, 2, 300750, 600000, 600036]
LARGE = [2**53, 2**53 + 1, 2**63 - 1]


def test_integer_codes_are_categories_in_every_figure() -> None:
    pytest.importorskip("plotly")
    rows = pl.DataFrame({"k": CODES * 2, "s": ["B", "S"] * 5, "m": [float(n) for n in range(10)]})
    frame = vf.aggregate(rows, ["k", "s"], {"m": pl.col("m").max()})
    for data in (frame, frame.collect(), rows):
        metric = {"m": pl.col("m").max()} if data is rows else "m"
        for figure in (vf.viz.heatmap(data, "k", "s", metric), vf.viz.line(data, "k", metric, by="s")):
            assert figure.layout.xaxis.type == "category"
            assert list(figure.data[0].x) == [str(k) for k in CODES]
        assert vf.viz.heatmap(data, "s", "k", metric).layout.yaxis.type == "category"


@pytest.mark.parametrize("name", ["k", "k_bin"])
@pytest.mark.parametrize("units", [None, {"k": "id"}])
def test_keys_beyond_a_browsers_numbers_are_text_everywhere(name: str, units: dict[str, str] | None) -> None:
    pytest.importorskip("dash")
    from vizflow.viz.explorer.engine import Engine, Question
    from vizflow.viz.explorer.source import CubeSource

    rows = pl.DataFrame({name: LARGE * 2, "s": ["B", "S"] * 3, "m": [2**60 + n for n in range(6)]})
    frame = vf.aggregate(rows, [name, "s"], {"n": pl.len(), "m": pl.col("m").max()})
    texts = [str(k) for k in LARGE]
    figure = vf.viz.heatmap(frame, name, "s", "n", units=units)
    assert list(figure.data[0].x) == texts
    assert [key for key in texts if f'"{key}"' not in figure.to_json()] == []
    engine = Engine(CubeSource.of(frame, units=units, title=None))
    assert engine.about()["axes"][0]["keys"] == texts
    asked = {"x": name, "y": "s", "metric": "m", "where": {name: texts[1:2]}, "panels": ["table", "total"]}
    panels = json.loads(engine.answer(asked))["panels"]
    table = [row[:2] + row[3:] for row in panels["table"]["rows"]]
    assert sorted(table) == [[texts[1], "B", str(2**60 + 4)], [texts[1], "S", str(2**60 + 1)]]
    assert panels["total"]["value"] == str(2**60 + 4)
    assert engine.seen(Question.read(asked, engine.source))[name].unique().to_list() == LARGE[1:2]


# ---- R7: names that are not there ---------------------------------------------------------------------------------


def test_names_that_are_not_there_are_refused_with_near_ones() -> None:
    pytest.importorskip("dash")
    days = {"20240102": pl.DataFrame({"a": [1.0, 2.0, 3.0], "return_60": [0.1, 0.2, 0.3], "k": [1, 2, 3]})}
    rows = days["20240102"]
    cells = vf.aggregate(rows, ["k"], {"mean": pl.col("a").mean()})
    with raises(ConfigError, "units: there is no 'retrun'", "did you mean 'return'"):
        vf.reports.alpha(days, "a", units={"retrun": "bp"})
    with raises(ConfigError, "units: there is no 'markuot'", "did you mean 'markout'"):
        report_of(trading(*FIVE).rename({"quantity": "matched_qty"}), units={"markuot": "bp"})
    for data, metric in ((rows, {"mean": pl.col("a").mean()}), (cells, "mean")):
        with raises(ConfigError, "units: there is no 'maen'", "did you mean 'mean'"):
            vf.viz.line(data, "k", metric, units={"maen": "bp"})
        with raises(ConfigError, "bins: there is no 'kk'", "did you mean 'k'"):
            vf.viz.line(data, "k", metric, bins={"kk": 0.5})
    with raises(ConfigError, "units: there is no 'maen'", "did you mean 'mean'"):
        vf.viz.dashboard(cells, units={"maen": "bp"})


def test_the_alpha_report_heeds_the_symbol_of_the_config(tmp_path: Path) -> None:
    rng = random.Random(3)
    rows = [(f"s{k % 8}", 60.0 * (k // 8), rng.gauss(0, 1), rng.gauss(0, 1)) for k in range(160)]
    frame = pl.DataFrame(rows, schema=["code", "elapsed_seconds", "a", "return_60"], orient="row")
    config = vf.Config(input_dir=tmp_path, columns={"symbol": "code"})
    vf.save(frame, config.get_file_path("20240102"))
    report = vf.reports.alpha(config, "a", dates=["20240102"], quantiles=2)
    plain = vf.reports.alpha({"20240102": frame.rename({"code": "symbol"})}, "a", quantiles=2)
    assert report.frame["turnover"][0] == plain.frame["turnover"][0] > 0


def test_several_alphas_are_refused_with_a_way_that_works() -> None:
    days = {"20240102": pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [3.0, 1.0, 2.0], "return_60": [0.1, 0.2, 0.3]})}
    with pytest.raises(ConfigError) as caught:
        vf.reports.alpha(days, ["a", "b"])  # type: ignore[arg-type]
    advice = str(caught.value).partition("make a report each: ")[2]
    found = eval(advice, {"vf": vf, "source": days, "names": ["a", "b"]})
    assert [found[name].frame["ic"][0] for name in "ab"] == pytest.approx([1.0, -0.5])


def test_a_time_that_is_none_neither_fills_memory_nor_is_counted_as_a_slice() -> None:
    frame = trading(*FIVE).rename({"quantity": "matched_qty"})
    late = frame.with_columns(elapsed_seconds=pl.Series([0.0, 60.0, 120.0, 180.0, 1e17]))
    report = report_of(late)
    assert report.frames["profile"]["slice"].to_list() == [0]
    assert "'elapsed_seconds' is no time of a trading day: 1 rows (by side, S: 1)." in report.notes
    with raises(ConfigError, "every is 0.001", "from 1 to"):
        report_of(frame, every=0.001)


# ---- F8: what is missing is named ----------------------------------------------------------------------------------


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "waitress", None)
    with pytest.raises(ImportError, match=r"^waitress, which .* pip install 'vizflow\[viz\]'"):
        explorer.serve("nowhere")
