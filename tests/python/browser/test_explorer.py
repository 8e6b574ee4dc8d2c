"""The explorer in a browser: what it shows is what `reduce` gives, whatever is brushed; and how it is to use."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import polars as pl
import pytest
from playwright.sync_api import Browser

import vizflow as vf
from browsing import CONTRAST, METRICS, NAMELESS, OVERLAPS, TITLE_ON_LABELS, UNITS, Open, Visit, dates, day, served
from vizflow.viz.explorer.engine import Engine
from vizflow.viz.explorer.source import CubeSource

BP = 1e4


def reduced(
    partials: Path, group_by: list[str], *filters: pl.Expr, span: tuple[str, str] | None = None
) -> pl.DataFrame:
    """Return what the page must show: filters on dimensions, then the states merged once more over the rest."""
    states = vf.reduce(partials, dates=span)
    plan = states_of(partials, span)
    kept = plan.filter(*filters) if filters else plan
    columns = [pl.col(name).sum() for name in ("n", "s", "w", "all", "qty", "r", "rn")]
    out = kept.group_by(group_by).agg(columns) if group_by else kept.select(columns)
    assert states.collect_schema().names()[:4] == ["alpha_bin", "hold_bin", "side", "venue"]
    return out.with_columns(
        markout=pl.when(pl.col("w") != 0).then(pl.col("s") / pl.col("w")),
        markout_coverage=pl.when(pl.col("all") != 0).then(pl.col("w") / pl.col("all")),
        ret=pl.when(pl.col("rn") > 0).then(pl.col("r") / pl.col("rn")),
    ).select(*group_by, "n", "markout", "markout_coverage", "qty", "ret")


def states_of(partials: Path, span: tuple[str, str] | None) -> pl.DataFrame:
    """Return sums of each cell from the days' own rows, in Polars alone."""
    frames = []
    for path in sorted((partials.parent / "days").iterdir()):
        if span is None or span[0] <= path.stem <= span[1]:
            frames.append(pl.read_ipc(path).with_columns(date=pl.lit(path.stem)))
    rows = pl.concat(frames).with_columns(
        alpha_bin=(pl.col("alpha") / 1e-4).round().cast(pl.Int64), hold_bin=(pl.col("hold") / 30).round().cast(pl.Int64)
    )
    there = pl.col("ret").is_not_null()
    return rows.group_by("date", "alpha_bin", "hold_bin", "side", "venue").agg(
        n=pl.len().cast(pl.Int64), s=(pl.col("ret") * pl.col("qty")).sum(),
        w=pl.col("qty").filter(there).sum().cast(pl.Float64), all=pl.col("qty").sum().cast(pl.Float64),
        qty=pl.col("qty").sum(), r=pl.col("ret").sum(), rn=there.sum(),
    )  # fmt: skip


def dense(frame: pl.DataFrame, keys: list[list[Any]], names: list[str], value: str) -> list[float | None]:
    found = {row[:-1]: row[-1] for row in frame.select(*names, value).iter_rows()}
    if len(keys) == 1:
        return [found.get((x,)) for x in keys[0]]
    return [found.get((x, y)) for y in keys[1] for x in keys[0]]


def check(visit: Visit, partials: Path, *filters: tuple[str, pl.Expr], span: tuple[str, str] | None = None) -> None:
    """Compare map, curve, series, total and table with the rows; each panel ignores the filters on its own axes."""
    axes = {a["name"]: a["keys"] for a in visit.page.evaluate("() => window.vizflow.about().axes")}
    x, y = axes["alpha_bin"], axes["hold_bin"]

    def without(*names: str) -> list[pl.Expr]:
        return [expr for name, expr in filters if name not in names]

    cells = reduced(partials, ["alpha_bin", "hold_bin"], *without("alpha_bin", "hold_bin"), span=span)
    for what, column in (("value", "markout"), ("rows", "n"), ("coverage", "markout_coverage")):
        same(visit.values("heat", what), dense(cells, [x, y], ["alpha_bin", "hold_bin"], column))
    curve = reduced(partials, ["alpha_bin"], *without("alpha_bin"), span=span)
    same(visit.values("curve"), dense(curve, [x], ["alpha_bin"], "markout"))
    series = [reduced(partials, [], *without("date"), span=(d, d)).row(0, named=True) for d in dates(12)]
    same(visit.values("series"), [row["markout"] for row in series])
    same(visit.values("series", "rows"), [row["n"] or None for row in series])
    total = reduced(partials, [], *without(), span=span).row(0, named=True)
    shown = visit.page.evaluate("() => window.vizflow.shown.panels.total")
    same([shown["value"], shown["rows"], shown["coverage"]], [total["markout"], total["n"], total["markout_coverage"]])
    table(visit, reduced(partials, ["alpha_bin", "hold_bin"], *without(), span=span))


