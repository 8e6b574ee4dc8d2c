"""Check the built site, `python tools/check_site.py build/site`: every page is there, nothing is loaded from elsewhere.

Not for links between pages: Sphinx has refused those that lead nowhere.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path

LOADS = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "audio": "src",
    "video": "src",
}
FETCHED = ("stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload", "manifest")
ELSEWHERE = re.compile(r"^(?:[a-z]+:)?//", re.IGNORECASE)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        target = values.get(LOADS.get(tag, ""))
        kinds = (values.get("rel") or "").lower().split()
        if target and (tag != "link" or any(kind in FETCHED for kind in kinds)):
            self.loaded.append(target)


def faults(site: Path) -> list[str]:
    """Return a line for each thing that a page, a style or a script loads from another host."""
    found = []
    for path in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        found += [f"{path.relative_to(site)}: loads {target}" for target in page.loaded if ELSEWHERE.match(target)]
    for path in sorted(site.rglob("*.css")):
        text = path.read_text(encoding="utf-8")
        for target in re.findall(r"(?:@import\s+|url\()\s*[\"']?([^\"')\s;]+)", text):
            if ELSEWHERE.match(target):
                found.append(f"{path.relative_to(site)}: loads {target}")
    return found


def main() -> int:
    """Print the faults; 1 where there are any."""
    site = Path(sys.argv[1])
    pages = list(site.rglob("*.html"))
    told = faults(site)
    if not (site / "index.html").exists() or not (site / "searchindex.js").exists():
        told.append(f"{site}: no index.html, or nothing to search in")
    docs = Path(__file__).resolve().parent.parent / "docs"
    told += [
        f"{page.relative_to(docs)}: not on the site"
        for page in sorted(docs.rglob("*.md"))
        if not (site / page.relative_to(docs)).with_suffix(".html").exists()
    ]
    print(*told or [f"site: {len(pages)} pages, nothing loaded from elsewhere: {site / 'index.html'}"], sep="\n")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
