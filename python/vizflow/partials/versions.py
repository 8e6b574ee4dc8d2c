"""Versions of what partials hold: which differences matter, and how they are told. Not for reading rows."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from vizflow.errors import SchemaChangeWarning, StorageError, first_line
from vizflow.files import digest
from vizflow.files.places import look
from vizflow.lazy.lineage import Bins
from vizflow.partials.plan import Plan
from vizflow.schema.types import type_text

FORMAT = "2"  # of partial results on disk


def _plain_bins(bins: Mapping[str, Any]) -> dict[str, float | str]:
    return {str(name): what if isinstance(what, str) else float(what) for name, what in bins.items()}


def schema_version(schema: Mapping[str, Any], plan_id: str | None, bins: Bins | None) -> str:
    """Return the version of a partial result: 16 hex digits that stand for everything its numbers' meaning depends on.

    Parameters
    ----------
    schema
        Names and types of the columns on disk; their order does not count.
    plan_id
        Of the metrics' plan; None where the partial has none.
    bins
        Column to bin width.
    """
    return PartialSchema.of(schema, plan_id, bins).version


@dataclass(frozen=True)
class PartialSchema:
    """What a partial result's version stands for; `plan` is the plan's id, or its text where it comes from a file."""

    columns: Mapping[str, str]
    plan: str | None
    bins: Bins
    format: str = FORMAT
    given: str | None = None  # the version that the file says

    @classmethod
    def of(cls, schema: Mapping[str, Any], plan_id: str | None = None, bins: Bins | None = None) -> PartialSchema:
        """Describe a partial result that is in memory."""
        columns = {name: type_text(dtype) for name, dtype in schema.items()}
        return cls(columns, plan_id, _plain_bins(bins or {}))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> PartialSchema:
        """Describe a partial result on disk, by its schema and its metadata; nothing in it is executed.

        Raises
        ------
        StorageError
            It cannot be read.
        """
        look(Path(os.fspath(path)))
        digest.check(Path(os.fspath(path)))
        try:
            metadata = pl.read_parquet_metadata(Path(os.fspath(path)))
            schema = pl.read_parquet_schema(Path(os.fspath(path)))
            bins = json.loads(metadata.get("vizflow.bins", "{}"))
            widths = _plain_bins(bins)
        except (
            OSError, ValueError, TypeError, AttributeError, pl.exceptions.PolarsError, pl.exceptions.PanicException,
        ) as error:  # fmt: skip
            raise StorageError(f"{os.fspath(path)}: this is no whole partial result ({first_line(error)})") from error
        columns = {name: type_text(dtype) for name, dtype in schema.items()}
        return cls(
            columns,
            metadata.get("vizflow.plan"),
            widths,
            metadata.get("vizflow.format", ""),
            metadata.get("vizflow.schema_version", ""),
        )

    @property
    def version(self) -> str:
        """The version: what the file says, else the hash of what is known."""
        if self.given is not None:
            return self.given
        content = [self.format, sorted(self.columns.items()), self.plan, sorted(self.bins.items())]
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def differences(self, new: PartialSchema) -> list[str]:
        """Word what is different in `new`, one text a difference."""
        out = [f"column {name!r} is gone" for name in self.columns if name not in new.columns]
        out += [f"column {name!r} ({dtype}) is new" for name, dtype in new.columns.items() if name not in self.columns]
        out += _changed("column", self.columns, new.columns)
        out += _changed("the bin width of", self.bins, new.bins)
        out += [f"the bins of {name!r} are gone" for name in self.bins if name not in new.bins]
        out += [f"the bins of {name!r} are new" for name in new.bins if name not in self.bins]
        if self.format != new.format:
            out.append(f"VizFlow's format was {self.format or 'not told'}, is {new.format}")
        if (self.given is None) == (new.given is None):
            out += _plan_differences(self.plan, new.plan) if self.plan != new.plan else []
        elif not out and self.version != new.version:  # a plan's text and a plan's id cannot be compared
            out += _plan_differences(None, None)
        if not out and self.version != new.version:
            out.append(f"the version was {self.version or 'not told'}, is {new.version or 'not told'}")
        return out


def _changed(what: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [
        f"{what} {name!r} was {value}, is {new[name]}" for name, value in old.items() if new.get(name, value) != value
    ]


def _plan_differences(old: str | None, new: str | None) -> list[str]:
    """Name the places where two plans differ, where both are JSON."""
    try:
        places = list(_places(json.loads(old or ""), json.loads(new or ""), ""))
    except ValueError:
        places = []
    shown = ", ".join(places[:4]) + (f" and {len(places) - 4} more places" if len(places) > 4 else "")
    return [f"the metrics' plan differs ({shown})" if places else "the metrics' plan differs"]


def _places(old: Any, new: Any, at: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            if key not in old or key not in new:
                yield f"{at}{key} is {'new' if key in new else 'gone'}"
            else:
                yield from _places(old[key], new[key], f"{at}{key}.")
    elif old != new:
        yield at.rstrip(".")


def alert(
    partials: Iterable[str | os.PathLike[str]],
    reference: PartialSchema | str | os.PathLike[str] | None = None,
    *,
    warn: Callable[[str], None] | None = None,
) -> list[tuple[list[Path], list[str]]]:
    """Warn, with the differences, where partial results were written under another schema than the reference.

    Parameters
    ----------
    partials
        Their paths. One that cannot be read raises StorageError.
    reference
        What they should be like: of a new run, or the path of a partial. None takes the schema that most of them have
        (of several, the one of the last path).
    warn
        Called with the warning's text; by default it is a `SchemaChangeWarning`.

    Returns
    -------
    list
        (paths, differences) of each schema that is another.
    """
    groups: dict[tuple[Any, ...], tuple[PartialSchema, list[Path]]] = {}
    for path in sorted(Path(os.fspath(partial)) for partial in partials):
        found = PartialSchema.read(path)
        key = (found.version, tuple(sorted(found.columns.items())), found.plan, tuple(sorted(found.bins.items())))
        groups.setdefault(key, (found, []))[1].append(path)
    if not groups:
        return []
    if reference is None:
        reference = max(groups.values(), key=lambda group: (len(group[1]), group[1][-1]))[0]
    elif not isinstance(reference, PartialSchema):
        reference = PartialSchema.read(reference)
    out = []
    for schema, paths in groups.values():
        if schema.version == reference.version and (reference.given is None or schema.version):
            continue
        differences = schema.differences(reference)
        if differences:
            out.append((paths, differences))
            text = _alert_text(paths, differences)
            warn(text) if warn is not None else warnings.warn(text, SchemaChangeWarning, stacklevel=3)
    return out


def _alert_text(paths: Sequence[Path], differences: Sequence[str]) -> str:
    names = f"{paths[0].name} to {paths[-1].name}" if len(paths) > 1 else paths[0].name
    shown = "; ".join(differences[:6]) + (f"; and {len(differences) - 6} more" if len(differences) > 6 else "")
    return (
        f"{len(paths)} partial result{'s' if len(paths) > 1 else ''} in {paths[0].parent} ({names}) "
        f"{'were' if len(paths) > 1 else 'was'} written under another schema: {shown}. They do not belong with the "
        "others: run those dates again with run_batch(skip_existing=False)"
    )


def describe(
    plan: Plan | None, schema: Mapping[str, pl.DataType], bins: Bins | None, dates: Iterable[str]
) -> dict[str, str]:
    """Return the metadata that a partial has beside what `run` notes."""
    out = {
        "vizflow.format": FORMAT,
        "vizflow.kind": "states" if plan is not None else "metrics",
        "vizflow.schema_version": schema_version(schema, plan.id if plan is not None else None, bins),
        "vizflow.dates": json.dumps(list(dates)),
    }
    if bins is not None:
        out["vizflow.bins"] = json.dumps(dict(bins))
    return out if plan is None else {**out, "vizflow.plan": plan.to_json()}
