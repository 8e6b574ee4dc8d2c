"""The explorer without a browser: answers against `reduce`, what is refused, who may ask, and figures of a cube."""

from __future__ import annotations

import array
import base64
import io
import json
import math
import random
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, SchemaError, StorageError

pytest.importorskip("dash")

from vizflow.cli import main
from vizflow.viz import explorer
from vizflow.viz.explorer.engine import Engine, Question
from vizflow.viz.explorer.source import CubeSource

DATES = ["20240102", "20240103", "20240104", "20240105"]
WIDTHS = {"a": 0.5}
METRICS = {
    "mean": pl.col("v").mean(),
    "n": pl.len(),
    "wv": vf.viz.weighted_mean("v", "w"),
    "wv_coverage": vf.viz.coverage("v", "w"),
    "total": pl.col("v").sum(),
    "low": pl.col("v").min(),
    "sd": pl.col("v").std(),
}


def rows(seed: int) -> pl.DataFrame:
    rng = random.Random(seed)
    return pl.DataFrame([
            {"a": None if rng.random() < 0.1 else rng.gauss(0, 1), "side": rng.choice(["B", "S", None]),
         "k": rng.randrange(3), "v": None if rng.random() < 0.3 else rng.gauss(seed, 2),
         "w": float(rng.randrange(1, 5))}
        for _ in range(250)
    ])  # fmt: skip


def aggregated(seed: int) -> pl.LazyFrame:
    return vf.aggregate(vf.bin(rows(seed), WIDTHS), ["a_bin", "side", "k"], METRICS)


@pytest.fixture(scope="module")
def partials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explore")
    config = vf.Config(input_dir=folder / "days", output_dir=folder / "cells", binwidths=WIDTHS)
    for seed, date in enumerate(DATES):
        vf.save(rows(seed), folder / "days" / f"{date}.feather")
        vf.run(lambda df, ctx: vf.aggregate(vf.bin(df, WIDTHS), ["a_bin", "side", "k"], METRICS), config, date)
    return folder / "cells"


@pytest.fixture(scope="module")
def engine(partials: Path) -> Engine:
    return Engine(CubeSource.of(partials, units={"a": "bp"}, title=None))


def asked(engine: Engine, **question: Any) -> dict[str, Any]:
    return dict(json.loads(engine.answer(question))["panels"])


def numbers(text: str) -> list[float | None]:
    return [None if math.isnan(v) else v for v in array.array("d", base64.b64decode(text))]


def reduced(partials: Path, by: list[str], dates: tuple[str, str] | None = None) -> pl.DataFrame:
    return vf.reduce(partials, group_by=by, dates=dates).collect()


# ---- answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_what_reduce_gives(engine: Engine, partials: Path, metric: str) -> None:
    panels = asked(engine, metric=metric, x="a_bin", y="k", panels=["heat", "curve", "series", "total"])
    places = engine.about()["axes"][0]["keys"]
    cells = reduced(partials, ["a_bin", "k"])
    found = {
        (a, k): (value, n)
        for a, k, value, n in cells.select(
            "a_bin", "k", pl.col(metric).alias("value"), pl.col("n").alias("rows")
        ).iter_rows()
    }
    order = [(a, k) for k in range(3) for a in places]
    assert numbers(panels["heat"]["value"]) == [found.get(key, (None, None))[0] for key in order]
    assert numbers(panels["heat"]["rows"]) == [found.get(key, (None, None))[1] for key in order]
    along = dict(reduced(partials, ["a_bin"]).select("a_bin", metric).iter_rows())
    assert numbers(panels["curve"]["lines"][0]["value"]) == [along.get(a) for a in places]
    series = vf.reduce(partials, by="date", group_by=[]).collect()
    assert numbers(panels["series"]["value"]) == series[metric].to_list()
    assert panels["total"]["value"] == reduced(partials, [])[metric][0]


