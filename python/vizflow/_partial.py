"""Partial results on disk: a Parquet file of states (or of metrics), and what its metadata says.

Keys of the metadata, all text: ``vizflow.kind`` ("states" or "metrics"), ``vizflow.plan`` (JSON, see `_states`),
``vizflow.schema_version``, ``vizflow.bins`` (JSON: column to width), ``vizflow.dates`` (JSON: the dates whose rows are
in it), and what `run` adds (``vizflow.date``, the input's size and time, ...).

Not for merging: `reduce` does that.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from vizflow._states import LeafSpec, Plan, StateSpec
from vizflow.errors import StorageError

__all__ = ["LeafSpec", "PartialInfo", "Plan", "StateSpec", "find", "info", "plan_of", "states"]

FORMAT = "1"


@dataclass(frozen=True)
class PartialInfo:
    """What a partial's file says of itself."""

    path: Path
    kind: str
    plan: Plan | None
    date: str | None
    dates: tuple[str, ...]
    bins: Mapping[str, float]
    schema_version: str
    metadata: Mapping[str, str] = field(repr=False)


def info(path: str | os.PathLike[str]) -> PartialInfo | None:
    """Read what a Parquet file says of itself; None where VizFlow did not write it.

    Raises
    ------
    StorageError
        The file is missing, is no Parquet file, or its plan cannot be read.
    """
    path = Path(os.fspath(path))
    if not path.is_file():
        raise StorageError(f"{path}: there is no such file")
    try:
        metadata = {k: v for k, v in pl.read_parquet_metadata(path).items() if k.startswith("vizflow.")}
    except (pl.exceptions.PolarsError, OSError) as error:
        raise StorageError(f"{path}: the file cannot be read; it is truncated, corrupt, or no Parquet file") from error
    if not metadata:
        return None
    kind = metadata.get("vizflow.kind", "metrics")
    plan = Plan.from_json(metadata["vizflow.plan"], str(path)) if kind == "states" else None
    date = metadata.get("vizflow.date")
    dates = json.loads(metadata.get("vizflow.dates", "null")) or ([date] if date else [])
    return PartialInfo(
        path=path,
        kind=kind,
        plan=plan,
        date=date,
        dates=tuple(dates),
        bins=json.loads(metadata.get("vizflow.bins", "{}")),
        schema_version=metadata.get("vizflow.schema_version", ""),
        metadata=metadata,
    )


def states(path: str | os.PathLike[str]) -> pl.LazyFrame:
    """Scan the keys and the states of a partial, as they are stored."""
    known = info(path)
    if known is None or known.plan is None:
        raise StorageError(f"{path}: it holds no states")
    return pl.scan_parquet(known.path).select(*known.plan.group_by, *known.plan.state_schema)


def find(partials: Any) -> list[Path]:
    """List the files that a path, a folder, a glob pattern, or a list of them names, in order of their names."""
    if isinstance(partials, (str, os.PathLike)):
        path = Path(os.fspath(partials))
        if path.is_dir():
            found = [p for p in path.glob("*.parquet") if not p.name.startswith(".")]
        elif path.exists() or not glob.has_magic(str(path)):
            return [path]
        else:
            found = [Path(p) for p in glob.glob(str(path))]  # noqa: PTH207  (absolute patterns too)
        if not found:
            raise StorageError(f"{partials}: there is no partial (*.parquet)")
        return sorted(found, key=lambda p: (p.name, str(p)))
    return [path for one in partials for path in find(one)]


# ---- frames that know their states --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Traced:
    """What a frame was made from: its plan, and how to get the keys and states behind it."""

    plan: Plan
    states: Callable[[], pl.DataFrame]
    bins: Mapping[str, float] = field(default_factory=dict)
    dates: tuple[str, ...] = ()


_traced: dict[int, tuple[weakref.ref[Any], Traced]] = {}


def remember(frame: pl.LazyFrame | pl.DataFrame, traced: Traced) -> None:
    """Note what a frame was made from, for as long as the frame, untouched, is there."""
    key = id(frame)
    _traced[key] = weakref.ref(frame, lambda _: _traced.pop(key, None)), traced


def traced(frame: Any) -> Traced | None:
    """Give what `remember` noted of this very frame."""
    found = _traced.get(id(frame))
    return found[1] if found is not None and found[0]() is frame else None


def plan_of(frame: Any) -> Plan | None:
    """Give the plan of a frame that `aggregate`, `reduce`, `scan` or `load` gave, untouched; else None."""
    found = traced(frame)
    return found.plan if found is not None else None


def schema_version(columns: Mapping[str, pl.DataType], plan: Plan | None, bins: Mapping[str, float]) -> str:
    """Hash names, types, plan, bins and VizFlow's format number: partials of one version may be merged."""
    types = [[name, str(dtype)] for name, dtype in columns.items()]
    text = json.dumps([FORMAT, types, plan.id if plan is not None else None, sorted(bins.items())])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def describe(
    plan: Plan | None, columns: Mapping[str, pl.DataType], bins: Mapping[str, float], dates: Iterable[str]
) -> dict[str, str]:
    """Give the metadata that a partial has beside what `run` notes."""
    out = {
        "vizflow.format": FORMAT,
        "vizflow.kind": "states" if plan is not None else "metrics",
        "vizflow.schema_version": schema_version(columns, plan, bins),
        "vizflow.bins": json.dumps(dict(bins)),
        "vizflow.dates": json.dumps(list(dates)),
    }
    return out if plan is None else {**out, "vizflow.plan": plan.to_json()}
