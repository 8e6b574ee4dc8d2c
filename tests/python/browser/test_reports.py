"""Saved reports opened from disk, the network cut: every figure drawn, in both themes, at every width."""

from __future__ import annotations

import math
import random
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser

import vizflow as vf
from browsing import CONTRAST, NAMELESS, SCREENSHOTS, TITLE_ON_LABELS


def day(seed: int, rows: int = 2_000) -> pl.DataFrame:
    rng = random.Random(seed)
    out = []
    for k in range(rows):
        a = rng.gauss(0, 3)
        out.append({
            "symbol": rng.randrange(60), "elapsed_seconds": 14_400 * k / rows, "a": None if rng.random() < 0.05 else a,
            "return_60": None if rng.random() < 0.2 else a * 1e-5 + rng.gauss(0, 2e-4),
            "return_300": None if rng.random() < 0.3 else a * 2e-5 + rng.gauss(0, 4e-4),
            "orderSide": rng.choice(["Buy", "Sell"]), "matched_qty": rng.randrange(1, 50) * 100,
            "fillPrice": rng.uniform(5, 50), "is_closed": True, "holding_period": rng.expovariate(1 / 400),
            "realized_pnl": round(math.copysign(rng.expovariate(1 / 300), rng.gauss(0.1, 1)), 2),
        })  # fmt: skip
    return pl.DataFrame(out)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    more = [(pl.col("return_60") * h / 60).alias(f"return_{h}") for h in (1, 5, 10, 600, 1800, 3600)]
    days = {f"202401{d:02d}": day(d, 7_000 if d == 6 else 2_000).with_columns(more) for d in range(2, 7)}
    return {
        "alpha": vf.reports.alpha(days, "a").save(folder / "alpha.html"),
        "trades": vf.reports.trades(days, alpha="a").save(folder / "trades.html"),
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["alpha", "trades"])
def test_a_report_opens_without_a_network(
    browser: Browser, saved: dict[str, Path], name: str, width: int, dark: bool
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 1000}, color_scheme="dark" if dark else "light", offline=True
    )
    try:
        context.set_default_timeout(120_000)
        page = context.new_page()
        troubles: list[str] = []
        asked: list[str] = []
        page.on("console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda r: asked.append(r.url))
        page.goto(saved[name].as_uri())
        page.wait_for_timeout(1_000)
        drawn = page.evaluate(
            "() => Array.from(document.querySelectorAll('.plot'), (p) => p.querySelectorAll('svg').length)"
        )
        assert len(drawn) >= 7
        assert all(drawn)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"report-{name}-{width}-{'dark' if dark else 'light'}.png", full_page=True)
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, "it scrolls sideways"
        beyond = page.evaluate("() => ((s) => s.scrollWidth - s.clientWidth)(document.querySelector('.summary'))")
        assert beyond <= 0 or width == 390, "eight horizons do not fit"
        for plot in page.locator(".plot").all():
            assert page.evaluate(TITLE_ON_LABELS, f"#{plot.get_attribute('id')}") <= 0
        assert page.evaluate(CONTRAST) == []
        assert page.evaluate(NAMELESS) == []
        ground = "() => getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(ground)
        page.click("#theme")
        page.wait_for_timeout(300)
        assert page.evaluate(ground) != before
        assert page.evaluate(CONTRAST) == []
        page.click("details summary >> nth=0")
        assert page.locator("details table >> nth=0").is_visible()
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
        assert troubles == []
    finally:
        context.close()


# What of a page does not fit on paper: figures and tables wider than their section, tables that scroll.
CUT = """() => {
  const out = [];
  for (const node of document.querySelectorAll('.plot svg.main-svg, table')) {
    if (!node.checkVisibility()) continue;
    const box = node.getBoundingClientRect();
    if (box.left < 0 || box.right > innerWidth + 0.5) out.push(`${node.tagName} to ${box.right} of ${innerWidth}`);
  }
  for (const node of document.querySelectorAll('.scroll')) {
    if (node.checkVisibility() && getComputedStyle(node).maxHeight !== 'none') out.push('a table that scrolls');
  }
  for (const node of document.querySelectorAll('.plot')) {
    const drawn = node.querySelector('svg.main-svg').getBoundingClientRect();
    if (drawn.height > node.clientHeight + 0.5) out.push(`a figure of ${drawn.height} in ${node.clientHeight}`);
  }
  return out;
}"""


@pytest.mark.parametrize("name", ["alpha", "trades"])
def test_a_report_on_paper_is_whole(browser: Browser, saved: dict[str, Path], name: str) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 1000}, color_scheme="dark", offline=True)
    try:
        context.set_default_timeout(120_000)
        page = context.new_page()
        page.goto(saved[name].as_uri())
        page.wait_for_function("() => document.querySelectorAll('.plot svg').length > 0")
        closed = page.locator("details:not([open])").count()
        assert closed >= 7
        if name == "alpha":  # fires beforeprint and afterprint
            assert page.pdf(format="A4").startswith(b"%PDF")
        assert page.locator("details:not([open])").count() == closed
        assert page.evaluate("() => 'theme' in document.documentElement.dataset") is False
        # The same by hand, to be looked at: A4 and Letter between margins of 12 mm are 703 and 725 pixels wide.
        page.set_viewport_size({"width": 703, "height": 1000})
        page.emulate_media(media="print")
        page.evaluate("() => dispatchEvent(new Event('beforeprint'))")
        assert page.evaluate(CUT) == []
        assert (
            page.evaluate("() => getComputedStyle(document.querySelector('section')).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        for part in page.locator("details").all():
            assert part.locator("table").is_visible() or part.locator("tbody tr").count() > 120
        assert page.locator("details table:visible").count() >= 5
        assert page.evaluate(CONTRAST) == []
    finally:
        context.close()
