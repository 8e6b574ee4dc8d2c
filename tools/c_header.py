"""Read include/vizflow/vizflow.h: sections, and what each of them declares, with the comments above.

Not a C parser: it knows the few forms that this header is written in, and refuses any other, so that nothing is
overlooked. Shared by check_abi.py and make_c_reference.py.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

HEADER = Path(__file__).resolve().parent.parent / "include" / "vizflow" / "vizflow.h"

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DIRECTIVE = re.compile(r"#(?:[^\n\\]|\\\n|\\.)*")
FUNCTION = re.compile(r"VF_API (?P<returns>[\w ]+?[ *]+)(?P<name>\w+)\((?P<parameters>.*)\);", re.DOTALL)
RECORD = re.compile(r"(?P<kind>struct|enum) (?P<name>\w+)(?: \{(?P<body>.*)\})?;", re.DOTALL)
CONSTANT = re.compile(r"#define ((?:VF|ARROW_FLAG)_\w+) +(\S[^\n]*)$")
ROWS = re.compile(r'X\((\w+), ([\w ]+(?:<< \d+)?),\s*"([^"]*)"\)')  # of an X-macro: name, value, text


@dataclass
class Field:
    """A field of a struct, or a parameter: its type without the name, and the name."""

    type: str
    name: str


@dataclass
class Item:
    """One declaration: a function, a struct, an enum or a constant."""

    kind: str
    name: str
    text: str  # as the header has it
    returns: str = ""
    fields: list[Field] = field(default_factory=list)  # parameters of a function
    values: list[str] = field(default_factory=list)  # an enum's constants
    opaque: bool = False  # a struct that is only named
    note: str = ""  # the comment behind it, on its line


@dataclass
class Group:
    """What one comment is about: the declarations that follow it up to a blank line or the next comment."""

    comment: str
    items: list[Item] = field(default_factory=list)


@dataclass
class Section:
    """What stands under one ---- heading ----."""

    title: str
    groups: list[Group] = field(default_factory=list)


class HeaderError(Exception):
    """The header has a form that is not known here."""


def bare(text: str) -> str:
    """Return C without its comments, on one line."""
    return " ".join(COMMENT.sub(" ", text).split())


def prose(comment: str) -> str:
    """Return the lines of a comment without its marks and its indent."""
    lines = comment.removeprefix("/*").removesuffix("*/").strip("\n ").split("\n")
    return "\n".join(line.rstrip().removeprefix("   ") for line in lines)


def parse_field(text: str) -> Field:
    """Split one declaration into type and name: arrays and function pointers too."""
    pointer = re.fullmatch(r"(.+?)\(\*(\w+)\)\((.*)\)", text)
    if pointer:
        inner = ", ".join(parse_field(p).type if re.search(r"\w$", p) and " " in p else p for p in commas(pointer[3]))
        return Field(f"{pointer[1].strip()} (*)({inner})".replace("* (", "*("), pointer[2])
    plain = re.fullmatch(r"(.*[ *])(\w+)((?:\[\w+\])*)", text)
    if not plain:
        raise HeaderError(f"cannot read the declaration {text!r}")
    return Field(plain[1].strip() + (f" {plain[3]}" if plain[3] else ""), plain[2])


def commas(text: str) -> list[str]:
    """Split at the commas that are in no parenthesis."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def fields_of(body: str) -> list[Field]:
    """Return the fields of a struct's body; `int64_t low, high;` is two."""
    fields = []
    for declaration in filter(None, (part.strip() for part in bare(body).split(";"))):
        first, *more = commas(declaration)
        fields.append(parse_field(first))
        base = fields[-1].type.rstrip("*").strip()
        fields += [parse_field(f"{base} {name}") for name in more]
    return fields


def rows_of(name: str, whole: str) -> list[tuple[str, str, str]]:
    """Return the rows of an X-macro: name, value, text."""
    found = re.search(rf"#define {name}\(X\)((?:[^\n\\]|\\\n)*)", whole)
    if not found:
        raise HeaderError(f"there is no {name}")
    return ROWS.findall(found[1].replace("\\\n", "\n"))