def same(got: list[Any], expected: list[Any]) -> None:
    assert len(got) == len(expected)
    for a, b in zip(got, expected, strict=True):
        assert a == (b if b is None or isinstance(b, int) else pytest.approx(b, rel=1e-11, abs=1e-18))


def table(visit: Visit, expected: pl.DataFrame) -> None:
    rows = visit.page.evaluate(
        "() => Array.from(document.querySelectorAll('#vf-table tbody tr'),"
        " (r) => Array.from(r.children, (c) => c.dataset.v))"
    )
    assert len(rows) == min(100, expected.height)
    counts = sorted(expected["n"].to_list(), reverse=True)
    assert [int(row[2]) for row in rows] == counts[: len(rows)]
    known = {
        (None if a is None else round(a), None if h is None else round(h * 30)): rest
        for a, h, *rest in expected.iter_rows()
    }
    for alpha, hold, *rest in rows:
        key = (None if alpha == "∅" else int(alpha), None if hold == "∅" else int(hold))
        same([None if v is None else float(v) for v in rest], [None if v is None else float(v) for v in known[key]])


def test_what_is_shown_is_what_the_rows_give(visit: Open, address: str, partials: Path) -> None:
    reader = visit(address)
    check(reader, partials)
    assert reader.page.title() == "fills · VizFlow"
    assert reader.page.inner_text("#vf-summary") == "12 dates, 2024-01-02 to 2024-01-13"
    assert "bins of 1 bp" in reader.page.inner_text("#vf-heat-note")


def test_the_map_is_painted_where_there_is_a_value_and_by_its_sign(visit: Open, address: str) -> None:
    reader = visit(address)
    reader.page.select_option("#vf-extent", "all")
    reader.settle()
    pixels = reader.page.evaluate(
        """() => {
            const c = document.getElementById('vf-heat-cells'), g = c.getContext('2d');
            const p = window.vizflow.shown.panels.heat;
            const all = g.getImageData(0, 0, c.width, c.height).data;
            const at = (i, j) => {
                const x = Math.floor((i + 0.5) * c.width / p.nx), y = Math.floor((p.ny - j - 0.5) * c.height / p.ny);
                return Array.from(all.slice(4 * (y * c.width + x), 4 * (y * c.width + x) + 4));
            };
            return Array.from({length: p.nx * p.ny}, (_, k) => at(k % p.nx, Math.floor(k / p.nx)));
        }"""
    )
    values = reader.values("heat")
    assert len(pixels) == len(values)
    assert {None} < set(values)
    for value, (red, _, blue, alpha) in zip(values, pixels, strict=True):
        assert alpha == (0 if value is None else 255)
        if value is not None and abs(value) > 2e-5:
            assert (red > blue) == (value < 0)


def test_a_brush_on_the_map_filters_the_others(visit: Open, address: str, partials: Path) -> None:
    reader = visit(address)
    reader.drag("heat", (0.3, 0.2), (0.7, 0.6))
    where = reader.view()["where"]
    assert set(where) == {"alpha_bin", "hold_bin"}
    filters = [(name, pl.col(name).is_between(*pair)) for name, pair in where.items()]
    check(reader, partials, *filters)
    reader.shoot("brush-on-map")
    box = reader.page.locator("#vf-heat-brush")
    assert box.is_visible()
    reader.drag("heat", (0.5, 0.4), (0.6, 0.4))  # inside: moves
    moved = reader.view()["where"]
    assert moved["alpha_bin"][1] - moved["alpha_bin"][0] == where["alpha_bin"][1] - where["alpha_bin"][0]
    assert moved["alpha_bin"][0] > where["alpha_bin"][0]
    assert moved["hold_bin"] == where["hold_bin"]
    reader.page.click("#vf-clear")
    reader.settle()
    assert reader.view()["where"] == {}
    check(reader, partials)


