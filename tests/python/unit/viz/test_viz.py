"""Figures from frames: what is drawn is what an aggregate gives; nothing raw, nothing invented, nothing hidden."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError
from vizflow.ops.clusters import t_quantile
from vizflow.viz.dims import centre, iso
from vizflow.viz.frame_cells import from_sums

pytest.importorskip("plotly")


def rows(n: int = 4_000, seed: int = 5) -> pl.DataFrame:
    rng = random.Random(seed)
    sides = ["Buy", "Sell", None]
    out = []
    for _ in range(n):
        value = rng.gauss(0, 2e-4)
        out.append(
            {
                "alpha_bin": rng.choice([-3, -2, 0, 1, 2, None]),
                "side": rng.choice(sides),
                "date": rng.choice(["20240102", "20240103", "20240105", "20240108"]),
                "ret": None if rng.random() < 0.3 else float("nan") if rng.random() < 0.05 else value,
                "qty": None if rng.random() < 0.05 else rng.randrange(0, 5) * 100,
            }
        )
    return chunked(pl.DataFrame(out, schema_overrides={"qty": pl.Int64}))


def oracle(frame: pl.DataFrame, keys: list[str]) -> dict[tuple[Any, ...], tuple[float | None, int, float | None]]:
    """Weighted mean, rows, and coverage of each group, in plain Python."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for row in frame.iter_rows(named=True):
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    out = {}
    for key, members in groups.items():
        there = [r for r in members if r["ret"] is not None and not math.isnan(r["ret"]) and r["qty"] is not None]
        weight = math.fsum(r["qty"] for r in there)
        total = math.fsum(r["qty"] for r in members if r["qty"] is not None)
        value = math.fsum(r["ret"] * r["qty"] for r in there) / weight if weight else None
        out[key] = (value, len(members), weight / total if total else None)
    return out


def test_a_missing_markout_is_never_zero() -> None:
    """w = 100 x 4, v = [10, 10, null, null]: 10, seen for half of the weight."""
    frame = pl.DataFrame({"x_bin": [0] * 4, "y": ["a"] * 4, "w": [100.0] * 4, "v": [10.0, 10.0, None, None]})
    line = vf.viz.line(frame, "x_bin", "v", weight="w")
    assert line.data[0].y == (10.0,)
    assert line.data[0].customdata[0] == ["4", "50 %", "-"]
    heat = vf.viz.heatmap(frame, "x_bin", "y", "v", weight="w")
    assert list(heat.data[0].z) == [[10.0]]
    assert heat.data[0].customdata[0][0] == ["4", "50 %"]
    named = vf.viz.line(frame, "x_bin", {"v": vf.viz.weighted_mean("v", "w")})
    assert named.data[0].y == (10.0,)


def test_weighted_mean_and_coverage_as_metrics() -> None:
    frame = rows()
    got = vf.aggregate(
        frame, ["side"], {"v": vf.viz.weighted_mean("ret", "qty"), "c": vf.viz.coverage("ret")}
    ).collect()
    expected = oracle(frame, ["side"])
    for side, value, share in got.rows():
        assert value == pytest.approx(expected[(side,)][0], rel=1e-12)
        there = frame.filter(pl.col("side").eq_missing(pl.lit(side)) & pl.col("ret").is_not_nan())
        assert share == there.height / expected[(side,)][1]


@pytest.mark.parametrize("weights", [[0, 0], [None, None]])
def test_no_weight_is_no_value(weights: list[Any]) -> None:
    frame = pl.DataFrame({"v": [1.0, 2.0], "w": weights}, schema_overrides={"w": pl.Float64})
    metrics = {"v": vf.viz.weighted_mean("v", "w"), "c": vf.viz.coverage("v", "w")}
    assert vf.aggregate(frame, [], metrics).collect().row(0) == (None, None)
    assert vf.viz.line(frame.with_columns(x=1), "x", "v", weight="w").data[0].y == (None,)


