"""Every block of every page runs, or says why not; every link leads to a page and an anchor that are there."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import vizflow as vf
from doc_blocks import ROOT, Block, Counts, Reader, blocks, environment, furnish

PLACES = ("*.md", "docs/**/*.md", "examples/**/*.md", "python/vizflow/*.md")
PAGES = [page for where in PLACES for page in sorted(ROOT.glob(where))]
ELSEWHERE = {
    "docs/reference": "made from the docstrings, whose examples test_docs.py runs",
    "docs/c-reference.md": "made from the header, which every C test compiles",
    "examples/c/README.md": "its programs are built, run and compared with it by `make test-install`",
}
LINK = re.compile(r"(?<!!)\[(?:[^\]\[]|\[[^\]]*\])*\]\(([^)\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def checked_elsewhere(page: Path) -> str:
    """Say where a page's blocks are run, where that is not here."""
    return next((why for prefix, why in ELSEWHERE.items() if name_of(page).startswith(prefix)), "")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that `make demo` leaves, small: days, partials and reports."""
    pytest.importorskip("numpy")
    folder = tmp_path_factory.mktemp("demo") / "demo-output"
    command = [sys.executable, "-m", "vizflow", "demo", "--output", folder, "--rows", "2000", "--symbols", "10"]
    subprocess.run([*command, "--dates", "20240102"], check=True, capture_output=True, timeout=300)
    return folder


@pytest.fixture
def folder(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder as a reader has it: a checkout in which `make demo` was run."""
    shutil.copytree(demo, tmp_path / "demo-output")
    furnish(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name, value in environment(tmp_path).items():
        if name != "HOME":
            monkeypatch.setenv(name, value)
    return tmp_path


WRITTEN = [page for page in PAGES if not checked_elsewhere(page) and any(blocks(page))]


@pytest.mark.parametrize("page", WRITTEN, ids=name_of)
def test_blocks_of_a_page_run(page: Path, folder: Path, counts: Counts) -> None:
    Reader(folder, counts).read(page)


def test_blocks_that_are_run_elsewhere_are_counted(figures: dict[str, Any]) -> None:
    pages = {page: checked_elsewhere(page) for page in PAGES if checked_elsewhere(page)}
    number = sum(block.language != "text" for page in pages for block in blocks(page))
    figures["blocks run elsewhere"] = (number, "; ".join(sorted(set(pages.values()))))
    assert number > 0


def test_the_example_that_pages_begin_with_runs(folder: Path) -> None:
    """examples/python/job.py makes its days; its pipeline runs over them. The others need their engines: cluster/."""
    for command in ([sys.executable, "job.py"], [sys.executable, "-m", "vizflow", "batch", "job.py:process_day"]):
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=300)
    assert vf.reduce("demo-output/partials", group_by=[]).collect()["pieces"].item() > 50_000


def test_a_block_that_no_one_runs_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doc_blocks.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```fortran\nend\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page.md:1: nothing here runs 'fortran'"):
        Reader(tmp_path, Counts()).read(page)
    page.write_text("```python\nprint(1)\n```\n```text\n2\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page.md:4"):
        Reader(tmp_path, Counts()).read(page)
    page.write_text("```sh\nfalse | true\n```\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=r"page.md:1 ended with 1"):
        Reader(tmp_path, Counts()).read(page)


def test_a_block_that_says_why_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("doc_blocks.ROOT", tmp_path)
    page = tmp_path / "page.md"
    page.write_text("<!-- not run: needs\na ship -->\n```sh\nsail\n```\n", encoding="utf-8")
    counts = Counts()
    Reader(tmp_path, counts).read(page)
    assert counts.left_out == [("page.md:3", "needs a ship")]
    assert [type(block) for block in blocks(page)] == [Block]


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as forges and the site make them."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} +(.+?) *$", text, re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
        found.append(slug if slug not in found else f"{slug}-{found.count(slug)}")
    return frozenset(found)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_of_a_page_lead_somewhere(page: Path, figures: dict[str, Any]) -> None:
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    missing = []
    links = LINK.findall(text)
    for link in links:
        if re.match(r"\w+:", link):  # another site's: no test may need a network
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            missing.append(link)
    assert not missing
    seen = figures.get("links followed", (0, ""))[0]
    figures["links followed"] = (seen + len(links), "to a page, a file or an anchor that is there")


def test_llms_txt_leads_to_pages_of_the_site() -> None:
    package = Path(vf.__file__).parent
    links = LINK.findall((package / "llms.txt").read_text(encoding="utf-8"))
    places = {
        link: package / link if link == "SKILL.md" else ROOT / "docs" / Path(link).with_suffix(".md") for link in links
    }
    made = {"c-reference.html"}  # by tools/make_c_reference.py
    assert len(links) > 10
    assert [link for link, place in places.items() if link not in made and not place.is_file()] == []


def test_pages_name_no_place_of_one_machine() -> None:
    told = re.compile(r"/(?:home|root|Users|work|tmp|mnt)/")
    faults = [
        f"{name_of(page)}: {line.strip()}"
        for page in PAGES
        for line in page.read_text(encoding="utf-8").splitlines()
        if told.search(line)
    ]
    assert not faults


SPAN = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"vf(\.\w+)+")


def calls(page: Path) -> list[tuple[str, ast.Call]]:
    """Return the calls of `vf` in a page's words; its blocks are run as they stand."""
    out = []
    for span in SPAN.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)):
        try:
            tree = ast.parse(span.strip(), mode="eval")
        except SyntaxError:
            continue
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        out += [(span, node) for node in nodes if NAME.fullmatch(ast.unparse(node.func))]
    return out


def test_calls_in_the_words_of_a_page_name_what_there_is() -> None:
    found = [(page, span, call) for page in PAGES if not checked_elsewhere(page) for span, call in calls(page)]
    assert len(found) > 20
    for page, span, call in found:
        made: Any = vf
        for part in ast.unparse(call.func).split(".")[1:]:
            made = getattr(made, part)
        taken = inspect.signature(made).parameters
        if not any(p.kind is p.VAR_KEYWORD for p in taken.values()):
            unknown = [word.arg for word in call.keywords if word.arg and word.arg not in taken]
            assert not unknown, f"{name_of(page)}: {span}: there is no {', '.join(unknown)}"
