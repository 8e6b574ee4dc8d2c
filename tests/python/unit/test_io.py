"""`load`, `save`, `scan`, and the schema applied on the way in."""

from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import vizflow as vf
from support import chunked, raises
from vizflow.errors import ConfigError, DataError, SchemaError, StorageError

FRAME = pl.DataFrame({"ukey": [1, 2, 3], "side": ["B", None, "S"], "qty": [1.0, 2.5, None]})
SUFFIXES = ["parquet", "feather", "arrow", "ipc", "csv"]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [0, 1, 3])
def test_what_is_saved_is_loaded(tmp_path: Path, suffix: str, rows: int) -> None:
    frame = chunked(FRAME.head(rows))
    path = vf.save(frame, tmp_path / "new" / "folder" / f"x.{suffix}")
    assert path == tmp_path / "new" / "folder" / f"x.{suffix}"
    again = vf.load(path)
    assert_frame_equal(again, frame, check_dtypes=suffix != "csv" or rows == 3)
    assert_frame_equal(vf.scan(os.fspath(path)).collect(), again)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_csv_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.csv.{suffix}"
    if suffix == "gz":
        path.write_bytes(gzip.compress(FRAME.write_csv().encode()))
    else:
        FRAME.lazy().sink_csv(path, compression="zstd")
    assert_frame_equal(vf.load(path), FRAME)


def test_save_takes_whatever_holds_rows(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    for frame in (FRAME, FRAME.lazy(), FRAME.to_arrow(), pa.table({"a": [1]}).to_reader()):
        assert vf.load(vf.save(frame, tmp_path / "x.parquet")).height > 0
    with raises(SchemaError, "list"):
        vf.save([1, 2], tmp_path / "y.parquet")
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_save_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    vf.save(FRAME, tmp_path / "x.parquet")
    vf.save(FRAME.head(1), tmp_path / "x.parquet")
    assert vf.load(tmp_path / "x.parquet").height == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "x.parquet").stat().st_mode == plain.stat().st_mode


def test_save_that_fails_keeps_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vf.save(FRAME, tmp_path / "x.feather")
    before = (tmp_path / "x.feather").read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_ipc", fail)
    with raises(StorageError, "x.feather", "No space left on device"):
        vf.save(FRAME.head(1), tmp_path / "x.feather")
    assert (tmp_path / "x.feather").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["x.feather"]


