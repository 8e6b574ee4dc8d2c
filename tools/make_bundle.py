"""Write build/bundle/vizflow.h and vizflow.c: all of libvizflow as two files to put beside one's own.

Not for changing what the code does: it puts the files of src/ in order, each header once, and gives names that two
files use for different things (`static`, struct, enum) a prefix, so that one compiler run can see them all.
"""

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
PUBLIC = "vizflow/vizflow.h"
LAYERS = ["base", "store", "files", "arrow", "clock", "match", "mark", "bin", "agg", "cube"]

TOP = """\
/* VizFlow {version} in one file: {count} files of src/, put together by tools/make_bundle.py. Not for changing: each
   part says which file it comes from. Beside it belongs vizflow.h, the reference of every function.

       cc -std=c17 -O2 -c vizflow.c            and link with -lm -pthread

   License: MIT.

{license}*/
#if !defined(_GNU_SOURCE) && defined(__linux__)
#define _GNU_SOURCE /* mremap */
#endif
#if !defined(_POSIX_C_SOURCE) && !defined(__linux__)
#define _POSIX_C_SOURCE 200809L
#endif
#if !defined(_DARWIN_C_SOURCE) && defined(__APPLE__)
#define _DARWIN_C_SOURCE
#endif

#if defined(__FAST_MATH__)
#error "VizFlow gives the same bits everywhere; -ffast-math and -Ofast do not: compile vizflow.c without them"
#endif
/* Nor may a * b + c become one rounding: clang makes it that within an expression, gcc unless it is told -std=c17. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__) && !defined(__STRICT_ANSI__)
#pragma GCC optimize("fp-contract=off")
#endif

#include "vizflow.h"
"""

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/)|(?P<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+')|(?P<space>\s+)"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)|(?P<mark>->|.)""",
    re.DOTALL,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"(?P<ours>[^"]+)"|(?P<system><[^>]+>)).*\n', re.MULTILINE)
DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
CONDITIONAL = re.compile(r"^#if[^\n]*\n(?:#include <[^\n]*\n)+#endif\n", re.MULTILINE)


class BundleError(Exception):
    """A file has a form that is not known here."""


def tokens(text: str) -> list[tuple[str, str]]:
    """Split C into (kind, text); put together they are the text again."""
    return [(match.lastgroup or "", match[0]) for match in TOKEN.finditer(text)]


