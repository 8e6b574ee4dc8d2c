"""How Sphinx makes the site of docs/ (`make docs`): Markdown through MyST, every warning an error.

Not for the reference's text: tools/make_reference.py writes that from the docstrings.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

_DOCS = Path(__file__).resolve().parent
_found = re.search(r'^version = "(.+)"', (_DOCS.parent / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)

project = "VizFlow"
release = version = _found[1] if _found else ""
extensions = ["myst_parser"]
root_doc = "index"
exclude_patterns = ["_build"]
html_extra_path = ["../python/vizflow/SKILL.md", "../python/vizflow/llms.txt"]  # for readers that are programs
templates_path: list[str] = []

myst_heading_anchors = 4  # the anchors forges make, so that a link is right in both places
html_theme = "furo"  # its fonts are the reader's, its script and styles are its own: nothing is loaded from elsewhere
html_title = f"VizFlow {release}"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
highlight_language = "text"
pygments_style = "default"


_ON_SITE = {  # pages of the repository that lie outside docs/, and where the site has them
    "ARCHITECTURE.md": "architecture.md",
    "CHANGELOG.md": "changelog.md",
    "README.md": "index.md",
    "SECURITY.md": "security.md",
    "examples/c/README.md": "how-to/c-library.md",
}


def _here(app: Sphinx, name: str, source: list[str]) -> None:
    """Lead links that leave docs/ for such a page to where it is on the site."""
    up = "../" * name.count("/")
    for outside, page in _ON_SITE.items():
        source[0] = source[0].replace(f"](../{up}{outside}", f"]({up}{page}")


def _there(app: Sphinx, name: str, source: list[str]) -> None:
    """Leave out of the menu what is not there: pages that other scripts make, such as docs/c-reference.md."""
    if name == root_doc:
        lines = source[0].splitlines()
        source[0] = "\n".join(line for line in lines if not line.endswith("*") or any(_DOCS.glob(f"{line}.md")))


def setup(app: Sphinx) -> None:
    """Tell Sphinx of both."""
    app.connect("source-read", _here)
    app.connect("source-read", _there)
