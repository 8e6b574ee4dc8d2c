"""Polars' serialised expressions as plain trees, bit by bit: read, written, compared, and summed up in a digest.

The form is Polars' binary one, which is MessagePack: it holds every literal as it is. Polars' JSON does not: one float
in eight comes back from it changed in its last place, and NaN and infinities do not come back at all.

Not for what a partial's file holds (`partials.language`), nor for what an expression means (`partials.metrics`).
"""

from __future__ import annotations

import hashlib
import io
import struct
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import polars as pl

import vizflow._core as _core


class Changed(Exception):
    """Polars does not read a tree back as it was written."""


class Single(float):
    """A Float32 of a tree: its four bytes are kept, so that it is written again as it was."""

    raw: bytes

    def __new__(cls, raw: bytes) -> Single:
        """Read four bytes, big end first."""
        self = super().__new__(cls, struct.unpack(">f", raw)[0])
        self.raw = raw
        return self


def dump(expr: pl.Expr) -> Any:
    """Return an expression as a tree of dicts, lists, texts, numbers and bytes."""
    return _Reader(expr.meta.serialize(format="binary")).whole()


def load(tree: Any) -> pl.Expr:
    """Make a tree's expression; `Changed` where it is not the tree's, to the bit."""
    data = packed(tree)
    expr = pl.Expr.deserialize(io.BytesIO(data), format="binary")
    if expr.meta.serialize(format="binary") != data:
        raise Changed("Polars reads an expression back as another one")
    return expr


def same(one: pl.Expr, other: pl.Expr) -> bool:
    """Return whether two expressions are the same, literals to the bit."""
    return bool(one.meta.serialize(format="binary") == other.meta.serialize(format="binary"))


def digest(expr: pl.Expr) -> str:
    """Return 32 hexadecimal digits that equal expressions share: of every option, and of the data of every literal."""
    return hashlib.sha256(packed(_plain(dump(expr)))).hexdigest()[:32]


# ---- MessagePack ----------------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def whole(self) -> Any:
        out = self.value()
        if self.at != len(self.data):
            raise ValueError("something follows the expression")
        return out

    def take(self, n: int) -> bytes:
        out = self.data[self.at : self.at + n]
        if len(out) < n:
            raise ValueError("the expression ends early")
        self.at += n
        return out

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def value(self) -> Any:
        code = self.take(1)[0]
        if code < 0x80:
            return code
        if code >= 0xE0:
            return code - 256
        if code < 0x90:
            return self.map(code & 15)
        if code < 0xA0:
            return [self.value() for _ in range(code & 15)]
        if code < 0xC0:
            return self.take(code & 31).decode()
        return self.other(code)

    def other(self, code: int) -> Any:
        if code in _CONSTANTS:
            return _CONSTANTS[code]
        if code in _NUMBERS:
            return self.number(_NUMBERS[code])
        if code == 0xCA:
            return Single(self.take(4))
        kind, form = _SIZED.get(code, ("", ""))
        if kind == "":
            raise ValueError(f"the expression holds something of kind {code:#x}")
        n = self.number(form)
        if kind == "map":
            return self.map(n)
        if kind == "list":
            return [self.value() for _ in range(n)]
        found = self.take(n)
        return found if kind == "bytes" else found.decode()

    def map(self, n: int) -> dict[Any, Any]:
        return {self.value(): self.value() for _ in range(n)}


_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {
    0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q", 0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q",
}  # fmt: skip
_SIZED = {
    0xC4: ("bytes", ">B"), 0xC5: ("bytes", ">H"), 0xC6: ("bytes", ">I"),
    0xD9: ("text", ">B"), 0xDA: ("text", ">H"), 0xDB: ("text", ">I"),
    0xDC: ("list", ">H"), 0xDD: ("list", ">I"), 0xDE: ("map", ">H"), 0xDF: ("map", ">I"),
}  # fmt: skip


def packed(value: Any) -> bytes:
    """Write a tree in Polars' binary form, each number in the fewest bytes, as Polars does."""
    out = bytearray()
    _pack(value, out)
    return bytes(out)


