"""Saved reports opened from disk, the network cut: every figure drawn, in both themes, at every width."""

from __future__ import annotations

import math
import random
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser

import vizflow as vf
from browsing import CONTRAST, NAMELESS, SCREENSHOTS


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
    days = {f"202401{d:02d}": day(d, 7_000 if d == 9 else 2_000) for d in range(2, 10)}
    return {
        "alpha": vf.reports.alpha(days, "a").save(folder / "alpha.html"),
        "trades": vf.reports.trades(days, alpha="a").save(folder / "trades.html"),
    }


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1480, 420])
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
