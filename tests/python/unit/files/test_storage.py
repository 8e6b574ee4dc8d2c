"""Files when the disk, the folder or the input fails: an error that names the file, and nothing half-written."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import vizflow as vf
import vizflow._core as _core
from support import raises
from vizflow.errors import ConfigError, DataError, Error, StorageError
from vizflow.files import atomic

SUFFIXES = ["parquet", "feather", "csv"]
FRAME = pl.DataFrame({"a": range(1000)})
# Text that compresses badly, 8 MB of it: more than any of the limits below.
LARGE = pl.DataFrame({"a": range(200_000)}).with_columns(b=pl.concat_str(pl.col("a").hash(1), pl.col("a").hash(2)))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def child(code: str, *arguments: object, limit: int = 0) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with a limit to the size of its files; give what it printed."""

    def limited() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        capture_output=True, text=True, timeout=120, preexec_fn=limited, check=False,
    )  # fmt: skip


# ---- the disk is full --------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root may mount a tmpfs")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_full_disk_keeps_the_old_file(small_disk: Path, suffix: str) -> None:
    path = vf.save(FRAME, small_disk / f"x.{suffix}")
    before = path.read_bytes()
    with raises(StorageError, f"x.{suffix}", "no space is left on the device", "as it was"):
        vf.save(LARGE, path)
    assert path.read_bytes() == before
    assert names(small_disk) == [f"x.{suffix}"]
    vf.save(FRAME.head(10), path)  # the space is free again
    assert vf.load(path).height == 10


def test_full_disk_under_a_run(small_disk: Path, tmp_path: Path) -> None:
    vf.save(LARGE, tmp_path / "20241001.feather")
    config = vf.Config(input_dir=tmp_path, output_dir=small_disk / "partials")
    with raises(StorageError, "20241001.parquet", "no space is left"):
        vf.run(lambda df, ctx: df, config, "20241001")
    assert names(small_disk / "partials") == []
    vf.run(lambda df, ctx: df.head(5), config, "20241001")
    assert names(small_disk / "partials") == ["20241001.parquet"]