def test_a_brush_on_the_dates_and_the_curve(visit: Open, address: str, partials: Path) -> None:
    reader = visit(address)
    reader.drag("series", (0.26, 0.5), (0.65, 0.5))
    span = tuple(reader.view()["dates"])
    assert span == ("20240105", "20240109")
    check(reader, partials, ("date", pl.lit(True)), span=span)  # type: ignore[arg-type]
    reader.drag("curve", (0.6, 0.5), (0.95, 0.5))
    low, high = reader.view()["where"]["alpha_bin"]
    check(reader, partials, ("alpha_bin", pl.col("alpha_bin").is_between(low, high)), span=span)  # type: ignore[arg-type]
    reader.shoot("brush-on-dates-and-curve")


def test_sliders_by_keyboard(visit: Open, address: str, partials: Path) -> None:
    reader = visit(address)
    reader.page.focus('input[data-dim="date"][data-end="low"]')
    for _ in range(3):
        reader.page.keyboard.press("ArrowRight")
    reader.page.focus('input[data-dim="date"][data-end="high"]')
    reader.page.keyboard.press("ArrowLeft")
    reader.page.focus('input[data-dim="hold_bin"][data-end="high"]')
    for _ in range(6):
        reader.page.keyboard.press("ArrowLeft")
    reader.settle()
    view = reader.view()
    assert view["dates"] == ["20240105", "20240112"]
    low, high = view["where"]["hold_bin"]
    check(reader, partials, ("hold_bin", pl.col("hold_bin").is_between(low, high)), span=("20240105", "20240112"))
    assert reader.page.get_attribute('input[data-dim="date"][data-end="low"]', "aria-valuetext") == "2024-01-05"
    reader.page.click('[data-dim="hold_bin"] .vf-x')
    reader.settle()
    assert reader.view()["where"] == {}


def test_chips_choose_categories_null_among_them(visit: Open, address: str, partials: Path) -> None:
    reader = visit(address)
    side = '[data-dim="side"] .vf-chip'
    reader.page.click(f'{side}[data-key="Buy"]')
    reader.settle()
    check(reader, partials, ("side", pl.col("side") == "Buy"))
    reader.page.click(f'{side}[data-key="∅"]')
    reader.settle()
    check(reader, partials, ("side", pl.col("side").eq_missing(pl.lit("Buy")) | pl.col("side").is_null()))
    assert reader.page.get_attribute(f'{side}[data-key="∅"]', "aria-pressed") == "true"
    reader.page.click(f'{side}[data-key="Buy"]')
    reader.page.click(f'{side}[data-key="∅"]')
    reader.settle()
    assert reader.view()["where"] == {}
    reader.page.click('[data-dim="venue"] .vf-chip[data-key="<b>&amp;</b>"]')
    reader.settle()
    check(reader, partials, ("venue", pl.col("venue") == "<b>&amp;</b>"))


def test_axes_metric_and_lines_change(visit: Open, address: str) -> None:
    reader = visit(address)
    page = reader.page
    page.select_option("#vf-x", "hold_bin")  # taken by y: they change places
    reader.settle()
    assert (reader.view()["x"], reader.view()["y"]) == ("hold_bin", "alpha_bin")
    page.select_option("#vf-y", "venue")
    page.select_option("#vf-metric", "n")
    page.select_option("#vf-by", "side")
    reader.settle()
    assert page.inner_text("#vf-curve-title") == "n by hold"
    assert [item.inner_text() for item in page.locator("#vf-curve-legend li").all()] == ["none", "Buy", "Sell"]
    assert len(page.evaluate("() => window.vizflow.shown.panels.curve.lines")) == 3
    reader.shoot("categories-and-lines")
    page.select_option("#vf-extent", "all")
    page.fill("#vf-min", "20")
    page.press("#vf-min", "Tab")
    reader.settle()
    assert "below 20 rows hidden" in page.inner_text("#vf-heat-note")
    page.go_back()
    reader.settle()
    assert reader.view()["min"] == 0
    assert page.input_value("#vf-min") == "0"


