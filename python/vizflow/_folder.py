"""Housekeeping of an output folder: who is writing, what dead writers left, which dates failed, reports.

Not for partials themselves. All of it lies in ``_vizflow/`` below the partials, so that none is taken for one.

A writer holds a shared lock while it has a temporary file; whoever gets the exclusive lock knows that every temporary
file there is of a dead process. The kernel frees the locks of a process that was killed.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not POSIX: a file that is open cannot be removed there, which does as well
    fcntl = None  # type: ignore[assignment]

from vizflow import io
from vizflow.errors import StorageError

_log = logging.getLogger("vizflow.batch")

NAME = "_vizflow"
_TEMPORARY = re.compile(r"\..+\.(?:parquet|json)\..*tmp")
_REPORTS_KEPT = 20


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Hold the folder's shared lock while a file in it is being written; without one where there are no locks."""
    handle = _open_lock(folder)
    try:
        if handle is not None:
            with suppress(OSError):
                fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        if handle is not None:
            os.close(handle)


def clean(folder: Path) -> int:
    """Remove temporary files of dead writers, unless someone is writing now; give how many were removed."""
    if not folder.is_dir():
        return 0
    handle = _open_lock(folder)
    if handle is None and fcntl is not None:
        return 0
    removed = 0
    try:
        if handle is not None:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for place in (folder, folder / NAME, folder / NAME / "failed", folder / NAME / "reports"):
            for path in place.iterdir() if place.is_dir() else ():
                if _TEMPORARY.fullmatch(path.name):
                    with suppress(OSError):
                        path.unlink()
                        removed += 1
    except OSError:
        return removed  # someone is writing, or the file system has no locks: next time
    finally:
        if handle is not None:
            os.close(handle)
    return removed


def _open_lock(folder: Path) -> int | None:
    if fcntl is None:
        return None
    try:
        place = folder / NAME
        place.mkdir(parents=True, exist_ok=True)
        return os.open(place / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError:
        return None  # the write itself will say what is wrong with the folder


# ---- failures -----------------------------------------------------------------------------------------------------


def note_failure(folder: Path, date: str, record: Mapping[str, Any]) -> None:
    """Keep why a date failed, for `status`."""
    _write_json(folder, folder / NAME / "failed" / f"{date}.json", record, logging.DEBUG)


def forget_failure(folder: Path, date: str) -> None:
    """Drop what `note_failure` kept."""
    with suppress(OSError):
        (folder / NAME / "failed" / f"{date}.json").unlink()


def failure(folder: Path, date: str) -> dict[str, Any] | None:
    """Give what `note_failure` kept of a date, if anything."""
    try:
        record = json.loads((folder / NAME / "failed" / f"{date}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


# ---- reports ------------------------------------------------------------------------------------------------------


def write_report(folder: Path, name: str, report: Mapping[str, Any]) -> Path | None:
    """Write a report; keep the newest ones only. None where it cannot be written, which is logged."""
    path = folder / NAME / "reports" / f"{name}.json"
    if not _write_json(folder, path, report, logging.WARNING):
        return None
    with suppress(OSError):
        for old in sorted(path.parent.glob("*.json"))[:-_REPORTS_KEPT]:
            with suppress(OSError):
                old.unlink()
    return path


def _write_json(folder: Path, path: Path, values: Mapping[str, Any], level: int) -> bool:
    try:
        with writing(folder), io.atomic(path) as temporary:
            temporary.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except StorageError as error:
        _log.log(level, "%s", error)
        return False
    return True
