"""Partial results on disk: a Parquet file of states (or of metrics), and what its metadata says.

Keys of the metadata, all text: ``vizflow.kind`` ("states" or "metrics"), ``vizflow.plan`` (JSON, see `partials.plan`),
``vizflow.schema_version``, ``vizflow.bins`` (JSON: column to width), ``vizflow.dates`` (JSON: the dates whose rows are
in it), ``vizflow.digest`` (see `files.digest`), and what `run` adds (``vizflow.date``, the input's size and time, ...).

Not for merging: `reduce` does that.
"""

from __future__ import annotations

import glob
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from vizflow.errors import ConfigError, StorageError
from vizflow.files import digest as _digest
from vizflow.files import places
from vizflow.lazy.frames import columns
from vizflow.lazy.lineage import Bins
from vizflow.lazy.notes import Notes
from vizflow.partials.plan import Plan
from vizflow.partials.traced import Traced, remember, traced

__all__ = ["PartialInfo", "find", "info"]


@dataclass(frozen=True)
class PartialInfo:
    """What a partial's file says of itself."""

    path: Path
    kind: str
    plan: Plan | None
    date: str | None
    dates: tuple[str, ...]
    bins: Bins | None
    schema_version: str
    schema: Mapping[str, pl.DataType] = field(repr=False)
    metadata: Mapping[str, str] = field(repr=False)

    @property
    def digest(self) -> str:
        """The digest that it carries: two files of the same are the same."""
        return self.metadata.get(_digest.KEY, "")


def info(path: str | os.PathLike[str], *, verify: bool = True, whole: bytes | None = None) -> PartialInfo | None:
    """Read what a Parquet file says of itself; None where VizFlow did not write it.

    `whole` is its contents, where they were read and compared with their digest already.

    Raises
    ------
    StorageError
        The file is missing, is no Parquet file, is not what was written, or its plan cannot be read.
    """
    path = places.local(path)
    places.look(path)
    proved = not verify or whole is not None or _digest.check(path)
    try:
        read = pl.read_parquet_metadata(path if whole is None else whole)
        metadata = {k: v for k, v in read.items() if k.startswith("vizflow.")}
        schema = pl.read_parquet_schema(path if whole is None else whole) if metadata else {}
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise StorageError(f"{path}: the file cannot be read; it is truncated, corrupt, or no Parquet file") from error
    if not metadata:
        return None
    if not proved:
        raise _digest.missing(path)
    kind = metadata.get("vizflow.kind", "metrics")
    if kind not in ("states", "metrics") or (kind == "states") != ("vizflow.plan" in metadata):
        raise _unreadable(path, "vizflow.kind", kind)
    plan = Plan.from_json(metadata["vizflow.plan"], str(path)) if kind == "states" else None
    date = metadata.get("vizflow.date")
    if date is not None and not _is_date(date):
        raise _unreadable(path, "vizflow.date", date)
    bins = _bins(path, metadata.get("vizflow.bins", "null"))
    if plan is not None:
        _check_version(path, metadata, schema, plan, bins)
    return PartialInfo(
        path=path,
        kind=kind,
        plan=plan,
        date=date,
        dates=_dates(path, metadata.get("vizflow.dates", "null")) or ((date,) if date else ()),
        bins=bins,
        schema_version=metadata.get("vizflow.schema_version", ""),
        schema=schema,
        metadata=metadata,
    )


def _unreadable(path: Path, key: str, text: str) -> StorageError:
    short = text if len(text) <= 80 else f"{text[:80]}…"
    return StorageError(
        f"{path}: its metadata says {key} = {short!r}, which VizFlow does not write; it is damaged, or of a newer "
        "version: compute the partial again"
    )


def _check_version(
    path: Path,
    metadata: Mapping[str, str],
    schema: Mapping[str, pl.DataType],
    plan: Plan,
    bins: Bins | None,
) -> None:
    """Refuse a plan that is sound but not the one that the columns were written with: its numbers would be wrong."""
    from vizflow.partials.versions import FORMAT, schema_version

    written = metadata.get("vizflow.format", "")
    if written != FORMAT:
        raise _unreadable(path, "vizflow.format", written)
    if metadata.get("vizflow.schema_version") != schema_version(schema, plan.id, bins):
        raise StorageError(
            f"{path}: its columns, plan and bins are not those that vizflow.schema_version stands for; it is damaged, "
            "or was changed by another program: compute the partial again"
        )


