"""Frames read batch by batch by Polars in a thread beside ours, and what Polars' threads read from us.

Whatever ends a reading early is raised: a reading is whole, or an error. One that is left early stops, and none is in
Python when the interpreter ends. Not for what is done with the rows: `lazy.two_pass`.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import polars as pl

import vizflow._core as _core
from vizflow.errors import Error

_SECONDS_TO_STOP = 10.0  # of waiting at the end of the process for what a C function or Polars is still computing


class Reading:
    """One reading of a frame. Batches come from Polars' ``sink_batches``, which raises what ``collect_batches`` loses.

    Polars gives each batch to `_give` in a thread of its own and waits there until the one before was taken, so at most
    two are held.
    """

    def __init__(self, frame: pl.LazyFrame, *, ordered: bool) -> None:
        self._frame = frame
        self._ordered = ordered
        self._changed = threading.Condition()
        self._batch: pl.DataFrame | None = None
        self._error: BaseException | None = None
        self._finished = False
        self._stopped = False
        self._thread = threading.Thread(target=self._read, name="vizflow reading", daemon=True)

    def __enter__(self) -> Reading:
        with _lock:
            _refuse_at_the_end()
            _readings.add(self)
            _core.tally_turn()
            self._thread.start()
        return self

    def __exit__(self, *failure: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.end()

    def __iter__(self) -> Iterator[pl.DataFrame]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._batch is not None or self._finished)
                batch, self._batch = self._batch, None
                self._changed.notify_all()
            if batch is None:
                break
            yield batch
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # which knows this frame, and what it holds would wait for the garbage collector
        if self._stopped:
            _refuse_at_the_end()

    def stop(self) -> None:
        """Ask Polars for no more; what it was about to give is dropped."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def end(self, seconds: float | None = None) -> None:
        """Stop, and wait for the thread, unless it is the one that collects garbage here."""
        self.stop()
        if threading.current_thread() is not self._thread:
            self._thread.join(seconds)

    def _read(self) -> None:
        try:
            self._frame.sink_batches(self._give, maintain_order=self._ordered, engine="streaming")
        except BaseException as error:  # a panic of Polars is no Exception
            self._error = error
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def _give(self, batch: pl.DataFrame) -> bool:
        """Take a batch from Polars; True tells it that no more are wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._batch is None or self._stopped)
            if not self._stopped:
                self._batch = batch
                self._changed.notify_all()
            return self._stopped


class Guarded:
    """An iterator that Polars' threads may call, except while the interpreter ends.

    CPython ends a thread that comes back to Python then by unwinding its stack, through Polars' own frames, and that
    aborts the process. So nothing may be inside when it does.
    """

    def __init__(self, frames: Iterator[pl.DataFrame]) -> None:
        self._frames = frames

    def __iter__(self) -> Iterator[pl.DataFrame]:
        return self

    def __next__(self) -> pl.DataFrame:
        with _inside:
            return next(self._frames)


class _Inside:
    """How many calls of Polars' threads are in Python."""

    def __init__(self) -> None:
        self.calls = 0

    def __enter__(self) -> None:
        with _lock:
            _refuse_at_the_end()
            self.calls += 1

    def __exit__(self, *failure: Any) -> None:
        with _lock:
            self.calls -= 1


_lock = threading.Lock()
_inside = _Inside()
_readings: weakref.WeakSet[Reading] = weakref.WeakSet()
_ended = False


def _refuse_at_the_end() -> None:
    if _ended:
        raise Error("the process is ending, and a VizFlow frame is still being read; read it to its end before")


@atexit.register
def _end() -> None:
    """Stop every reading, and wait until no thread of Polars is in Python."""
    global _ended
    with _lock:
        _ended = True
        left = list(_readings)
    deadline = time.monotonic() + _SECONDS_TO_STOP
    for reading in left:
        reading.stop()
    for reading in left:
        reading.end(max(0.0, deadline - time.monotonic()))
    while _inside.calls and time.monotonic() < deadline:
        time.sleep(0.001)


def identity(path: str | os.PathLike[str]) -> tuple[int, int, int, int] | None:
    """Return what tells one version of a file from another on this machine; None: it is not there."""
    try:
        stat = os.stat(path)  # noqa: PTH116 (names of plans are text)
    except (OSError, ValueError):
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