def without_directives(text: str) -> str:
    """Return the text without comments and preprocessor lines."""
    text = "".join(part if kind != "comment" else " " for kind, part in tokens(text))
    return re.sub(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", "", text, flags=re.MULTILINE)


def declarations(text: str) -> list[list[str]]:
    """Split a file into its outermost declarations, each a list of tokens, bodies of functions left out."""
    found: list[list[str]] = [[]]
    depth = 0
    function = False
    for kind, part in tokens(without_directives(text)):
        if kind == "space":
            continue
        if part == "static" and depth == 0 and found[-1]:  # behind a macro that makes functions: no `;` ends it
            found.append([])
        if part == "{" and depth == 0:
            function = bool(found[-1]) and found[-1][-1] == ")"
        depth += part == "{"
        if not (function and depth > 0):
            found[-1].append(part)
        depth -= part == "}"
        if depth == 0 and (part == ";" or (part == "}" and function)):
            found.append([])
            function = False
    if depth != 0 or found[-1]:
        raise BundleError(f"braces do not match, or a declaration does not end: {' '.join(found[-1][:10])}")
    return found[:-1]


def declared_names(declaration: list[str]) -> set[str]:
    """Return what a declaration brings into the file's scope: `struct batch`, constants, static functions and data."""
    names: set[str] = set()
    depth = 0
    enum_from: int | None = None  # the depth inside an enum's braces
    outer: list[str] = []  # tokens outside all braces, in which the declared names stand
    for i, part in enumerate(declaration):
        if part == "{":
            before = declaration[max(0, i - 2) : i]
            if len(before) == 2 and before[0] in ("struct", "union", "enum"):
                names.add(" ".join(before))
            if "enum" in before and enum_from is None:
                enum_from = depth + 1
            if depth == 0:
                outer.append("{}")
            depth += 1
        elif part == "}":
            depth -= 1
            if enum_from is not None and depth < enum_from:
                enum_from = None
        elif depth == 0:
            outer.append(part)
        elif depth == enum_from and re.match(r"[A-Za-z_]", part) and declaration[i - 1] in ("{", ","):
            names.add(part)
    if outer[:1] == ["static"] or outer[:1] == ["typedef"]:
        names.add(declared_name(outer))
    return names


def declared_name(outer: list[str]) -> str:
    """Return the name that a declaration without its braces declares."""
    for i, part in enumerate(outer[1:], 1):
        if part == "__attribute__":
            continue
        after = outer[i + 1] if i + 1 < len(outer) else ";"
        if re.match(r"[A-Za-z_]", part) and after in ("(", "[", "=", ";", ",", ")") and outer[i - 1] not in ("struct",
                "union", "enum", "("):  # fmt: skip
            return part
    raise BundleError(f"cannot see what is declared by {' '.join(outer[:12])}")


def renamed(text: str, names: dict[str, str]) -> str:
    """Return the file with its own names in place of those that it shares; fields of structs keep theirs."""
    kinds = tokens(text)
    result = []
    before = ["", ""]  # the last two tokens that count
    bodies: list[bool] = []  # of the braces that are open: whether a struct's
    brackets = 0
    for kind, part in kinds:
        if kind == "name":
            tagged = f"{before[-1]} {part}"
            if before[-1] in ("struct", "union", "enum"):
                part = names.get(tagged, tagged).split()[-1]
            elif before[-1] not in (".", "->") and (brackets > 0 or not (bodies and bodies[-1])):
                part = names.get(part, part)
        elif part == "{":
            bodies.append(before[0] in ("struct", "union") or before[1] in ("struct", "union"))
        elif part == "}":
            bodies.pop()
        brackets += (part == "[") - (part == "]")
        if kind not in ("space", "comment"):
            before = [before[-1], part]
        result.append(part)
    return "".join(result)


def in_order(files: list[str]) -> list[str]:
    """Return the headers, each behind those that it includes, and then the other files, layer by layer."""
    placed: list[str] = []

    def place(file: str) -> None:
        if file in placed or file == PUBLIC:
            return
        for include in INCLUDE.finditer((SOURCE / file).read_text(encoding="utf-8")):
            if include["ours"]:
                place(include["ours"])
        placed.append(file)

    for file in sorted(files, key=lambda file: (file.endswith(".c"), LAYERS.index(file.split("/")[0]), file)):
        place(file)
    return placed


def shared_names(files: list[str]) -> dict[str, dict[str, str]]:
    """Give, for each file, its new names of what other files call the same; headers keep theirs."""
    users: dict[str, list[str]] = defaultdict(list)
    for file in files:
        text = (SOURCE / file).read_text(encoding="utf-8")
        try:
            names = set().union(*(declared_names(declaration) for declaration in declarations(text)))
        except BundleError as error:
            raise BundleError(f"src/{file}: {error}") from error
        for name in names:
            users[name].append(file)
    result: dict[str, dict[str, str]] = defaultdict(dict)
    for name, using in sorted(users.items()):
        if len(using) < 2:
            continue
        if sum(file.endswith(".h") for file in using) > 1:
            raise BundleError(f"{name} is defined in {' and '.join(using)}: give one of them another name")
        for file in using:
            if file.endswith(".c"):
                tag, _, plain = f" {name}".rpartition(" ")
                layer, stem = file.removesuffix(".c").split("/")
                result[file][name] = f"{tag.strip()} {layer}_{stem}__{plain}".strip()
    return result


def part_of(file: str, names: dict[str, str]) -> tuple[str, list[str]]:
    """Return a file as it stands in the bundle, and the system's headers that it wants, with the #if around them."""
    text = (SOURCE / file).read_text(encoding="utf-8")
    text = re.sub(r"^[ \t]*#[ \t]*define[ \t]+_[A-Z]\w*_SOURCE\b.*\n", "", text, flags=re.MULTILINE)  # TOP has them
    text = re.sub(r"^#if[^\n]*\n#endif\n", "", text, flags=re.MULTILINE)  # what is empty now
    system = [match[0] for match in CONDITIONAL.finditer(text)]
    text = CONDITIONAL.sub("", text)
    system += [f"#include {match['system']}\n" for match in INCLUDE.finditer(text) if match["system"]]
    text = INCLUDE.sub("", text)
    undefined = ""
    if file.endswith(".c"):
        text = renamed(text, names)
        undefined = "".join(f"#undef {name}\n" for name in dict.fromkeys(DEFINE.findall(text)))
    text = re.sub(r"\n{3,}", "\n\n", text)
    return f"\n/* ======== src/{file} ======== */\n{text.rstrip()}\n{undefined}", system


def bundle() -> tuple[str, str]:
    """Return the text of vizflow.h and of vizflow.c."""
    header = (ROOT / "include" / PUBLIC).read_text(encoding="utf-8")
    files = in_order([path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.[ch]")])
    names = shared_names(files)
    parts: list[str] = []
    system: list[str] = []
    for file in files:
        text, wanted = part_of(file, names[file])
        parts.append(text)
        system += wanted
    version = re.search(r'#define VF_VERSION "(.*)"', header)
    if version is None:
        raise BundleError(f"include/{PUBLIC}: VF_VERSION is not defined")
    license_text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    top = TOP.format(version=version[1], count=len(files), license="".join(f"   {line}".rstrip() + "\n"
                     for line in license_text.strip().splitlines()))  # fmt: skip
    includes = "".join(sorted(set(system), key=lambda text: (text.startswith("#if"), text)))
    hidden = "\n#if defined(__GNUC__)\n#pragma GCC visibility push(hidden) /* all but the public names */\n#endif\n"
    end = "\n#if defined(__GNUC__)\n#pragma GCC visibility pop\n#endif\n"
    return header, top + includes + hidden + "".join(parts) + end


def main() -> int:
    """Write the two files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bundle", help="the folder")
    folder = parser.parse_args().output
    try:
        header, source = bundle()
    except BundleError as error:
        print(f"bundle: {error}")
        return 1
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vizflow.h").write_text(header, encoding="utf-8")
    (folder / "vizflow.c").write_text(source, encoding="utf-8")
    print(f"bundle: {folder / 'vizflow.c'}, {len(source.splitlines())} lines, and vizflow.h")
    return 0


if __name__ == "__main__":
    sys.exit(main())