def test_panels_ignore_the_filters_on_their_own_axes(engine: Engine, partials: Path) -> None:
    where = {"a_bin": [-1, 1], "k": ["0", "1"], "side": ["B", "∅"]}
    panels = asked(engine, metric="n", x="a_bin", y="k", where=where, dates=["20240103", "20240104"])
    cube = vf.Cube.from_partials(partials)
    days, sides = ("20240103", "20240104"), ["B", None]
    places = engine.about()["axes"][0]["keys"]

    def expect(selection: dict[str, Any], by: str) -> dict[Any, int]:
        return dict(cube.brush(selection).table([by], "n").iter_rows())

    curve = expect({"date": days, "k": (0, 1), "side": sides}, "a_bin")
    assert numbers(panels["curve"]["lines"][0]["value"]) == [curve.get(a) for a in places]
    series = expect({"a_bin": (-1, 1), "k": (0, 1), "side": sides}, "date")
    assert numbers(panels["series"]["value"]) == list(series.values())
    assert (
        panels["total"]["value"]
        == cube.brush({"date": days, "a_bin": (-1, 1), "k": (0, 1), "side": sides}).total("n")["n"]
    )
    assert sum(v or 0 for v in numbers(panels["heat"]["value"])) == sum(
        n
        for a, _, n in cube.brush({"date": days, "side": sides}).table(["a_bin", "k"], "n").iter_rows()
        if a is not None
    )


def test_the_table_is_the_export_and_both_are_reduce(engine: Engine, partials: Path) -> None:
    question = Question.read({"x": "a_bin", "y": "side", "dates": ["20240102", "20240103"]}, engine.source)
    seen = engine.seen(question)
    assert seen.equals(reduced(partials, ["a_bin", "side"], ("20240102", "20240103")))
    table = engine.table(question)
    assert table["columns"] == ["a_bin", "side", *METRICS]
    assert table["height"] == seen.height
    counts = [row[table["columns"].index("n")] for row in table["rows"]]
    assert counts == sorted(counts, reverse=True)


def test_few_rows_are_masked_and_counted(engine: Engine, partials: Path) -> None:
    panels = asked(engine, metric="n", x="a_bin", y="k", min=20)
    cells = reduced(partials, ["a_bin", "k"])
    assert panels["heat"]["masked"] == cells.filter(pl.col("n") < 20).height
    assert min(v for v in numbers(panels["heat"]["value"]) if v is not None) >= 20
    question = Question.read({"x": "a_bin", "y": "k", "min": 20}, engine.source)
    assert engine.seen(question)["n"].min() == cells.filter(pl.col("n") >= 20)["n"].min()


def test_coverage_from_a_metric_from_a_mean_or_not_at_all(engine: Engine, partials: Path) -> None:
    everything = pl.concat([rows(seed) for seed in range(4)])
    there = everything["v"].is_not_null()
    weight = everything["w"]
    total = {m: asked(engine, metric=m, panels=["total"])["total"] for m in METRICS}
    assert total["wv"]["coverage"] == pytest.approx(weight.filter(there).sum() / weight.sum(), rel=1e-12)
    assert total["mean"]["coverage"] == total["sd"]["coverage"] == there.sum() / everything.height
    assert total["total"]["coverage"] is total["low"]["coverage"] is total["n"]["coverage"] is None


