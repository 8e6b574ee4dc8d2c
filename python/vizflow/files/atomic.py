"""Files written whole or not at all, and what killed writers leave. Not for formats."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl

import vizflow._core as _core
from vizflow.errors import Error, StorageError
from vizflow.files import places

_DEAD, _ELSEWHERE = (_core.LEFTOVERS[name] for name in ("dead", "elsewhere"))


@contextmanager
def atomic(path: Path) -> Iterator[_core.File]:
    """Give a file to write to, beside `path`, and put it in `path`'s place, durably, when the block ends well.

    It has ``write(bytes)`` and is what Polars' writers take. Whatever goes wrong, it is gone, and what was at `path` is
    as it was.
    """
    refuse_folder(places.local(path))
    file = _core.File(os.fspath(path))
    try:
        yield file
        file.commit()
    except BaseException as error:
        _raise_first(file, error)
        if isinstance(error, (OSError, pl.exceptions.ComputeError)) and not isinstance(error, Error):
            raise StorageError(f"{path}: the file could not be written ({error})") from error
        raise
    finally:
        file.discard()


def _raise_first(file: _core.File, error: BaseException) -> None:
    """Raise what the file itself failed with: Polars wraps it on its way, or hides it."""
    if isinstance(error, StorageError):
        return
    try:
        file.write(b"")
    except StorageError as first:
        raise first from error
    except (Error, ValueError):
        return  # it was committed, or discarded: the error is another


def refuse_folder(path: Path) -> None:
    """Refuse a target that is a folder, before anything is computed for it."""
    if os.path.isdir(path):  # noqa: PTH112 (Path.is_dir raises where it may not look)
        raise StorageError(f"{path}: there is a folder of that name, so no file can be written there")


def check_writable(path: Path) -> None:
    """Refuse a target that cannot be written, before anything is computed for it: makes its folder, and leaves nothing.

    Raises
    ------
    StorageError
        As `save` would.
    """
    refuse_folder(path)
    _core.File(os.fspath(path)).discard()


def leftovers(folder: str | os.PathLike[str], *, days: float | None = None) -> list[Path]:
    """Return the temporary files in a folder whose processes, of this host, have ended: killed, or cut off.

    Those that a live process is writing are not among them. Those of other hosts, where nobody here can look, are only
    when `days` is given and nobody has written to them for so long.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 (names are enough)
    except OSError:
        return []
    out = []
    for name in names:
        path, whose = Path(folder) / name, _core.leftover(name)
        if whose == _DEAD or (whose == _ELSEWHERE and days is not None and _age(path) > days * 86_400):
            out.append(path)
    return out


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def sweep(folder: str | os.PathLike[str], *, days: float | None = None) -> list[Path]:
    """Remove the `leftovers` of a folder; give those that are gone. Two processes may sweep at once.

    One that may not be removed, as another user's in a sticky folder, stays: it is in nobody's way.
    """
    gone = []
    for path in leftovers(folder, days=days):
        with suppress(OSError):
            path.unlink(missing_ok=True)
            gone.append(path)
    return gone