def test_heatmap_is_what_plain_python_gives() -> None:
    frame = rows()
    figure = vf.viz.heatmap(
        frame, "alpha_bin", "side", "ret", weight="qty", bins={"alpha": 1e-4}, units={"alpha": "bp"}
    )
    heat = figure.data[0]
    assert heat.x == (-3.0, -2.0, -1.0, 0.0, 1.0, 2.0)
    assert heat.y == ("Buy", "Sell", "(none)")
    expected = oracle(frame, ["alpha_bin", "side"])
    for j, side in enumerate(["Buy", "Sell", None]):
        for i, alpha in enumerate(range(-3, 3)):
            found = expected.get((alpha, side))
            if found is None:
                assert heat.z[j][i] is None
                assert heat.customdata[j][i] == ["", ""]
            else:
                assert heat.z[j][i] == pytest.approx(found[0], rel=1e-12)
                assert heat.customdata[j][i] == [f"{found[1]:,}", f"{100 * found[2]:.4g} %"]  # type: ignore[operator]
    lost = frame["alpha_bin"].null_count()
    assert f"{lost:,} rows without alpha not shown" in figure.layout.title.text


def test_signed_values_have_symmetric_colours_and_others_not() -> None:
    frame = pl.DataFrame({"x_bin": [0, 1, 2], "y_bin": [0, 0, 0], "v": [-3.0, 1.0, None]})
    signed = vf.viz.heatmap(frame, "x_bin", "y_bin", "v").data[0]
    assert (signed.zmin, signed.zmax) == (-3.0, 3.0)
    plain = vf.viz.heatmap(frame.with_columns(pl.col("v").abs()), "x_bin", "y_bin", "v").data[0]
    assert (plain.zmin, plain.zmax) == (1.0, 3.0)
    limited = vf.viz.heatmap(frame, "x_bin", "y_bin", "v", limit=2, units={"v": "%"}).data[0]
    assert (limited.zmin, limited.zmax) == (-2, 2)
    assert limited.z[0] == [-300.0, 100.0, None]


def test_few_rows_are_masked_and_counted() -> None:
    frame = pl.DataFrame({"x_bin": [0, 1], "y_bin": [0, 0], "v": [1.0, 2.0], "n": [5, 50]})
    figure = vf.viz.heatmap(frame, "x_bin", "y_bin", "v", count="n", min_count=10)
    assert list(figure.data[0].z) == [[None, 2.0]]
    assert "1 cells of fewer than 10 rows not shown" in figure.layout.title.text
    line = vf.viz.line(frame, "x_bin", "v", count="n", min_count=10)
    assert line.data[0].y == (None, 2.0)
    assert "1 points of fewer than 10 rows not shown" in line.layout.title.text


def test_line_by_with_bands_clustered_by_date() -> None:
    frame = rows()
    figure = vf.viz.line(frame, "alpha_bin", "ret", by="side", weight="qty", where={"side": ["Buy", "Sell"]})
    lines = {trace.name: trace for trace in figure.data if not trace.name.endswith("band")}
    assert list(lines) == ["Buy", "Sell"]
    expected = oracle(frame, ["alpha_bin", "side"])
    per_date = oracle_sums(frame)
    for side, trace in lines.items():
        assert trace.x == (-3, -2, -1, 0, 1, 2)
        assert trace.y[2] is None
        for alpha, value, custom in zip(trace.x, trace.y, trace.customdata, strict=True):
            if alpha == -1:
                continue
            found = expected[alpha, side]
            assert value == pytest.approx(found[0], rel=1e-12)
            sums = per_date[alpha, side]
            error = clustered(sums, found[0])  # type: ignore[arg-type]
            assert float(custom[2]) == pytest.approx(error * t_quantile(0.975, len(sums) - 1), rel=1e-5)


