"""The process that `pool` starts: reads dates from its parent's pipe, writes outcomes, ends with its parent.

Not for other parents. What it reads and writes are frames of pickled plain values between the two, never a file.
"""

from __future__ import annotations

import faulthandler
import os
import queue
import signal
import sys
import threading
from typing import IO, Any

from vizflow.jobs.processes.messages import receive, send


def open_standard_files() -> None:
    """Put /dev/null where standard input, output or errors are closed (``2>&-``): files would get their numbers."""
    for number, name, mode in (0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w"):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, which is this one
            os.set_inheritable(number, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def main() -> None:
    """Serve one parent until it says stop, or is gone."""
    open_standard_files()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what a pipeline prints goes to stderr, not between our messages
    faulthandler.enable()
    inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(incoming, inbox), daemon=True).start()

    packed = inbox.get()
    try:
        from vizflow.jobs import job

        job.check(packed)
    except BaseException as error:
        send(outgoing, ("refused", f"{type(error).__name__}: {error}"))
        return
    send(outgoing, ("ready", None))
    while (date := inbox.get()) is not None:
        send(outgoing, ("begun", date))
        send(outgoing, ("outcome", job.run_packed(packed, date)))


def _read(incoming: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
    """Pass on messages; when the parent is gone, end at once whatever the main thread is doing."""
    try:
        while True:
            message = receive(incoming)
            inbox.put(message)
            if message is None:
                return
    except BaseException:
        os._exit(70)


if __name__ == "__main__":
    main()