def test_save_interrupted_leaves_no_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pl.DataFrame, "write_parquet", interrupt)
    with pytest.raises(KeyboardInterrupt):
        vf.save(FRAME, tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


def test_save_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with raises(StorageError, "cannot be written"):
        vf.save(FRAME, tmp_path / "file" / "x.parquet")


def test_metadata_goes_into_parquet_only(tmp_path: Path) -> None:
    path = vf.save(FRAME, tmp_path / "x.parquet", metadata={"who": "me"})
    assert pl.read_parquet_metadata(path)["who"] == "me"
    with raises(ConfigError, "only Parquet"):
        vf.save(FRAME, tmp_path / "x.csv", metadata={"who": "me"})


@pytest.mark.parametrize("name", ["x.txt", "x", "x.gz", "x.parquet.gz", "x.feather.zst", ".csv.bz2"])
def test_unknown_suffix(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a")
    with raises(ConfigError, name):
        vf.scan(tmp_path / name)
    with raises(ConfigError, name):
        vf.save(FRAME, tmp_path / name)
    assert (tmp_path / name).read_text() == "a"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_missing_and_empty_files(tmp_path: Path, suffix: str) -> None:
    with raises(StorageError, f"x.{suffix}", "no such file"):
        vf.load(tmp_path / f"x.{suffix}")
    (tmp_path / f"x.{suffix}").touch()
    with raises(StorageError, f"x.{suffix}", "empty"):
        vf.scan(tmp_path / f"x.{suffix}")


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9, 0.99])
def test_truncated_file(tmp_path: Path, suffix: str, part: float) -> None:
    path = vf.save(pl.DataFrame({"a": range(1000), "b": ["x" * i for i in range(1000)]}), tmp_path / f"x.{suffix}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    with raises(StorageError, f"x.{suffix}", "truncated, corrupt"):
        vf.load(path)


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_file_that_is_something_else(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    path.write_text("a,b\n1,2\n" * 100)
    with raises(StorageError, f"x.{suffix}", "not what its suffix says"):
        vf.load(path)


# ---- schema ----


def scan(tmp_path: Path, frame: pl.DataFrame, schema: dict[str, Any]) -> pl.LazyFrame:
    return vf.scan(vf.save(frame, tmp_path / "x.feather"), schema=schema)


def test_schema_casts_noisy_floats_and_leaves_the_rest(tmp_path: Path) -> None:
    frame = pl.DataFrame({"qty": [1.00000002, 0.99999998, None], "new": ["a", "b", "c"]})
    out = scan(tmp_path, frame, {"qty": {"load_as": pl.Float64, "cast_to": pl.Int64}}).collect()
    assert out.to_dict(as_series=False) == {"qty": [1, 1, None], "new": ["a", "b", "c"]}
    assert out.schema["qty"] == pl.Int64


def test_schema_never_truncates(tmp_path: Path) -> None:
    rule = {"qty": {"cast_to": pl.Int64}}
    with raises(DataError, "row 1", column="qty", row=1, count=1):
        scan(tmp_path, pl.DataFrame({"qty": [1.0, 125.5]}), rule).collect(engine="in-memory")
    path = vf.save(pl.DataFrame({"qty": [1.0, float("nan")]}), tmp_path / "x.feather")
    with raises(DataError, column="qty", row=1):
        vf.load(path, schema=rule)


def test_schema_tolerance(tmp_path: Path) -> None:
    frame = pl.DataFrame({"qty": [1.001]})
    assert scan(tmp_path, frame, {"qty": {"cast_to": pl.Int32, "tolerance": 0.01}}).collect().item() == 1


def test_schema_settles_type_drift(tmp_path: Path) -> None:
    rule = {"price": {"load_as": pl.Float64, "cast_to": pl.Float64}, "id": {"cast_to": pl.String}}
    for price in ([1], [1.0]):
        out = scan(tmp_path, pl.DataFrame({"price": price, "id": [7]}), rule).collect()
        assert out.row(0) == (1.0, "7")
        assert out.schema == {"price": pl.Float64, "id": pl.String}


def test_schema_aliases_and_defaults(tmp_path: Path) -> None:
    rules = {
        "ticktime": {"aliases": ["tick_time", "TickTime"]},
        "venue": {"default": "SH"},
        "lot": {"default": 100, "cast_to": pl.Int32},
        "note": {"default": None, "cast_to": pl.String},
    }
    out = scan(tmp_path, pl.DataFrame({"TickTime": [1, 2], "rest": [3, 4]}), rules).collect()
    assert set(out.columns) == {"ticktime", "rest", "venue", "lot", "note"}
    assert out["ticktime"].to_list() == [1, 2]
    assert (out["venue"].to_list(), out["lot"].to_list(), out["lot"].dtype) == (["SH"] * 2, [100] * 2, pl.Int32)
    assert out["note"].dtype == pl.String


def test_schema_prefers_the_name_over_its_aliases(tmp_path: Path) -> None:
    out = scan(tmp_path, pl.DataFrame({"old": [1], "new": [2]}), {"new": {"aliases": ["old"]}}).collect()
    assert out["new"].to_list() == [2]


def test_schema_missing_column_names_the_file_and_near_ones(tmp_path: Path) -> None:
    with raises(SchemaError, "x.feather", "'tick_time'", "did you mean 'ticktime'?", "default", column="tick_time"):
        scan(tmp_path, pl.DataFrame({"ticktime": [1]}), {"tick_time": {}})


def test_schema_cast_that_polars_refuses_is_an_error_of_ours(tmp_path: Path) -> None:
    path = vf.save(pl.DataFrame({"price": ["12.5", "n/a"]}), tmp_path / "x.feather")
    with raises(DataError, "price"):
        vf.load(path, schema={"price": {"cast_to": pl.Float64}})


def test_schema_cast_is_lazy_and_read_only_where_needed(tmp_path: Path) -> None:
    lf = scan(tmp_path, pl.DataFrame({"qty": [1.5], "ukey": [1]}), {"qty": {"cast_to": pl.Int64}})
    assert lf.select("ukey").collect().item() == 1