def test_errors_are_those_of_dates_as_clusters(engine: Engine) -> None:
    """The influence of each date by hand: the derivative of the metric when the date's rows weigh a little more."""
    days = [rows(seed).with_columns(pl.lit(1.0).alias("one")) for seed in range(4)]

    def moments(weights: list[float], weight: str) -> tuple[float, float, float]:
        n = s = q = 0.0
        for factor, day in zip(weights, days, strict=True):
            for v, w in day.select("v", weight).iter_rows():
                if v is not None:
                    n, s, q = n + factor * w, s + factor * w * v, q + factor * w * v * v
        return n, s, q

    def mean(weights: list[float], weight: str = "one") -> float:
        n, s, _ = moments(weights, weight)
        return s / n

    def sd(weights: list[float]) -> float:
        n, s, q = moments(weights, "one")
        return math.sqrt((q - s * s / n) / n)

    for metric, f in (("mean", mean), ("wv", lambda w: mean(w, "w")), ("sd", sd)):
        influences = []
        for i in range(4):
            up, down = ([1 + sign * 1e-4 * (i == j) for j in range(4)] for sign in (1, -1))
            influences.append((f(up) - f(down)) / 2e-4)
        error = math.sqrt(4 / 3 * sum(x * x for x in influences))
        half = asked(engine, metric=metric, panels=["total"])["total"]["half"]
        assert half == pytest.approx(error * 3.18244631, rel=3e-3 if metric == "sd" else 1e-6), metric
    for metric in ("n", "total", "low"):
        assert asked(engine, metric=metric, panels=["total"])["total"]["half"] is None
        assert "half" not in asked(engine, metric=metric, panels=["curve"])["curve"]["lines"][0]
    alone = asked(engine, metric="mean", dates=["20240103", "20240103"], panels=["total"])["total"]
    assert alone["half"] is None
    assert alone["dates"] == 1


def test_errors_are_those_of_stats(engine: Engine) -> None:
    metrics = {**vf.stats.weighted("v", pl.col("v"), pl.col("w")), "n": pl.len()}
    days = {d: vf.aggregate(vf.bin(rows(i), WIDTHS), ["a_bin", "k"], metrics) for i, d in enumerate(DATES)}
    cube = vf.Cube.from_partials(days)
    expected = vf.stats.clustered(cube, "v", by=["k"])
    mine = Engine(CubeSource.of(cube, units=None, title="t"))
    line = asked(mine, metric="v", x="k", y="a_bin", panels=["curve"])["curve"]["lines"][0]
    for half, error in zip(numbers(line["half"]), expected["std_error"], strict=True):
        assert half == pytest.approx(error * 3.18244631, rel=1e-6)
    assert numbers(line["value"]) == pytest.approx(expected["v"].to_list(), rel=1e-12)
    assert numbers(line["coverage"]) == cube.table(["k"], "v_coverage")["v_coverage"].to_list()


def test_a_panel_that_the_page_has_is_not_sent_again(engine: Engine) -> None:
    first = asked(engine, x="a_bin", y="k")
    marks = {name: panel["mark"] for name, panel in first.items()}
    assert asked(engine, x="a_bin", y="k", have=marks) == {}
    brushed = asked(engine, x="a_bin", y="k", have=marks, dates=["20240103", "20240104"])
    assert set(brushed) == {"total", "heat", "curve"}
    assert asked(engine, x="a_bin", y="k", have={"heat": "other"}).keys() == first.keys()
    assert asked(engine, x="a_bin", y="k", where={"a_bin": [0, 1]}, have=marks).keys() == {"total", "series"}


def test_lines_by_a_dimension_largest_first_where_there_are_many(partials: Path) -> None:
    frame = pl.DataFrame({"x": [0] * 20, "g": range(20), "v": [float(i) for i in range(20)]})
    frame = pl.concat([frame, frame.filter(pl.col("g") >= 10)])
    cube = vf.Cube.from_frame(vf.aggregate(frame, ["x", "g"], {"n": pl.len(), "v": pl.col("v").mean()}))
    many = Engine(CubeSource.of(cube, units=None, title="many"))
    curve = asked(many, x="x", by="g", panels=["curve"])["curve"]
    assert curve["dropped"] == 8
    assert {line["name"] for line in curve["lines"]} >= {str(g) for g in range(10, 20)}