def oracle_sums(frame: pl.DataFrame) -> dict[tuple[Any, Any], list[tuple[float, float]]]:
    sums: dict[tuple[Any, Any], dict[str, tuple[float, float]]] = {}
    for row in frame.iter_rows(named=True):
        if row["ret"] is None or math.isnan(row["ret"]) or not row["qty"]:
            continue
        cell = sums.setdefault((row["alpha_bin"], row["side"]), {})
        s, w = cell.get(row["date"], (0.0, 0.0))
        cell[row["date"]] = (s + row["ret"] * row["qty"], w + row["qty"])
    return {key: list(cell.values()) for key, cell in sums.items()}


def clustered(sums: list[tuple[float, float]], ratio: float) -> float:
    d = len(sums)
    return math.sqrt(d / (d - 1) * math.fsum((s - ratio * w) ** 2 for s, w in sums)) / math.fsum(w for _, w in sums)


def test_equal_weights_and_one_row_a_date_give_the_classic_error() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 3.0]
    frame = pl.DataFrame({"x": [1] * 5, "v": values, "date": [f"2024010{i}" for i in range(1, 6)], "one": [1.0] * 5})
    half = float(vf.viz.line(frame, "x", "v", weight="one").data[-1].customdata[0][2])
    mean = sum(values) / 5
    classic = math.sqrt(sum((v - mean) ** 2 for v in values) / 4 / 5)
    assert half == pytest.approx(classic * 2.7764451, rel=1e-5)


def test_bands_are_closed_and_broken_at_gaps() -> None:
    frame = pl.DataFrame({
        "x_bin": [0, 0, 1, 1, 3, 3, 4, 4], "date": ["20240102", "20240103"] * 4, "one": [1.0] * 8,
        "v": [1.0, 2.0, 2.0, 3.0, 1.0, 1.5, 2.0, 2.5],
    })  # fmt: skip
    band, line = vf.viz.line(frame, "x_bin", "v", weight="one").data
    assert line.y == (1.5, 2.5, None, 1.25, 2.25)
    assert band.x == (0, 1, 1, 0, None, 3, 4, 4, 3)
    assert band.fill == "toself"


def test_bands_that_cannot_be_are_refused_when_asked_for() -> None:
    frame = pl.DataFrame({"x": [1, 2], "v": [1.0, 2.0]})
    assert len(vf.viz.line(frame, "x", "v").data) == 1
    with raises(ConfigError, "two dates or more"):
        vf.viz.line(frame, "x", "v", band=True)


def test_rows_without_a_way_to_take_them_together_are_refused() -> None:
    frame = pl.DataFrame({"x": [1, 1], "v": [1.0, 2.0]})
    with raises(ConfigError, "2 rows a cell", ".mean()", "weight="):
        vf.viz.line(frame, "x", "v")
    assert vf.viz.line(frame, "x", pl.col("v").mean()).data[0].y == (1.5,)
    assert vf.viz.line(frame, "x", {"top": pl.col("v").max()}).layout.title.text == "top"


def test_figures_hold_cells_and_never_rows() -> None:
    few, many = (rows(n, 1) for n in (500, 20_000))
    for draw in (
        lambda f: vf.viz.heatmap(f, "alpha_bin", "side", {"n": pl.len()}),
        lambda f: vf.viz.line(f, "alpha_bin", "ret", by="side", weight="qty"),
    ):
        small, large = (len(draw(f).to_json()) for f in (few, many))
        assert large < 1.2 * small


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"x": "alpa_bin"}, SchemaError, "did you mean 'alpha_bin'?"),
        ({"metric": "rat", "weight": "qty"}, SchemaError, "metric: there is no column 'rat'"),
        ({"metric": "side", "weight": "qty"}, SchemaError, "numbers are needed"),
        ({"weight": "qt"}, SchemaError, "did you mean 'qty'?"),
        ({"y": "alpha_bin", "weight": "qty"}, ConfigError, "must differ"),
        ({"where": {"nope": [1]}, "weight": "qty"}, SchemaError, "where"),
        ({"where": {"side": "Buy"}, "weight": "qty"}, ConfigError, "a pair (low, high) or a list"),
        ({"where": {"alpha_bin": (1, 2, 3)}, "weight": "qty"}, ConfigError, "a pair (low, high)"),
        ({"weight": "qty", "bins": {"alpha": 0}}, ConfigError, "a width above 0"),
        ({"metric": {"a": pl.len(), "b": pl.len()}}, ConfigError, "one metric"),
        ({"metric": {}}, ConfigError, "metrics is empty"),
        ({"metric": {"a": 3}}, ConfigError, "a column's name or an expression"),
    ],
)
def test_what_a_heatmap_refuses(arguments: dict[str, Any], kind: type[vf.Error], text: str) -> None:
    options: dict[str, Any] = {"x": "alpha_bin", "y": "side", "metric": "ret", **arguments}
    with raises(kind, text):
        vf.viz.heatmap(rows(50), options.pop("x"), options.pop("y"), options.pop("metric"), **options)


