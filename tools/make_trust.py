"""Write docs/trust.md: the figures of what VizFlow is put through, from what the scripts that took them left behind.

Not for measuring: each script writes `build/trust/NAME.json` (title, command, rows of what, value and detail), and
`make trust` runs them one after another. A part that was not run on this machine is named as such, never invented.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "trust"
PAGE = ROOT / "docs" / "trust.md"
PARTS = {
    "faults": "make faults",
    "coverage": "make coverage",
    "mutants": "make mutants",
    "fuzz": "make fuzz",
    "differential": "make differential",
    "c-library": "make test-install",
    "docs": "make test-docs",
    "kernels": "make gate",
    "bench": "make bench",
    "wheel": "make test-wheel",
}
ABOUT = """\
# What VizFlow is put through

This page is made by a script (`make trust`); do not edit it. Every figure is what the named command found on the
machine below, and anybody can run it again.
"""


def machine() -> str:
    """Describe the machine without naming it."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    name = model or platform.machine()
    return f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def section(name: str, command: str) -> list[str]:
    """Return one part's table, or the line that says that it was not run."""
    path = FOLDER / f"{name}.json"
    if not path.exists():
        return [f"## {name.capitalize()}", "", f"Not run for this page: `{command}`.", ""]
    part: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    out = [f"## {part['title']}", "", f"`{part['command']}`", "", "|  |  |  |", "|---|---|---|"]
    for row in part["rows"]:
        value = f"{row['value']:,}" if isinstance(row["value"], int) else str(row["value"])
        out.append(f"| {row['what']} | {value} | {row.get('detail') or ''} |".replace("\n", " "))
    return [*out, ""]


def main() -> int:
    """Write the page; tell what is missing."""
    lines = [ABOUT, f"- Machine: {machine()}", f"- Date: {dt.date.today():%Y-%m-%d}", ""]
    for name, command in PARTS.items():
        lines += section(name, command)
    PAGE.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")
    missing = [command for name, command in PARTS.items() if not (FOLDER / f"{name}.json").exists()]
    print(f"wrote {PAGE.relative_to(ROOT)}" + (f"; not run: {', '.join(missing)}" if missing else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main())