def _pack(value: Any, out: bytearray) -> None:
    if value is None or isinstance(value, bool):
        out.append({None: 0xC0, False: 0xC2, True: 0xC3}[value])
    elif isinstance(value, Single):
        out += b"\xca" + value.raw
    elif isinstance(value, float):
        out += struct.pack(">Bd", 0xCB, value)
    elif isinstance(value, int):
        _pack_int(value, out)
    elif isinstance(value, str):
        data = value.encode()
        _pack_size(len(data), out, (0xA0, 32), (0xD9, 0xDA, 0xDB))
        out += data
    elif isinstance(value, bytes):
        _pack_size(len(value), out, (0, 0), (0xC4, 0xC5, 0xC6))
        out += value
    elif isinstance(value, Mapping):
        _pack_size(len(value), out, (0x80, 16), (0, 0xDE, 0xDF))
        for key, item in value.items():
            _pack(key, out)
            _pack(item, out)
    else:
        _pack_size(len(value), out, (0x90, 16), (0, 0xDC, 0xDD))
        for item in value:
            _pack(item, out)


def _pack_int(value: int, out: bytearray) -> None:
    if -32 <= value < 128:
        out.append(value & 0xFF)
        return
    forms = ((0xCC, "B"), (0xCD, "H"), (0xCE, "I"), (0xCF, "Q")) if value >= 0 else ()
    for code, form in forms or ((0xD0, "b"), (0xD1, "h"), (0xD2, "i"), (0xD3, "q")):
        try:
            out += struct.pack(f">B{form}", code, value)
        except struct.error:
            continue
        return
    raise ValueError(f"{value} does not fit 64 bits")


def _pack_size(n: int, out: bytearray, short: tuple[int, int], codes: tuple[int, int, int]) -> None:
    """Write a length: in the code itself, or in 1, 2 or 4 bytes (maps and lists have no 1)."""
    if n < short[1]:
        out.append(short[0] + n)
    elif n < 256 and codes[0]:
        out += struct.pack(">BB", codes[0], n)
    elif n < 65_536:
        out += struct.pack(">BH", codes[1], n)
    else:
        out += struct.pack(">BI", codes[2], n)


# ---- what tells two expressions apart -------------------------------------------------------------------------------

_COLUMNS = ("Series", "List", "Array")


def _plain(node: Any) -> Any:
    """Leave out what says nothing of an expression's meaning: chunks and flags of a series, folders of a plugin."""
    if isinstance(node, Mapping):
        if len(node) == 1:
            ((kind, body),) = node.items()
            if kind in _COLUMNS and isinstance(body, bytes):
                return {kind: _series(body)}
        if "symbol" in node and "lib" in node:
            return {**{key: _plain(item) for key, item in node.items()}, "lib": _library(str(node["lib"]))}
        return {key: _plain(item) for key, item in node.items()}
    return [_plain(item) for item in node] if isinstance(node, list) else node


def _library(path: str) -> str:
    return "vizflow" if path == _core.__file__ else PurePath(path).name


def _series(data: bytes) -> Any:
    try:
        return _values(pl.read_ipc_stream(io.BytesIO(data)).to_series())
    except (pl.exceptions.PolarsError, ValueError, TypeError):
        return data


def _values(series: pl.Series) -> Any:
    """Return a column's type and its values, as they are to the bit, whatever chunks they lie in."""
    dtype = series.dtype
    if isinstance(dtype, pl.Struct):
        nulls = series.is_null().to_list()
        return ["Struct", nulls, [[field.name, _values(series.struct.field(field.name))] for field in dtype.fields]]
    if isinstance(dtype, (pl.List, pl.Array)):
        return [repr(dtype), [None if one is None else _values(one) for one in series]]
    if isinstance(dtype, pl.Enum):
        return ["Enum", dtype.categories.to_list(), series.cast(pl.String).to_list()]
    if isinstance(dtype, pl.Categorical):
        return ["Categorical", series.cast(pl.String).to_list()]
    if dtype == pl.Object:
        raise TypeError("objects have no bits of their own")
    plain = series.to_physical()
    if plain.dtype == pl.Int128 or plain.dtype == pl.UInt128:
        return [repr(dtype), [None if one is None else str(one) for one in plain.to_list()]]
    return [repr(dtype), plain.to_list()]
