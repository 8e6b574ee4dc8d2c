"""How many processes and threads fit on this machine: its cores and the memory that is free.

Not for how the work is split: `vizflow.batch` decides.
"""

from __future__ import annotations

import os
from pathlib import Path

_BASE = 300 << 20  # a process with Polars in it, before it reads anything


def cores() -> int:
    """How many cores this process may use; ``POLARS_MAX_THREADS``, where it is set, is the limit asked for."""
    try:
        count = len(os.sched_getaffinity(0))
    except AttributeError:
        count = os.cpu_count() or 1
    quota = _quota()
    if quota is not None:
        count = min(count, max(1, round(quota)))
    asked = os.environ.get("POLARS_MAX_THREADS", "")
    return min(count, int(asked)) if asked.isdigit() and int(asked) > 0 else count


def _quota() -> float | None:
    for group in _groups():
        words = _read(group / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            return int(words[0]) / int(words[1])
    return None


def free_memory() -> int | None:
    """How many bytes can be had without swapping, within this control group's limit; None where it is not known."""
    found = []
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) << 10)
    for group in _groups():
        limit, used = _read(group / "memory.max").strip(), _read(group / "memory.current").strip()
        if limit.isdigit() and used.isdigit():
            cached = sum(
                int(line.split()[1])
                for line in _read(group / "memory.stat").splitlines()
                if line.startswith(("inactive_file ", "active_file "))
            )
            found.append(max(0, int(limit) - int(used) + cached))
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min(found) if found else None


def _groups() -> list[Path]:
    """Give the control groups this process is in, innermost first."""
    root = Path("/sys/fs/cgroup")
    own = _read(Path("/proc/self/cgroup")).strip().rpartition("::")[2].lstrip("/")
    place = root / own
    return [place, *(parent for parent in place.parents if parent.is_relative_to(root))]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def need(size: int) -> int:
    """How many bytes a date is taken to need: twice its file, since Arrow and Parquet files are compressed, and a base."""
    return _BASE + 2 * max(0, size)


def workers(sizes: list[int], asked: int | None) -> tuple[int, int]:
    """Give how many processes run at once, and Polars' threads in each, for dates of these file sizes."""
    total = cores()
    if asked is not None:
        count = min(asked, max(1, len(sizes)))
    else:
        count = max(1, min(total, len(sizes)))
        memory = free_memory()
        largest = sorted(sizes, reverse=True)
        while memory is not None and count > 1 and sum(map(need, largest[:count])) > memory:
            count -= 1
    return count, max(1, total // count)
