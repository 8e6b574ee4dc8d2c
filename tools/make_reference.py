"""Write docs/reference.md and docs/reference/*.md from the docstrings of vizflow's public names; --check only compares.

Not a documentation system: the docstrings are the text, and this turns their sections into Markdown that reads alike
in the repository and on the site.
"""

import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import vizflow as vf

DOCS = Path(__file__).resolve().parent.parent / "docs"
SECTIONS = {
    "Markets": ["Market", "Session", "CN", "KR", "HK", "HKEX_NORTHBOUND", "US", "CRYPTO"],
    "Calendars": ["calendar"],
    "Operations": ["parse_time", "time_report", "mid", "near_integer", "forward_return", "bin", "aggregate", "reduce"],
    "Returns across days and frames": [
        "overnight_return", "daily", "mark_to_close", "merge_forward", "sign_by_side",
    ],
    "Quantile bins": ["qbin_edges", "qbin", "Edges"],
    "Enrichment": ["Enricher", "FIFOMatch", "TagRule", "State", "TagCondition", "TagRunning", "closing_lots"],
    "Configuration and running": ["Config", "Context", "run", "run_batch", "run_cluster", "status", "BatchReport"],
    "Engines of a cluster": ["cluster"],
    "The cube": ["Cube"],
    "Statistics": ["stats"],
    "Files": ["scan", "load", "save"],
    "Checks": ["check", "CheckReport"],
    "Views": ["viz", "explore", "reports"],
    "Demonstration data": ["demo"],
    "Errors": [
        "Error", "BatchError", "ConfigError", "SchemaError", "CalendarRangeError", "DataError", "ReplayError",
        "StorageError", "NotMergeableWarning", "SchemaChangeWarning", "UnlistedSideWarning",
        "EmptyWarning",
    ],
}  # fmt: skip
MARK = "Made from the docstrings by `tools/make_reference.py`: do not edit it."


@dataclass(frozen=True)
class Entry:
    """A public name, where its text is, and what it stands for."""

    name: str  # "vf.Market.on"
    item: object
    page: str  # "markets.md"
    level: int

    @property
    def link(self) -> str:
        """Where its heading is, from the folder of the pages."""
        return f"{self.page}#{_anchor(self.name)}"


class _Bare:
    """An annotation that is printed as it was written."""

    def __init__(self, annotation: object) -> None:
        self.text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)

    def __repr__(self) -> str:
        return self.text


