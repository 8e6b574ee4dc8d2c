"""A cube as the explorer sees it: axes in order, cells as frames, errors and coverage. Not for answering pages."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from vizflow.cube.cube import Cube
from vizflow.errors import ConfigError
from vizflow.files import places
from vizflow.viz import cube_cells
from vizflow.viz.dims import Units, integer_kind, is_cube
from vizflow.viz.explorer.engine import Axis
from vizflow.viz.units import Unit, check_units, unit_of

__all__ = ["CubeSource"]


class CubeSource:
    """See `vizflow.viz.explorer.engine.Source`."""

    def __init__(self, cube: Cube, *, units: Units | None, title: str) -> None:
        check_units(units, [*cube.metrics, *cube.dims])
        self.cube = cube
        self.title = title
        self.dates = tuple(cube.dates)
        self.metrics = tuple(cube.metrics)
        self.units: Mapping[str, Unit] = {name: unit_of(name, units) for name in cube.metrics}
        self.count = cube_cells.count_metric(cube)
        self.axes = tuple(_axis(name, dim, units) for name, dim in cube.dims.items())
        if not self.axes:
            raise ConfigError("the cube has no dimensions to look along; aggregate by some group_by columns")

    @classmethod
    def of(cls, source: Any, *, units: Units | None, title: str | None) -> CubeSource:
        """Make one of a cube, of a saved cube, or of partials."""
        if is_cube(source):
            return cls(source, units=units, title=title or "cube")
        if isinstance(source, (str, os.PathLike)) and places.local(source).suffix in (".arrow", ".feather", ".ipc"):
            return cls(Cube.open(source), units=units, title=title or Path(source).stem)
        return cls(cube_cells.cube_of(source), units=units, title=title or _name(source))

    def cells(self, by: Sequence[str], where: Mapping[str, Any]) -> pl.DataFrame:
        """Return `by` and every metric, a row a cell that holds rows."""
        return cube_cells.cells(self._view(where), by, self.metrics)

    def look(self, metric: str, by: Sequence[str], where: Mapping[str, Any], *, clustered: bool) -> pl.DataFrame:
        """Return `by`, ``value``, ``rows``, and ``coverage``, ``error``, ``dates`` where the cube can tell them."""
        return cube_cells.look(self._view(where), metric, by, self.count, clustered=clustered)

    def _view(self, where: Mapping[str, Any]) -> Cube:
        return self.cube.brush(where) if where else self.cube


def _axis(name: str, dim: Any, units: Units | None) -> Axis:
    keys = tuple(dim.values.to_list())
    kind = integer_kind(name, dim.values, dim.width, units) if dim.values.dtype.is_integer() else "category"
    return Axis(name, kind, keys, dim.width, unit_of(name, units))


def _name(source: Any) -> str:
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return path.name if path.is_dir() or path.is_file() else path.parent.name or str(path)
    return "cells" if isinstance(source, (pl.LazyFrame, pl.DataFrame)) else "partials"
