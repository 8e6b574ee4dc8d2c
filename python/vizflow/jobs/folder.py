"""Housekeeping of an output folder: what dead writers left, which dates failed, reports.

Not for partials themselves. All of it lies in ``_vizflow/`` below the partials, so that none is taken for one.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from vizflow.errors import StorageError
from vizflow.files import atomic, digest
from vizflow.files import json as _json

_log = logging.getLogger("vizflow.jobs.batch")

NAME = "_vizflow"
_REPORTS_KEPT = 20


def clean(folder: Path) -> int:
    """Remove temporary files of processes of this host that are gone; give how many there were."""
    places = (folder, folder / NAME, folder / NAME / "failed", folder / NAME / "reports")
    return sum(len(atomic.sweep(place)) for place in places)


# ---- failures -----------------------------------------------------------------------------------------------------


def note_failure(folder: Path, date: str, record: Mapping[str, Any]) -> None:
    """Keep why a date failed, for `status`."""
    _write_json(folder / NAME / "failed" / f"{date}.json", record, logging.DEBUG)


def forget_failure(folder: Path, date: str) -> None:
    """Drop what `note_failure` kept."""
    with suppress(OSError):
        (folder / NAME / "failed" / f"{date}.json").unlink()


def failure(folder: Path, date: str) -> dict[str, Any] | None:
    """Return what `note_failure` kept of a date, unless its partial was written since."""
    path = folder / NAME / "failed" / f"{date}.json"
    if not os.path.isfile(path) or _written(folder / f"{date}.parquet") > _written(path):  # noqa: PTH113
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict) or not digest.is_whole(record):
        return {"error": f"the last attempt failed, and the note of it is damaged: {NAME}/failed/{date}.json"}
    return record


def _written(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return -1


# ---- reports ------------------------------------------------------------------------------------------------------


def write_report(folder: Path, name: str, report: Mapping[str, Any]) -> Path | None:
    """Write a report; keep the newest ones only. None where it cannot be written, which is logged."""
    path = folder / NAME / "reports" / f"{name}.json"
    if not _write_json(path, report, logging.WARNING):
        return None
    with suppress(OSError):
        for old in sorted(path.parent.glob("*.json"))[:-_REPORTS_KEPT]:
            with suppress(OSError):
                old.unlink()
    return path


def _write_json(path: Path, values: Mapping[str, Any], level: int) -> bool:
    try:
        with atomic.atomic(path) as file:
            file.write((_json.text(digest.sealed(values)) + "\n").encode("utf-8"))
    except StorageError as error:
        _log.log(level, "%s", error)
        return False
    return True
