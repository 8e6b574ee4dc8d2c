"""Chromium, and explorers to point it at. Debian's ``chromium`` is driven by Playwright; none is downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

import vizflow as vf
from browsing import FLAGS, UNITS, Open, Visit, chromium, dates, day, pipeline, served
from vizflow.viz.explorer.engine import Engine
from vizflow.viz.explorer.source import CubeSource


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def partials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    config = vf.Config(input_dir=folder / "days", output_dir=folder / "fills")
    for seed, date in enumerate(dates(12)):
        vf.save(day(seed, 900), folder / "days" / f"{date}.feather")
        vf.run(pipeline, config, date)
    return folder / "fills"


@pytest.fixture(scope="session")
def source(partials: Path) -> CubeSource:
    return CubeSource.of(partials, units=UNITS, title=None)


@pytest.fixture(scope="session")
def address(source: CubeSource) -> Iterator[str]:
    with served(Engine(source)) as url:
        yield url


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open pages, each as a reader of its own; fail where a page complains or asks for anything elsewhere."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def go(url: str, *, width: int = 1480, height: int = 1000, dark: bool = False, ready: bool = True) -> Visit:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", accept_downloads=True
        )
        context.set_default_timeout(120_000)  # of a busy machine; nothing is timed here
        contexts.append(context)
        made = Visit(context.new_page())
        visits.append(made)
        made.page.on("console", lambda m: made.troubles.append(m.text) if m.type in ("error", "warning") else None)
        made.page.on("pageerror", lambda error: made.troubles.append(str(error)))
        origin = url.split("?", 1)[0]
        own = (origin, "data:", "blob:")
        made.page.on("request", lambda r: made.foreign.append(r.url) if not r.url.startswith(own) else None)
        made.page.goto(url)
        if ready:
            made.settle()
        return made

    yield go
    for context in contexts:
        context.close()
    for made in visits:
        assert made.foreign == [], "the page asked elsewhere"
        assert made.troubles == [], "the page complained"
