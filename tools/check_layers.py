"""Check who imports whom, in C and in Python, and that ARCHITECTURE.md shows the folders as they are.

C: no file under src/ includes upwards or sideways, only those called api_* see Arrow, and each opens by saying what it
is for and not for. Python: a package of vizflow imports only what stands below it, at module level and inside functions
alike. In neither do files reach one another in a circle. Not a parser of C: it reads `#include` lines and the comment
at a file's top.

``python3 tools/check_layers.py`` prints one line a fault and exits 1 when there are any; ``--map`` prints the map of
Python's folders that ARCHITECTURE.md holds between its two marks; ``--write`` puts it there.
"""

import ast
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The folders of src/, bottom to top. A file includes its own folder and those of lower floors; those of one floor are
# siblings and do not see one another. Where Arrow and kernels meet are the files called api_*: nothing else of a folder
# above arrow/ includes "arrow/...", or a header of theirs.
C_FLOORS = (("base",), ("store", "files"), ("arrow",), ("clock", "match", "mark", "bin", "agg"), ("cube",))
C_FLOOR = {folder: height for height, folders in enumerate(C_FLOORS) for folder in folders}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)

# Files and packages of vizflow, bottom to top; those of one line are beside one another and do not import one another.
FLOORS = (
    ("errors",),
    ("dates", "numbers", "files", "_calendars", "lazy"),
    ("market", "schema"),
    ("enrichment", "partials", "demo"),
    ("ops", "io"),
    ("config", "calendar", "cube"),
    ("stats", "viz", "jobs"),
    ("run", "check", "reports", "explore"),
    ("__init__", "cli"),
    ("__main__",),
)
BEGIN, END = "<!-- map: python3 tools/check_layers.py --write -->\n", "<!-- end of map -->\n"


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the sets of files that reach one another."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            for after in graph.get(todo.pop(), ()):
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
        reach[start] = seen
    found = {
        frozenset({other for other in reach[one] if one in reach.get(other, ())}) for one in graph if one in reach[one]
    }
    return sorted(sorted(circle) for circle in found)


# ---- C --------------------------------------------------------------------------------------------------------------


def not_allowed(file: Path, target: Path) -> str:
    """Say why a file may not include another, both as in "base/base.h"; nothing where it may."""
    here, there = file.parts[0], target.parts[0]
    if here != there and C_FLOOR[there] >= C_FLOOR[here]:
        return f"{there}/ does not stand below {here}/"
    if here != "arrow" and not file.name.startswith("api_") and (there == "arrow" or target.name.startswith("api_")):
        return "only the files called api_* see Arrow"
    return ""


def faults_of_includes(source: Path, file: Path, text: str) -> tuple[list[str], set[str]]:
    """One line for each `#include` that is not allowed, or that does not name its folder; and those that are ours."""
    found, ours = [], set()
    for match in INCLUDE.finditer(text):
        quote, target = match.groups()
        where = f"src/{file.as_posix()}:{text.count(chr(10), 0, match.start()) + 1}"
        folder = target.split("/")[0]
        if quote == "<":
            if target.startswith("vizflow/") or folder in C_FLOOR:
                found.append(f'{where}: <{target}> is ours: write it "{target}"')
        elif target == "vizflow/vizflow.h":
            continue
        elif folder not in C_FLOOR or "/" not in target:
            found.append(f'{where}: "{target}" does not name its folder, as in "base/base.h"')
        elif not (source / target).is_file():
            found.append(f'{where}: "{target}" does not exist in src/')
        else:
            ours.add(target)
            why = not_allowed(file, Path(target))
            if why:
                found.append(f'{where}: includes "{target}": {why}')
    return found, ours


def faults_of_opening(file: str, text: str) -> list[str]:
    """One line where the file does not open with a comment of two sentences, one of which says what it is not for."""
    comment = re.match(r"\s*/\*(.*?)\*/", text, re.DOTALL)
    if comment is None:
        return [f"{file}:1: does not open with a comment that says what the file is for, and what it is not for"]
    sentences = re.findall(r"[A-Z0-9\"'`].*?[.!?](?=\s|$)", " ".join(comment.group(1).split()))
    if len(sentences) < 2 or not any(re.search(r"\bnot\b", sentence, re.IGNORECASE) for sentence in sentences):
        return [f"{file}:1: the opening comment wants two sentences: what the file is for, what it is not for"]
    return []


