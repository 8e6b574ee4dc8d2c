"""Files that lie: every bit of our own files is proved, the named file is read, and what is refused says why."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vizflow as vf
from support import raises
from vizflow.files import digest
from vizflow.jobs import folder as _folder
from vizflow.lazy import two_pass
from vizflow.partials import file

DAY = pl.DataFrame({"side": ["B", "S", "B", None], "qty": [100, 50, 300, 7], "price": [10.0, 10.5, 11.0, None]})
METRICS = {"n": pl.len(), "qty": pl.col("qty").sum(), "mean": pl.col("price").mean()}
NAMES = ["run[1]", "a*", "x?", "{a,b}", "with space", "100%25", "ünï 中", "date=1", "~", "a#b", "$HOME"]


def aggregated(frame: pl.DataFrame = DAY) -> pl.LazyFrame:
    return vf.aggregate(frame, ["side"], METRICS)


def partial(path: Path, frame: pl.DataFrame = DAY) -> Path:
    return vf.save(aggregated(frame), path)


def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
    return vf.aggregate(df, ["side"], METRICS)


def config(folder: Path, **options: Any) -> vf.Config:
    return vf.Config(input_dir=folder / "days", output_dir=folder / "out", **options)


def flipped(path: Path, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[bit // 8 % len(content)] ^= 1 << bit % 8
    path.write_bytes(bytes(content))


def cube_of(path: Path) -> pl.DataFrame:
    return vf.Cube.open(path).to_polars()


def saved_cube(path: Path) -> Path:
    return vf.Cube.from_frame(aggregated()).save(path)


def edges(path: Path) -> Path:
    return vf.Edges("x", (0.1, 0.2, 1 / 3), low=0.0, high=1.0).save(path)


OURS: dict[str, tuple[Callable[[Path], Path], Callable[[Path], Any]]] = {
    "p.parquet": (partial, lambda path: vf.load(path).rows()),
    "r.parquet": (partial, lambda path: vf.reduce(path).collect().rows()),
    "c.arrow": (saved_cube, lambda path: cube_of(path).rows()),
    "e.json": (edges, vf.Edges.load),
}


# ---- S3: other numbers from a damaged file ------------------------------------------------------------------------


@pytest.mark.parametrize("name", OURS)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, 1 << 20))
def test_a_single_flipped_bit_gave_other_numbers(tmp_path: Path, name: str, bit: int) -> None:
    make, use = OURS[name]
    path = tmp_path / name
    if not path.exists():
        make(path)
        (tmp_path / "whole").write_bytes(path.read_bytes())
    path.write_bytes((tmp_path / "whole").read_bytes())
    right = use(path)
    flipped(path, bit)
    try:
        got = use(path)
    except vf.Error as error:
        assert name in str(error)  # noqa: PT017
        return
    assert got == right
    assert name == "e.json"  # a space of JSON may be another one


@pytest.mark.parametrize("name", ["p.parquet", "c.arrow"])
def test_swapped_spliced_and_cut_files_are_refused(tmp_path: Path, name: str) -> None:
    make, use = OURS[name]
    whole = make(tmp_path / name).read_bytes()
    other = bytes(whole[:96] + whole[104:112] + whole[96:104] + whole[112:])
    for number, content in enumerate([other, whole[:-1], whole[1:], whole + b"\0", whole[: len(whole) // 2] + whole]):
        if content == whole:
            continue
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(content)
        with raises(vf.StorageError, path.name):
            use(path)


def test_states_of_another_file_under_this_ones_metadata(tmp_path: Path) -> None:
    """Spliced by a program that writes whole Parquet files, and keeps the metadata."""
    path = partial(tmp_path / "a.parquet")
    stored = pl.read_parquet(path)
    metadata = pl.read_parquet_metadata(path)
    metadata = {key: value for key, value in metadata.items() if key.startswith("vizflow.")}
    stored.with_columns(pl.col(pl.Int64) + 1).write_parquet(path, metadata=metadata)
    with raises(vf.StorageError, "a.parquet", "changed by another program"):
        vf.load(path)
    assert vf.load(path, verify=False).height == 3
    stored.write_parquet(path, metadata={key: value for key, value in metadata.items() if key != digest.KEY})
    for use in (vf.load, vf.reduce, file.info):
        with raises(vf.StorageError, "a.parquet", "no digest", "verify=False"):
            use(path)
    assert vf.load(path, verify=False).equals(aggregated().collect())  # as the message says


def test_a_scan_reads_what_it_checked(tmp_path: Path) -> None:
    path = partial(tmp_path / "a.parquet")
    right = vf.load(path)
    scanned, merged = vf.scan(path), vf.reduce(path)
    flipped(path, 40)
    with raises(vf.StorageError, "a.parquet"):
        merged.collect()
    assert scanned.collect().equals(right)


def test_a_large_file_is_sealed_in_pieces(tmp_path: Path) -> None:
    frame = pl.DataFrame({"k": range(1_500_000)}).with_columns(x=pl.col("k").hash().cast(pl.Float64))
    path = vf.save(vf.aggregate(frame, ["k"], {"x": pl.col("x").sum()}), tmp_path / "a.parquet")
    assert path.stat().st_size > 8 << 20
    assert vf.load(path).height == frame.height
    flipped(path, 8 * (4 << 20))
    with raises(vf.StorageError, "a.parquet"):
        vf.load(path)


def test_notes_and_reports_carry_a_digest(tmp_path: Path) -> None:
    _folder.note_failure(tmp_path, "20240102", {"error": "disk on fire"})
    found = _folder.failure(tmp_path, "20240102")
    assert found is not None
    assert found["error"] == "disk on fire"
    note = tmp_path / "_vizflow" / "failed" / "20240102.json"
    note.write_text(note.read_text(encoding="utf-8").replace("fire", "file"), encoding="utf-8")
    found = _folder.failure(tmp_path, "20240102")
    assert found is not None
    assert "damaged" in found["error"]
    assert "20240102.json" in found["error"]
    report = _folder.write_report(tmp_path, "r", {"dates": 1})
    assert report is not None
    assert digest.is_whole(json.loads(report.read_text(encoding="utf-8")))


# ---- S2: the file that is named -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".feather", ".csv", ".csv.gz"])
@pytest.mark.parametrize("name", NAMES)
def test_a_path_with_a_pattern_in_it_read_other_files(tmp_path: Path, name: str, suffix: str) -> None:
    for other in ("run1", "ab", "aa", "xy", "a", "b"):
        vf.save(pl.DataFrame({"who": ["other"]}), tmp_path / other / "x.csv")
        for kind in (".parquet", ".feather"):
            vf.save(pl.DataFrame({"who": ["other"]}), tmp_path / other / f"x{kind}")
    for path in (tmp_path / name / f"x{suffix}", tmp_path / f"{name}{suffix}"):
        if suffix == ".csv.gz":
            import gzip

            path.parent.mkdir(exist_ok=True)
            path.write_bytes(gzip.compress(b"who\nme\n"))
        else:
            vf.save(pl.DataFrame({"who": ["me"]}), path)
        assert vf.load(path).to_dicts() == [{"who": "me"}]
        assert vf.scan(str(path)).collect().to_dicts() == [{"who": "me"}]


@pytest.mark.parametrize("name", NAMES)
def test_partials_in_folders_named_like_patterns(tmp_path: Path, name: str) -> None:
    for other in ("run1", "ab", "xy", "a", "b"):
        partial(tmp_path / other / "20240102.parquet", DAY.head(1))
    right = aggregated().collect()
    path = partial(tmp_path / name / "20240102.parquet")
    assert vf.load(path).equals(right)
    for given_as in (path, str(path), path.parent, [path]):
        assert vf.reduce(given_as).collect().equals(right)
        assert vf.Cube.from_partials(given_as).total()["n"] == 4
    assert cube_of(saved_cube(tmp_path / name / "c.arrow")).height == 3
    assert vf.Edges.load(edges(tmp_path / name / "e.json")).cuts[0] == 0.1
    days = config(tmp_path / name)
    vf.save(DAY, days.get_file_path("20240102"))
    assert vf.run(pipeline, days, "20240102").equals(right)
    assert vf.status(days, pipeline_fn=pipeline)["status"].to_list() == ["done"]
    assert vf.check(days, ["20240102"]) is not None
    calendar = vf.calendar.generate(["20240102", "20240103"])
    vf.save(calendar, tmp_path / name / "calendar.parquet")
    assert vf.calendar.load(tmp_path / name / "calendar.parquet").equals(calendar)


# ---- S4: cubes ----------------------------------------------------------------------------------------------------


def test_a_cube_cut_while_it_is_open_ended_the_process(tmp_path: Path) -> None:
    path = saved_cube(tmp_path / "c.arrow")
    script = (
        "import sys, os, vizflow as vf\n"
        "cube = vf.Cube.open(sys.argv[1]); os.truncate(sys.argv[1], 0); print(cube.total()['n'])\n"
    )
    out = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert (out.returncode, out.stdout.strip()) == (0, "4")


# ---- fewer rows than the file says --------------------------------------------------------------------------------

SHORTENED: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "as it is": lambda df: df,
    "columns": lambda df: df.select("qty", "side"),
    "computed": lambda df: df.with_columns(value=pl.col("qty") * 2),
    "by a schema": lambda df: df.with_columns(pl.col("qty").cast(pl.Float64)).select("qty"),
}


@pytest.mark.parametrize("suffix", [".feather", ".parquet"])
@pytest.mark.parametrize("made", SHORTENED)
def test_a_reading_that_ends_early_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, made: str
) -> None:
    path = vf.save(DAY, tmp_path / f"day{suffix}")
    plan = SHORTENED[made](vf.scan(path))
    assert sum(batch.height for batch in two_pass.batches(plan)) == 4
    sink = pl.LazyFrame.sink_batches
    monkeypatch.setattr(
        pl.LazyFrame, "sink_batches", lambda self, *given, **options: sink(self.head(3), *given, **options)
    )
    with raises(vf.StorageError, path.name, "3 rows were read", "says that it has 4"):
        list(two_pass.batches(plan))
    for fewer in (plan.filter(pl.col("qty") > 60), plan.head(3), plan.select(pl.col("qty").sum())):
        assert sum(batch.height for batch in two_pass.batches(fewer)) in (1, 2, 3)


def test_a_date_whose_reading_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = config(tmp_path)
    vf.save(DAY, days.get_file_path("20240102"))
    sink = pl.LazyFrame.sink_batches
    monkeypatch.setattr(
        pl.LazyFrame, "sink_batches", lambda self, *given, **options: sink(self.head(3), *given, **options)
    )
    with raises(vf.StorageError, "20240102.feather", "3 rows were read", "says that it has 4"):
        vf.run(pipeline, days, "20240102")
    assert not days.get_partial_path("20240102").exists()


def test_a_day_that_is_loaded_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = vf.save(DAY, tmp_path / "day.feather")
    collect = pl.LazyFrame.collect
    monkeypatch.setattr(
        pl.LazyFrame, "collect", lambda self, **options: collect(self.head(3) if options else self, **options)
    )
    with raises(vf.StorageError, "day.feather", "3 rows were read", "says that it has 4"):
        vf.load(path)


# ---- files that change between two readings -------------------------------------------------------------------------

TIMED = pl.DataFrame(
    {
        "symbol": ["a", "a", "b", "a"],
        "side": ["B", "S", "B", "S"],
        "qty": [2, 1, 1, 1],
        "price": [10.0, 11.0, 5.0, 12.0],
        "elapsed_seconds": [1.0, 2.0, 3.0, 4.0],
        "note": ["w", "x", "y", "z"],
    }
)
FIFO = vf.FIFOMatch("side", "qty", "elapsed_seconds", "price")
TWICE_READ: dict[str, Callable[[pl.LazyFrame], pl.LazyFrame]] = {
    "one step": lambda df: vf.Enricher([FIFO], by="symbol", sort_by="elapsed_seconds").run(df),
    "returns": lambda df: vf.forward_return(df, [1], price_col="price"),
    "steps upon one another": lambda df: vf.forward_return(
        vf.Enricher([FIFO], by="symbol", sort_by="elapsed_seconds").run(df), [1], price_col="price"
    ),
}


@pytest.mark.parametrize("how", ["replaced", "changed in place", "removed"])
@pytest.mark.parametrize("steps", TWICE_READ)
@pytest.mark.parametrize("suffix", [".feather", ".parquet"])
def test_a_day_changed_between_its_two_readings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, steps: str, how: str
) -> None:
    """What was learnt is the same in both versions, and only a column that is read once is another."""
    path = vf.save(TIMED, tmp_path / f"day{suffix}")
    other = vf.save(TIMED.with_columns(note=pl.lit("q")), tmp_path / f"other{suffix}")
    emit = two_pass._emit

    def later(*given: Any) -> Any:
        if how == "replaced":
            vf.save(pl.read_parquet(other) if suffix == ".parquet" else pl.read_ipc(other), path)
        elif how == "removed":
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(other.read_bytes())
        return emit(*given)

    plan = TWICE_READ[steps](vf.scan(path))
    right = plan.collect()
    assert right["note"].is_in(TIMED["note"].implode()).all()
    monkeypatch.setattr(two_pass, "_emit", later)
    try:
        plan.collect()
    except vf.ReplayError as error:
        assert path.name in str(error)  # noqa: PT017
        assert "between its two readings" in str(error)  # noqa: PT017
    except (pl.exceptions.PolarsError, OSError):
        assert how == "removed"
    else:
        raise AssertionError("rows of two versions in one")


def test_a_partial_replaced_after_it_was_looked_at(tmp_path: Path) -> None:
    """The plan of one version, and the states of another: so named that they fit."""
    path = partial(tmp_path / "20240102.parquet")
    merged = vf.reduce(path)
    vf.save(vf.aggregate(DAY, ["side"], {**METRICS, "qty": pl.col("qty").filter(pl.col("qty") > 99).sum()}), path)
    with raises(vf.StorageError, "20240102.parquet", "replaced", "again"):
        merged.collect()
    assert vf.reduce(path).collect().height == 3


# ---- S8: what is told of damage -----------------------------------------------------------------------------------


def test_status_of_a_damaged_partial_was_done(tmp_path: Path) -> None:
    days = config(tmp_path)
    vf.save(DAY, days.get_file_path("20240102"))
    vf.run(pipeline, days, "20240102")
    path = days.get_partial_path("20240102")
    flipped(path, 8 * 60)
    for function in (None, pipeline):
        row = vf.status(days, pipeline_fn=function).row(0, named=True)
        assert row["status"] == "damaged"
        assert "20240102.parquet" in row["why"]
    with raises(vf.StorageError, "20240102.parquet"):
        vf.reduce(days.output_dir).collect()
    report = vf.run_batch(pipeline, days, ["20240102"], parallel=False, progress=False)
    assert report.frame["status"].to_list() == ["done"]  # made again, not skipped
    assert vf.status(days, pipeline_fn=pipeline)["status"].to_list() == ["done"]


def test_partials_cut_anywhere_are_told_with_their_name(tmp_path: Path) -> None:
    whole = partial(tmp_path / "whole.parquet").read_bytes()
    path = tmp_path / "cut.parquet"
    for size in range(1, len(whole), 61):
        path.write_bytes(whole[:size])
        for use in (vf.load, lambda p: vf.reduce(p).collect(), vf.Cube.from_partials):
            with raises(vf.StorageError, "cut.parquet"):
                use(path)


@pytest.mark.parametrize(
    "words",
    [
        ["reduce", "out"],
        ["reduce", "out/20240102.parquet", "--by", "date"],
        ["inspect", "out/20240102.parquet"],
        ["inspect", "out/20240102.parquet", "--json"],
        ["inspect", "cube.arrow"],
        ["explore", "out", "--port", "0"],
        ["explore", "cube.arrow", "--port", "0"],
        ["calendar", "--file", "calendar.parquet"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("damage", ["a bit", "half", "text"])
def test_commands_on_a_damaged_file_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], words: list[str], damage: str
) -> None:
    from vizflow.cli import main

    monkeypatch.chdir(tmp_path)
    partial(Path("out/20240102.parquet"))
    saved_cube(Path("cube.arrow"))
    vf.save(vf.calendar.generate(["20240102", "20240103"]), "calendar.parquet")
    if (damage == "a bit" and "calendar.parquet" in words) or (words[1] == "cube.arrow" and words[0] == "inspect"):
        damage = "half"  # that is no file of ours, and that shows its columns, whatever is in them
    for path in (Path("out/20240102.parquet"), Path("cube.arrow"), Path("calendar.parquet")):
        whole = path.read_bytes()
        path.write_bytes({"half": whole[: len(whole) // 2], "text": b"This file was lost.", "a bit": whole}[damage])
        if damage == "a bit":
            flipped(path, 8 * 60)
    assert main(words) == (2 if words[0] == "calendar" else 1)  # where what is given is no calendar
    said = capfd.readouterr()
    assert any(name in said.err for name in ("20240102.parquet", "cube.arrow", "calendar.parquet"))
    assert said.out == ""
    assert "Traceback" not in said.err
    assert "panicked at" not in said.err  # which Rust writes itself


@pytest.mark.parametrize("kind", ["alpha", "trades"])
def test_reports_of_a_damaged_partial_name_it(tmp_path: Path, kind: str) -> None:
    fills = pl.DataFrame({"side": ["B", "S"], "alpha": [1, 2], "return_60": [1e-4, 2e-4], "qty": [100, 50]})
    made = {"n": pl.len(), "return_60": pl.col("return_60").mean()}
    paths = [tmp_path / f"2024010{day}.parquet" for day in (2, 3)]
    for path in paths:
        vf.save(vf.aggregate(fills, ["alpha", "side"], made), path)
    for path in paths:  # the first, and one behind a whole one
        whole = path.read_bytes()
        flipped(path, 8 * 60)
        with raises(vf.StorageError, path.name, "damaged"):
            if kind == "alpha":
                vf.reports.alpha(tmp_path, "alpha", ["return_60"])
            else:
                vf.reports.trades(tmp_path)
        path.write_bytes(whole)


# ---- F7: other kinds of files -------------------------------------------------------------------------------------


def test_feather_1_was_called_corrupt(tmp_path: Path) -> None:
    feather = pytest.importorskip("pyarrow.feather")
    path = tmp_path / "old.feather"
    table = DAY.to_arrow()
    table = table.set_column(0, "side", table["side"].cast("string"))  # version 1 knows no large texts
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        feather.write_feather(table, str(path), version=1)
        feather.write_feather(feather.read_table(str(path)), str(tmp_path / "new.feather"), version=2)
    with raises(vf.StorageError, "old.feather", "Feather version 1", "write_feather", "read_table"):
        vf.load(path)
    assert vf.load(tmp_path / "new.feather").equals(DAY)


@pytest.mark.parametrize(
    ("encoding", "text"), [("gb18030", "平安银行"), ("cp949", "삼성전자"), ("latin-1", "Société Générale é")]
)
def test_csv_of_other_encodings_was_called_corrupt(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "day.csv"
    path.write_bytes(f"name,qty\n{text},100\n".encode(encoding))
    with raises(vf.StorageError, "day.csv", "not UTF-8", "pl.read_csv", encoding):
        vf.load(path)
    pl.read_csv(path, encoding=encoding).write_parquet(tmp_path / "new.parquet")
    assert vf.load(tmp_path / "new.parquet").to_dicts() == [{"name": text, "qty": 100}]
