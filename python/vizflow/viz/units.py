"""Units of figures: what a metric's numbers are shown as. Not for colours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vizflow.errors import ConfigError, near_names


@dataclass(frozen=True)
class Unit:
    """What a number is measured in, and what the stored number is multiplied by to be shown in it."""

    name: str = ""
    scale: float = 1.0

    def label(self, text: str) -> str:
        """Return an axis' or column's label with the unit behind it."""
        return f"{text} [{self.name}]" if self.name else text


_SCALES = {"bp": 1e4, "bps": 1e4, "%": 1e2, "‰": 1e3}


def unit_of(name: str, units: Mapping[str, str | tuple[str, float]] | None) -> Unit:
    """Find a column's unit; a column ``alpha_bin`` has that of ``alpha``."""
    if not units:
        return Unit()
    given = units.get(name, units.get(name.removesuffix("_bin")))
    if given is None:
        return Unit()
    if isinstance(given, str):
        return Unit(given, _SCALES.get(given, 1.0))
    if (
        isinstance(given, tuple)
        and len(given) == 2
        and isinstance(given[1], (int, float))
        and math.isfinite(given[1])
        and given[1] != 0
    ):
        return Unit(str(given[0]), float(given[1]))
    raise ConfigError(f'units[{name!r}] is {given!r}; a name such as "bp", or (name, factor), is accepted')


def check_units(units: Mapping[str, Any] | None, known: Iterable[str], option: str = "units") -> None:
    """Refuse units (or bins) of what is not there; a unit of ``alpha`` is that of ``alpha_bin``."""
    names = list(dict.fromkeys(name for name in known if not name.startswith("__")))
    there = {*names, *(name.removesuffix("_bin") for name in names)}
    for name in units or {}:
        if name not in there and f"{name}_bin" not in there:
            hint = near_names(str(name), names).replace("the columns are", "there are")
            raise ConfigError(f"{option}: there is no {name!r}; {hint}")