def test_negative_weights_are_refused() -> None:
    frame = pl.DataFrame({"x": [1, 1], "v": [1.0, 2.0], "w": [1.0, -1.0]})
    with raises(DataError, "weights of 0 or more", column="w"):
        vf.viz.line(frame, "x", "v", weight="w")


def test_more_than_a_figure_shows_is_refused_with_the_way_out() -> None:
    wide = pl.DataFrame({"x_bin": [0, 10_000_000], "y_bin": [0, 1], "v": [1.0, 2.0]})
    with raises(ConfigError, "10,000,001 bins", "where="):
        vf.viz.heatmap(wide, "x_bin", "y_bin", "v")
    wide = pl.DataFrame({"x_bin": [0, 9_999], "y_bin": [0, 999], "v": [1.0, 2.0]})
    with raises(ConfigError, "10,000 x 1,000 cells"):
        vf.viz.heatmap(wide, "x_bin", "y_bin", "v")
    many = pl.DataFrame({"x": [1] * 30, "g": range(30), "v": [1.0] * 30})
    with raises(ConfigError, "30 lines"):
        vf.viz.line(many, "x", "v", by="g")
    with raises(ConfigError, "confidence"):
        vf.viz.line(many, "x", pl.len(), confidence=95)


def test_where_ranges_lists_and_null() -> None:
    frame = rows()

    def total(where: dict[str, Any]) -> int:
        figure = vf.viz.line(frame.with_columns(all=1), "all", {"n": pl.len()}, where=where)
        return sum(figure.data[-1].y)

    a, side = pl.col("alpha_bin"), pl.col("side")
    assert total({"alpha_bin": (-2, 1)}) == frame.filter(a.is_between(-2, 1)).height
    assert total({"alpha_bin": (None, 0)}) == frame.filter(a <= 0).height
    assert total({"alpha_bin": (0, None)}) == frame.filter(a >= 0).height
    assert total({"side": [None]}) == frame.filter(side.is_null()).height
    assert total({"side": ["Buy", None]}) == frame.filter(side.is_null() | (side == "Buy")).height
    assert (
        total({"date": ("20240103", "20240105")})
        == frame.filter(pl.col("date").is_between(pl.lit("20240103"), pl.lit("20240105"))).height
    )


def test_dates_durations_booleans_and_empty_frames() -> None:
    dates = pl.DataFrame({"date": ["20240103", "20240102"], "v": [2.0, 1.0]})
    figure = vf.viz.line(dates, "date", "v")
    assert figure.data[0].x == ("2024-01-02", "2024-01-03")
    typed = dates.with_columns(pl.col("date").str.to_date("%Y%m%d"))
    assert vf.viz.line(typed, "date", "v").data[0].x == figure.data[0].x
    spans = pl.DataFrame({"x": [1, 1], "hold": [1_000_000, 3_000_000]}).with_columns(
        pl.col("hold").cast(pl.Duration("us"))
    )
    assert vf.viz.line(spans, "x", pl.col("hold").mean()).data[0].y == (2.0,)
    empty = pl.DataFrame(schema={"x_bin": pl.Int64, "y": pl.String, "v": pl.Float64})
    assert vf.viz.heatmap(empty, "x_bin", "y", "v").data[0].z in ((), None)
    assert vf.viz.line(empty, "x_bin", "v").data[0].y == ()
    flags = pl.DataFrame({"x": [True, False], "v": [True, False]})
    assert vf.viz.line(flags, "x", "v").data[0].y == (0.0, 1.0)


