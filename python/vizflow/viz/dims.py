"""Cells of figures and their axes, wherever the numbers come from. Not for making them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import polars as pl

from vizflow.errors import ConfigError
from vizflow.viz.units import Unit

MetricSpec: TypeAlias = "str | pl.Expr | Mapping[str, str | pl.Expr]"
Where: TypeAlias = "Mapping[str, tuple[Any, Any] | Sequence[Any]]"
Units: TypeAlias = "Mapping[str, str | tuple[str, float]]"


@dataclass(frozen=True)
class Dim:
    """One axis of a figure: what is on it, and in which unit."""

    name: str
    kind: str  # "bin", "integer", "date", "category", "number"
    width: float | None = None
    unit: Unit = field(default_factory=Unit)

    @property
    def label(self) -> str:
        """What stands at the axis."""
        text = self.name.removesuffix("_bin") if self.kind == "bin" else self.name
        return self.unit.label(text.replace("_", " "))

    @property
    def note(self) -> str:
        """How wide the bins are, where there are bins."""
        if self.kind != "bin":
            return ""
        if self.width is None:
            return "bin numbers"
        return f"bins of {number(self.width * self.unit.scale)}{' ' + self.unit.name if self.unit.name else ''}"

    def place(self, value: Any) -> Any:
        """Return where a key stands on the axis: a bin at its centre, a date as ISO text."""
        if value is None:
            return None
        if self.kind == "bin":
            return centre(value, self.width, self.unit.scale)
        if self.kind == "date":
            return iso(value)
        if self.kind in ("integer", "number"):
            return value * self.unit.scale if self.unit.scale != 1 else value
        return str(value)


@dataclass(frozen=True)
class Cells:
    """Aggregated cells.

    `frame` has the columns of `dims`, and for the metric at `index` the columns ``value_{index}``,
    ``valid_{index}``, ``coverage_{index}`` and ``error_{index}``; ``n`` is the cell's rows. A null is not known.
    """

    frame: pl.DataFrame
    dims: tuple[Dim, ...]
    metrics: tuple[str, ...]


def number(value: float) -> str:
    """Spell a number shortly: 6 digits, no trailing zeros."""
    return f"{value:.6g}"


def centre(bin_number: int, width: float | None, factor: float = 1.0) -> float:
    """Return the middle of a bin, in the unit shown, without the noise that 3 * 1e-4 has."""
    if width is None:
        return bin_number
    return float(f"{bin_number * width * factor:.12g}")


def iso(value: Any) -> str:
    """Return a date as ``YYYY-MM-DD``."""
    text = str(value)
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else text


def metrics_of(given: MetricSpec | Sequence[str | pl.Expr]) -> dict[str, str | pl.Expr]:
    """Return metrics as a mapping of names."""
    if isinstance(given, Mapping):
        out = dict(given)
    else:
        items = [given] if isinstance(given, (str, pl.Expr)) else list(given)
        out = {item if isinstance(item, str) else item.meta.output_name(): item for item in items}
    if not out:
        raise ConfigError("metrics is empty; a column, an expression, or a mapping of names to them is needed")
    for name, item in out.items():
        if not isinstance(item, (str, pl.Expr)):
            raise ConfigError(f"metric {name!r} is {type(item).__name__}; a column's name or an expression is accepted")
    return out


def is_partials(data: Any) -> bool:
    """Return whether data is a path or paths."""
    if isinstance(data, (str, os.PathLike)):
        return True
    return isinstance(data, Sequence) and bool(data) and all(isinstance(p, (str, os.PathLike)) for p in data)


def is_cube(data: Any) -> bool:
    """Return whether data is a `Cube`, without importing it for those who have none."""
    return any(kind.__name__ == "Cube" and kind.__module__.startswith("vizflow") for kind in type(data).__mro__)


def integer_kind(name: str, keys: pl.Series, width: float | None, units: Units | None) -> str:
    """Return what whole numbers are: bins; numbers, where they have a unit; else codes, which are categories.

    Beyond 2^53 all are codes: a browser's numbers would take neighbours for one.
    """
    if keys.len() > keys.null_count() and max(-int(keys.min()), int(keys.max())) > 2**53:  # type: ignore[arg-type]
        return "category"
    if width is not None or name.endswith(("_bin", "_qbin")):
        return "bin"
    return "integer" if units and name in units else "category"
