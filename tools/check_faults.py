"""Check that every public C function runs with its memory refused, and count how often it was.

The functions are read from the header; the fault programs (tests/c/fault) are compiled with a header that notes which
function was last entered when the test's allocator refused memory, and are run. Not a test of what they check:
``make test-c`` runs the same programs as they are.

    python3 tools/check_faults.py build/c/libvizflow.a [build/faults]

Writes faults.json there: a row a function. Fails when a function was not refused memory both ways (once; from then on),
unless it is among those below that ask for none, which must then have been called in the loops and asked for none.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Functions that ask for no memory, and why not: called in the loops all the same, and held to it.
ASK_FOR_NONE_TEXT = """
a pure function of its arguments: vf_version vf_status_name vf_status_text vf_sessions_check vf_sessions_length_ns
    vf_sessions_elapsed_ns vf_clock_elapsed_format vf_file_leftover
reads what an object holds: vf_calendar_describe vf_calendar_is_trading_day vf_calendar_next vf_calendar_prev
    vf_calendar_index vf_calendar_range vf_calendar_sessions vf_calendar_variant vf_calendar_variants vf_fifo_doubt
    vf_fifo_rows_in vf_fifo_trades_in vf_fifo_rows_out vf_fifo_replayed vf_mark_rows vf_mark_replayed vf_asof_rows
    vf_daily_groups vf_daily_replayed vf_quantiles_cuts vf_agg_groups vf_agg_state_columns vf_cube_shape vf_cube_n_parts
    vf_order_report
gives memory back: vf_column_release vf_calendar_close vf_fifo_close vf_mark_close vf_asof_close vf_daily_close
    vf_quantiles_close vf_agg_close vf_cube_close vf_order_close vf_file_close
sets a counter back: vf_fifo_rewind vf_mark_rewind
works in what open allocated: vf_quantiles_update vf_file_write vf_file_commit
"""
ASK_FOR_NONE = {
    name: reason
    for reason, names in (line.split(":") for line in ASK_FOR_NONE_TEXT.replace("\n    ", " ").strip().splitlines())
    for name in names.split()
}


def entries() -> list[str]:
    """Read the names of the functions that the public header declares."""
    text = re.sub(r"/\*.*?\*/", " ", (ROOT / "include/vizflow/vizflow.h").read_text(), flags=re.S)
    names = [
        name
        for declaration in re.findall(r"^VF_API\b([^;]*);", text, flags=re.M)
        for name in re.findall(r"\b(vf_\w+)\s*\(", declaration.split("(", 1)[0] + "(")
    ]
    return sorted(set(names))


def header(names: list[str]) -> str:
    """Write the header that notes which function was entered last."""
    lines = [
        "/* Made by tools/check_faults.py. */",
        '#include "files/file.h"',
        "#include <stdatomic.h>",
        "#include <stdio.h>",
        "#include <stdlib.h>",
        "#define CHECK_ENTRIES",
        f"enum {{ CHECK_N_ENTRIES = {len(names)} }};",
        "static const char *const check_entry_names[] = {" + ", ".join(f'"{name}"' for name in names) + "};",
        "static atomic_long check_calls[CHECK_N_ENTRIES + 1], check_asked[CHECK_N_ENTRIES + 1],",
        "    check_once[CHECK_N_ENTRIES + 1], check_for_ever[CHECK_N_ENTRIES + 1];",
        "static atomic_int check_entry = CHECK_N_ENTRIES;",
        "static inline void check_enter(int entry) { check_entry = entry; check_calls[entry]++; }",
        "static inline void check_entry_note(_Bool fails, _Bool for_ever) {",
        "    check_asked[check_entry]++;",
        "    if (fails) (for_ever ? check_for_ever : check_once)[check_entry]++;",
        "}",
        "static inline void check_entry_report(void) {",
        '    FILE *out = fopen(getenv("CHECK_ENTRIES_TO"), "w");',
        "    for (int i = 0; out != NULL && i < CHECK_N_ENTRIES; i++)",
        '        fprintf(out, "%s %ld %ld %ld %ld\\n", check_entry_names[i], (long)check_calls[i],',
        "                (long)check_asked[i], (long)check_once[i], (long)check_for_ever[i]);",
        "    if (out != NULL) fclose(out);",
        "}",
        "#define vf__file_open(...) (check_enter(CHECK_N_ENTRIES), vf__file_open(__VA_ARGS__))",
    ]
    lines += [f"#define {name}(...) (check_enter({i}), {name}(__VA_ARGS__))" for i, name in enumerate(names)]
    return "\n".join(lines) + "\n"


def run(names: list[str], library: Path, folder: Path) -> dict[str, list[int]]:
    """Compile and run the fault programs; give calls, requests, refusals once and for ever of each function."""
    folder.mkdir(parents=True, exist_ok=True)
    noting = folder / "entries.h"
    noting.write_text(header(names))
    total = {name: [0, 0, 0, 0] for name in names}
    cc = shlex.split(os.environ.get("CC", "cc"))
    includes = [f"-I{ROOT / part}" for part in ("include", "src", "tests/c")]
    for source in sorted((ROOT / "tests/c/fault").glob("*.c")):
        program, counts = folder / source.stem, folder / f"{source.stem}.txt"
        flags = ["-std=c17", "-O1", "-D_GNU_SOURCE", *includes, "-include", str(noting)]
        subprocess.run([*cc, *flags, "-o", str(program), str(source), str(library), "-lm", "-lpthread"], check=True)
        subprocess.run(
            [str(program.resolve())],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "CHECK_ENTRIES_TO": str(counts.resolve())},
        )
        for line in counts.read_text().splitlines():
            name, *numbers = line.split()
            total[name] = [old + int(new) for old, new in zip(total[name], numbers, strict=True)]
    return total


def faults(total: dict[str, list[int]]) -> list[str]:
    """Say what is missing."""
    out = [f"{name}: named as asking for no memory, but no public function" for name in ASK_FOR_NONE.keys() - total]
    for name, (calls, asked, once, for_ever) in total.items():
        if calls == 0:
            out.append(f"{name}: no program in tests/c/fault calls it")
        elif name in ASK_FOR_NONE:
            if asked > 0:
                out.append(f"{name}: asks for memory, but is said not to ({ASK_FOR_NONE[name]})")
        elif once == 0 or for_ever == 0:
            out.append(f"{name}: was refused memory {once} times once, {for_ever} times for ever; both are wanted")
    return out


def main() -> int:
    """Run the programs, compare, write the counts."""
    if not 2 <= len(sys.argv) <= 3:
        print(__doc__, file=sys.stderr)
        return 2
    library = Path(sys.argv[1]).resolve()
    folder = Path(sys.argv[2] if len(sys.argv) == 3 else ROOT / "build/faults")
    names = entries()
    total = run(names, library, folder)
    missing = faults(total)
    for line in missing:
        print(line, file=sys.stderr)
    rows = {
        name: {"calls": calls, "asked": asked, "once": once, "for_ever": for_ever, "none": ASK_FOR_NONE.get(name)}
        for name, (calls, asked, once, for_ever) in total.items()
    }
    (folder / "faults.json").write_text(json.dumps(rows, indent=1) + "\n")
    refused = sum(row[2] + row[3] for row in total.values())
    print(
        f"{len(names)} public functions: {len(names) - len(ASK_FOR_NONE)} refused memory, {len(ASK_FOR_NONE)} ask for "
        f"none; {refused} allocations failed"
    )
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
