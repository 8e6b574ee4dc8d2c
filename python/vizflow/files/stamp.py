"""Which version of a file: its name, size and time, or what the system knows it by.

Not for what is in it.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stamp:
    """Which input: its name, size and time."""

    name: str
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Stamp:
        """Look at a file; one that is not there has size -1."""
        try:
            stat = path.stat()
        except OSError:
            return cls(path.name, -1, 0)
        return cls(path.name, stat.st_size, stat.st_mtime_ns)

    def __str__(self) -> str:
        if self.size < 0:
            return "no file"
        time = dt.datetime.fromtimestamp(self.mtime_ns / 1e9, dt.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return f"{self.size:,} bytes of {time}"