def test_a_cube_without_dates_or_counts_or_with_one_dimension() -> None:
    frame = pl.DataFrame({"x": [1, 1, 2], "v": [1.0, 2.0, 4.0]})
    bare = Engine(
        CubeSource.of(vf.Cube.from_frame(vf.aggregate(frame, ["x"], {"v": pl.col("v").max()})), units=None, title="t")
    )
    panels = asked(bare)
    assert numbers(panels["curve"]["lines"][0]["value"]) == [2.0, 4.0]
    assert "choose two dimensions" in panels["heat"]["error"]
    assert "error" in panels["series"]
    assert bare.about()["dates"] == []
    nothing = vf.Cube.from_frame(vf.aggregate(frame, [], {"v": pl.col("v").max()}))
    with raises(ConfigError, "no dimensions"):
        CubeSource.of(nothing, units=None, title="t")


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ([], "a question is an object"),
        ({"x": "b_bin"}, "x: there is no 'b_bin'"),
        ({"metric": "men"}, "did you mean 'mean'"),
        ({"by": "nope"}, "by: there is no"),
        ({"where": {"nope": [1, 2]}}, "there is no dimension 'nope'"),
        ({"where": {"a_bin": [2, 1]}}, "the lower first"),
        ({"where": {"a_bin": [1]}}, "a pair of bins"),
        ({"where": {"a_bin": [0.5, 1]}}, "a pair of bins"),
        ({"where": {"side": ["Q"]}}, "there is no 'Q'"),
        ({"where": {"side": "B"}}, "a list is accepted"),
        ({"where": [1]}, "where is an object"),
        ({"dates": ["20240105", "20240102"]}, "the earlier first"),
        ({"dates": ["2024-01-02", "20240105"]}, "YYYYMMDD"),
        ({"dates": "20240102"}, "a pair of YYYYMMDD"),
        ({"min": -1}, "a whole number"),
        ({"min": True}, "a whole number"),
        ({"panels": ["nope"]}, "panels: there is no 'nope'"),
        ({"sort": "nope"}, "sort: there is no"),
    ],
)
def test_questions_that_do_not_fit_are_refused(engine: Engine, question: Any, text: str) -> None:
    with raises(ConfigError, text):
        engine.answer(question)


def test_many_readers_at_once_get_what_one_gets(partials: Path) -> None:
    source = CubeSource.of(partials, units=None, title=None)
    questions = [{"metric": m, "by": by, "dates": d, "x": "a_bin", "y": "k"} for m in ("mean", "wv", "n")
                 for by in (None, "side") for d in (None, ["20240103", "20240104"])]  # fmt: skip
    alone = [asked(Engine(source), **q) for q in questions]
    shared = Engine(source)
    found: dict[int, dict[str, Any]] = {}

    def ask(i: int) -> None:
        found[i] = asked(shared, **questions[i % len(questions)])

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(48)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    def bare(panels: dict[str, Any]) -> dict[str, Any]:
        return {name: {k: v for k, v in panel.items() if k != "mark"} for name, panel in panels.items()}

    for i in range(48):
        assert bare(found[i]) == bare(alone[i % len(questions)])


# ---- the app ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def app(partials: Path) -> Any:
    return vf.viz.dashboard(partials, units={"a": "bp"}, allowed_hosts=["cube.local"])


@pytest.fixture
def client(app: Any) -> Any:
    return app.server.test_client()


def test_dashboard_is_a_dash_app(app: Any) -> None:
    import dash

    assert isinstance(app, dash.Dash)
    assert app.title == "cells · VizFlow"


def test_the_page_asks_for_nothing_from_elsewhere(client: Any) -> None:
    text = client.get("/").get_data(as_text=True)
    assert "http://" not in text
    assert "https://" not in text
    assert "/_vizflow/plotly.js" in text
    with client.get("/_vizflow/plotly.js") as got:
        assert got.status_code == 200
        assert got.content_length > 1_000_000
    policy = got.headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "connect-src 'self'" in policy


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8050", "localhost:99", "[::1]:8050", "cube.local", "CUBE.local:80"]
)
def test_own_names_may_ask(client: Any, host: str) -> None:
    assert client.get("/_vizflow/about", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8050", "cube.local.evil", ""]
)
def test_foreign_names_may_not(client: Any, host: str) -> None:
    for path in ("/", "/_vizflow/about", "/_vizflow/export.csv", "/_vizflow/plotly.js", "/_dash-layout"):
        got = client.get(path, headers={"Host": host})
        assert got.status_code == 421
        assert "allowed_hosts" in got.get_data(as_text=True)