def test_the_address_holds_the_view(visit: Open, address: str) -> None:
    first = visit(address)
    first.page.select_option("#vf-by", "side")
    first.page.click('[data-dim="venue"] .vf-chip[data-key="<b>&amp;</b>"]')
    first.drag("heat", (0.3, 0.2), (0.7, 0.6))
    first.drag("series", (0.26, 0.5), (0.65, 0.5))
    first.page.wait_for_timeout(300)
    second = visit(first.page.url)
    assert second.view() == first.view()
    assert second.values("heat") == first.values("heat")
    given = parse_qs(urlsplit(first.page.url).query)
    assert given["d"] == ["20240105-20240109"]
    first.page.reload()
    first.settle()
    assert first.view() == second.view()
    stored = first.page.evaluate("() => window.dash_clientside && window.vizflow.view().metric")
    assert stored == "markout"


def test_an_address_of_other_data_says_what_it_left_out(visit: Open, address: str) -> None:
    reader = visit(f"{address}?x=nothing&m=markout&f.side=Buy,Never&f.alpha_bin=a:b&d=2024&min=-3")
    trouble = reader.page.inner_text("#vf-trouble")
    for part in ("x=nothing", "f.alpha_bin=a:b", "d=2024", "min=-3"):
        assert part in trouble
    assert reader.view()["where"] == {"side": ["Buy"]}


LINKS = [
    ("f.side=%25", "f.side=%", None),
    ("f.side=%2525,%25zz&x=%25", "x=%", None),
    ("%=%&f.%25=1&f.=,&f.alpha_bin=1e999:2&f.alpha_bin=99999999999999999999:1", "f.alpha_bin=1e999:2", None),
    ("f.alpha_bin=900000:900001&min=1e999&m=__proto__&by=constructor&sort=toString", "min=1e999", None),
    ("d=20300101-20301231", "d=20300101-20301231", None),
    ("d=20231201-20240103", "Beyond this data: dates 2023-12-01 to 2024-01-03", ["20231201", "20240103"]),
    ("f.alpha_bin=-900000:0", "f.alpha_bin=-900000:0: cut at the data's ends", None),
    ("m=" + "x" * 3_000, "m=xxx", None),
]


def test_a_link_of_anything_opens_and_says_what_it_left_out(visit: Open, address: str) -> None:
    reader = visit(f"{address}?{LINKS[0][0]}")
    for link, said, brushed in LINKS:
        reader.page.goto(f"{address}?{link}")
        reader.settle()
        trouble = reader.page.inner_text("#vf-trouble")
        assert said in trouble
        assert len(trouble) < 700
        assert reader.view()["dates"] == brushed
        assert reader.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
        assert any(v is not None for v in reader.values("series", "rows")), f"{link}: the panels are empty"


def test_names_as_folders_have_them_fit_and_are_spelled(visit: Open) -> None:
    names = ["n" * 300, "<b>&quot;%25</b>", "Größe"]
    rows = pl.DataFrame({names[0]: ["k" * 300, "a&quot;b", None, "<i>", "%"] * 4, names[1]: [2**53, 2**53 + 1] * 10,
                         names[2]: list(range(20)), "v": [float(k) for k in range(20)]})  # fmt: skip
    frame = vf.aggregate(rows, names, {"n": pl.len(), "m" * 200: pl.col("v").mean()})
    with served(Engine(CubeSource.of(frame, units=None, title="t" * 300))) as url:
        for width in (1480, 390):
            reader = visit(url, width=width)
            assert reader.page.inner_text("#vf-summary") == "dates merged"
            assert reader.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
            assert "&quot;" not in reader.page.inner_text(".vf-body").replace("a&quot;b", "").replace(names[1], "")
            ticks = reader.page.locator("#vf-heat .ytick text").all_text_contents()
            assert [tick[-4:] for tick in ticks] == ["0992", "0993"]
            reader.page.click(f"[data-key='{2**53 + 1}']")
            reader.settle()
            assert reader.view()["where"] == {names[1]: [str(2**53 + 1)]}
            reader.page.reload()
            reader.settle()
            assert reader.view()["where"] == {names[1]: [str(2**53 + 1)]}


