"""Worker processes of ours: one that is killed costs the date it was at, and no other.

Not `concurrent.futures`: there the death of one process breaks the whole pool, and a script without a
``if __name__ == "__main__"`` guard cannot start one.
"""

from __future__ import annotations

import multiprocessing.spawn
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any

from vizflow.errors import ConfigError, Error
from vizflow.jobs import job
from vizflow.jobs.job import Outcome
from vizflow.jobs.machine import oom_kills
from vizflow.jobs.processes.messages import receive, send

_STARTS = 3  # how often a worker that dies before it begins is started for one date


# What Polars' allocator is told, unless the caller says otherwise: keep freed pages for ten seconds. A day goes through
# in batches of one size, and giving their pages back in between and having them zeroed again took a fifth of the time.
_ALLOCATOR = "dirty_decay_ms:10000,muzzy_decay_ms:10000"


class _Died(Exception):
    """The worker's process is gone."""


class _Refused(Exception):
    """The worker cannot make the pipeline."""


class Worker:
    """One process, asked for one date at a time."""

    def __init__(self, packed: bytes, threads: int) -> None:
        start = f"import sys; sys.path[:] = {sys.path!r}; from vizflow.jobs.processes.worker import main; main()"
        self.process = subprocess.Popen(
            [os.fsdecode(multiprocessing.spawn.get_executable() or sys.executable), "-c", start],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            env={"_RJEM_MALLOC_CONF": _ALLOCATOR, **os.environ, "POLARS_MAX_THREADS": str(threads)},
            start_new_session=True,  # a Ctrl-C in the terminal is the parent's to handle
        )
        self.begun = False
        self._packed: bytes | None = packed

    def ask(self, date: str) -> Outcome:
        """Have a date run; `_Died` where the process is gone, with `begun` telling whether it was at the date."""
        self.begun = False
        try:
            assert self.process.stdin is not None
            if self._packed is not None:
                send(self.process.stdin, self._packed)
                word, text = self._answer()
                if word == "refused":
                    raise _Refused(text)
                self._packed = None
            send(self.process.stdin, date)
            self._answer()
            self.begun = True
            outcome: Outcome = self._answer()[1]
            return outcome
        except (OSError, EOFError) as error:
            raise _Died from error

    def _answer(self) -> Any:
        stream = self.process.stdout
        assert stream is not None
        if os.name == "posix":
            # Not a plain read: a process that the pipeline forked may hold the pipe open beyond the worker's death.
            while not select.select([stream], [], [], 0.5)[0]:
                if self.process.poll() is not None and not select.select([stream], [], [], 0)[0]:
                    raise EOFError
        return receive(stream)

    def stop(self) -> None:
        """Let the process end by itself."""
        with suppress(OSError, ValueError):
            assert self.process.stdin is not None
            send(self.process.stdin, None)
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def kill(self) -> None:
        """End the process, and what it started, now."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self.process.pid, signal.SIGKILL)
            else:
                self.process.kill()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        self._close()

    def _close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                if stream is not None:
                    stream.close()

    def obituary(self, kills_before: int) -> str:
        """Say how the process ended."""
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=10)
        code = self.process.returncode
        if code is None:
            return "its process stopped answering"
        if code >= 0:
            return f"its process ended by itself, with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = "unknown"
        if code == -signal.SIGKILL:
            if oom_kills() > kills_before:
                return (
                    "its process was killed by the kernel: out of memory (signal 9, SIGKILL); give fewer max_workers, "
                    "or more memory"
                )
            return "its process was killed (signal 9, SIGKILL): out of memory, or by someone's hand"
        return f"its process crashed (signal {-code}, {name})"


class Pool:
    """Workers, a thread of ours for each; outcomes come as they are there."""

    def __init__(self, packed: bytes, workers: int, threads: int) -> None:
        self._packed = packed
        self._threads = threads
        self._todo: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._found: queue.SimpleQueue[Outcome | BaseException | None] = queue.SimpleQueue()
        self._stopping = False
        self._workers: set[Worker] = set()
        self._lock = threading.Lock()
        self._servers = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]

    def run(self, dates: Sequence[str]) -> Generator[Outcome, None, None]:
        """Run dates, begun in the order given; ends all processes however it ends."""
        for date in dates:
            self._todo.put(date)
        serving = len(self._servers)
        try:
            for server in self._servers:
                server.start()
            while serving:
                try:
                    found = self._found.get(timeout=0.2)  # a wait without end does not see Ctrl-C on every platform
                except queue.Empty:
                    continue
                if found is None:
                    serving -= 1
                elif isinstance(found, BaseException):
                    raise found
                else:
                    yield found
        finally:
            self._end()

    def _end(self) -> None:
        self._stopping = True
        with self._lock:
            left = list(self._workers)
        for worker in left:
            worker.kill()
        for server in self._servers:
            if server.ident is not None:
                server.join(timeout=10)

    def _serve(self) -> None:
        worker: Worker | None = None
        try:
            while not self._stopping:
                try:
                    date = self._todo.get_nowait()
                except queue.Empty:
                    break
                worker = self._one(worker, date)
            if worker is not None and not self._stopping:
                worker.stop()
                self._forget(worker)
        except _Refused as error:
            self._found.put(ConfigError(f"the pipeline cannot travel to another process: {error}"))
        except BaseException as error:
            self._found.put(error)
        finally:
            self._found.put(None)

    def _one(self, worker: Worker | None, date: str) -> Worker | None:
        """Have one date run, by this worker or a new one; give the worker if it is still there."""
        for _ in range(_STARTS):
            started, kills = time.perf_counter(), oom_kills()
            if worker is None:
                worker = self._start()
            if worker is None:
                return None
            try:
                self._found.put(worker.ask(date))
                return worker
            except _Died:
                if self._stopping:
                    return None
                text = worker.obituary(kills)
                begun = worker.begun
                worker.kill()
                self._forget(worker)
                worker = None
            if begun:
                self._found.put(job.failed(date, time.perf_counter() - started, f"Killed: {text}"))
                return None
        raise Error(f"worker processes end before they begin: {text}; what they print is above")

    def _start(self) -> Worker | None:
        with self._lock:
            if self._stopping:
                return None
            worker = Worker(self._packed, self._threads)
            self._workers.add(worker)
            return worker

    def _forget(self, worker: Worker) -> None:
        with self._lock:
            self._workers.discard(worker)