def c_faults() -> tuple[int, list[str]]:
    """Look at every C file under src/; return how many there are, and the faults."""
    source = ROOT / "src"
    faults, graph = [], {}
    for path in sorted(source.rglob("*.[ch]")):
        file = path.relative_to(source)
        if file.parts[0] not in C_FLOOR or len(file.parts) != 2:
            faults.append(f"src/{file.as_posix()}: lies in no folder of src/; they are {', '.join(C_FLOOR)}")
            continue
        text = path.read_text(encoding="utf-8")
        found, graph[file.as_posix()] = faults_of_includes(source, file, text)
        faults += found + faults_of_opening(f"src/{file.as_posix()}", text)
    if not graph:
        faults.append(f"no C file found under {source}")
    faults += [f"these include one another in a circle: {', '.join(circle)}" for circle in circles(graph)]
    return len(graph), faults


# ---- Python ---------------------------------------------------------------------------------------------------------


def modules() -> dict[str, Path]:
    """Return vizflow's files by their dotted names within it."""
    package = ROOT / "python" / "vizflow"
    out = {}
    for path in sorted(package.rglob("*.py")):
        name = ".".join(path.relative_to(package).with_suffix("").parts)
        out[name.removesuffix(".__init__") or name] = path
    return out


def imports(path: Path, known: dict[str, Path]) -> list[tuple[str, int]]:
    """Return what of vizflow a file imports anywhere, with the lines."""
    out = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            out += [("__init__", node.lineno) for alias in node.names if alias.name == "vizflow"]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vizflow":
            base = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}" if base else alias.name
                if "_core" not in (base, inner):
                    out.append((inner if inner in known else base or "__init__", node.lineno))
    return out


def python_faults() -> tuple[int, list[str]]:
    """Look at every Python file of vizflow; return how many there are, and the faults."""
    known, faults = modules(), []
    floor = {name: height for height, names in enumerate(FLOORS) for name in names}
    graph = {}
    for name, path in known.items():
        file, here = path.relative_to(ROOT).as_posix(), name.split(".")[0]
        if here not in floor:
            faults.append(f"{file}: stands on no floor; see FLOORS in tools/check_layers.py")
            continue
        found = imports(path, known)
        graph[name] = {target for target, _ in found}
        for target, line in found:
            there = target.split(".")[0]
            if there != here and floor.get(there, -1) >= floor[here]:
                faults.append(f"{file}:{line}: imports {target}, which does not stand below it")
    faults += [f"these import one another in a circle: {', '.join(circle)}" for circle in circles(graph)]
    return len(known), faults


def python_map() -> str:
    """Return the folders of vizflow, bottom to top, each file with the first sentence of its docstring."""
    known = modules()
    lines = ["```"]
    for names in FLOORS:
        for top in names:
            for name, path in known.items():
                if name.split(".")[0] != top:
                    continue
                doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                first = re.split(r"(?<=[.!?])\s", " ".join(doc.split()))[0].rstrip(".")
                folder = path.name == "__init__.py" and name != "__init__"
                shown = f"{name}/" if folder else ("  " * name.count(".")) + path.name
                lines.append(f"{shown.replace('.', '/') if folder else shown:28}{first}".rstrip())
    return "\n".join([*lines, "```", ""])


def c_map() -> str:
    """Return the folders of src/, bottom to top, each subject with the first sentence that its file opens with."""
    lines = ["```"]
    for folder in C_FLOOR:
        lines.append(f"{folder}/")
        for stem in sorted({path.stem for path in (ROOT / "src" / folder).glob("*.[ch]")}):
            path = ROOT / "src" / folder / f"{stem}.c"
            path = path if path.is_file() else path.with_suffix(".h")
            comment = re.match(r"\s*/\*(.*?)\*/", path.read_text(encoding="utf-8"), re.DOTALL)
            first = re.split(r"(?<=[.!?])\s", " ".join((comment[1] if comment else "").split()))[0].rstrip(".")
            lines.append(f"  {path.name:26}{first}")
    return "\n".join([*lines, "```", ""])


def maps() -> str:
    """Return both maps as they stand in the page."""
    return f"\n`src/`:\n\n{c_map()}\n`python/vizflow/`:\n\n{python_map()}\n"


def page_with_map(page: str) -> str:
    """Return ARCHITECTURE.md with the map as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + maps() + END + after


def main(words: list[str]) -> int:
    """Print the faults, or the map; 1 where there are faults."""
    page = ROOT / "ARCHITECTURE.md"
    text = page.read_text(encoding="utf-8")
    if words == ["--map"]:
        print(maps(), end="")
        return 0
    if words == ["--write"]:
        page.write_text(page_with_map(text), encoding="utf-8")
        return 0
    c_count, faults = c_faults()
    python_count, more = python_faults()
    faults += more
    if BEGIN not in text or END not in text or page_with_map(text) != text:
        faults.append("ARCHITECTURE.md: its map is not what the files say; python3 tools/check_layers.py --write")
    print(*faults or [f"layers: {c_count} files in C and {python_count} in Python, no fault"], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
