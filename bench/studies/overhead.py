"""What a date costs beside its rows: 300 dates of three rows through `run_batch`, in two processes.

``python bench/studies/overhead.py`` prints the least of three rounds: processors' time and time by the clock, a date.
Not a test: on a busy machine the figures are larger.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

import polars as pl

import vizflow as vf

DATES = [f"{year}{month:02d}{day:02d}" for year in (2023, 2024) for month in range(1, 13) for day in range(1, 14)][:300]
DAY = pl.DataFrame({"side": ["B", "S", "B"], "qty": [1, 2, 3]})


def sides(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(df, ["side"], {"n": pl.len(), "qty": pl.col("qty").sum()})


def cpu_seconds() -> float:
    """Time that this process and its children have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        config = vf.Config(input_dir=Path(folder) / "in", output_dir=Path(folder) / "out")
        for date in DATES:
            vf.save(DAY, config.get_file_path(date))
        found = []
        for _ in range(3):
            cpu, clock = cpu_seconds(), time.perf_counter()
            report = vf.run_batch(sides, config, DATES, max_workers=2, skip_existing=False, progress=False)
            found.append(((cpu_seconds() - cpu) / len(DATES), (time.perf_counter() - clock) / len(DATES)))
            assert report.count("done") == len(DATES)
        cpu, clock = (min(times) * 1e3 for times in zip(*found, strict=True))
        print(f"a date: {cpu:.1f} ms of processors, {clock:.1f} ms by the clock")


if __name__ == "__main__":
    main()
