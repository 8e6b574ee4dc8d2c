"""What questions ask of a cube, or of a brush of one. Not for answering them: see `cube`."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Protocol

import polars as pl

from vizflow.cube.axes import Dim
from vizflow.cube.store import Held


class View(Protocol):
    """A cube, or a brush of it: `Cube` is one."""

    _held: Held
    _picks: dict[int, array[int]]

    @property
    def dims(self) -> dict[str, Dim]:
        """Axes by name."""
        ...

    @property
    def dates(self) -> list[str]:
        """Dates that are in it."""
        ...

    def table(self, by: Sequence[str] | str = (), metrics: Sequence[str] | str | None = None) -> pl.DataFrame:
        """Return one row per group."""
        ...

    def to_polars(self, metrics: Sequence[str] | str | None = None, *, dates: bool = True) -> pl.DataFrame:
        """Return one row per cell."""
        ...

    def _picked(self, at: int) -> Dim: ...

    def _axis(self, name: str, option: str, *, exact: bool = False) -> tuple[int, bool]: ...
