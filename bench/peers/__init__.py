"""Who takes part: a file each, which does the job of `job.py` in its own way and shares no code with VizFlow.

A file has a function a case, `load`, which gives its arguments (not timed), and `shown`, which makes a result a Polars
frame to compare (not timed either). Here are those of the contestants that work on Polars frames.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl


def load(paths: list[Path], rows: int | None) -> list[pl.DataFrame]:
    """Read frames, or their first rows, and touch their pages."""
    frames = [pl.read_ipc(path, n_rows=rows) for path in paths]
    for frame in frames:
        frame.select(pl.all().hash().sum())
    return frames


def shown(case: str, result: pl.DataFrame) -> pl.DataFrame:
    return result