def test_a_tap_reads_and_a_swipe_scrolls(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    try:
        context.set_default_timeout(120_000)
        reader = Visit(context.new_page())
        reader.page.goto(address)
        reader.settle()
        for name in ("heat", "curve", "series"):
            plot = reader.page.locator(f"#vf-{name}")
            plot.scroll_into_view_if_needed()
            box = plot.bounding_box()
            assert box is not None
            reader.page.touchscreen.tap(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.4)
            assert "rows" in reader.page.inner_text("#vf-tip")
            edges = reader.page.evaluate(
                "() => { const b = document.getElementById('vf-tip').getBoundingClientRect(); "
                "return [b.left, innerWidth - b.right, b.top, innerHeight - b.bottom]; }"
            )
            assert min(edges) >= 0, (name, edges)
            overlap = reader.page.evaluate(TITLE_ON_LABELS, f"#vf-{name}")
            assert overlap <= 0, name
            assert (
                reader.page.evaluate(
                    f"() => getComputedStyle(document.querySelector('#vf-{name}').parentElement).touchAction"
                )
                == "pan-y"
            )
        assert reader.view()["where"] == {}
        reader.page.locator("#vf-series-title").tap()
        assert not reader.page.locator("#vf-tip").is_visible()
    finally:
        context.close()


def test_exports_are_what_is_seen(visit: Open, address: str, partials: Path, tmp_path: Path) -> None:
    reader = visit(address)
    reader.page.click('[data-dim="side"] .vf-chip[data-key="Buy"]')
    reader.drag("series", (0.26, 0.5), (0.65, 0.5))
    expected = reduced(partials, ["alpha_bin", "hold_bin"], pl.col("side") == "Buy", span=("20240105", "20240109"))
    expected = expected.sort("alpha_bin", "hold_bin")
    for kind in ("csv", "parquet"):
        with reader.page.expect_download() as started:
            reader.page.click(f"#vf-{kind}")
        path = tmp_path / started.value.suggested_filename
        assert path.name == f"fills-alpha_bin-hold_bin.{kind}"
        started.value.save_as(path)
        got = pl.read_csv(path) if kind == "csv" else pl.read_parquet(path)
        assert got.columns == ["alpha_bin", "hold_bin", *METRICS]
        assert got.height == expected.height
        for name in got.columns:
            same(got[name].to_list(), expected[name].to_list())
    with (tmp_path / "fills-alpha_bin-hold_bin.csv").open(encoding="utf-8") as file:
        assert next(csv.reader(file)) == ["alpha_bin", "hold_bin", *METRICS]


def test_the_table_sorts(visit: Open, address: str, partials: Path) -> None:
    reader = visit(address)
    reader.page.click("#vf-table th:has-text('qty') button")
    reader.settle()
    column = "() => Array.from(document.querySelectorAll('#vf-table tbody tr'), (r) => Number(r.children[5].dataset.v))"
    shown = reader.page.evaluate(column)
    assert shown == sorted(reduced(partials, ["alpha_bin", "hold_bin"])["qty"].to_list(), reverse=True)[:100]
    reader.page.click("#vf-table th:has-text('qty') button")
    reader.settle()
    assert reader.page.evaluate(column) == sorted(shown_all(partials))[:100]
    assert reader.page.get_attribute("#vf-table th:has-text('qty')", "aria-sort") == "ascending"


def shown_all(partials: Path) -> list[int]:
    return reduced(partials, ["alpha_bin", "hold_bin"])["qty"].to_list()


def test_missing_markouts_are_not_zero_on_the_page(visit: Open) -> None:
    """w = 100 x 4, v = [10, 10, null, null]: the page says 10 and 50 %."""
    rows = pl.DataFrame({"a_bin": [0] * 4, "side": ["B"] * 4, "w": [100.0] * 4, "v": [10.0, 10.0, None, None]})
    metrics = {"v": vf.viz.weighted_mean("v", "w"), "v_coverage": vf.viz.coverage("v", "w"), "n": pl.len()}
    cube = vf.Cube.from_partials({d: vf.aggregate(rows, ["a_bin", "side"], metrics) for d in ("20240102", "20240103")})
    with served(Engine(CubeSource.of(cube, units=None, title="four rows"))) as url:
        reader = visit(url)
        text = reader.page.inner_text("#vf-total")
        assert [line for line in text.split("\n") if line.strip()][:6] == [
            "v",
            "10 ± 0",
            "rows",
            "8",
            "coverage",
            "50 %",
        ]
        assert reader.values("heat") == [10]
        assert reader.values("series") == [10, 10]


# ---- how it is to use -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1480, 1000, 420])
def test_it_can_be_read_and_used_at_every_width_and_theme(visit: Open, address: str, width: int, dark: bool) -> None:
    reader = visit(f"{address}?by=side", width=width, height=1000, dark=dark)
    reader.shoot(f"explorer-{width}-{'dark' if dark else 'light'}", whole=width < 1400)
    assert reader.page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, "it scrolls sideways"
    assert reader.page.evaluate(CONTRAST) == []
    assert reader.page.evaluate(NAMELESS) == []
    assert reader.page.evaluate(OVERLAPS) == []


def test_dark_mode_is_kept_and_redraws(visit: Open, address: str) -> None:
    reader = visit(address)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = reader.page.evaluate(ground)
    reader.page.keyboard.press("d")
    reader.settle()
    assert reader.page.evaluate(ground) != light
    assert reader.page.get_attribute("#vf-theme", "aria-pressed") == "true"
    tick = "() => getComputedStyle(document.querySelector('#vf-heat .xtick text')).fill"
    assert reader.page.evaluate(tick) == "rgb(163, 171, 179)"
    reader.page.reload()
    reader.settle()
    assert reader.page.evaluate("() => document.documentElement.dataset.theme") == "dark"


def test_cells_are_read_and_brushed_by_keyboard(visit: Open, address: str) -> None:
    reader = visit(address)
    page = reader.page
    page.focus("#vf-heat")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    spoken = page.inner_text("#vf-tip")
    assert "alpha" in spoken
    assert "markout" in spoken
    assert page.get_attribute("#vf-tip", "aria-live") == "polite"
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    reader.settle()
    low, high = reader.view()["where"]["alpha_bin"]
    assert high - low == 3
    page.keyboard.press("Escape")
    reader.settle()
    assert reader.view()["where"] == {}


def test_focus_can_be_seen_on_every_control(visit: Open, address: str) -> None:
    reader = visit(address)
    page = reader.page
    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        found = page.evaluate(
            """() => { const n = document.activeElement, s = getComputedStyle(n);
                 if (n === document.body) return [null]; const
                 t = n.type === 'range' ? getComputedStyle(n, '::-webkit-slider-thumb') : s;
                 return [n.id || n.dataset.dim || n.textContent, n.matches(':focus-visible'),
                         n.type === 'range' || (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2)]; }"""
        )
        if found[0] is None:  # beyond the page
            break
        seen.append(found[0])
        assert found[1], found
        assert found[2], found
    for name in (
        "vf-link",
        "vf-csv",
        "vf-theme",
        "vf-metric",
        "vf-x",
        "vf-min",
        "date",
        "alpha_bin",
        "vf-heat",
        "vf-curve",
    ):
        assert name in seen


def test_help_opens_and_closes_with_keys(visit: Open, address: str) -> None:
    reader = visit(address)
    reader.page.keyboard.press("?")
    assert reader.page.locator("#vf-help").is_visible()
    reader.shoot("keys")
    reader.page.keyboard.press("Escape")
    assert not reader.page.locator("#vf-help").is_visible()
    reader.page.keyboard.press("m")
    assert reader.page.evaluate("() => document.activeElement.id") == "vf-metric"


def test_dates_move_with_brackets(visit: Open, address: str) -> None:
    reader = visit(f"{address}?d=20240103-20240105")
    reader.page.keyboard.press("]")
    reader.settle()
    assert reader.view()["dates"] == ["20240104", "20240106"]
    reader.page.keyboard.press("}")
    reader.settle()
    assert reader.view()["dates"] == ["20240107", "20240109"]
    for _ in range(9):
        reader.page.keyboard.press("[")
    reader.settle()
    assert reader.view()["dates"] == ["20240102", "20240104"]


def test_pointing_shows_value_rows_and_coverage(visit: Open, address: str) -> None:
    reader = visit(address)
    box = reader.page.locator("#vf-curve").bounding_box()
    assert box is not None
    reader.page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.4)
    text = reader.page.inner_text("#vf-tip")
    for part in ("alpha", "bp", "±", "rows", "coverage", "%"):
        assert part in text


