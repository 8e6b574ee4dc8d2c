"""Makes what is measured on: a generated day, and the frames that the stages get, as the stages before leave them.

Run in a process of its own (`one.py`), since it needs memory that the measuring should not see. Nothing here is timed.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import job

DATE = "20240102"
BATCH = 131_072


def day(work: Path, rows: int, date: str = DATE) -> Path:
    """Generate a day unless it is there."""
    path = work / f"day-{rows}" / f"{date}.feather"
    if not path.exists():
        from vizflow import demo

        demo.generate(path.parent, [date], rows=rows, progress=True)
    return path


def inputs(folder: Path, source: Path, cases: list[str]) -> None:
    """Write the frames of the cases unless they are there."""
    from peers.polars_fused import elapsed_ms, fifo, forward, lots, mid

    names = {name: columns for case in cases for name, columns in job.INPUTS.get(case, {}).items()}
    missing = {name: columns for name, columns in names.items() if not (folder / f"{name}.feather").exists()}

    def write(name: str, frame: pl.LazyFrame) -> None:
        path = folder / f"{name}.feather"
        frame.select(missing.pop(name)).sink_ipc(path.with_suffix(".tmp"), record_batch_size=BATCH)
        path.with_suffix(".tmp").rename(path)

    if "clock" in missing:
        write("clock", pl.scan_ipc(source))
    quantity = pl.when(pl.col("quantity").is_not_null()).then(lots())
    rows = (
        pl.scan_ipc(source)
        .with_columns(elapsed_seconds=elapsed_ms() / 1000, mid=mid(), quantity=quantity)
        .filter(pl.col("elapsed_seconds").is_not_null())
        .with_row_index("id")
    )
    for name, step in (("fifo", 1), ("forward", 1), ("trades", 8), ("quotes", 2)):
        if name in missing:
            write(name, rows.gather_every(step, step - 1) if step > 1 else rows)
    if "aggregate" in missing:
        frame = rows.select(*job.INPUTS["fifo"]["fifo"]).collect(engine="streaming")
        frame = pl.concat([frame, forward(frame).select("return_60")], how="horizontal")
        write("aggregate", fifo(frame).lazy())
