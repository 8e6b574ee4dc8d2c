"""What the browser's tests share: where Chromium is, data to look at, explorers served, and a reader's page.

Not fixtures: `browser/conftest.py` has those.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import waitress
from playwright.sync_api import Page

import vizflow as vf
from vizflow.viz.explorer import page as _page
from vizflow.viz.explorer.engine import Engine

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
    "--disable-component-update", "--no-first-run",
]  # fmt: skip
UNITS = {"alpha": "bp", "markout": "bp", "ret": "bp", "hold": "s"}
WIDTHS = {"alpha": 1e-4, "hold": 30.0}
METRICS = {
    "n": pl.len(),
    "markout": vf.viz.weighted_mean("ret", "qty"),
    "markout_coverage": vf.viz.coverage("ret", "qty"),
    "qty": pl.col("qty").sum(),
    "ret": pl.col("ret").mean(),
}


def chromium() -> str:
    """Find the browser; a machine without one fails these tests, it does not skip them."""
    names = (os.environ.get("VIZFLOW_CHROMIUM", "chromium"), "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("no Chromium: apt-get install chromium, or set VIZFLOW_CHROMIUM to its path")
    return found


def dates(n: int) -> list[str]:
    first = dt.date(2024, 1, 2)
    return [(first + dt.timedelta(days=k)).strftime("%Y%m%d") for k in range(n)]


def day(seed: int, rows: int) -> pl.DataFrame:
    rng = random.Random(seed)
    out = {"alpha": [], "hold": [], "side": [], "venue": [], "ret": [], "qty": []}  # type: ignore[var-annotated]
    for _ in range(rows):
        a = max(-12e-4, min(12e-4, rng.gauss(0, 4e-4)))
        out["alpha"].append(None if rng.random() < 0.02 else a)
        out["hold"].append(min(470.0, rng.expovariate(1 / 120)))
        out["side"].append(rng.choice(["Buy", "Sell", None] if rng.random() < 0.1 else ["Buy", "Sell"]))
        out["venue"].append(rng.choice(["SSE", "SZSE", "<b>&amp;</b>"]))
        noise = rng.gauss(0, 8e-4)
        out["ret"].append(None if rng.random() < 0.25 else a * 0.1 * (1 + math.sin(seed / 9)) + noise)
        out["qty"].append(rng.randrange(1, 10) * 100)
    return pl.DataFrame(out)


def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(vf.bin(df, WIDTHS), ["alpha_bin", "hold_bin", "side", "venue"], METRICS)


@contextmanager
def served(engine: Engine) -> Iterator[str]:
    """Serve an engine from a thread; give its address."""
    app = _page.make(engine, units=None, title=None, allowed_hosts=(), url_base="/")
    server = waitress.create_server(app.server, host="127.0.0.1", port=0, threads=6)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}/"
    finally:
        server.close()
        thread.join(timeout=10)


@dataclass
class Visit:
    """A reader's page, and what went wrong on it."""

    page: Page
    troubles: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    def settle(self) -> None:
        """Wait until the page shows the answer to what it was asked last, its table included."""
        self.page.wait_for_timeout(60)
        for _ in range(400):
            if self.page.evaluate("() => Boolean(window.vizflow && window.vizflow.idle())"):
                return
            self.page.wait_for_timeout(25)
        raise AssertionError(f"the page does not settle: {self.troubles}")

    def view(self) -> dict[str, Any]:
        return dict(self.page.evaluate("() => JSON.parse(JSON.stringify(window.vizflow.view()))"))

    def values(self, panel: str, what: str = "value") -> list[float | None]:
        """Return a panel's numbers as the page holds them; NaN, which is 'nothing there', as None."""
        script = f"""() => {{
            const p = window.vizflow.shown.panels[{panel!r}], part = p.lines ? p.lines[0] : p;
            return Array.from(part[{what!r}], (v) => (Number.isNaN(v) ? null : v));
        }}"""
        return list(self.page.evaluate(script))

    def drag(self, plot: str, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag in a plot, in shares of its inner width and height from the left and the top."""
        box = self.page.locator(f"#vf-{plot}").bounding_box()
        inner = self.page.evaluate(f"() => window.vizflow.plots[{plot!r}].inner")
        assert box is not None

        def at(share: tuple[float, float]) -> tuple[float, float]:
            return (box["x"] + inner["left"] + share[0] * inner["width"],
                    box["y"] + inner["top"] + share[1] * inner["height"])  # fmt: skip

        self.page.mouse.move(*at(start))
        self.page.mouse.down()
        self.page.mouse.move(*at(((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)))
        self.page.mouse.move(*at(end))
        self.page.mouse.up()
        self.settle()

    def shoot(self, name: str, *, whole: bool = False) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(2, 2)
        self.page.wait_for_timeout(120)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)


Open = Callable[..., Visit]


# ---- what is wrong with a page, as scripts that list it

CONTRAST = """() => {
  // Text whose contrast on its ground is below 4.5 (WCAG 2.2 AA).
  const parse = (c) => { const m = c.match(/[\\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
  const linear = (v) => (v <= 10.31 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const ground = (node) => { const stack = [];
    for (let n = node; n; n = n.parentElement) stack.push(parse(getComputedStyle(n).backgroundColor));
    return stack.reverse().reduce((under, top) => over(top, under), [255, 255, 255]); };
  const out = [];
  for (const node of document.querySelectorAll('body *')) {
    const own = Array.from(node.childNodes).some((c) => c.nodeType === 3 && c.textContent.trim());
    if (!own || !node.checkVisibility() || /^(SCRIPT|STYLE|OPTION)$/.test(node.tagName)) continue;
    const style = getComputedStyle(node), svg = node instanceof SVGElement;
    const ink = over(parse(svg ? style.fill : style.color), ground(svg ? node.closest('div') : node));
    const [a, b] = [light(ink), light(ground(svg ? node.closest('div') : node))].sort((p, q) => q - p);
    const ratio = (a + 0.05) / (b + 0.05);
    const said = `${node.tagName}.${node.getAttribute('class')} "${node.textContent.slice(0, 20)}" ${ratio.toFixed(2)}`;
    if (ratio < 4.5) out.push(said);
  }
  return out;
}"""

NAMELESS = """() => Array.from(document.querySelectorAll('button, a, input, select, [tabindex="0"]'))
  .filter((n) => n.checkVisibility() && !(n.textContent.trim() || n.getAttribute('aria-label') || n.title
    || (n.labels && n.labels.length) || n.getAttribute('aria-labelledby')))
  .map((n) => n.outerHTML.slice(0, 80))"""

OVERLAPS = """() => {
  // Controls that lie on one another. The two knobs of a range share a track on purpose.
  const nodes = Array.from(document.querySelectorAll('button, a, select, input[type=number], output, h1, h2, .vf-note'))
    .filter((n) => n.checkVisibility() && n.getBoundingClientRect().width)
    .filter((n) => !n.closest('.vf-table') && !n.closest('.vf-header'));
  const out = [];
  nodes.forEach((a, i) => nodes.slice(i + 1).forEach((b) => {
    if (a.contains(b) || b.contains(a)) return;
    const p = a.getBoundingClientRect(), q = b.getBoundingClientRect();
    const across = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    if (across > 1 && Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top) > 1)
      out.push(`${a.outerHTML.slice(0, 50)} / ${b.outerHTML.slice(0, 50)}`);
  }));
  return out;
}"""

TITLE_ON_LABELS = """(selector) => {
  // By how many pixels the title of a plot's value axis lies on its labels.
  const plot = document.querySelector(selector), title = plot.querySelector('.ytitle');
  if (!title) return 0;
  const box = title.getBoundingClientRect();
  const labels = Array.from(plot.querySelectorAll('.ytick text'), (n) => n.getBoundingClientRect().left);
  return Math.max(0, ...labels.map((left) => box.right - left));
}"""
