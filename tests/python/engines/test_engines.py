"""The whole job gives the same bits under each engine, number of threads, cut into chunks and size of batch."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from support import chunked, eager_steps

pytest.importorskip("numpy")

import vizflow as vf
from vizflow.cli import showcase
from vizflow.jobs.context import context

DATE = "20240102"
ROWS = 3_000 if "POLARS_IDEAL_MORSEL_SIZE" in os.environ else 20_000  # a morsel of 7 rows costs Polars a lot


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("days")
    vf.demo.generate(folder, [DATE], rows=ROWS, symbols=50)
    return folder


@pytest.fixture(scope="module")
def ctx(folder: Path) -> vf.Context:
    return context(showcase.config(folder, folder / "out"), DATE)


@pytest.fixture(scope="module")
def day(ctx: vf.Context) -> pl.DataFrame:
    return vf.load(ctx.config.get_file_path(DATE), schema=ctx.config.schema)


@pytest.fixture(scope="module")
def partial(day: pl.DataFrame, ctx: vf.Context) -> pl.DataFrame:
    """What each stage collected for itself gives."""
    return eager_steps(day.lazy(), *showcase.stages(ctx).values())


@pytest.fixture(scope="module")
def rows(day: pl.DataFrame, ctx: vf.Context) -> pl.DataFrame:
    """The rows before they are aggregated, collected stage by stage."""
    return eager_steps(day.lazy(), *list(showcase.stages(ctx).values())[:-1])


def before_aggregation(lf: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    for stage in list(showcase.stages(ctx).values())[:-1]:
        lf = stage(lf)
    return lf


def assert_same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    """EXACT: types, order, nulls, and each float to the bit."""
    assert_frame_equal(left, right, check_exact=True)
    floats = [name for name, dtype in right.schema.items() if dtype == pl.Float64]
    for name in floats:
        assert bits(left[name]).equals(bits(right[name])), name


def bits(column: pl.Series) -> pl.Series:
    return column.to_frame().select(pl.col(column.name).reinterpret(signed=False)).to_series()


def test_the_job_is_worth_comparing(rows: pl.DataFrame, partial: pl.DataFrame) -> None:
    assert rows.height > ROWS
    assert partial.height > ROWS // 40
    assert rows["is_closed"].value_counts().height == 3
    for name in ("return_60", "return_300", "alpha1_bin"):
        assert 0 < rows[name].null_count() < rows.height


def test_quantities_of_the_day_add_up(day: pl.DataFrame, partial: pl.DataFrame, ctx: vf.Context) -> None:
    timed = showcase.stages(ctx)["clock, mid"](day.lazy()).collect()
    traded = timed.filter(pl.col("orderSide").is_in(["Buy", "Sell"]))["quantity"].sum()
    assert partial["total_qty"].sum() == traded


def test_engines(day: pl.DataFrame, partial: pl.DataFrame, rows: pl.DataFrame, ctx: vf.Context, engine: Any) -> None:
    assert_same(showcase.process_day(day.lazy(), ctx).collect(engine=engine), partial)
    assert_same(before_aggregation(day.lazy(), ctx).collect(engine=engine), rows)


def test_run_of_the_file(folder: Path, partial: pl.DataFrame, ctx: vf.Context) -> None:
    assert_same(vf.run(showcase.process_day, ctx.config, DATE), partial)
    assert_same(vf.load(folder / "out" / f"{DATE}.parquet"), partial)


@pytest.mark.parametrize("size", [100, 997, 8_192])
def test_chunks(
    day: pl.DataFrame, partial: pl.DataFrame, rows: pl.DataFrame, ctx: vf.Context, engine: Any, size: int
) -> None:
    cut = chunked(day, size)
    assert cut.n_chunks() == -(-ROWS // size)
    assert_same(showcase.process_day(cut.lazy(), ctx).collect(engine=engine), partial)
    assert_same(before_aggregation(cut.lazy(), ctx).collect(engine=engine), rows)


def test_chunks_of_one_row(day: pl.DataFrame, ctx: vf.Context, engine: Any) -> None:
    some = day.filter(pl.col("ukey").is_in(day["ukey"].unique().sort()[:3]))[:500]
    whole = before_aggregation(some.lazy(), ctx).collect()
    assert_same(before_aggregation(chunked(some, 1).lazy(), ctx).collect(engine=engine), whole)


@pytest.mark.parametrize("size", [100, 5_000])
def test_record_batches_of_the_file(
    day: pl.DataFrame, partial: pl.DataFrame, ctx: vf.Context, tmp_path: Path, size: int
) -> None:
    path = tmp_path / "cut.feather"
    day.write_ipc(path, record_batch_size=size)
    assert_same(showcase.process_day(vf.scan(path), ctx).collect(engine="streaming"), partial)


def test_parquet_row_groups(day: pl.DataFrame, partial: pl.DataFrame, ctx: vf.Context, tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    day.write_parquet(path, row_group_size=1_000)
    assert_same(showcase.process_day(vf.scan(path), ctx).collect(engine="streaming"), partial)


def test_order_of_symbols_within_the_file_changes_no_number(
    day: pl.DataFrame, partial: pl.DataFrame, ctx: vf.Context
) -> None:
    """Rows of a symbol keep their order; the symbols are laid one after another."""
    by_symbol = day.sort("ukey", maintain_order=True)
    assert_same(showcase.process_day(by_symbol.lazy(), ctx).collect(engine="streaming"), partial)


CHILD = """
import hashlib, sys
import polars as pl, vizflow as vf
from vizflow.cli import showcase
from pathlib import Path
folder = Path(sys.argv[1])
out = vf.run(showcase.process_day, showcase.config(folder, folder), sys.argv[2], save=False)
sink = Path(sys.argv[3])
out.write_ipc(sink)
print(pl.thread_pool_size(), out.height)
"""


def digest(frame: pl.DataFrame) -> str:
    return hashlib.sha256("\n".join(map(str, parts(frame))).encode()).hexdigest()


def parts(frame: pl.DataFrame) -> Iterator[Any]:
    yield frame.schema
    for column in frame:
        yield bits(column).to_list() if column.dtype == pl.Float64 else column.to_list()


@pytest.mark.parametrize(
    "settings",
    [
        {"POLARS_MAX_THREADS": "1"},
        {"POLARS_MAX_THREADS": "2"},
        {"POLARS_MAX_THREADS": "7"},
        {"POLARS_MAX_THREADS": "2", "POLARS_IDEAL_MORSEL_SIZE": "50"},
    ],
    ids=["1 thread", "2 threads", "7 threads", "2 threads, morsels of 50 rows"],
)
def test_threads(folder: Path, partial: pl.DataFrame, tmp_path: Path, settings: dict[str, str]) -> None:
    sink = tmp_path / "out.arrow"
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder), DATE, str(sink)],
        env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [settings["POLARS_MAX_THREADS"], str(partial.height)]
    assert digest(pl.read_ipc(sink)) == digest(partial)
