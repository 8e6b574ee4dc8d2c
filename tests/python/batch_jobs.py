"""Pipelines that batches of the tests run, in a module that every process can import.

Not tests.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import polars as pl

import vizflow as vf

BAD = {"raises": "20240103", "exits": "20240104", "killed": "20240105", "crashes": "20240108"}


def sides(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(df, ["side"], {"n": pl.len(), "qty": pl.col("qty").sum()})


def other_metrics(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(df, ["side"], {"n": pl.len(), "most": pl.col("qty").max()})


def trouble(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    if ctx.date == BAD["raises"]:
        raise LookupError("no such thing")
    if ctx.date == BAD["exits"]:
        sys.exit("enough")
    if ctx.date == BAD["killed"]:
        os.kill(os.getpid(), signal.SIGKILL)
    if ctx.date == BAD["crashes"]:
        os.kill(os.getpid(), signal.SIGSEGV)
    return sides(df, ctx)


def noisy(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    print("printed by", ctx.date, flush=True)
    os.write(1, b"written to file 1\n")
    warnings.warn("watch this", stacklevel=1)
    return sides(df, ctx)


def threads(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return pl.LazyFrame({"threads": [pl.thread_pool_size()], "pid": [os.getpid()], "session": [os.getsid(0)]})


def slow(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    marks = Path(str(ctx.config.output_dir)) / "begun"
    marks.mkdir(parents=True, exist_ok=True)
    (marks / f"{ctx.date}-{os.getpid()}").touch()
    time.sleep(0.3 if ctx.date == "20240101" else 30)
    return sides(df, ctx)


def forks(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    """Start a process that outlives a worker, with the worker's pipes, and be killed."""
    subprocess.Popen(["sleep", "30"], close_fds=False)
    if ctx.date == BAD["killed"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return sides(df, ctx)


def hot(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    time.sleep(1.2 if ctx.date == "20240102" else 0.05)
    return sides(df, ctx)


def greedy(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    if ctx.date == BAD["killed"]:
        held = [bytearray(os.urandom(1 << 20)) * 64 for _ in range(64)]
        assert held
    return sides(df, ctx)


def changes_input(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    os.utime(ctx.config.get_file_path(ctx.date), ns=(1, 1))
    return sides(df, ctx)