def test_foreign_pages_may_not_ask(client: Any) -> None:
    ask = {"json": {}, "headers": {"Origin": "http://evil.example"}}
    assert client.post("/_vizflow/answer", **ask).status_code == 403
    assert client.post("/_vizflow/answer", json={}, headers={"Origin": "http://localhost"}).status_code == 200
    cross = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert client.get("/_vizflow/export.csv", headers=cross).status_code == 403
    assert client.get("/", headers={**cross, "Sec-Fetch-Mode": "navigate"}).status_code == 200


def test_questions_over_http(client: Any) -> None:
    assert client.post("/_vizflow/answer", json={"metric": "n"}).get_json()["panels"]["total"]["value"] == 1000
    bad = client.post("/_vizflow/answer", json={"metric": "nope"})
    assert bad.status_code == 400
    assert "there is no 'nope'" in bad.get_json()["error"]
    assert client.post("/_vizflow/answer", data=b"\x00not json").status_code == 400
    assert client.post("/_vizflow/answer", data=b"{" + b" " * 400_000 + b"}").status_code == 413
    assert client.get("/_vizflow/export.xlsx").status_code == 404
    assert client.get("/_vizflow/export.csv?view={").status_code == 400


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_exports(client: Any, partials: Path, kind: str) -> None:
    view = {"x": "a_bin", "y": "side", "dates": ["20240102", "20240103"]}
    got = client.get(f"/_vizflow/export.{kind}", query_string={"view": json.dumps(view)})
    assert got.headers["Content-Disposition"] == f'attachment; filename="cells-a_bin-side.{kind}"'
    data = io.BytesIO(got.data)
    frame = pl.read_csv(data) if kind == "csv" else pl.read_parquet(data)
    expected = reduced(partials, ["a_bin", "side"], ("20240102", "20240103"))
    assert frame.columns == expected.columns
    if kind == "parquet":
        assert frame.equals(expected)
    else:
        assert frame["wv"].to_list() == expected["wv"].to_list()


def test_it_can_live_under_a_path(partials: Path) -> None:
    app = explorer.app(partials, url_base="/cube/")
    assert app.server.test_client().get("/cube/_vizflow/about").status_code == 200
    assert "/cube/_vizflow/plotly.js" in app.server.test_client().get("/cube/").get_data(as_text=True)
    with raises(ConfigError, "url_base"):
        explorer.app(partials, url_base="cube")


def test_all_hosts_are_allowed_when_told_so(partials: Path) -> None:
    client = explorer.app(partials, allowed_hosts=["*"]).server.test_client()
    assert client.get("/_vizflow/about", headers={"Host": "anything.example"}).status_code == 200


def test_a_title_is_text(partials: Path) -> None:
    app = explorer.app(partials, title="</title><script>alert(1)</script>")
    assert "<script>alert(1)" not in app.server.test_client().get("/").get_data(as_text=True)


def test_a_saved_cube_is_opened(partials: Path, tmp_path: Path) -> None:
    path = vf.Cube.from_partials(partials).save(tmp_path / "year.arrow")
    engine = Engine(CubeSource.of(path, units=None, title=None))
    assert engine.about()["title"] == "year"
    assert asked(engine, metric="n", panels=["total"])["total"]["value"] == 1000


def test_the_command_line_checks_before_it_serves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explore", str(tmp_path), "--no-browser", "--port", "0"]) == 1
    assert "there is no partial" in capsys.readouterr().err
    assert main(["explore", str(tmp_path), "--unit", "alpha"]) == 2
    assert "NAME=UNIT" in capsys.readouterr().err


