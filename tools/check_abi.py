"""Check that a built libvizflow is what tests/package/abi.txt says: names, signatures, constants and layouts.

Not for what functions do: the tests know that. `python3 tools/check_abi.py LIBRARY` prints what differs and exits 1;
with --write it writes the manifest. Values and offsets come from the compiler, exported names from the library.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import c_header
from c_header import HEADER, Item

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = ROOT / "tests" / "package" / "abi.txt"
TOP = """\
# The binary interface of libvizflow where pointers and `long` have 64 bits: what programs that are linked with it rely
# on. Written by `make abi`, compared by `make test-install`. Lines may be added; one that goes or changes breaks
# programs that are built already: raise SOVERSION then.
"""
LINKER = {"_init", "_fini", "_edata", "_end", "__bss_start"}  # which some linkers add to every library


class AbiError(Exception):
    """The library or the header cannot be read, or they contradict one another."""


def run(command: list[str]) -> str:
    """Run a command and give what it prints."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError as error:
        raise AbiError(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise AbiError(f"{' '.join(command[:3])} ...: {error.stderr.strip()}") from error


def exported(library: Path) -> set[str]:
    """Return the names of the functions and data that the library exports."""
    lines = [line.split() for line in run(["nm", "-D", "--defined-only", str(library)]).splitlines()]
    return {words[-1].split("@")[0] for words in lines if words[-2] not in ("A", "a")} - LINKER


def soname(library: Path) -> str:
    """Return the name under which programs ask for the library."""
    found = re.search(r"\(SONAME\).*\[(.+)\]", run(["readelf", "-d", str(library)]))
    return found[1] if found else "none"


def signature(function: Item, name: str) -> str:
    """Return the function's type, declared as `name`."""
    types = []
    for parameter in function.fields:  # an array parameter is a pointer
        types.append(re.sub(r" \[\w+\]$", " *", parameter.type))
    return f"{function.returns} {name}({', '.join(types) or 'void'})".replace("* ", "*").replace("*const", "* const")


def probe(sections: list[c_header.Section]) -> str:
    """Return a C program that prints what the compiler makes of the header, and holds the signatures against it."""
    lines = ["#include <vizflow/vizflow.h>", "#include <inttypes.h>", "#include <stdio.h>", "int main(void) {",
             'if (sizeof(void *) != 8 || sizeof(long) != 8) return puts("other"), 0;']  # fmt: skip
    for function in c_header.items(sections, "function"):
        pointer = signature(function, f"(*const see_{function.name})")
        lines.append(f"{{ {pointer} = {function.name}; if (see_{function.name} == NULL) return 1; }}")
    for constant in c_header.items(sections, "constant"):
        if constant.name != "VF_VERSION":
            lines.append(f'printf("constant {constant.name} = %" PRId64 "\\n", (int64_t){constant.name});')
    for enum in c_header.items(sections, "enum"):
        lines.append(f'printf("enum {enum.name}: %zu bytes\\n", sizeof(enum {enum.name}));')
        lines += [f'printf("  {value} = %lld\\n", (long long){value});' for value in enum.values]
    for struct in c_header.items(sections, "struct"):
        if struct.opaque:
            lines.append(f'puts("struct {struct.name}: only its name");')
            continue
        this = f"struct {struct.name}"
        lines.append(f'printf("{this}: %zu bytes, aligned to %zu\\n", sizeof({this}), _Alignof({this}));')
        for field in struct.fields:
            text = f"{struct.name}.{field.name}: {field.type}"
            lines.append(f'printf("  %3zu +%-3zu %s\\n", offsetof({this}, {field.name}), '
                         f'sizeof((({this} *)0)->{field.name}), "{text}");')  # fmt: skip
    return "\n".join([*lines, "return 0; }", ""])


def manifest(library: Path) -> str | None:
    """Return the manifest of a library and its header; None where this machine's layouts are other than 64-bit."""
    sections = c_header.parse()
    functions = {function.name: function for function in c_header.items(sections, "function")}
    names = exported(library)
    faults = [f"{name} is declared in {HEADER.name} but not exported" for name in sorted(functions.keys() - names)]
    faults += [f"{name} is exported but not declared in {HEADER.name}" for name in sorted(names - functions.keys())]
    if faults:
        raise AbiError(f"{library.name}:\n  " + "\n  ".join(faults))
    with tempfile.TemporaryDirectory() as folder:
        source, program = Path(folder, "probe.c"), Path(folder, "probe")
        source.write_text(probe(sections), encoding="utf-8")
        warnings = ["-std=c17", "-Wall", "-Wextra", "-Werror"]
        rpath = f"-Wl,-rpath,{library.resolve().parent}"
        run([os.environ.get("CC", "cc"), *warnings, f"-I{ROOT / 'include'}", str(source), str(library), rpath,
             "-o", str(program)])  # fmt: skip
        facts = run([str(program)])
    if facts == "other\n":
        return None
    lines = [f"library {soname(library)}", *(signature(functions[name], name) for name in sorted(names))]
    return TOP + "\n".join(lines) + "\n" + facts


def difference(old: str, new: str) -> str:
    """Say what differs, and whether programs that are built already are broken by it."""
    lines = list(difflib.unified_diff(old.splitlines(), new.splitlines(), "abi.txt", "built", n=1, lineterm=""))
    gone = [line for line in lines[2:] if line.startswith("-")]
    verdict = (
        "lines went or changed: programs that are built already break. Undo it, or raise SOVERSION in CMakeLists.txt"
        if gone
        else "lines were added: programs that are built already go on working"
    )
    way_out = "If it is meant, run `make abi`, and say in CHANGELOG.md what is new."
    return "\n".join(["the binary interface is not what tests/package/abi.txt says;", verdict + ".", way_out, *lines])


def check(library: Path) -> str:
    """Compare a library with the manifest and give one line that counts; AbiError says what differs."""
    new = manifest(library)
    if new is None:
        return "left out: the manifest is of 64-bit layouts"
    old = MANIFEST.read_text(encoding="utf-8") if MANIFEST.exists() else ""
    if new != old:
        raise AbiError(difference(old, new))
    sections = c_header.parse()
    structs = [struct for struct in c_header.items(sections, "struct") if not struct.opaque]
    values = sum(len(enum.values) for enum in c_header.items(sections, "enum"))
    fields = sum(len(struct.fields) for struct in structs)
    functions = len(c_header.items(sections, "function"))
    return f"{functions} functions, {values} enum constants, {len(structs)} structs with {fields} fields"


def main() -> int:
    """Compare or write; 1 when there is a difference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("library", type=Path)
    parser.add_argument("--write", action="store_true", help="write the manifest instead of comparing")
    arguments = parser.parse_args()
    try:
        if arguments.write:
            text = manifest(arguments.library)
            if text is None:
                raise AbiError("the manifest is made on a 64-bit system")
            MANIFEST.write_text(text, encoding="utf-8")
        print(f"abi: {check(arguments.library)}")
    except (AbiError, c_header.HeaderError, OSError) as error:
        print(f"abi: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