def _anchor(heading: str) -> str:
    """Return the anchor that forges and the site make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _signature(name: str, item: object) -> str:
    """Return the call; one parameter a line where it is long."""
    if inspect.isclass(item) and issubclass(item, Exception):
        return ""
    try:
        signature = inspect.signature(item)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    bare = [
        p if p.annotation is p.empty else p.replace(annotation=_Bare(p.annotation))
        for p in signature.parameters.values()
        if p.name != "self"
    ]
    result = signature.return_annotation
    shown = signature.replace(
        parameters=bare, return_annotation=result if result in (None, "None", signature.empty) else _Bare(result)
    )
    end = str(shown.replace(parameters=[])).removeprefix("()").removesuffix(" -> 'None'").removesuffix(" -> None")
    inside = str(shown.replace(return_annotation=signature.empty))[1:-1]
    line = f"{name}({inside}){end}"
    if len(line) <= 100:
        return line
    parts: list[str] = []
    for p in bare:
        if p.kind is p.KEYWORD_ONLY and "*" not in parts and not any(part.startswith("*") for part in parts):
            parts.append("*")
        parts.append(str(p))
    return "\n".join([f"{name}(", *(f"    {part}," for part in parts), f"){end}"])


def _sections(text: str) -> Iterator[tuple[str, list[str]]]:
    """Cut a numpydoc text at its underlined headings; what comes first has the heading ''."""
    heading, body, lines = "", [], text.splitlines()
    skip = False
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if skip:
            skip = False
        elif re.fullmatch(r"-{3,}", following) and len(following) == len(line):
            yield heading, body
            heading, body, skip = line, [], True
        else:
            body.append(line)
    yield heading, body


class _Writer:
    """Docstrings as Markdown, with links between names."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = {entry.name: entry for entry in entries}

    def find(self, word: str, here: Entry, own: set[str]) -> Entry | None:
        """Return the entry that a word in backticks names; a function's own parameters name nothing else."""
        word = word.removeprefix("vizflow.").removeprefix("vf.").removesuffix("()")
        if word in own:
            return None
        around = here.name.rpartition(".")[0] if inspect.isroutine(here.item) else here.name
        for name in (f"{around}.{word}", f"{here.name}.{word}", f"vf.{word}"):
            if name in self.entries and name != here.name:
                return self.entries[name]
        return None

    def prose(self, text: str, here: Entry, own: set[str]) -> str:
        """Return text with Markdown's code marks, and links where a name has a page."""

        def of(match: re.Match[str]) -> str:
            word = match[1] or match[2]
            found = self.find(word, here, own) if match[2] else None
            if found is None:
                return f"`{word}`"
            return f"[`{word}`]({found.link.removeprefix(here.page) if found.page == here.page else found.link})"

        return re.sub(r"``(.+?)``|`([^`]+?)`", of, text, flags=re.DOTALL)

    def flow(self, lines: list[str], here: Entry, own: set[str]) -> list[str]:
        """Return paragraphs, and sessions of an interpreter as blocks."""
        out: list[str] = []
        block: list[str] = []
        for line in [*lines, ""]:
            if block:
                if line.strip():
                    block.append(line)
                    continue
                out += ["```pycon", *block, "```", ""]
                block = []
            elif line.startswith(">>>"):
                if out and out[-1]:
                    out.append("")
                block = [line]
                continue
            out.append(line)
        text = re.split(r"(^```pycon\n.*?^```$)", "\n".join(out), flags=re.MULTILINE | re.DOTALL)
        text[::2] = [self.prose(part, here, own) for part in text[::2]]
        return re.sub(r"\n{3,}", "\n\n", "".join(text).strip()).splitlines()

    def items(self, lines: list[str], here: Entry, own: set[str], names: bool) -> list[str]:
        """Return a section as a list of names, each with the text indented below it."""
        out: list[str] = []
        for line in lines:
            if line.strip() and not line.startswith(" "):
                title = f"**`{line}`**" if names else f"**{self.prose(f'`{line}`', here, own)}**"
                out.append(f"- {title}:")
            elif out:
                out.append(f"  {line.strip()}" if line.strip() else "")
        text = re.sub(r"\n\s*\n(?=- \*\*)", "\n", "\n".join(out).strip())
        return self.prose_outside(text, here, own).splitlines()

    def prose_outside(self, text: str, here: Entry, own: set[str]) -> str:
        """Return the prose of a list whose titles are done."""
        return "\n".join(line if line.startswith("- **") else self.prose(line, here, own) for line in text.splitlines())

    def entry(self, entry: Entry) -> list[str]:
        """Return a name's heading, call and text."""
        lines = [f"{'#' * entry.level} `{entry.name}`", ""]
        if not (inspect.isroutine(entry.item) or inspect.isclass(entry.item) or inspect.ismodule(entry.item)):
            if isinstance(entry.item, property):
                return [*lines, *self.text(inspect.getdoc(entry.item) or "", entry, set()), ""]
            return [*lines, "```text", repr(entry.item), "```", ""]
        own: set[str] = set()
        if not inspect.ismodule(entry.item):
            with contextlib.suppress(ValueError):
                own = set(inspect.signature(entry.item).parameters)  # type: ignore[arg-type]
            call = _signature(entry.name.rpartition(".")[2], entry.item)
            lines += ["```text", call, "```", ""] if call else []
        return [*lines, *self.text(inspect.getdoc(entry.item) or "", entry, own), ""]

    def text(self, text: str, entry: Entry, own: set[str]) -> list[str]:
        """Return a docstring's sections."""
        lines: list[str] = []
        for heading, body in _sections(text):
            if heading:
                lines += [f"**{heading}**", ""]
            if heading in ("Parameters", "Attributes", "Returns", "Raises"):
                lines += self.items(body, entry, own, names=heading in ("Parameters", "Attributes"))
            else:
                lines += self.flow(body, entry, own)
            lines.append("")
        return lines[:-1] if lines and not lines[-1] else lines


