"""Write docs/c-reference.md, or man pages, from include/vizflow/vizflow.h; with --check, only compare the page.

Not a documentation system: the header's comments are the text. This puts them in order, adds who owns what (by the
header's own rules) and which errors there are, and refuses a declaration without text, or an error that a C test
expects of a function whose text does not name it.
"""

import argparse
import re
import sys
from collections import defaultdict
from pathlib import Path

import c_header
from c_header import HEADER, Field, Group, Item, Section

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "c-reference.md"
TOP = """\
# C reference

Made from [vizflow.h](../include/vizflow/vizflow.h) by `tools/make_c_reference.py`. Three programs that use it are in
[examples/c](../examples/c/README.md). Where Python is there, `cmake --install` puts the same text under `share/man`.
"""
ALWAYS = {"VF_ERROR_MEMORY": r"vf_context|vf_column|vf_series|_batch \*",
          "VF_ERROR_ARROW": r"vf_series|_batch \*", "VF_ERROR_TYPE": r"vf_series|_batch \*",
          "VF_ERROR_OVERFLOW": r"vf_series|_batch \*",
          "VF_ERROR_ARGUMENT": r"vf_series|_batch \*|_options \*|const struct vf_calendar \*"}  # fmt: skip
ASKS = ("_open", "_finish", "_match", "_merge", "_update", "_build", "_observe", "_learn", "_pass")  # for memory
EXPECTED = re.compile(r"CHECK_STATUS\(\s*(vf_\w+)\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\),\s*(VF_ERROR_\w+)\)")


class MissingText(Exception):
    """The header lacks a text."""


# ---- what the header says ----


def meanings() -> dict[str, str]:
    """Return each status with its meaning."""
    rows = c_header.rows_of("VF_STATUS_MAP", HEADER.read_text(encoding="utf-8"))
    return {f"VF_{name}": text for name, _, text in rows}


def rules() -> str:
    """Return the header's opening text."""
    return c_header.prose(c_header.COMMENT.findall(HEADER.read_text(encoding="utf-8"))[0])


def functions_of(group: Group) -> list[Item]:
    """Return the functions of a group."""
    return [item for item in group.items if item.kind == "function"]


def text_of(group: Group) -> str:
    """Return what a group's comment says, and the notes behind its declarations."""
    notes = [f"{item.name}: {item.note}" for item in group.items if item.note]
    return "\n".join([group.comment, *notes]).strip()


def summary(group: Group) -> str:
    """Return the first sentence, without what stands in parentheses."""
    text = re.sub(r" \([^()]*\)", "", " ".join(group.comment.split()))
    return re.split(r"(?<=[^.])[.:;](?= |$)", text)[0]


def may_be_null(name: str, text: str) -> bool:
    """Whether the text lets this pointer be NULL."""
    text = " ".join(text.split())
    pair = name in ("owner", "release_owner") and "(both may be NULL)" in text
    return pair or bool(re.search(rf"\b{name}`?(?:\[\w+\])?`?[ (]+may be NULL|\b{name}: [^.]*\bNULL:", text))


def ownership(function: Item, field: Field, text: str) -> str:
    """Say who owns what a pointer parameter points to, by the rules on the header's first lines; '' for a value."""
    kind = field.type
    if "*" not in kind and "[" not in kind:
        return ""
    null = "; may be NULL" if may_be_null(field.name, text) else ""
    made = re.fullmatch(r"struct vf_(\w+) \*\*", kind)
    own = re.fullmatch(r"struct vf_(\w+) \*", kind)
    if field.name == "ctx":
        return "borrowed; may be NULL"
    if field.name == "err":
        return "written on failure only; may be NULL"
    if field.name == "owner":
        return f"taken, on success only: ended by release_owner{null}"
    if field.name == "release_owner":
        return f"called once, with owner{null}"
    if made:
        return f"given: ended by vf_{made[1]}_close"
    if kind.startswith("const") and kind.endswith("**"):
        return "lent: belongs to the object, and lives as long"
    if function.name.endswith(("_close", "_release")):
        return "ended; may be NULL"
    if kind.startswith("const"):
        return f"borrowed{null}"
    if (own and own[1] == "column") or kind.startswith("struct vf_column ["):
        return f"given, on success only: ended by vf_column_release{null}"
    if own and function.name.startswith(f"vf_{own[1]}_"):
        return "borrowed, and changed"
    return f"written{', on success only' if function.returns != 'void' else ''}{null}"


