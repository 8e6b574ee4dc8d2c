"""The loaded `faults.c`, from Python: what `_core` asks for is refused, counted and written down.

Not a test: `memory.py` and `saves.py` run with it, in processes of their own that the tests start.
"""

from __future__ import annotations

import ctypes
import gc
import re
from dataclasses import dataclass
from pathlib import Path

import polars._plr

del polars._plr._allocator  # Polars' memory is never refused: here large blocks of `_core` come from malloc too
import vizflow._core as _core  # noqa: E402

KINDS = ["create", "write", "sync", "close", "rename", "remove", "make folder", "open folder"]


class _Op(ctypes.Structure):
    _fields_ = [
        ("kind", ctypes.c_int),
        ("handle", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("to", ctypes.c_char_p),
        ("data", ctypes.c_void_p),
        ("size", ctypes.c_size_t),
    ]


@dataclass(frozen=True)
class Op:
    """One file operation of `_core` that took effect."""

    kind: str
    handle: int
    name: str
    to: str
    data: bytes


_lib = ctypes.CDLL(None)
_lib.faults_watch.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
_lib.faults_watch.restype = None
_lib.faults_memory.argtypes = [ctypes.c_long, ctypes.c_bool]
_lib.faults_memory.restype = None
_lib.faults_files.argtypes = [ctypes.c_long, ctypes.c_bool, ctypes.c_int]
_lib.faults_files.restype = None
_lib.faults_note.argtypes = [ctypes.c_bool]
_lib.faults_note.restype = None
_lib.faults_op.argtypes = [ctypes.c_size_t]
_lib.faults_op.restype = ctypes.POINTER(_Op)
for _name in ("memory_calls", "memory_failed", "files_calls", "files_failed", "held"):
    getattr(_lib, f"faults_{_name}").restype = ctypes.c_long
_lib.faults_n_ops.restype = ctypes.c_size_t
_lib.faults_files_refused.restype = ctypes.c_uint


def watch() -> None:
    """Watch `_core`: calls from where its code lies are counted from here on."""
    path = str(Path(_core.__file__).resolve())
    for line in Path("/proc/self/maps").read_text().splitlines():
        found = re.match(r"([0-9a-f]+)-([0-9a-f]+) r-xp .* (/.*)$", line)
        if found is not None and found[3] == path:
            _lib.faults_watch(int(found[1], 16), int(found[2], 16))
            return
    raise RuntimeError(f"{path} is not loaded")


def refuse_memory(fail_at: int, *, for_ever: bool = False) -> None:
    """Refuse the allocation of that number, from 1; or, for ever, all from then on. 0: none. Counts begin anew."""
    _lib.faults_memory(fail_at, for_ever)


def memory_calls() -> int:
    """Count the allocations since `refuse_memory`."""
    return int(_lib.faults_memory_calls())


def memory_failed() -> int:
    """Count those refused."""
    return int(_lib.faults_memory_failed())


def held(*, most: int = -1) -> int:
    """Count the blocks that `_core` asked for and nobody gave back; above `most`, once Python's garbage is gone."""
    if int(_lib.faults_held()) > most:
        gc.collect()
    return int(_lib.faults_held())


def refuse_files(fail_at: int, code: int, *, for_ever: bool = False) -> None:
    """Refuse the file operation of that number with an errno."""
    _lib.faults_files(fail_at, for_ever, code)


def files_calls() -> int:
    """Count the file operations since `refuse_files`."""
    return int(_lib.faults_files_calls())


def files_failed() -> int:
    """Count those refused."""
    return int(_lib.faults_files_failed())


def kinds_refused() -> list[str]:
    """Name the kinds of file operations that were refused."""
    bits = int(_lib.faults_files_refused())
    return [kind for bit, kind in enumerate(KINDS) if bits >> bit & 1]


def note(on: bool) -> None:
    """Begin to write down file operations, or end, and forget what was written down."""
    _lib.faults_note(on)


def noted() -> list[Op]:
    """Return what was written down."""
    out = []
    for i in range(_lib.faults_n_ops()):
        op = _lib.faults_op(i).contents
        data = ctypes.string_at(op.data, op.size) if op.data else b""
        out.append(Op(KINDS[op.kind], op.handle, (op.name or b"").decode(), (op.to or b"").decode(), data))
    return out