def values_of(body: str, whole: str) -> list[str]:
    """Return the names of an enum's constants, those of an X-macro too."""
    called = re.search(r"\b(\w+_MAP)\((\w+)\)", body)
    if called:
        prefix = "" if called[2] == "VF_ENUM_ROW" else re.findall(r"(\w+)##name = value", body)[0]
        names = [prefix + name for name, _, _ in rows_of(called[1], whole)]
    else:
        names = [part.split("=")[0].strip() for part in commas(bare(body)) if part]
    wrong = [name for name in names if not re.fullmatch(r"\w+", name)]
    if wrong or not names:
        raise HeaderError(f"cannot read the enum constants {wrong}")
    return names


def parse_item(text: str, whole: str) -> Item:
    """Read one declaration."""
    function = FUNCTION.fullmatch(text)
    if function:
        parameters = bare(function["parameters"])
        fields = [] if parameters == "void" else [parse_field(part) for part in commas(parameters)]
        return Item("function", function["name"], text, returns=function["returns"].strip(), fields=fields)
    record = RECORD.fullmatch(text)
    if not record:
        raise HeaderError(f"cannot read the declaration {text.splitlines()[0]!r}")
    item = Item(record["kind"], record["name"], text, opaque=record["body"] is None)
    if record["body"] is not None and record["kind"] == "struct":
        item.fields = fields_of(record["body"])
    elif record["body"] is not None:
        item.values = values_of(record["body"], whole)
    return item


def end_of_declaration(text: str, start: int) -> int:
    """Where the `;` is that ends the declaration; braces and comments are stepped over."""
    depth, at = 0, start
    while at < len(text):
        comment = COMMENT.match(text, at)
        if comment:
            at = comment.end()
            continue
        depth += (text[at] == "{") - (text[at] == "}")
        at += 1
        if text[at - 1] == ";" and depth == 0:
            return at
    raise HeaderError("a declaration does not end")


def parse(path: Path = HEADER) -> list[Section]:
    """Read the header from `extern "C"` to its end."""
    whole = path.read_text(encoding="utf-8")
    start = whole.index('extern "C" {\n#endif\n') + len('extern "C" {\n#endif\n')
    end = whole.rindex("#ifdef __cplusplus")
    sections, group = [Section("version")], Group("")

    def begin(comment: str) -> Group:
        sections[-1].groups.append(Group(comment))
        return sections[-1].groups[-1]

    at, last = start, None
    while at < end:
        space = re.compile(r"\s*").match(whole, at)
        gap = space[0] if space else ""
        at += len(gap)
        if at >= end:
            break
        if gap.count("\n") > 1:
            group, last = begin(""), None
        comment = COMMENT.match(whole, at)
        directive = DIRECTIVE.match(whole, at)
        if comment:
            heading = re.fullmatch(r"/\* -+ (.*?) -+ \*/", comment[0])
            if heading:
                sections.append(Section(heading[1]))
                group, last = begin(""), None
            elif last is not None and "\n" not in gap:
                last.note = prose(comment[0])
            else:
                group, last = begin(prose(comment[0])), None
            at = comment.end()
        elif directive:
            constant = CONSTANT.match(directive[0])
            if constant:
                last = Item("constant", constant[1], directive[0])
                group.items.append(last)
            elif "_MAP(X)" in directive[0]:
                last = Item("map", directive[0].split("(")[0].split()[1], directive[0])
                group.items.append(last)
            at = directive.end()
        else:
            stop = end_of_declaration(whole, at)
            last = parse_item(whole[at:stop], whole)
            group.items.append(last)
            at = stop
    for section in sections:
        section.groups = [group for group in section.groups if group.comment or group.items]
    return [section for section in sections if section.groups]


def items(sections: list[Section], kind: str) -> list[Item]:
    """Return all declarations of a kind, in the header's order."""
    return [item for section in sections for group in section.groups for item in group.items if item.kind == kind]
