"""Check the layers of src/: no file includes upwards or sideways, and each opens by saying what it is for and not for.

Not a parser of C: it reads `#include` lines and the comment at a file's top. Run it as `python3 tools/check_layers.py`;
it prints one line a fault and exits 1 when there are any.
"""

import re
import sys
from pathlib import Path

# Each layer and what its files may include besides their own folder and the public header. The kernels are siblings:
# they see plain arrays, never Arrow and never one another.
ALLOWED = {
    "base": set(),
    "arrow": {"base"},
    "clock": {"base"},
    "match": {"base"},
    "mark": {"base"},
    "bin": {"base"},
    "agg": {"base"},
    "api": {"base", "arrow", "clock", "match", "mark", "bin", "agg"},
}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)


def faults_of_includes(source: Path, file: str, layer: str, text: str) -> list[str]:
    """One line for each `#include` that the layer does not allow, or that does not name its layer."""
    found = []
    for match in INCLUDE.finditer(text):
        quote, target = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        folder = target.split("/")[0]
        if quote == "<":
            if target.startswith("vizflow/") or folder in ALLOWED:
                found.append(f'{file}:{line}: <{target}> is ours: write it "{target}"')
        elif target == "vizflow/vizflow.h":
            continue
        elif folder not in ALLOWED or "/" not in target:
            found.append(f'{file}:{line}: "{target}" does not name its layer, as in "base/base.h"')
        elif not (source / target).is_file():
            found.append(f'{file}:{line}: "{target}" does not exist in src/')
        elif folder != layer and folder not in ALLOWED[layer]:
            where = ", ".join(sorted(ALLOWED[layer])) or "nothing else"
            found.append(f'{file}:{line}: {layer}/ includes "{target}"; besides itself it may include {where}')
    return found


def faults_of_opening(file: str, text: str) -> list[str]:
    """One line where the file does not open with a comment of two sentences, one of which says what it is not for."""
    comment = re.match(r"\s*/\*(.*?)\*/", text, re.DOTALL)
    if comment is None:
        return [f"{file}:1: does not open with a comment that says what the file is for, and what it is not for"]
    sentences = re.findall(r"[A-Z0-9\"'`].*?[.!?](?=\s|$)", " ".join(comment.group(1).split()))
    if len(sentences) < 2 or not any(re.search(r"\bnot\b", sentence, re.IGNORECASE) for sentence in sentences):
        return [f"{file}:1: the opening comment wants two sentences: what the file is for, what it is not for"]
    return []


def main() -> int:
    """Look at every C file under src/; 1 when there is a fault."""
    root = Path(__file__).resolve().parent.parent
    source = root / "src"
    faults, count = [], 0
    for path in sorted(source.rglob("*.[ch]")):
        file, layer = path.relative_to(root).as_posix(), path.relative_to(source).parts[0]
        if layer not in ALLOWED or len(path.relative_to(source).parts) != 2:
            faults.append(f"{file}: lies in no layer; the layers are {', '.join(ALLOWED)}")
            continue
        text = path.read_text(encoding="utf-8")
        faults += faults_of_includes(source, file, layer, text) + faults_of_opening(file, text)
        count += 1
    if count == 0:
        faults.append(f"no C file found under {source}")
    print(*faults or [f"layers: {count} files, no fault"], sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