def test_a_port_that_is_taken_is_said(partials: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with raises(ConfigError, "cannot be listened on"):
            explorer.serve(partials, port=taken.getsockname()[1])


# ---- figures of partials and cubes ------------------------------------------------------------------------------


def test_figures_of_partials_and_of_a_cube_are_reduce(partials: Path) -> None:
    cube = vf.Cube.from_partials(partials)
    cells = reduced(partials, ["a_bin", "k"])
    found = {(a, k): v for a, k, v in cells.select("a_bin", "k", "wv").iter_rows()}
    for source in (partials, str(partials / "*.parquet"), sorted(partials.glob("*.parquet")), cube):
        heat = vf.viz.heatmap(source, "a_bin", "k", "wv", units={"a": "bp"}).data[0]
        bins = range(min(a for a in cells["a_bin"].drop_nulls()), max(cells["a_bin"].drop_nulls()) + 1)
        assert heat.x == tuple(5000.0 * b for b in bins)
        assert [list(row) for row in heat.z] == [[found.get((b, k)) for b in bins] for k in range(3)]
    dated = vf.viz.heatmap(cube, "a_bin", "k", "n", where={"date": ("20240103", None), "side": ["B", None]})
    assert sum(v for row in dated.data[0].z for v in row if v) == sum(
        n
        for a, n in cube.brush({"date": ("20240103", None), "side": ["B", None]}).table(["a_bin"], "n").iter_rows()
        if a is not None
    )


def test_frames_that_know_their_states_are_merged(partials: Path) -> None:
    expected = vf.viz.heatmap(partials, "a_bin", "k", "wv").data[0]
    days = {date: aggregated(seed) for seed, date in enumerate(DATES)}
    for source in (vf.reduce(partials), vf.reduce(partials, by="date"), days):
        got = vf.viz.heatmap(source, "a_bin", "k", "wv", bins={"a": 0.5}).data[0]
        assert got.x == expected.x
        assert list(got.z) == list(expected.z)
    one = vf.viz.line(vf.load(partials / "20240102.parquet"), "k", "mean")
    assert one.data[0].y == tuple(vf.aggregate(rows(0), ["k"], METRICS).collect()["mean"])
    touched = vf.reduce(partials).filter(pl.col("n") > 0)
    with raises(ConfigError, "rows a cell"):
        vf.viz.heatmap(touched, "a_bin", "k", "wv")
    for source in (vf.reduce(partials, by="date"), days):
        answer = asked(Engine(CubeSource.of(source, units=None, title=None)), metric="n")
        assert answer["total"]["value"] == 1000


def test_lines_of_a_cube_have_bands_and_dates(partials: Path) -> None:
    figure = vf.viz.line(partials, "k", ["mean", "wv"])
    named = {trace.name: trace for trace in figure.data}
    assert set(named) == {"mean", "mean band", "wv", "wv band"}
    expected = reduced(partials, ["k"])
    assert named["wv"].y == tuple(expected["wv"])
    assert named["wv"].customdata[0][1] == f"{100 * expected['wv_coverage'][0]:.4g} %"
    days = vf.viz.line(partials, "date", "n").data[0]
    assert days.x == ("2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05")
    assert days.y == (250, 250, 250, 250)
    assert len(vf.viz.line(partials, "k", "mean", band=False).data) == 1


def test_what_figures_of_partials_refuse(partials: Path, tmp_path: Path) -> None:
    with raises(SchemaError, "no metric 'men'", "did you mean 'mean'"):
        vf.viz.line(partials, "k", "men")
    with raises(SchemaError, "no dimension"):
        vf.viz.heatmap(vf.Cube.from_partials(partials), "k", "sid", "n")
    with raises(ConfigError, "is an expression"):
        vf.viz.line(partials, "k", pl.col("v").mean())
    with raises(StorageError, "there is no"):
        vf.viz.line(tmp_path, "k", "n")


# ---- reports of partials ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def fills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fills")
    widths = {"alpha": 1e-4, "return_60": 1e-4, "holding_period": 30.0, "elapsed_seconds": 900.0}
    metrics = {"count": pl.len(), "matched_qty": pl.col("matched_qty").sum(), "realized_pnl": pl.col("pnl").sum(),
               "markout_60": vf.viz.weighted_mean("return_60", "matched_qty"),
               "markout_60_coverage": vf.viz.coverage("return_60", "matched_qty")}  # fmt: skip
    keys = ["alpha_bin", "return_60_bin", "orderSide", "holding_period_bin", "elapsed_seconds_bin"]
    config = vf.Config(input_dir=folder / "days", output_dir=folder / "partials", binwidths=widths)
    for seed, date in enumerate(DATES):
        rng = random.Random(seed)
        day = pl.DataFrame([
            {"alpha": (a := rng.randrange(-4, 5)) * 1e-4, "orderSide": rng.choice(["Buy", "Sell", "Cancel"]),
             "return_60": None if rng.random() < 0.2 else (a + rng.randrange(-3, 4)) * 1e-4,
             "holding_period": rng.choice([30.0, 90.0, 900.0]), "elapsed_seconds": rng.uniform(0, 14_000),
             "matched_qty": rng.randrange(1, 5) * 100, "pnl": float(rng.randrange(-5, 6))}
            for _ in range(400)
        ])  # fmt: skip
        vf.save(day, folder / "days" / f"{date}.feather")
        vf.run(lambda df, ctx: vf.aggregate(vf.bin(df, widths), keys, metrics), config, date)
    return folder


def test_alpha_of_partials_is_alpha_of_the_days_binned_exactly(fills: Path) -> None:
    """The days' values stand on bin centres already, so both roads must give the same numbers."""
    of_days = vf.reports.alpha(fills / "days", "alpha", ["return_60"], quantiles=3)
    of_partials = vf.reports.alpha(fills / "partials", "alpha_bin", ["return_60_bin"], quantiles=3)
    for name in ("dates", "quantiles"):
        got, expected = of_partials.frames[name], of_days.frames[name]
        assert got.columns == expected.columns
        assert got.shape == expected.shape
        for column in got.columns:
            for a, b in zip(got[column], expected[column], strict=True):
                assert a == (b if isinstance(b, (str, int)) or b is None else pytest.approx(b, rel=1e-9))
    missing = {s.name: s.missing for s in of_partials.sections if s.missing}
    assert list(missing) == ["turnover"]


def test_trades_of_partials(fills: Path) -> None:
    report = vf.reports.trades(
        fills / "partials", markouts={60: "markout_60"}, alpha="alpha_bin", buckets=3, time_col="elapsed_seconds"
    )
    day = pl.concat(
        pl.read_ipc(path).with_columns(date=pl.lit(path.stem)) for path in sorted((fills / "days").iterdir())
    )
    for row in report.frame.iter_rows(named=True):
        mine = day.filter(pl.col("orderSide").is_in(["Buy", "Sell"] if row["side"] == "both" else [row["side"]]))
        there = mine.filter(pl.col("return_60").is_not_null())
        weight = there["matched_qty"].sum()
        assert row["rows"] == mine.height
        assert row["quantity"] == mine["matched_qty"].sum()
        assert row["markout_60"] == pytest.approx((there["return_60"] * there["matched_qty"]).sum() / weight, rel=1e-9)
        assert row["coverage_60"] == pytest.approx(weight / mine["matched_qty"].sum(), rel=1e-12)
    sells = day.filter(pl.col("orderSide") == "Sell")
    held = report.frames["holding"].group_by("bin").agg(pl.col("lots").sum())
    assert dict(held.iter_rows()) == {
        4: sells.filter(pl.col("holding_period") == 30).height, 5: sells.filter(pl.col("holding_period") == 90).height,
        8: sells.filter(pl.col("holding_period") == 900).height,
    }  # fmt: skip
    assert report.frames["profile"]["rows"].sum() == day.filter(pl.col("orderSide") != "Cancel").height
    assert report.frames["pnl_dates"].height == 4
    assert {s.name for s in report.sections if s.missing} == {"pnl", "sizes", "spread"}
    assert set(report.frames["alpha_buy"]["bucket"]) == {1, 2, 3}
    assert all(figure.data for figure in report.figures.values())
    with raises(ConfigError, "holds none of the sides"):
        vf.reports.trades(fills / "partials", buy=["long"], sell=["short"])
    with raises(SchemaError, "no metric 'markout_61'"):
        vf.reports.trades(fills / "partials", markouts={61: "markout_61"})
