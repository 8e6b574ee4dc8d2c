"""Streams: whatever ends one early is an error, and one that is left early leaves nothing behind."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
from vizflow.errors import PanicError
from vizflow.lazy.two_pass import batches, rows

ROWS = 3_000
DAY = pl.DataFrame(
    {
        "symbol": ["a", "b", "c"] * (ROWS // 3),
        "elapsed_seconds": [i // 3 for i in range(ROWS)],
        "side": ["B", "S"] * (ROWS // 2),
        "qty": [100] * ROWS,
        "price": [10.0 + i % 7 for i in range(ROWS)],
    }
)
FIFO = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")
COUNT = vf.TagRunning("n", lambda n, row: n + row["qty"], dtype=pl.Int64, input_columns=["qty"])
QUOTES = DAY.select("symbol", "elapsed_seconds", mid="price")
SUMS = {"rows": pl.len(), "value": (pl.col("qty") * pl.col("price")).sum()}
STREAMS: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "fifo": lambda lf: vf.Enricher([FIFO], sort_by="elapsed_seconds").run(lf),
    "python rule": lambda lf: vf.Enricher([COUNT], sort_by="elapsed_seconds").run(lf),
    "returns": lambda lf: vf.forward_return(lf, [60]),
    "returns of fifo": lambda lf: vf.forward_return(STREAMS["fifo"](lf), [60]),
    "marks": lambda lf: vf.mark_to_close(lf),
    "quotes": lambda lf: vf.merge_forward(lf, QUOTES, ["mid"]),
    "groups": lambda lf: vf.aggregate(lf, ["symbol", "elapsed_seconds"], SUMS),
    "reduce": lambda lf: vf.reduce([STREAMS["groups"](lf)]),
}
streams = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)


# ---- left early ----------------------------------------------------------------------------------------------------


def leave_by_break(given: Iterator[pl.DataFrame]) -> None:
    for _ in given:
        break


def leave_by_exception(given: Iterator[pl.DataFrame]) -> None:
    def fail() -> None:
        for _ in given:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def leave_untouched(given: Iterator[pl.DataFrame]) -> None:
    del given


def leave_in_a_thread_that_ends(given: Iterator[pl.DataFrame]) -> None:
    thread = threading.Thread(target=next, args=(given,))
    thread.start()
    thread.join()


def leave_two_under_way(given: Iterator[pl.DataFrame]) -> None:
    next(given, None)
    next(given, None)


WAYS = [leave_by_break, leave_by_exception, leave_untouched, leave_in_a_thread_that_ends, leave_two_under_way]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@streams
def test_a_stream_left_early_leaves_no_thread(
    stream: Callable[[pl.LazyFrame], pl.LazyFrame], way: Callable[[Iterator[pl.DataFrame]], None]
) -> None:
    def alive() -> int:
        gc.collect()
        return sum(thread.name == "vizflow reading" for thread in threading.enumerate())

    for _ in range(5):  # of 8 streams, in 5 ways: 200 times
        way(iter(stream(DAY.lazy()).collect_batches(chunk_size=10, engine="streaming")))
    deadline = time.monotonic() + 10
    while alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    if way is not leave_untouched:  # of those Polars may start one after ten seconds, when a thread of its pool ends
        assert alive() == 0
    assert stream(DAY.lazy()).collect().height >= 1000  # and the next reading is whole


def test_a_reading_closed_early_ends_its_thread_at_once() -> None:
    for _ in range(200):
        reading = batches(DAY.lazy().with_columns(x=pl.col("price") * 2))
        next(reading)
        reading.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "vizflow reading"]


LEFT_AT_THE_END = """
    import itertools, sys, threading
    import polars as pl
    import vizflow as vf

    n = 600_000
    day = pl.DataFrame({"symbol": ["a", "b", "c"] * (n // 3), "side": ["B", "S"] * (n // 2), "qty": [1] * n})
    day = day.with_columns(elapsed_seconds=pl.int_range(n), price=pl.lit(10.0))
    fifo = vf.Enricher([vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")], sort_by="elapsed_seconds").run(day)
    held = [vf.forward_return(day, [60]), fifo, vf.forward_return(fifo, [60]), vf.mark_to_close(day)]
    held = [iter(frame.collect_batches(chunk_size=1000)) for frame in held]

    def begin():
        for given in held:
            next(given)

    way = sys.argv[1]
    if way == "thread":  # which is still there at the end
        begun = threading.Event()
        threading.Thread(target=lambda: [begin(), begun.set(), threading.Event().wait()], daemon=True).start()
        begun.wait()
    else:
        begin()
    if way == "error":
        raise SystemExit(3)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("way", "code"), [("end", 0), ("thread", 0), ("error", 3)])
def test_process_that_ends_while_streams_are_read_ends_well(way: str, code: int) -> None:
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(LEFT_AT_THE_END), way], capture_output=True, text=True, timeout=60
        )
        assert (done.returncode, done.stderr) == (code, "")


def test_reading_while_the_process_ends_is_an_error_and_never_a_part() -> None:
    code = """
        import atexit
        import polars as pl

        def late():
            try:
                print(vf.aggregate(pl.LazyFrame({"a": [1]}), ["a"], {"n": pl.len()}).collect())
            except BaseException as error:
                print(type(error).__name__, "the process is ending" in str(error))

        atexit.register(late)  # before vizflow is there, so run after it has stopped
        import vizflow as vf
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "True"


# ---- ended early by Polars -----------------------------------------------------------------------------------------

ABSURD = 2**62  # as milliseconds: a year that Polars cannot write


def panicking(n: int, at: int) -> pl.LazyFrame:
    stamps = pl.when(pl.int_range(n) == at).then(ABSURD).otherwise(0)
    lf = pl.LazyFrame({"a": pl.int_range(n, eager=True)}).with_columns(t=stamps)
    return lf.with_columns(x=pl.col("t").cast(pl.Datetime("ms")).dt.strftime("%Y"))


LATE = [(1, 0), (1_001, 1_000), *(pytest.param(400_000, at, marks=pytest.mark.slow) for at in (200_000, 399_999))]


@pytest.mark.parametrize(("n", "at"), LATE)
def test_panic_of_polars_ends_no_stream_early(n: int, at: int, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PanicError, match=r"panicked.*out-of-range datetime"):
        vf.aggregate(panicking(n, at), ["x"], {"n": pl.len()}).collect()
    with pytest.raises(PanicError):
        list(batches(panicking(n, at)))
    with pytest.raises(PanicError):
        list(rows(panicking(n, at), ["x"]))


STEPS: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    **STREAMS,
    "daily overnight": lambda lf: vf.overnight_return(
        lf.with_columns(date=pl.date(2024, 1, 2), open="price", close="price").unique("symbol"),
        vf.calendar.generate(["20240102"]),
    ),
    "edges": lambda lf: vf.qbin(lf, vf.qbin_edges(lf.filter(pl.col("symbol") != ""), "price", 4)),
    "chain": lambda lf: vf.aggregate(STREAMS["returns of fifo"](lf), ["symbol"], {"r": pl.col("return_60").mean()}),
}


@pytest.mark.parametrize("place", ["symbol", "price"])
@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_panic_below_a_step_is_an_error_of_the_outermost_reading(
    step: Callable[[pl.LazyFrame], pl.LazyFrame], place: str, capfd: pytest.CaptureFixture[str]
) -> None:
    stamp = pl.when(pl.int_range(pl.len()) == ROWS - 1).then(ABSURD).otherwise(0).cast(pl.Datetime("ms"))
    absurd = stamp.dt.strftime("%Y")
    added = absurd + pl.col("symbol") if place == "symbol" else pl.col("price") + absurd.str.len_bytes() * 0
    with pytest.raises((vf.errors.Error, pl.exceptions.ComputeError), match="panicked"):
        step(DAY.lazy().with_columns(added.alias(place))).collect()


def test_panic_in_a_pipeline_writes_nothing_and_is_not_called_a_damaged_file(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    vf.save(DAY.with_columns(t=pl.lit(ABSURD)), tmp_path / "days" / "20240102.feather")

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        year = pl.col("t").cast(pl.Datetime("ms")).dt.strftime("%Y")
        return vf.aggregate(df.with_columns(year=year), ["year"], {"n": pl.len()})

    config = vf.Config(input_dir=tmp_path / "days", output_dir=tmp_path / "out")
    with pytest.raises(vf.errors.DataError, match=r"the file itself reads well.*panicked"):
        vf.run(pipeline, config, "20240102")
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_damaged_record_batch_of_a_day_ends_nothing_early(tmp_path: Path, cut: float) -> None:
    path = tmp_path / "20240102.feather"
    pl.concat([DAY] * 40).write_ipc(path, compression="zstd", record_batch_size=5_000)
    whole = bytearray(path.read_bytes())
    at = int(len(whole) * cut)
    whole[at : at + 400] = bytes(400)
    path.write_bytes(whole)
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path / "out")
    try:
        found = vf.run(lambda df, ctx: vf.aggregate(df, [], SUMS), config, "20240102")
    except vf.errors.Error as error:
        said = str(error)
    else:
        said = f"{path}, whole" if found["rows"].item() == ROWS * 40 else "a part"  # zeros where there was none to lose
        (tmp_path / "out" / "20240102.parquet").unlink()
    assert str(path) in said
    assert not list(tmp_path.glob("out/*"))


def test_error_in_the_middle_of_a_reading_comes_after_what_was_whole() -> None:
    def fail(batch: pl.DataFrame) -> pl.DataFrame:
        raise KeyError("in the middle")

    failing = pl.concat([DAY.lazy(), DAY.lazy().map_batches(fail)])
    with pytest.raises((KeyError, pl.exceptions.ComputeError), match="in the middle"):
        for _ in batches(failing):
            pass


def test_readings_beside_one_another_are_whole() -> None:
    frames = [batches(pl.LazyFrame({"i": range(n)})) for n in range(1, 40)]
    assert [sum(batch.height for batch in frame) for frame in frames] == list(range(1, 40))
    assert [batch["i"].to_list() for batch in itertools.chain(batches(pl.LazyFrame({"i": [3, 1, 2]})))] == [[3, 1, 2]]


@pytest.mark.slow
def test_order_is_the_frames() -> None:
    n = 300_000
    seen: list[Any] = [batch["i"] for batch in batches(pl.LazyFrame({"i": range(n)}).filter(pl.col("i") % 3 == 0))]
    assert pl.concat(seen).to_list() == list(range(0, n, 3))
