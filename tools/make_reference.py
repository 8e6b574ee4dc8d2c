"""Write docs/reference.md from the docstrings of vizflow's public names; with --check, only compare.

Not a documentation system: the docstrings are the text, and this puts them on one page in the public API's order.
"""

import contextlib
import inspect
import sys
from pathlib import Path

import vizflow as vf

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference.md"
SECTIONS = {
    "Markets": ["Market", "Session", "CN", "KR", "HK", "HKEX_NORTHBOUND", "US", "CRYPTO"],
    "Operations": ["parse_time", "time_report", "mid", "near_integer", "forward_return", "bin", "aggregate", "reduce"],
    "Returns across days and frames": [
        "overnight_return", "daily", "mark_to_close", "merge_forward", "sign_by_side",
    ],
    "Quantile bins": ["qbin_edges", "qbin", "Edges"],
    "Enrichment": ["Enricher", "FIFOMatch", "TagRule", "State", "TagCondition", "TagRunning"],
    "Configuration and running": [
        "Config", "Context", "run", "run_batch", "run_cluster", "status", "BatchReport", "cluster",
    ],
    "The cube": ["Cube"],
    "Statistics": ["stats"],
    "Files": ["scan", "load", "save"],
    "Checks": ["check", "CheckReport"],
    "Calendars": ["calendar"],
    "Views": ["viz", "reports"],
    "Demonstration data": ["demo"],
    "Errors": [
        "Error", "BatchError", "ConfigError", "SchemaError", "CalendarRangeError", "DataError", "ReplayError",
        "StorageError", "NotMergeableWarning", "SchemaChangeWarning",
    ],
}  # fmt: skip


def _block(name: str, item: object, level: str) -> list[str]:
    lines = [f"{level} `{name}`", ""]
    if inspect.isfunction(item) or inspect.isclass(item):
        with contextlib.suppress(ValueError):
            lines += ["```python", f"{name.rpartition('.')[2]}{inspect.signature(item)}", "```", ""]
        lines += ["```text", inspect.getdoc(item) or "", "```", ""]
    else:
        lines += [f"`{item!r}`", ""]
    return lines


def _members(name: str, item: object) -> list[str]:
    lines: list[str] = []
    if inspect.ismodule(item):
        lines += [f"### `vf.{name}`", "", (inspect.getdoc(item) or "").strip(), ""]
        for member in sorted(item.__all__):
            if callable(getattr(item, member)):
                lines += _block(f"vf.{name}.{member}", getattr(item, member), "####")
        return lines
    lines += _block(f"vf.{name}", item, "###")
    if inspect.isclass(item) and not issubclass(item, Exception):
        for member, value in vars(item).items():
            if member.startswith("_") or (
                not isinstance(value, (staticmethod, classmethod, property)) and not inspect.isfunction(value)
            ):
                continue
            target = value.fget if isinstance(value, property) else getattr(item, member)
            if inspect.getdoc(target) and (target.__doc__ or "") != "":
                lines += _block(f"vf.{name}.{member}", target, "####")
    return lines


def page() -> str:
    """Give the page's text."""
    listed = {name for names in SECTIONS.values() for name in names}
    missing = set(vf.__all__) - listed - {"__version__"}
    if missing:
        raise SystemExit(f"tools/make_reference.py: no section for {', '.join(sorted(missing))}")
    lines = ["# Reference", "", "Made from the docstrings by `tools/make_reference.py`; C names are in "
             "[vizflow.h](../include/vizflow/vizflow.h).", ""]  # fmt: skip
    for section, names in SECTIONS.items():
        lines += [f"## {section}", ""]
        for name in names:
            lines += _members(name, getattr(vf, name))
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    text = page()
    if "--check" not in sys.argv:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        raise SystemExit("docs/reference.md is not what the docstrings say: run `python tools/make_reference.py`")
