"""What the pages' tests share: the counts, written at the end as build/trust/docs.json where all were run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from doc_blocks import ROOT, Counts


@pytest.fixture(scope="session")
def counts() -> Counts:
    """Return the session's counts of blocks."""
    return Counts()


@pytest.fixture(scope="session")
def figures() -> dict[str, Any]:
    """Return what other tests counted: a line of the table each."""
    return {}


@pytest.fixture(scope="session", autouse=True)
def table(request: pytest.FixtureRequest, counts: Counts, figures: dict[str, Any]) -> Iterator[None]:
    """Print the counts, and write them down unless only some tests were chosen or one failed."""
    yield
    rows = [
        {"what": f"blocks run, {name}", "value": number, "detail": DETAIL[name]}
        for name, number in sorted(counts.run.items())
    ]
    shown = "what a page shows is what was printed"
    rows.append({"what": "outputs compared", "value": counts.compared, "detail": shown})
    reasons = "; ".join(f"{place}: {why}" for place, why in sorted(counts.left_out))
    rows.append({"what": "blocks not run", "value": len(counts.left_out), "detail": reasons or "none"})
    rows += [{"what": what, "value": value, "detail": detail} for what, (value, detail) in sorted(figures.items())]
    whole = len({item.fspath for item in request.session.items if "python/docs" in str(item.fspath)}) >= 2
    if not whole or request.session.testsfailed or request.config.option.keyword or request.config.option.markexpr:
        return
    path = ROOT / "build" / "trust" / "docs.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    report = {"title": "Documentation that runs", "command": "make test-docs", "rows": rows}
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


DETAIL = {
    "python": "executed page by page in order",
    "sh": "by bash -euo pipefail on generated days",
    "c": "compiled with -Wall -Wextra -Wpedantic -Werror against the installed library, and run",
    "toml": "loaded as a Config",
}