# ---- troubles ---------------------------------------------------------------------------------------------------


class Broken:
    """A source that fails when it is asked for a curve over alpha."""

    def __init__(self, source: CubeSource) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def look(self, metric: str, by: list[str], where: Any, *, clustered: bool) -> pl.DataFrame:
        if list(by) == ["alpha_bin"] and clustered:
            raise RuntimeError("the disk is on fire\nand more lines of it")
        return self._source.look(metric, by, where, clustered=clustered)


def test_a_failing_panel_shows_its_error_and_the_rest_go_on(visit: Open, source: CubeSource) -> None:
    with served(Engine(Broken(source))) as url:  # type: ignore[arg-type]
        reader = visit(url)
        error = reader.page.locator("#vf-curve-error")
        assert error.is_visible()
        assert error.inner_text() == "RuntimeError: the disk is on fire"
        assert not reader.page.locator("#vf-curve").is_visible()
        assert reader.page.locator("#vf-heat").is_visible()
        assert any(v is not None for v in reader.values("heat"))
        assert any(v is not None for v in reader.values("series"))
        reader.shoot("failing-panel")
        reader.page.select_option("#vf-x", "hold_bin")  # what does not fail is shown again
        reader.settle()
        assert not error.is_visible()
        assert reader.page.locator("#vf-curve").is_visible()


