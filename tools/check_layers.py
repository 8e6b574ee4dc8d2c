"""Check the layers of src/: who includes whom, and that each file opens by saying what it is for and not for.

No file includes upwards, sideways or in a circle, and above arrow/ only files called api_* see Arrow. Not a parser
of C: it reads `#include` lines and the comment at a file's top. Run it as `python3 tools/check_layers.py`; it prints
one line a fault and exits 1 when there are any.
"""

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


def main() -> int:
    """Print the faults; 1 where there are any."""
    count, faults = c_faults()
    print(*faults or [f"layers: {count} files, no fault"], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
