"""What our own files prove of themselves: a SHA-256 of every byte, written into the file, checked before it is parsed.

In a Parquet or Arrow file it is text near the end, ``vizflow.sha256=`` and 64 hexadecimal digits, and the sum is taken
with those digits as zeros. In JSON it is the key ``digest``, over the other keys. Not for files of others, and no
signature: it finds damage, not a forger.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from vizflow.errors import StorageError

KEY = "vizflow.digest"
_MARK = b"vizflow.sha256="
_DIGITS = 64
PLACE = (_MARK + b"0" * _DIGITS).decode()
"""What is written where the digest is to stand."""

TAIL = 1 << 20  # the place is in a file's last bytes: metadata of Parquet, last column of a cube
_CHUNK = 1 << 22
_RECENT = 2.0  # seconds: a file that young may change again without its times telling

_checked: dict[tuple[int, ...], bool] = {}
_CHECKED_MOST = 4096


class Sealing:
    """A file that Polars writes to, passed on to another one with the digest in its place: call `finish` at the end."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        """Write all but the last bytes, which may still change, and hash them all."""
        self._hash.update(data)
        self._held += data
        if len(self._held) > 4 * TAIL:
            self._file.write(bytes(self._held[:-TAIL]))
            del self._held[:-TAIL]
        return len(data)

    def flush(self) -> None:
        """Nothing: whoever commits the file makes it durable."""

    def close(self) -> None:
        """Nothing: Polars closes what it wrote to, and the file is not whole yet."""

    def finish(self) -> None:
        """Write the rest, the digest in it."""
        at = self._held.rfind(PLACE.encode())
        if at < 0:
            raise StorageError("the file has no place for its digest; this is a defect of VizFlow")
        at += len(_MARK)
        self._held[at : at + _DIGITS] = self._hash.hexdigest().encode()
        self._file.write(bytes(self._held))


def check(path: Path) -> bool:
    """Compare a file with the digest that it carries; False where it carries none.

    Raises
    ------
    StorageError
        They differ, or the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            version = _version(os.fstat(file.fileno()))
            if version not in _checked:
                found = _check(path, file, None)
                if time.time() - max(version[-2:]) / 1e9 < _RECENT:
                    return found
                if len(_checked) >= _CHECKED_MOST:
                    _checked.clear()
                _checked[version] = found
            return _checked[version]
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: the file cannot be read ({error})") from error


def read(path: Path) -> bytes | None:
    """Read a file whole, checked as by `check`: what is used is what was checked; None: it carries no digest."""
    content = bytearray()
    try:
        with path.open("rb") as file:
            return bytes(content) if _check(path, file, content) else None
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(f"{path}: the file cannot be read ({error})") from error


def _check(path: Path, file: BinaryIO, content: bytearray | None) -> bool:
    size = os.fstat(file.fileno()).st_size
    file.seek(max(size - TAIL, 0))
    tail = file.read(TAIL)
    at = tail.rfind(_MARK)
    if at < 0 or (size < TAIL and len(tail) != size):
        return False
    at += max(size - TAIL, 0) + len(_MARK)
    file.seek(0)
    total, done, stated = hashlib.sha256(), 0, b""
    while chunk := file.read(_CHUNK):
        first, last = max(at - done, 0), min(at + _DIGITS - done, len(chunk))
        done += len(chunk)
        if content is not None:
            content += chunk
        if first < last:
            stated += chunk[first:last]
            chunk = chunk[:first] + b"0" * (last - first) + chunk[last:]
        total.update(chunk)
    if total.hexdigest().encode() != stated:
        raise damaged(path)
    return True


def _version(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def damaged(path: Path) -> StorageError:
    """Return the error for a file whose contents are not those that were written."""
    return StorageError(
        f"{path}: its contents are not those that were written, by the digest it carries; the file is damaged, or was "
        "changed by another program: make it again, or copy it again from where it is whole"
    )


def missing(path: Path) -> StorageError:
    """Return the error for a file of ours that carries no digest."""
    return StorageError(
        f"{path}: it carries no digest of its contents, which VizFlow writes; it is damaged, or was written by an "
        "older version or another program: compute it again, or take it as it is: vf.load(..., verify=False)"
    )


# ---- JSON -----------------------------------------------------------------------------------------------------------


def sealed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return JSON values with their digest."""
    return {**values, "digest": _sum(values)}


def is_whole(values: Mapping[str, Any]) -> bool:
    """Return whether values that were read are those that were `sealed`."""
    return values.get("digest") == _sum({key: value for key, value in values.items() if key != "digest"})


def _sum(values: Mapping[str, Any]) -> str:
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
