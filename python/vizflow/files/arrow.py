"""Arrow files looked over before Polars follows what they say: places and sizes, all inside the file.

Polars takes them as they are: what lies outside ends the process, or a thread whose end nobody hears of. Not for
values, which Polars checks itself, and not for files of other formats.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vizflow.errors import StorageError

_MAGIC = b"ARROW1"
_CONTINUED = 0xFFFFFFFF
_DICTIONARY, _BATCH = 2, 3  # of union MessageHeader
_MOST_TIMES = (256, 40_000)  # larger than it is compressed can nothing be: LZ4, and zstd with its runs of one byte
_LEAST = 1 << 16


class _Outside(Exception):
    """Something lies outside of where it is said to be."""


class _Table:
    """A table of a flatbuffer; every place that is followed is checked."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self._at = data, at
        self._fields = at - self._number("<i", at)
        self._size = self._number("<H", self._fields)

    @staticmethod
    def root(data: bytes) -> _Table:
        return _Table(data, _unpacked("<I", data, 0))

    def _number(self, form: str, at: int) -> int:
        return _unpacked(form, self._data, at)

    def _place(self, field: int) -> int | None:
        at = 4 + 2 * field
        offset = self._number("<H", self._fields + at) if at + 2 <= self._size else 0
        return self._at + offset if offset else None

    def number(self, field: int, form: str, default: int = 0) -> int:
        at = self._place(field)
        return default if at is None else self._number(form, at)

    def table(self, field: int) -> _Table | None:
        at = self._place(field)
        return None if at is None else _Table(self._data, at + self._number("<I", at))

    def structs(self, field: int, form: str) -> Iterator[tuple[int, ...]]:
        """Return a vector's structs."""
        at = self._place(field)
        if at is None:
            return iter(())
        at += self._number("<I", at)
        first, size = at + 4, self._number("<I", at) * struct.calcsize(form)
        if first + size > len(self._data):
            raise _Outside("a list")
        return struct.iter_unpack(form, self._data[first : first + size])


def _unpacked(form: str, data: bytes, at: int) -> int:
    if at < 0:
        raise _Outside("a table")
    try:
        return int(struct.unpack_from(form, data, at)[0])
    except struct.error:
        raise _Outside("a table") from None


def check(path: Path) -> None:
    """Look an Arrow file over: its footer, its messages, their buffers. What is no Arrow file is left to Polars.

    Raises
    ------
    StorageError
        Something lies outside of the file, or would be larger than it can be.
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < 18 or file.read(6) != _MAGIC:
            return
        file.seek(size - 10)
        length, magic = struct.unpack("<i6s", file.read(10))
        if magic != _MAGIC:
            return
        try:
            _check(file, size - 10, length)
        except _Outside as what:
            raise StorageError(
                f"{path}: the file cannot be read; it is truncated or corrupt ({what} lies outside of it, or is larger "
                "than can be)"
            ) from None


def _check(file: BinaryIO, end: int, length: int) -> None:
    if not 0 < length <= end - 8:
        raise _Outside("its footer")
    end -= length
    file.seek(end)
    footer = _Table.root(file.read(length))
    for field, kind in ((2, _DICTIONARY), (3, _BATCH)):
        for offset, metadata, body in footer.structs(field, "<qi4xq"):
            if min(offset, metadata, body) < 0 or offset + metadata + body > end:
                raise _Outside("a block of rows")
            file.seek(offset)
            _check_message(file, file.read(metadata), kind, body)


def _check_message(file: BinaryIO, data: bytes, kind: int, body: int) -> None:
    prefix = 8 if _unpacked("<I", data, 0) == _CONTINUED else 4
    start = file.tell()
    message = _Table.root(data[prefix:])
    header = message.table(2)
    if message.number(1, "<B") != kind or header is None or message.number(3, "<q") > body:
        raise _Outside("a message")
    batch = header if kind == _BATCH else header.table(1)
    if batch is None or batch.number(0, "<q") < 0:
        raise _Outside("a message")
    for length, nulls in batch.structs(1, "<qq"):
        if not 0 <= nulls <= length:
            raise _Outside("a column")
    compression = batch.table(3)
    codec = None if compression is None else compression.number(0, "<b")
    if codec not in (None, 0, 1):
        raise _Outside("a kind of compression")
    for offset, length in batch.structs(2, "<qq"):
        if min(offset, length) < 0 or offset + length > body:
            raise _Outside("a buffer")
        if codec is not None and length:
            file.seek(start + offset)
            stated = _unpacked("<q", file.read(min(length, 8)), 0)
            if not -1 <= stated <= max(length * _MOST_TIMES[codec], _LEAST):
                raise _Outside("a compressed buffer")