def _is_date(value: Any) -> bool:
    from vizflow.dates import check_date  # which knows the operations, and they know this module

    try:
        return isinstance(value, str) and bool(check_date(value))
    except ConfigError:
        return False


def _json(text: str) -> Any:
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()  # half a character is no text
        return found
    except (ValueError, RecursionError):
        return text  # of no type that is asked for


def _dates(path: Path, text: str) -> tuple[str, ...]:
    found = _json(text)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(map(_is_date, found)) or len(set(found)) < len(found):
        raise _unreadable(path, "vizflow.dates", text)
    return tuple(found)


def _bins(path: Path, text: str) -> dict[str, float | str] | None:
    found = _json(text)
    if found is None:
        return None
    if not isinstance(found, dict) or not all(is_width(what) or isinstance(what, str) for what in found.values()):
        raise _unreadable(path, "vizflow.bins", text)
    return found


def is_width(value: Any) -> bool:
    """Say whether a value can be a bin width."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def view(path: Path, lf: pl.LazyFrame, *, states: bool, verify: bool, whole: bytes | None) -> pl.LazyFrame:
    """Show a Parquet file as users see it: a partial of states as its metrics, or as its states."""
    known = info(path, verify=verify, whole=whole)
    if known is None or known.plan is None:
        if states:
            raise ConfigError(f"{path}: it holds no states; see mergeable= of vf.aggregate, and vf.run")
        return lf
    plan = known.plan
    stored = lf.select(columns([*plan.group_by, *plan.state_schema]))
    out = stored if states else lf.select(columns(plan.group_by), **plan.finish)

    def collect() -> pl.DataFrame:
        return stored.collect(engine="streaming")

    remember(out, Traced(plan, collect, known.bins, known.dates))
    return out


def stored(path: Path, names: Iterable[str], version: str) -> pl.DataFrame:
    """Read columns of a partial as they are stored, from the very bytes that were compared with its digest.

    Raises
    ------
    StorageError
        It is damaged, or another one than that of this digest, whose plan is known.
    """
    whole = _digest.read(path)
    if whole is None:
        raise _digest.missing(path)
    if not version or version.encode() not in whole[-_digest.TAIL :]:
        raise StorageError(
            f"{path}: the partial was replaced after it was looked at, so nothing of it was used; ask for the merged "
            "partials again"
        )
    try:
        return pl.scan_parquet(whole, glob=False, hive_partitioning=False).select(columns(names)).collect()
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise StorageError(f"{path}: the file cannot be read; it is truncated, corrupt, or no Parquet file") from error


def find(partials: Any) -> list[Path]:
    """List the files that a path, a folder, a glob pattern, or a list of them names, in order of their names."""
    if isinstance(partials, (str, os.PathLike)):
        path = places.local(partials)
        if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises where it may not look)
            found = [p for p in path.glob("*.parquet") if not p.name.startswith(".")]
        elif os.path.lexists(path) or not glob.has_magic(str(path)):
            return [path]
        else:
            found = [Path(p) for p in glob.glob(str(path))]  # noqa: PTH207  (absolute patterns too)
        if not found:
            raise StorageError(f"{partials}: there is no partial (*.parquet)")
        return sorted(found, key=lambda p: (p.name, str(p)))
    return [path for one in partials for path in find(one)]


# ---- frames that know their states --------------------------------------------------------------------------------


# ---- what a run notes while its pipeline is planned ---------------------------------------------------------------


def bins_of(given: Any, notes: Notes, names: Iterable[str]) -> dict[str, float | str]:
    """Return what is known of the bins of a pipeline's columns: by its frame, else by what was asked for on the way."""
    found = traced(given)
    told = {**notes.bins, **((found.bins or {}) if found is not None else {})}
    return {name: what for name, what in told.items() if name in names}