def errors_of(function: Item, text: str) -> list[str]:
    """Return the errors that a function may return: those its text names, and those that the header's rules add."""
    if function.returns != "enum vf_status":
        return []
    types = " ".join(field.type for field in function.fields)
    found = set(re.findall(r"VF_ERROR_\w+", text))
    found |= {error for error, pattern in ALWAYS.items() if re.search(pattern, types)}
    if function.name.endswith(ASKS):
        found.add("VF_ERROR_MEMORY")
    return [error for error in meanings() if error in found]


def expected_errors() -> dict[str, set[str]]:
    """Return the errors that the C tests expect, by function."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (ROOT / "tests" / "c").rglob("*.c"):
        for match in EXPECTED.finditer(path.read_text(encoding="utf-8")):
            found[match[1]].add(match[3])
    return found


def faults(sections: list[Section]) -> list[str]:
    """Say what the header lacks."""
    found = []
    tested = expected_errors()
    for section in sections:
        for group in section.groups:
            for item in group.items:
                plain = item.opaque or item.name.startswith(("Arrow", "ARROW", "VF_VERSION", "vf_status"))
                if not text_of(group) and not plain:
                    found.append(f"{item.kind} {item.name} has no comment")
            for function in functions_of(group):
                missing = tested[function.name] - set(errors_of(function, text_of(group)))
                if function.returns == "enum vf_status" and missing:
                    found.append(f"{function.name}: tests expect {', '.join(sorted(missing))}, the text names it not")
    return found


def types_of(sections: list[Section]) -> dict[str, Item]:
    """Return structs and enums by name."""
    return {f"{kind} {item.name}": item for kind in ("struct", "enum") for item in c_header.items(sections, kind)}


# ---- the page ----


def parameters_of(group: Group) -> list[tuple[str, str]]:
    """Return each pointer parameter of a group's functions, once, with who owns it."""
    found: dict[str, str] = {}
    for function in functions_of(group):
        for field in function.fields:
            words = ownership(function, field, text_of(group))
            if words:
                found.setdefault(field.name, words)
    return list(found.items())


def returns_of(group: Group) -> list[str]:
    """Say what a group's functions return."""
    lines = []
    for kind in dict.fromkeys(function.returns for function in functions_of(group)):
        if kind == "enum vf_status":
            lines.append("VF_OK, or one of ERRORS")
        elif kind != "void":
            lines.append(f"{kind}: as described")
    return lines or ["nothing"]


def group_errors(group: Group) -> list[str]:
    """Return the errors of a group's functions."""
    found = {error for function in functions_of(group) for error in errors_of(function, text_of(group))}
    return [error for error in meanings() if error in found]


def page() -> str:
    """Return the page's text."""
    sections = c_header.parse()
    wrong = faults(sections)
    if wrong:
        raise MissingText("include/vizflow/vizflow.h:\n  " + "\n  ".join(wrong))
    status = meanings()
    lines = [TOP, "## Rules", "", "```text", rules(), "```", ""]
    for section in sections:
        lines += [f"## {section.title[0].upper()}{section.title[1:]}", ""]
        for group in section.groups:
            names = [item.name for item in functions_of(group)]
            shown = names or [f"{item.kind} {item.name}" for item in group.items if item.kind in ("struct", "enum")]
            lines += [f"### {', '.join(f'`{name}`' for name in shown or [item.name for item in group.items])}", ""]
            if names:
                lines += ["**NAME**", "", f"{', '.join(names)} — {summary(group)}", ""]
            lines += ["**SYNOPSIS**", "", "```c", *(item.text for item in group.items), "```", ""]
            if text_of(group):
                lines += ["**DESCRIPTION**", "", "```text", text_of(group), "```", ""]
            if not names:
                continue
            if parameters_of(group):
                lines += ["**PARAMETERS**", ""]
                lines += [f"- `{name}`: {words}" for name, words in parameters_of(group)] + [""]
            lines += ["**RETURNS**", "", *(f"- {line}" for line in returns_of(group)), ""]
            if group_errors(group):
                lines += ["**ERRORS**", "", *(f"- `{error}`: {status[error]}" for error in group_errors(group)), ""]
    return "\n".join(lines).rstrip() + "\n"


