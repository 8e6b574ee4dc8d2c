"""Which bins a frame's columns hold, and of which day it is: that travels in its own plan, as a text that C ignores.

Whatever Polars builds upon a binned frame still shows that text in its plan, so a width is known wherever its column
came through untouched; a column that was written anew under the same name is not known.

Not for computing bins, and not for what a partial's file says (`partials.file`).
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import count
from typing import TypeAlias

import polars as pl

__all__ = ["Bins", "day_of", "day_text", "edges_text", "known", "note", "scan_name"]

Bins: TypeAlias = "Mapping[str, float | str]"
"""Column to bin width, or to a text that stands for edges; elapsed seconds to the day that they are of."""

_NOTE = re.compile(r'"vizflow bins ([0-9a-f]+)"')
_SCAN = re.compile(r"PYTHON\[vizflow [^\]]* #(\d+)\] SCAN")
_scans: dict[int, dict[str, float | str]] = {}
_numbers = count(1)


def note(bins: Bins) -> pl.Expr:
    """Return the argument that tells of bins, for a call of the plugin that makes them."""
    return pl.lit(f"vizflow bins {json.dumps(dict(bins)).encode().hex()}")


def edges_text(content: object) -> str:
    """Return a short text that stands for edges: equal for equal ones."""
    return f"edges {hashlib.sha256(repr(content).encode()).hexdigest()[:16]}"


def day_text(number: int) -> str:
    """Return the text that stands for the day that elapsed seconds are of, from its number since 1970."""
    return f"date {dt.date(1970, 1, 1) + dt.timedelta(days=number):%Y%m%d}"


def day_of(bins: Mapping[str, float | str], column: str) -> str | None:
    """Return the day (YYYYMMDD) that a column's elapsed seconds are of, where that is known."""
    text = bins.get(column)
    return text.removeprefix("date ") if isinstance(text, str) and text.startswith("date ") else None


def scan_name(name: str, frame: pl.LazyFrame | None) -> str:
    """Name a scan of ours over a frame, so that the frame's bins are known of it too."""
    bins = known(frame) if frame is not None else {}
    if not bins:
        return f"vizflow {name}"
    number = next(_numbers)
    _scans[number] = bins
    return f"vizflow {name} #{number}"


def known(frame: pl.LazyFrame) -> dict[str, float | str]:
    """Return what is known of the bins of a frame's columns: nothing of those that were written anew."""
    text = frame.explain(optimized=False)
    found: dict[str, set[float | str]] = {}
    for bins in _told(text):
        for name, what in bins.items():
            found.setdefault(name, set()).add(what)
    if not found:
        return {}
    again = _written_again(text)
    return {name: what.pop() for name, what in found.items() if len(what) == 1 and name not in again}


def _told(text: str) -> Iterator[dict[str, float | str]]:
    for match in _NOTE.finditer(text):
        yield json.loads(bytes.fromhex(match[1]))
    for match in _SCAN.finditer(text):
        yield _scans.get(int(match[1]), {})


_ALIAS = re.compile(r'\.alias\("([^"]*)"\)$')
_COLUMN = re.compile(r'col\("([^"]*)"\)')


def _written_again(text: str) -> set[str]:
    """Return the names that a plan's projections write, other than by passing a column on and by making its bins."""
    out = set()
    for line in text.splitlines():
        start = line.find("[")
        if start < 0 or line[:start].strip() not in ("", "SELECT"):
            continue
        for expr in _elements(line[start:]):
            column, alias = _COLUMN.search(expr), _ALIAS.search(expr)
            name = alias[1] if alias else column[1] if column else ""
            if not _NOTE.search(expr) and expr != f'col("{name}")':
                out.add(name)
    return out


def _elements(text: str) -> Iterator[str]:
    """Take a list in brackets apart at its own commas."""
    depth, start, quoted = 0, 1, False
    for at, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        if (letter == "," and depth == 1) or (letter == "]" and depth == 0):
            yield text[start:at].strip()
            start = at + 1
            if depth == 0:
                return
