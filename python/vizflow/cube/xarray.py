"""A cube as an `xarray.Dataset`.

Not for cubes that do not fit densely: those stay frames.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import polars as pl

from vizflow.errors import ConfigError

if TYPE_CHECKING:
    from vizflow.cube.view import View


def dataset(cube: View, metrics: Sequence[str]) -> Any:
    """See `Cube.to_xarray`."""
    try:
        np: Any = importlib.import_module("numpy")
        xr: Any = importlib.import_module("xarray")
    except ImportError as error:
        raise ConfigError("to_xarray needs xarray: pip install xarray") from error
    names = (["date"] if cube.dates else []) + list(cube.dims)
    axes = [cube._picked(cube._axis(name, "to_xarray", exact=True)[0]) for name in names]
    shape = tuple(len(axis) for axis in axes)
    cells = 1
    for n in shape:
        cells *= n
    if cells * 8 * len(metrics) > cube._held.limit:
        raise ConfigError(
            f"to_xarray: {len(metrics)} dense arrays of {cells} cells are more than the memory limit of "
            f"{cube._held.limit} bytes; brush the cube first, take fewer metrics, or use to_polars()"
        )
    frame = cube.to_polars(metrics, dates=bool(cube.dates))
    flat: Any = np.zeros(frame.height, dtype=np.int64)
    for name, axis in zip(names, axes, strict=True):
        number = pl.Series(range(len(axis)), dtype=pl.Int64)
        at = pl.DataFrame({name: axis.values, "at": number})
        positions = frame.select(name).join(at, on=name, how="left", nulls_equal=True, maintain_order="left")["at"]
        flat = flat * len(axis) + positions.to_numpy()
    variables = {metric: (names, _spread(frame[metric], flat, cells).reshape(shape)) for metric in metrics}
    coordinates: dict[str, Any] = {}
    for name, axis in zip(names, axes, strict=True):
        values = axis.values
        plain = values.dtype.is_numeric() or values.dtype.is_temporal() or values.dtype == pl.Boolean
        coordinates[name] = values.to_numpy() if plain and not values.null_count() else _objects(values)
        if axis.width is not None and axis.centres is not None:
            coordinates[f"{name}_centre"] = (name, axis.centres.to_numpy())
    return xr.Dataset(variables, coords=coordinates)


def _objects(values: pl.Series) -> Any:
    import numpy as np

    out = np.empty(values.len(), dtype=object)
    out[:] = values.to_list()
    return out


def _spread(column: pl.Series, flat: Any, cells: int) -> Any:
    import numpy as np

    if column.dtype.is_integer() and (column.len() < cells or column.null_count()):
        column = column.cast(pl.Float64)
    values = column.to_numpy()
    if values.dtype.kind == "f":
        out = np.full(cells, np.nan, dtype=values.dtype)
    elif values.dtype.kind in "mM":
        out = np.full(cells, np.array("NaT", dtype=values.dtype))
    elif column.len() == cells and not column.null_count():
        out = np.empty(cells, dtype=values.dtype)
    else:
        out = np.full(cells, None, dtype=object)
    out[flat] = values
    return out