# ---- man pages ----


def roff(text: str) -> str:
    """Escape what roff would take for commands."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in text.split("\n"))


def verbatim(text: str) -> list[str]:
    """Return lines that stay as they are."""
    return [".nf", roff(text), ".fi"]


def man_page(group: Group, title: str, types: dict[str, Item], version: str) -> str:
    """Return one group's manual page, with the types that its functions take."""
    names = [function.name for function in functions_of(group)]
    lines = [f'.TH {names[0].upper()} 3 "" "VizFlow {version}" "{title}"',
             ".SH NAME", f"{', '.join(names)} \\- {roff(summary(group))}", ".SH SYNOPSIS",
             *verbatim("#include <vizflow/vizflow.h>\n\n" + "\n".join(f.text.removeprefix("VF_API ")
                       for f in functions_of(group))), ".SH DESCRIPTION", *verbatim(text_of(group))]  # fmt: skip
    if parameters_of(group):
        lines.append(".SH PARAMETERS")
        for name, words in parameters_of(group):
            lines += [".TP", f".I {name}", roff(words)]
    lines += [".SH RETURN VALUE", *(roff(f"{line}.") for line in returns_of(group))]
    if group_errors(group):
        lines.append(".SH ERRORS")
        for error in group_errors(group):
            lines += [".TP", f".B {error}", roff(meanings()[error])]
    signatures = " ".join(function.text for function in functions_of(group))
    used = [name for name in types if re.search(rf"\b{name}\b", signatures) and name not in ("enum vf_status",)]
    used = [name for name in used if not types[name].opaque]
    if used:
        lines += [".SH TYPES", *verbatim("\n\n".join(types[name].text for name in used))]
    lines += [".SH SEE ALSO", ".BR vizflow (3)"]
    return "\n".join(lines) + "\n"


def write_man(folder: Path) -> int:
    """Write a page for each group of functions, a link for each further function, and vizflow.3; give their number."""
    sections = c_header.parse()
    types = types_of(sections)
    constants = {item.name: item.text for item in c_header.items(sections, "constant")}
    version = constants["VF_VERSION"].split('"')[1]
    folder.mkdir(parents=True, exist_ok=True)
    listed: list[str] = []
    count = 1
    for section in sections:
        groups = [group for group in section.groups if functions_of(group)]
        if groups:
            listed += [".SS", roff(section.title)]
        for group in groups:
            first, *others = (function.name for function in functions_of(group))
            (folder / f"{first}.3").write_text(man_page(group, section.title, types, version), encoding="utf-8")
            for other in others:
                (folder / f"{other}.3").write_text(f".so man3/{first}.3\n", encoding="utf-8")
            for name in (first, *others):
                listed += [".TP", f".BR {name} (3)", roff(summary(group))]
                count += 1
    status = [part for name, text in meanings().items() for part in (".TP", f".B {name}", roff(text))]
    overview = [f'.TH VIZFLOW 3 "" "VizFlow {version}" "VizFlow"', ".SH NAME",
                "vizflow \\- what a trading day's file needs, computed in C", ".SH SYNOPSIS",
                *verbatim("#include <vizflow/vizflow.h>\n\ncc program.c $(pkg-config --cflags --libs vizflow)"),
                ".SH DESCRIPTION", *verbatim(rules()), ".SH STATUS", *status, ".SH FUNCTIONS", *listed]  # fmt: skip
    (folder / "vizflow.3").write_text("\n".join(overview) + "\n", encoding="utf-8")
    return count


def main() -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--check", action="store_true", help="compare docs/c-reference.md, write nothing")
    parser.add_argument("--man", type=Path, help="write man pages into this folder instead")
    arguments = parser.parse_args()
    try:
        if arguments.man:
            print(f"{write_man(arguments.man)} man pages")
            return 0
        text = page()
    except (MissingText, c_header.HeaderError) as error:
        print(error)
        return 1
    if not arguments.check:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/c-reference.md is not what vizflow.h says: run `python tools/make_c_reference.py`")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
