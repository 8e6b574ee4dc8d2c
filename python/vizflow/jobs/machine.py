"""How many processes and threads fit on this machine: its cores and the memory that is free.

Not for how the work is split: `vizflow.jobs.batch` decides.
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
    for place in groups(""):
        words = _read(place / "cpu.max").split()
        if len(words) == 2 and words[0].isdigit() and words[1].isdigit():
            return int(words[0]) / int(words[1])
    for place in groups("cpu"):
        quota, period = _read(place / "cpu.cfs_quota_us").strip(), _read(place / "cpu.cfs_period_us").strip()
        if quota.isdigit() and period.isdigit() and int(period):
            return int(quota) / int(period)
    return None


def free_memory() -> int | None:
    """How many bytes can be had without swapping, within this control group's limit; None where it is not known."""
    found = []
    for line in _read(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            found.append(int(line.split()[1]) << 10)
    for controller, most, now in (
        ("", "memory.max", "memory.current"),
        ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        for place in groups(controller):
            limit, used = _read(place / most).strip(), _read(place / now).strip()
            if limit.isdigit() and used.isdigit():
                found.append(max(0, int(limit) - int(used) + _cached(place)))
    if not found and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)
    return min(found) if found else None


def _cached(place: Path) -> int:
    """Return the bytes a control group is charged for that the kernel drops when they are needed: files' pages."""
    values = dict(line.split(" ", 1) for line in _read(place / "memory.stat").splitlines() if " " in line)
    prefix = "total_" if "total_inactive_file" in values else ""
    return sum(int(values.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))


def oom_kills() -> int:
    """How many processes the kernel has killed for want of memory in this control group."""
    for controller, name in (("", "memory.events"), ("memory", "memory.oom_control")):
        for place in groups(controller):
            for line in _read(place / name).splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1])
    return 0


def groups(controller: str) -> list[Path]:
    """Return the control groups this process is in, innermost first: version 2's, or a controller's of version 1."""
    root = Path("/sys/fs/cgroup") / controller
    for line in _read(Path("/proc/self/cgroup")).splitlines():
        _, kinds, own = line.split(":", 2)
        if controller in kinds.split(","):
            place = root / own.lstrip("/")
            return [place, *(parent for parent in place.parents if parent.is_relative_to(root))]
    return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""


def need(size: int) -> int:
    """How many bytes a date is taken to need: twice its file, since files are compressed, and a base."""
    return _BASE + 2 * max(0, size)


def workers(sizes: list[int], asked: int | None) -> tuple[int, int]:
    """Return how many processes run at once, and Polars' threads in each, for dates of these file sizes."""
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
