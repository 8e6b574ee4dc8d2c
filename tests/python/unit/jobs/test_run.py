"""`run`: a pipeline function over one day's file."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError, SchemaError, StorageError

DATE = "20241001"
DAY = pl.DataFrame(
    {
        "ticktime": [93000000, 93100000, 93200000, 93300000],
        "ukey": [1, 1, 1, 2],
        "side": ["B", "S", "B", "B"],
        "qty": [100.00000002, 40.0, 7.0, 5.0],
        "price": [10.0, 11.0, 12.0, 13.0],
        "alpha": [0.00026, -0.0001, 0.00014, None],
    }
)


@pytest.fixture
def config(tmp_path: Path) -> vf.Config:
    vf.save(DAY, tmp_path / "in" / f"{DATE}.feather")
    return vf.Config(
        input_dir=tmp_path / "in",
        output_dir=tmp_path / "out",
        columns={"timestamp": "ticktime", "symbol": "ukey"},
        binwidths={"alpha": 1e-4},
        horizons=[60, 120],
        schema={"qty": {"load_as": pl.Float64, "cast_to": pl.Int64}},
    )


def process_day(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    """Run the design document's five stages."""
    df = vf.parse_time(df, ctx.market, ctx.col("timestamp"))
    enricher = vf.Enricher(
        rules=[
            vf.FIFOMatch(
                side_col="side",
                qty_col="qty",
                time_col="elapsed_seconds",
                price_col="price",
                entry_side="B",
                exit_side="S",
            )
        ],
        by=ctx.col("symbol"),
        sort_by="elapsed_seconds",
    )
    df = enricher.run(df)
    df = vf.forward_return(df, horizons=ctx.config.horizons, symbol_col=ctx.col("symbol"))
    df = vf.bin(df, ctx.config.binwidths)
    return vf.aggregate(
        df,
        group_by=["alpha_bin", "side"],
        metrics={"count": pl.len(), "qty": pl.col("matched_qty").sum(), "r60": pl.col("return_60").mean()},
    )


def test_the_whole_job_by_hand(config: vf.Config) -> None:
    result = vf.run(process_day, config, date=DATE)
    assert result.rows() == [
        (None, "B", 1, 5, None),
        (-1, "S", 1, 40, 12.0 / 11 - 1),
        (1, "B", 1, 7, None),
        (3, "B", 2, 100, 11.0 / 10 - 1),
    ]
    assert_frame_equal(vf.load(config.get_partial_path(DATE)), result)


def test_the_partial_lies_alone_in_its_folder_and_says_where_it_is_from(config: vf.Config) -> None:
    vf.run(process_day, config, DATE)
    path = config.get_partial_path(DATE)
    assert [file.name for file in path.parent.iterdir() if file.is_file()] == [f"{DATE}.parquet"]
    metadata = pl.read_parquet_metadata(path)
    source = config.get_file_path(DATE)
    assert metadata["vizflow.date"] == DATE
    assert metadata["vizflow.market"] == "CN"
    assert metadata["vizflow.format"] == "2"
    assert metadata["vizflow.version"] == vf.__version__
    assert metadata["vizflow.input"] == source.name
    assert int(metadata["vizflow.input_bytes"]) == source.stat().st_size
    assert int(metadata["vizflow.input_mtime_ns"]) == source.stat().st_mtime_ns


def test_without_save_nothing_is_written_and_no_output_folder_is_needed(config: vf.Config) -> None:
    saved = vf.run(process_day, config, DATE)
    config.output_dir = None
    assert_frame_equal(vf.run(process_day, config, DATE, save=False), saved)
    with raises(ConfigError, "output_dir"):
        vf.run(process_day, config, DATE)


def test_running_again_replaces_the_partial(config: vf.Config) -> None:
    vf.run(lambda df, ctx: df.select("ukey"), config, DATE)
    vf.run(process_day, config, DATE)
    assert vf.load(config.get_partial_path(DATE)).columns == ["alpha_bin", "side", "count", "qty", "r60"]


def test_the_pipeline_gets_the_schemas_types_and_its_context(config: vf.Config) -> None:
    seen: list[vf.Context] = []

    def look(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        seen.append(ctx)
        assert isinstance(df, pl.LazyFrame)
        assert df.collect_schema()["qty"] == pl.Int64
        return df

    assert vf.run(look, config, DATE)["qty"].to_list() == [100, 40, 7, 5]
    assert (seen[0].date, seen[0].market, seen[0].config) == (DATE, vf.CN, config)


def test_a_pipeline_may_give_a_dataframe_but_not_nothing(config: vf.Config) -> None:
    assert vf.run(lambda df, ctx: df.collect(), config, DATE).height == 4  # type: ignore[arg-type,return-value]
    with raises(ConfigError, "returned None"):
        vf.run(lambda df, ctx: None, config, DATE)  # type: ignore[arg-type,return-value]
    with raises(SchemaError, "int"):
        vf.run(lambda df, ctx: 7, config, DATE)  # type: ignore[arg-type,return-value]


def test_errors_of_the_pipeline_come_through_and_nothing_is_written(config: vf.Config) -> None:
    def fail(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        vf.run(fail, config, DATE)
    assert not config.get_partial_path(DATE).parent.exists()


def test_a_failing_run_keeps_the_partial_that_was_there(config: vf.Config) -> None:
    vf.run(process_day, config, DATE)
    before = config.get_partial_path(DATE).read_bytes()
    config.get_file_path(DATE).write_bytes(b"")
    with raises(StorageError, f"{DATE}.feather"):
        vf.run(process_day, config, DATE)
    assert config.get_partial_path(DATE).read_bytes() == before


@pytest.mark.parametrize("suffix", ["parquet", "csv", "arrow"])
def test_input_of_any_format(config: vf.Config, suffix: str) -> None:
    expected = vf.run(process_day, config, DATE)
    config.input_pattern = "day_{date}." + suffix
    vf.save(DAY, config.get_file_path(DATE))
    assert_frame_equal(vf.run(process_day, config, DATE), expected)