def test_infinite_values_are_not_drawn() -> None:
    frame = pl.DataFrame({"x": [1, 2], "v": [math.inf, 1.0]})
    assert vf.viz.line(frame, "x", pl.col("v").max()).data[0].y == (None, 1.0)


def test_text_of_the_data_is_not_markup() -> None:
    frame = pl.DataFrame({"x": ["<b>a</b>"], "v": [1.0]})
    json.loads(vf.viz.line(frame, "x", "v").to_json())


def test_dark_figures_use_the_dark_theme() -> None:
    frame = pl.DataFrame({"x": [1, 2], "v": [1.0, 2.0]})
    light, dark = (vf.viz.line(frame, "x", "v", dark=d) for d in (False, True))
    assert light.layout.paper_bgcolor != dark.layout.paper_bgcolor
    assert light.data[0].line.color != dark.data[0].line.color


def test_sums_that_were_kept_give_the_same_as_the_rows() -> None:
    frame = rows().drop_nulls("alpha_bin")
    direct = vf.viz.line(frame, "alpha_bin", "ret", weight="qty").data[-1]
    v, w = pl.col("ret").fill_nan(None), pl.col("qty").cast(pl.Float64)
    there = v.is_not_null() & w.is_not_null()
    kept = frame.group_by("date", "alpha_bin").agg(
        n=pl.len().cast(pl.Int64),
        nv=there.cast(pl.Int64).sum(),
        w=w.sum(),
        wv=w.filter(there).sum(),
        s=(v * w).filter(there).sum(),
    )
    cells = from_sums(kept, ["alpha_bin"], "ret", total="s", weight_valid="wv", weight="w", rows="n", rows_valid="nv")
    again = vf.viz.line(cells, "alpha_bin", "ret").data[-1]
    assert again.x == direct.x
    for a, b in zip(again.y, direct.y, strict=True):
        assert a == (None if b is None else pytest.approx(b, rel=1e-12))
    assert [c[:2] for c in again.customdata] == [c[:2] for c in direct.customdata]


def test_t_quantiles_are_those_of_the_tables() -> None:
    table = {(1, 0.975): 12.7062047, (2, 0.975): 4.30265273, (3, 0.975): 3.18244631, (5, 0.995): 4.03214298,
             (10, 0.9): 1.37218364, (30, 0.975): 2.04227246, (299, 0.975): 1.96792967}  # fmt: skip
    for (freedom, probability), value in table.items():
        assert t_quantile(probability, freedom) == pytest.approx(value, rel=5e-6)
    assert math.isnan(t_quantile(0.975, 0))


def test_bin_centres_have_no_noise() -> None:
    assert centre(3, 1e-4) == 0.0003
    assert centre(7, 0.1, 100) == 70.0
    assert centre(5, None) == 5
    assert iso("20240102") == "2024-01-02"


def test_vizflow_imports_and_says_what_is_missing_without_plotly_and_dash() -> None:
    code = """
import sys
for name in ("plotly", "dash", "flask", "waitress"): sys.modules[name] = None
import polars as pl, vizflow as vf, vizflow.explore
frame = pl.DataFrame({"x": [1], "v": [1.0]})
for call in (lambda: vf.viz.line(frame, "x", "v"), lambda: vf.viz.heatmap(frame, "x", "v", "v"),
             lambda: vf.viz.dashboard("nowhere"), lambda: vizflow.explore.serve("nowhere")):
    try:
        call()
    except ImportError as error:
        assert "pip install 'vizflow[viz]'" in str(error), error
    else:
        raise SystemExit("no ImportError")
report = vf.reports.alpha({"20240102": pl.DataFrame({"a": [1.0, 2.0], "return_60": [1.0, 2.0]})}, "a", quantiles=2)
assert report.frame.height == 1 and report.frames["dates"].height == 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