def test_a_server_that_went_away_is_said(visit: Open, source: CubeSource) -> None:
    with served(Engine(source)) as url:
        reader = visit(url)
        before = reader.values("heat")
        reader.page.route("**/_vizflow/answer", lambda route: route.abort())
        reader.page.keyboard.press("c")
        reader.page.click('[data-dim="side"] .vf-chip[data-key="Buy"]')
        reader.settle()
        assert "does not answer" in reader.page.inner_text("#vf-trouble")
        assert reader.values("heat") == before
        reader.page.unroute("**/_vizflow/answer")
        reader.page.click('[data-dim="side"] .vf-chip[data-key="Sell"]')
        reader.settle()
        assert reader.page.locator("#vf-trouble").is_hidden()
        reader.troubles.clear()  # Chromium logs the refused requests


def test_readers_do_not_share_what_they_look_at(visit: Open, address: str, partials: Path) -> None:
    one, two = visit(address), visit(address)
    one.page.click('[data-dim="side"] .vf-chip[data-key="Buy"]')
    two.page.select_option("#vf-metric", "qty")
    one.settle()
    two.settle()
    assert one.view()["metric"] == "markout"
    assert two.view()["where"] == {}
    check(one, partials, ("side", pl.col("side") == "Buy"))


@pytest.mark.slow
def test_three_hundred_dates(visit: Open) -> None:
    days = {
        date: vf.aggregate(
            vf.bin(day(seed, 350), {"alpha": 1e-4, "hold": 30.0}), ["alpha_bin", "hold_bin", "side", "venue"], METRICS
        )
        for seed, date in enumerate(dates(300))
    }
    cube = vf.Cube.from_partials(days, bins={"alpha_bin": 1e-4, "hold_bin": 30.0})
    with served(Engine(CubeSource.of(cube, units=UNITS, title="300 dates"))) as url:
        reader = visit(url)
        assert "300 dates" in reader.page.inner_text("#vf-summary")
        reader.drag("series", (0.3, 0.5), (0.6, 0.5))
        low, high = reader.view()["dates"]
        expected = vf.reduce(days, dates=(low, high), group_by=["alpha_bin"]).collect()
        keys = next(
            a["keys"] for a in reader.page.evaluate("() => window.vizflow.about().axes") if a["name"] == "alpha_bin"
        )
        assert reader.values("curve") == dense(expected, [keys], ["alpha_bin"], "markout")
        assert reader.values("curve", "rows") == dense(expected, [keys], ["alpha_bin"], "n")
        both = vf.reduce(days, dates=(low, high), group_by=["alpha_bin", "hold_bin"]).collect()
        holds = next(
            a["keys"] for a in reader.page.evaluate("() => window.vizflow.about().axes") if a["name"] == "hold_bin"
        )
        assert reader.values("heat") == dense(both, [keys, holds], ["alpha_bin", "hold_bin"], "markout")
        reader.shoot("300-dates")
        asked = json.loads(json.dumps(reader.page.evaluate("() => window.vizflow.timing.slice(-1)[0]")))
        assert set(asked["panels"]) == {"total", "heat", "curve"}, "a brush on dates does not ask for the dates again"