def _entries() -> dict[str, list[Entry]]:
    """Return every public name of a section, the members of modules and classes behind them."""
    found: dict[str, list[Entry]] = {}
    for section, names in SECTIONS.items():
        page, entries = f"{_anchor(section)}.md", []
        for name in names:
            item = getattr(vf, name, None) or importlib.import_module(f"vizflow.{name}")
            entries.append(Entry(f"vf.{name}", item, page, 2))
            if inspect.ismodule(item):
                for member in sorted(item.__all__):
                    if callable(getattr(item, member)):
                        entries.append(Entry(f"vf.{name}.{member}", getattr(item, member), page, 3))
                        entries += _members(entries[-1])
            else:
                entries += _members(entries[-1])
        found[section] = entries
    return found


def _members(of: Entry) -> list[Entry]:
    if not inspect.isclass(of.item) or issubclass(of.item, Exception):
        return []
    entries = []
    for member, value in vars(of.item).items():
        target = getattr(of.item, member) if isinstance(value, (staticmethod, classmethod)) else value
        if member.startswith("_") or not (isinstance(target, property) or callable(target)):
            continue
        if inspect.getdoc(target) and (getattr(target, "__doc__", None) or ""):
            entries.append(Entry(f"{of.name}.{member}", target, of.page, of.level + 1))
    return entries


def pages() -> dict[Path, str]:
    """Return the text of every page."""
    listed = {name for names in SECTIONS.values() for name in names}
    missing = set(vf.__all__) - listed - {"__version__"}
    if missing:
        raise SystemExit(f"tools/make_reference.py: no section for {', '.join(sorted(missing))}")
    found = _entries()
    writer = _Writer([entry for entries in found.values() for entry in entries])
    index = ["# Reference", "", MARK, "",
             f"Every public name of `import vizflow as vf`, {len(writer.entries)} in all, with an example that is run. "
             "In Python `help(vf.reduce)` shows the same text.", ""]  # fmt: skip
    texts = {}
    for section, entries in found.items():
        lines = [f"# {section}", "", MARK, ""]
        index += [f"## {section}", "", "| name | |", "|---|---|"]
        for entry in entries:
            lines += writer.entry(entry)
            documented = inspect.isroutine(entry.item) or isinstance(entry.item, (type, property))
            says = inspect.getdoc(entry.item) if documented or inspect.ismodule(entry.item) else repr(entry.item)
            index.append(f"| [`{entry.name}`](reference/{entry.link}) | {_first(says or '')} |")
        index.append("")
        texts[DOCS / "reference" / entries[0].page] = "\n".join(lines).rstrip() + "\n"
    return {DOCS / "reference.md": "\n".join(index).rstrip() + "\n", **texts}


def _first(text: str) -> str:
    """Return a text's first paragraph as a cell of a table."""
    return re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split("\n\n")[0].split())).replace("|", "\\|")


def main() -> None:
    """Write the pages, or compare them."""
    texts = pages()
    stale = sorted(set((DOCS / "reference").glob("*.md")) - set(texts))
    if "--check" in sys.argv:
        changed = [page for page, text in texts.items() if not page.exists() or page.read_text("utf-8") != text]
        if changed or stale:
            names = ", ".join(page.relative_to(DOCS.parent).as_posix() for page in changed + stale)
            raise SystemExit(f"not what the docstrings say: {names}; run `python tools/make_reference.py`")
        return
    (DOCS / "reference").mkdir(exist_ok=True)
    for page in stale:
        page.unlink()
    for page, text in texts.items():
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