def test_full_disk_under_a_report(small_disk: Path, tmp_path: Path) -> None:
    vf.save(FRAME, tmp_path / "20241001.feather")
    report = vf.check(vf.Config(input_dir=tmp_path), ["20241001"])
    (small_disk / "filler").write_bytes(bytes(1 << 20))
    with raises(StorageError, "report.json", "no space is left"):
        report.to_json(small_disk / "report.json")
    assert names(small_disk) == ["filler"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_file_size_limit(tmp_path: Path, suffix: str) -> None:
    path = vf.save(FRAME, tmp_path / f"x.{suffix}")
    before = path.read_bytes()
    done = child(
        """
        import sys, polars as pl, vizflow as vf
        large = pl.DataFrame({"a": range(200_000)}).with_columns(b=pl.col("a").hash(1).cast(pl.String))
        try:
            vf.save(large, sys.argv[1])
        except vf.StorageError as error:
            print(error)
        """,
        path,
        limit=100_000,
    )
    assert f"x.{suffix}" in done.stdout, done.stderr
    assert "ulimit -f" in done.stdout
    assert path.read_bytes() == before
    assert names(tmp_path) == [f"x.{suffix}"]


# ---- folders that cannot be written to ---------------------------------------------------------------------------


def test_read_only_folder() -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # pytest's own folders are shut to others
        folder = Path(name) / "shut"
        path = vf.save(FRAME, folder / "x.parquet")
        before = path.read_bytes()
        folder.chmod(0o555)
        done = child(
            """
            import os, sys
            import polars as pl, vizflow as vf
            if os.geteuid() == 0:
                os.setgid(65534), os.setuid(65534)
            print(vf.load(sys.argv[1] + "/x.parquet").height, "rows read")
            for path in sys.argv[1] + "/x.parquet", sys.argv[1] + "/new/x.parquet":
                try:
                    vf.save(pl.DataFrame({"a": [1]}), path)
                except vf.StorageError as error:
                    print(error)
            """,
            folder,
        )
        folder.chmod(0o755)
        assert "1000 rows read" in done.stdout, done.stderr
        assert done.stdout.count("permission denied") == 2, done.stdout + done.stderr
        assert done.stdout.count("x.parquet: ") == 2
        assert path.read_bytes() == before
        assert names(folder) == ["x.parquet"]


def test_read_only_file_system(small_disk: Path) -> None:
    path = vf.save(FRAME, small_disk / "x.parquet")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with raises(StorageError, "x.parquet", "the file system is read-only"):
        vf.save(FRAME, path)
    with raises(StorageError, "y.parquet", "the file system is read-only"):
        vf.save(FRAME, small_disk / "new" / "y.parquet")
    assert names(small_disk) == ["x.parquet"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_target_that_is_a_folder_is_refused_before_anything_is_computed(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x.{suffix}").mkdir()
    ran: list[int] = []

    def note(frame: pl.DataFrame) -> pl.DataFrame:
        ran.append(1)
        return frame

    with raises(StorageError, f"x.{suffix}", "there is a folder of that name"):
        vf.save(FRAME.lazy().map_batches(note), tmp_path / f"x.{suffix}")
    assert ran == []
    assert names(tmp_path) == [f"x.{suffix}"]


def test_writable_is_checked_without_a_trace(tmp_path: Path) -> None:
    atomic.check_writable(tmp_path / "new" / "x.parquet")
    assert names(tmp_path / "new") == []
    (tmp_path / "x.parquet").mkdir()
    with raises(StorageError, "there is a folder of that name"):
        atomic.check_writable(tmp_path / "x.parquet")
    (tmp_path / "file").touch()
    with raises(StorageError, "is a file, not a folder"):
        atomic.check_writable(tmp_path / "file" / "x.parquet")


def test_name_as_long_as_names_may_be(tmp_path: Path) -> None:
    path = tmp_path / ("價" * 80 + ".parquet")
    assert vf.load(vf.save(FRAME, path)).height == 1000
    with raises(StorageError, "the name is too long"):
        vf.save(FRAME, tmp_path / ("x" * 300 + ".parquet"))


def test_name_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"\xff\xfe.parquet")
    with atomic.atomic(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"


def test_saved_over_a_file_that_is_being_read(tmp_path: Path) -> None:
    path = vf.save(FRAME, tmp_path / "x.feather")
    held = pl.scan_ipc(path).collect()
    vf.save(FRAME.select(a=-pl.col("a")), path)
    assert held.equals(FRAME)
    assert vf.load(path)["a"].min() == -999


# ---- the file object ---------------------------------------------------------------------------------------------


def test_block_that_raises_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with pytest.raises(ZeroDivisionError), atomic.atomic(path) as file:
        file.write(bytes([4 // 0]))
    assert names(tmp_path) == []
    with pytest.raises(KeyboardInterrupt), atomic.atomic(path):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_file_object(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    file = _core.File(os.fspath(path))
    assert file.write(b"ab") == 2
    assert file.write(bytearray(b"cd")) == 2
    assert file.write(memoryview(b"")) == 0
    with pytest.raises(TypeError):
        file.write("text")  # type: ignore[arg-type]
    file.flush()
    file.close()
    assert not path.exists()
    file.commit()
    assert path.read_bytes() == b"abcd"
    with pytest.raises(Error, match="committed already"):
        file.write(b"e")
    file.discard()
    with pytest.raises(ValueError, match="closed"):
        file.write(b"e")
    file.discard()
    assert names(tmp_path) == ["x.bin"]
    del file
    lost = _core.File(os.fspath(tmp_path / "y.bin"))
    lost.write(b"half")
    assert len(names(tmp_path)) == 2
    del lost  # not committed: gone
    assert names(tmp_path) == ["x.bin"]
    for bad in ("", os.fspath(tmp_path) + "/"):
        with raises(ConfigError):
            _core.File(bad)


def test_writes_of_many_threads_are_whole_and_a_discard_waits_for_them(tmp_path: Path) -> None:
    size, each, threads = 1 << 16, 40, 4
    path = tmp_path / "x.bin"
    with atomic.atomic(path) as file, ThreadPoolExecutor(threads) as pool:
        for written in pool.map(lambda i: [file.write(bytes([i]) * size) for _ in range(each)], range(threads)):
            assert written == [size] * each
    got = path.read_bytes()
    blocks = [got[at : at + size] for at in range(0, len(got), size)]
    assert sorted(blocks) == sorted(bytes([i]) * size for i in range(threads) for _ in range(each))
    path.unlink()

    # Polars' own thread may be in the middle of a write when another has failed: the failure is what is told
    started = threading.Event()

    def write_on(file: _core.File) -> str:
        try:
            while True:
                file.write(bytes(1 << 22))
                started.set()
        except ValueError as error:
            return str(error)

    def fail(pool: ThreadPoolExecutor) -> list[Future[str]]:
        ends: list[Future[str]] = []
        with suppress(ZeroDivisionError), atomic.atomic(path) as file:
            ends += [pool.submit(write_on, file) for _ in range(threads)]
            started.wait()
            raise ZeroDivisionError
        return ends

    with ThreadPoolExecutor(threads) as pool:
        assert [end.result() for end in fail(pool)] == ["the file is closed"] * threads
    assert names(tmp_path) == []


def test_what_killed_writers_leave_is_swept_and_what_live_ones_write_is_not(tmp_path: Path) -> None:
    code = """
        import sys, time
        from vizflow import _core
        file = _core.File(sys.argv[1])
        file.write(b"half")
        print("ready", flush=True)
        time.sleep(600)
        """
    writer = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), tmp_path / "x.parquet"], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"ready\n"
    mine = _core.File(os.fspath(tmp_path / "y.parquet"))
    assert len(names(tmp_path)) == 2
    assert atomic.sweep(tmp_path) == []
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    foreign = ".x.parquet.00000001-1-1-1.vftmp"
    (tmp_path / foreign).touch()
    (tmp_path / ".hidden.tmp").touch()
    swept = atomic.sweep(tmp_path)
    assert [path.name.split(".")[1] for path in swept] == ["x"]
    assert len(names(tmp_path)) == 3
    mine.commit()
    assert names(tmp_path) == [".hidden.tmp", foreign, "y.parquet"]
    assert atomic.sweep(tmp_path / "nowhere") == []
    assert atomic.sweep(tmp_path, days=1) == []
    os.utime(tmp_path / foreign, (1, 1))
    assert atomic.sweep(tmp_path) == []
    assert atomic.sweep(tmp_path, days=1) == [tmp_path / foreign]
    assert names(tmp_path) == [".hidden.tmp", "y.parquet"]


def test_many_threads_save_the_same_file(tmp_path: Path) -> None:
    frames = [pl.DataFrame({"a": [i] * 1000}) for i in range(8)]
    errors: list[BaseException] = []

    def save(frame: pl.DataFrame) -> None:
        try:
            for _ in range(20):
                vf.save(frame, tmp_path / "x.parquet")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=save, args=(frame,)) for frame in frames]
    for thread in threads:
        thread.start()
    seen = set()
    while any(thread.is_alive() for thread in threads):
        if (tmp_path / "x.parquet").exists():
            found = pl.read_parquet((tmp_path / "x.parquet").read_bytes())  # whole, whenever it is looked at
            assert found.height == 1000
            assert found["a"].n_unique() == 1
            seen.add(found["a"][0])
    for thread in threads:
        thread.join()
    assert errors == []
    assert seen
    assert names(tmp_path) == ["x.parquet"]


# ---- inputs ------------------------------------------------------------------------------------------------------

DATE = "20241001"
DAY = pl.DataFrame({"t": range(300_000), "qty": [1.0] * 300_000})


@pytest.fixture
def day(tmp_path: Path, request: pytest.FixtureRequest) -> tuple[vf.Config, Path]:
    """A day of the parametrised suffix, and the config that reads it."""
    suffix = getattr(request, "param", "feather")
    path = vf.save(DAY, tmp_path / "in" / f"{DATE}.{suffix}")
    config = vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out", input_pattern="{date}." + suffix)
    return config, path


def replace(path: Path) -> None:
    vf.save(DAY.with_columns(qty=pl.col("qty") * 2), path)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"something else")
    os.utime(path, ns=(1, 1))


def truncate(path: Path) -> None:
    os.truncate(path, 1000)


DAMAGE = [
    (Path.unlink, "vanished while it was read"),
    (replace, "changed or replaced while it was read"),
    (overwrite, "changed or replaced while it was read"),
    (truncate, "changed or replaced while it was read"),
]


@pytest.mark.parametrize("day", SUFFIXES, indirect=True)
@pytest.mark.parametrize(("damage", "text"), DAMAGE)
def test_input_that_changes_after_the_pipeline_began(
    day: tuple[vf.Config, Path], damage: Callable[[Path], None], text: str
) -> None:
    config, path = day

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        damage(path)
        return df.select(pl.col("qty").sum())

    with raises(StorageError, path.name, text):
        vf.run(pipeline, config, DATE)
    assert not config.get_partial_path(DATE).exists()


@pytest.mark.parametrize("day", SUFFIXES, indirect=True)
@pytest.mark.parametrize(("damage", "text"), DAMAGE[:3])  # a mapped file that shrinks is SIGBUS: no process survives
def test_input_that_changes_in_the_middle_of_a_run(
    day: tuple[vf.Config, Path], damage: Callable[[Path], None], text: str
) -> None:
    config, path = day
    done: list[int] = []

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        def once(frame: pl.DataFrame) -> pl.DataFrame:
            if not done:
                damage(path)
                done.append(1)
            return frame

        return df.map_batches(once, streamable=True).select(pl.col("qty").sum())

    with raises(StorageError, path.name, text):
        vf.run(pipeline, config, DATE)
    assert not (Path(config.output_dir or "") / f"{DATE}.parquet").exists()


def test_input_that_changes_between_the_two_readings_of_a_step(day: tuple[vf.Config, Path]) -> None:
    config, path = day

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        df = df.with_columns(symbol=pl.lit("a"), elapsed_seconds=pl.col("t"))
        once: list[int] = []

        def change(frame: pl.DataFrame) -> pl.DataFrame:
            if not once:
                once.append(1)
                replace(path)
            return frame

        return vf.forward_return(df.map_batches(change, streamable=True), [60], "qty")

    with raises(StorageError, path.name, "changed or replaced"):
        vf.run(pipeline, config, DATE)
    assert not config.get_partial_path(DATE).exists()


def test_load_of_a_file_that_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = vf.save(DAY, tmp_path / "x.parquet")
    collect = pl.LazyFrame.collect

    def slow(self: pl.LazyFrame, *args: Any, **kwargs: Any) -> Any:
        out = collect(self, *args, **kwargs)
        replace(path) if "engine" in kwargs else None
        return out

    monkeypatch.setattr(pl.LazyFrame, "collect", slow)
    with raises(StorageError, "x.parquet", "changed or replaced"):
        vf.load(path)


def test_untouched_input_is_no_error_however_long_it_takes(day: tuple[vf.Config, Path]) -> None:
    config, path = day

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        time.sleep(0.05)
        path.read_bytes()
        return df.select(pl.col("qty").sum())

    assert vf.run(pipeline, config, DATE).item() == 300_000


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
@pytest.mark.parametrize("at", [0.0, 0.2, 0.5, 0.8, 0.999])
def test_corrupt_bytes_are_an_error_or_read_as_they_are_but_never_a_crash(
    tmp_path: Path, suffix: str, at: float
) -> None:
    path = vf.save(DAY.with_columns(s=pl.col("t").cast(pl.String)), tmp_path / f"{DATE}.{suffix}")
    data = bytearray(path.read_bytes())
    start = int(at * len(data))
    data[start : start + 64] = bytes(b ^ 0x5A for b in data[start : start + 64])
    path.write_bytes(data)
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path / "out", input_pattern="{date}." + suffix)
    failed = ""
    try:
        vf.run(lambda df, ctx: df.select(pl.col("t").sum(), pl.col("s").str.len_bytes().sum()), config, DATE)
    except (StorageError, DataError) as error:
        failed = str(error)
    assert (path.name in failed) != config.get_partial_path(DATE).exists()


@pytest.mark.parametrize("suffix", ["parquet", "feather", "csv"])
def test_file_of_zeros(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"x.{suffix}").write_bytes(bytes(100_000))
    if suffix == "csv":
        vf.load(tmp_path / "x.csv")  # a column of nothing: CSV has no marks of its own
        return
    with raises(StorageError, f"x.{suffix}"):
        vf.load(tmp_path / f"x.{suffix}")


def test_input_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / f"{DATE}.feather").mkdir()
    config = vf.Config(input_dir=tmp_path, output_dir=tmp_path / "out")
    with raises(StorageError, f"{DATE}.feather", "is a folder"):
        vf.run(lambda df, ctx: df, config, DATE)
    assert not (tmp_path / "out").exists()


def test_output_that_cannot_be_written_is_refused_before_the_pipeline_runs(day: tuple[vf.Config, Path]) -> None:
    config, _ = day
    config.get_partial_path(DATE).mkdir(parents=True)
    ran: list[int] = []

    def pipeline(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        ran.append(1)
        return df

    with raises(StorageError, f"{DATE}.parquet", "there is a folder of that name"):
        vf.run(pipeline, config, DATE)
    assert ran == []
    assert vf.run(pipeline, config, DATE, save=False).height == DAY.height
