"""`run_batch`: many dates, and what happens to those that fail."""

from __future__ import annotations

import _thread
import concurrent.futures
import json
import logging
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import batch_jobs
import vizflow as vf
from batch_jobs import BAD
from support import raises
from vizflow.errors import ConfigError, Error
from vizflow.jobs import machine, progress

DATES = [f"202401{day:02d}" for day in range(1, 9)]
DAY = pl.DataFrame({"side": ["B", "S", "B"], "qty": [1, 2, 3]})
SIDES = [("B", 2, 4), ("S", 1, 2)]


@pytest.fixture
def config(tmp_path: Path) -> vf.Config:
    for date in DATES:
        vf.save(DAY, tmp_path / "in" / f"{date}.feather")
    return vf.Config(input_dir=tmp_path / "in", output_dir=tmp_path / "out")


def run(function: Any, config: vf.Config, dates: list[str] = DATES, **options: Any) -> vf.BatchReport:
    return vf.run_batch(function, config, dates, **{"progress": False, "max_workers": 2, **options})


def partials(config: vf.Config) -> list[str]:
    return sorted(path.stem for path in Path(str(config.output_dir)).glob("*.parquet"))


def temporaries(config: vf.Config) -> list[str]:
    return [path.name for path in Path(str(config.output_dir)).rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize("way", ["processes", "serial", "threads", "process pool"])
def test_every_way_makes_the_same_partials_and_report(config: vf.Config, way: str) -> None:
    options: dict[str, Any] = {"parallel": way != "serial"}
    if way == "threads":
        options["executor"] = concurrent.futures.ThreadPoolExecutor(2)
    if way == "process pool":
        spawn = multiprocessing.get_context("spawn")
        options["executor"] = concurrent.futures.ProcessPoolExecutor(2, mp_context=spawn)
    report = run(batch_jobs.sides, config, **options)
    if "executor" in options:
        assert options["executor"].submit(int, "7").result() == 7, "someone else's executor was shut down"
        options["executor"].shutdown()
    assert report.frame["date"].to_list() == DATES
    assert set(report.frame["status"]) == {"done"}
    assert report.frame["rows"].to_list() == [2] * len(DATES)
    assert report.frame["error"].null_count() == len(DATES)
    for date, size, given in report.frame.select("date", "bytes", "input_bytes").rows():
        assert vf.load(config.get_partial_path(date)).rows() == SIDES
        assert size == config.get_partial_path(date).stat().st_size
        assert given == config.get_file_path(date).stat().st_size
    assert partials(config) == DATES
    assert not temporaries(config)


def test_partials_are_those_of_run(config: vf.Config) -> None:
    run(batch_jobs.sides, config, DATES[:1])
    by_batch = pl.read_parquet_metadata(config.get_partial_path(DATES[0]))
    vf.run(batch_jobs.sides, config, DATES[0])
    by_run = pl.read_parquet_metadata(config.get_partial_path(DATES[0]))
    for metadata in (by_batch, by_run):
        metadata.pop("vizflow.written")
        metadata.pop("vizflow.digest")  # of the moment that was written, too
    assert by_batch == by_run


# ---- failures -----------------------------------------------------------------------------------------------------


def test_failures_of_every_kind_are_reported_by_date_and_the_others_are_done(config: vf.Config) -> None:
    dates = [*DATES, "20240109"]  # for which there is no file
    config.get_file_path("20240102").write_bytes(b"ARROW1 nonsense")
    config.get_file_path("20240106").write_bytes(b"")
    with pytest.raises(vf.BatchError) as caught:
        run(batch_jobs.trouble, config, dates)
    report = caught.value.report
    errors = dict(report.failed.select("date", "error").rows())
    assert sorted(errors) == ["20240102", *sorted(BAD.values())[:3], "20240106", "20240108", "20240109"]
    assert errors["20240102"].startswith("StorageError: ")
    assert "20240102.feather" in errors["20240102"]
    assert errors["20240106"].endswith("the file is empty")
    assert "there is no such file" in errors["20240109"]
    assert errors[BAD["raises"]] == "LookupError: no such thing"
    assert errors[BAD["exits"]] == "SystemExit: enough"
    assert "signal 9, SIGKILL" in errors[BAD["killed"]]
    assert "signal 11, SIGSEGV" in errors[BAD["crashes"]]
    assert partials(config) == ["20240101", "20240107"] == report.frame.filter(status="done")["date"].to_list()
    assert not temporaries(config)
    traces = dict(report.failed.select("date", "traceback").rows())
    assert "batch_jobs.py" in traces[BAD["raises"]]
    assert caught.value.count == 7
    text = str(caught.value)
    assert text.startswith("7 of 9 dates failed, the others are done; tracebacks are in ")
    for date, error in errors.items():
        assert f"  {date}  {error}" in text


def test_batch_error_is_one_of_ours_and_can_be_pickled(config: vf.Config) -> None:
    with pytest.raises(Error) as caught:
        run(batch_jobs.sides, config, ["20250101"], parallel=False)
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, vf.BatchError)
    assert str(again) == str(caught.value)
    assert_frame_equal(again.report.frame, again.report.frame)


def test_a_batch_after_the_faults_are_mended_does_the_rest_only(config: vf.Config) -> None:
    with pytest.raises(vf.BatchError):
        run(batch_jobs.trouble, config)
    times = {date: config.get_partial_path(date).stat().st_mtime_ns for date in partials(config)}
    with pytest.warns(UserWarning, match="4 dates from 20240101 kept, though made by the function trouble"):
        report = run(batch_jobs.sides, config)
    counts = dict(report.frame["status"].value_counts().rows())
    assert counts == {"skipped": 4, "done": 4}
    assert {date: config.get_partial_path(date).stat().st_mtime_ns for date in times} == times
    assert partials(config) == DATES


def test_every_worker_may_be_killed_again_and_again(config: vf.Config) -> None:
    def kills(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        os.kill(os.getpid(), signal.SIGKILL)
        return df

    with pytest.raises(vf.BatchError) as caught:
        run(kills, config)
    assert caught.value.report.count("failed") == len(DATES)


def test_a_process_that_the_killed_worker_started_does_not_hold_the_batch_up(config: vf.Config) -> None:
    started = time.perf_counter()
    with pytest.raises(vf.BatchError) as caught:
        run(batch_jobs.forks, config, max_workers=1)
    assert caught.value.report.failed["date"].to_list() == [BAD["killed"]]
    assert time.perf_counter() - started < 25  # the process it started sleeps for 30 s


def test_an_input_that_changes_while_it_is_read_is_not_saved(config: vf.Config) -> None:
    with pytest.raises(vf.BatchError, match="changed"):
        run(batch_jobs.changes_input, config, DATES[:1], parallel=False)
    assert partials(config) == []


def test_an_executor_that_breaks_is_the_failure_of_the_dates_it_had(config: vf.Config) -> None:
    spawn = multiprocessing.get_context("spawn")
    with (
        concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as executor,
        pytest.raises(vf.BatchError) as caught,
    ):
        run(batch_jobs.trouble, config, executor=executor)
    report = caught.value.report
    assert report.frame.height == len(DATES)
    assert "BrokenProcessPool" in report.failed.filter(date=BAD["killed"])["error"].item()
    assert report.count("done") + report.count("failed") == len(DATES)


# ---- what is refused before anything runs -------------------------------------------------------------------------


def test_bad_arguments_are_refused_before_anything_runs(config: vf.Config) -> None:
    with raises(ConfigError, "20241399"):
        run(batch_jobs.sides, config, ["20240101", "20241399"])
    with raises(ConfigError, "a list of dates"):
        run(batch_jobs.sides, config, "20240101")  # type: ignore[arg-type]
    with raises(ConfigError, "max_workers is 0"):
        run(batch_jobs.sides, config, max_workers=0)
    with raises(ConfigError, "a function of (frame, context)"):
        run(None, config)
    fork = concurrent.futures.ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    with fork, raises(ConfigError, "in which Polars hangs", "get_context('spawn')"):
        run(batch_jobs.sides, config, executor=fork)
    config.output_dir = None
    with raises(ConfigError, "output_dir"):
        run(batch_jobs.sides, config)


def test_no_dates_and_dates_given_twice(config: vf.Config) -> None:
    report = run(batch_jobs.sides, config, [])
    assert report.frame.height == 0
    assert report.frame.schema == run(batch_jobs.sides, config, DATES[:1] * 3).frame.schema
    assert partials(config) == DATES[:1]


# ---- functions that travel ----------------------------------------------------------------------------------------


def test_lambdas_and_nested_functions_travel(config: vf.Config) -> None:
    least = 2
    report = run(lambda df, ctx: df.filter(pl.col("qty") >= least), config, DATES[:2])
    assert report.frame["rows"].to_list() == [2, 2]


def test_a_function_that_cannot_travel_says_what_holds_it_back(config: vf.Config, tmp_path: Path) -> None:
    with (tmp_path / "x").open("w") as handle:

        def writes(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
            handle.write("x")
            return df

        with raises(ConfigError, "writes cannot travel to another process", "Cannot pickle files", "parallel=False"):
            run(writes, config)
        assert run(writes, config, DATES[:1], parallel=False).count("done") == 1


def test_without_cloudpickle_the_error_says_what_to_install(config: vf.Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with raises(ConfigError, "pip install 'vizflow[batch]'", "parallel=False"):
        exec("f = lambda df, ctx: df", names := {"__name__": "__main__"})
        run(names["f"], config)
    assert run(batch_jobs.sides, config, DATES[:1]).count("done") == 1


def test_a_config_that_cannot_travel(config: vf.Config) -> None:
    config.columns = {"x": lambda: 0}  # type: ignore[dict-item]
    with raises(ConfigError, "the config cannot travel"):
        run(batch_jobs.sides, config)


def test_a_function_that_cannot_be_made_again_is_one_error_and_not_one_a_date(
    config: vf.Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module is there in this process, and raises in any other."""
    (tmp_path / "only_once.py").write_text(
        "import os\n"
        "if os.environ.get('ONLY_ONCE') != str(os.getpid()): raise RuntimeError('elsewhere')\n"
        "def f(df, ctx): return df\n"
    )
    monkeypatch.setenv("ONLY_ONCE", str(os.getpid()))
    monkeypatch.syspath_prepend(tmp_path)
    import only_once  # type: ignore[import-not-found]

    with raises(ConfigError, "cannot travel", "RuntimeError: elsewhere"):
        run(only_once.f, config)


SCRIPT = """
import sys
import polars as pl
import vizflow as vf

def process_day(df, ctx):
    return helper(df)

def helper(df):
    return vf.aggregate(df, ["side"], {"n": pl.len(), "qty": pl.col("qty").sum()})

config = vf.Config(input_dir="in", output_dir="out")
print("top level")
vf.run_batch(process_day, config, dates=sys.argv[1:], parallel=True, skip_existing=True)
print("done")
"""


@pytest.mark.parametrize("extra", [True, False], ids=["cloudpickle", "without cloudpickle"])
def test_the_design_documents_script_runs_without_a_guard(config: vf.Config, tmp_path: Path, extra: bool) -> None:
    hide = "" if extra else "import sys; sys.modules['cloudpickle'] = None\n"
    (tmp_path / "script.py").write_text(hide + SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", *DATES[:3]], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout == "top level\ndone\n", "what the workers print must not mix with the script's own output"
    assert partials(config) == DATES[:3]


# ---- processes ----------------------------------------------------------------------------------------------------


def test_what_a_pipeline_prints_and_warns(config: vf.Config, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.warns(UserWarning, match=r"watch this \(UserWarning, 3 dates from 20240101\)") as caught:
        run(batch_jobs.noisy, config, DATES[:3])
    assert len(caught) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("printed by 2024") == 3
    assert err.count("written to file 1") == 3


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_threads_are_divided_among_the_processes(
    config: vf.Config, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 4)
    run(batch_jobs.threads, config, max_workers=workers)
    frame = pl.concat(vf.load(config.get_partial_path(date)) for date in DATES)
    assert frame["threads"].unique().to_list() == [4 // workers]
    assert 1 <= frame["pid"].n_unique() <= workers
    assert os.getpid() not in frame["pid"]
    assert os.getsid(0) not in frame["session"]


def test_workers_follow_cores_dates_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 16)
    monkeypatch.setattr(machine, "free_memory", lambda: 64 << 30)
    giga = 1 << 30
    assert machine.workers([1000] * 300, None) == (16, 1)
    assert machine.workers([1000] * 3, None) == (3, 5)
    assert machine.workers([5 * giga] * 300, None) == (6, 2)  # 10.3 GB each
    assert machine.workers([5 * giga] * 299 + [50 * giga], None) == (1, 16)  # the hot day needs it all
    assert machine.workers([500 * giga] * 3, None) == (1, 16)
    assert machine.workers([5 * giga] * 300, 12) == (12, 1)
    assert machine.workers([], None) == (1, 16)
    monkeypatch.setattr(machine, "free_memory", lambda: None)
    assert machine.workers([5 * giga] * 300, None) == (16, 1)


def test_memory_and_cores_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = machine.free_memory()
    assert memory is not None
    assert 1 << 20 < memory < 1 << 50
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    assert 1 <= machine.cores() <= (os.cpu_count() or 1)
    monkeypatch.setenv("POLARS_MAX_THREADS", "1")
    assert machine.cores() == 1


@pytest.mark.parametrize(
    ("files", "memory", "cores"),
    [
        (
            {"0::/a": {"a/memory.max": "1000", "a/memory.current": "400", "a/memory.stat": "inactive_file 100"}},
            700,
            None,
        ),
        ({"0::/a/b": {"a/memory.max": "500", "a/memory.current": "0", "a/b/memory.max": "max"}}, 500, None),
        ({"0::/": {"cpu.max": "150000 100000"}}, None, 2),
        ({"0::/": {"cpu.max": "max 100000"}}, None, None),
        (
            {
                "4:memory:/x": {
                    "memory/x/memory.limit_in_bytes": "1000",
                    "memory/x/memory.usage_in_bytes": "900",
                    "memory/x/memory.stat": "inactive_file 1\ntotal_inactive_file 50\ntotal_active_file 25",
                }
            },
            175,
            None,
        ),
        ({"1:cpu,cpuacct:/": {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}}, None, 1),
        ({"1:cpu:/": {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}}, None, None),
    ],
)
def test_limits_of_control_groups(
    files: dict[str, dict[str, str]], memory: int | None, cores: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ((line, contents),) = files.items()

    def read(path: Path) -> str:
        if path == Path("/proc/self/cgroup"):
            return line + "\n"
        if path == Path("/proc/meminfo"):
            return "MemAvailable: 1048576 kB\n"
        return contents.get(str(path).removeprefix("/sys/fs/cgroup/"), "")

    monkeypatch.setattr(machine, "_read", read)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    monkeypatch.delenv("POLARS_MAX_THREADS", raising=False)
    assert machine.free_memory() == (memory or 1 << 30)
    assert machine.cores() == (cores or 64)


def test_the_largest_inputs_are_begun_first(config: vf.Config) -> None:
    for position, date in enumerate(DATES):
        vf.save(pl.concat([DAY] * (1 + position % 4 * 100)), config.get_file_path(date))
    begun: list[str] = []

    def note(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        begun.append(ctx.date)
        return df

    run(note, config, parallel=False)
    sizes = [config.get_file_path(date).stat().st_size for date in begun]
    assert sizes == sorted(sizes, reverse=True)
    assert len(set(sizes)) == 4


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ctrl_c_and_kills_leave_no_process_behind(config: vf.Config, tmp_path: Path, sent: signal.Signals) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(batch_jobs.__file__).parent)!r})\n"
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # CI may start us with it ignored
        "import batch_jobs, vizflow as vf\n"
        "config = vf.Config(input_dir='in', output_dir='out')\n"
        f"vf.run_batch(batch_jobs.slow, config, {DATES!r}, max_workers=2)\n"
    )
    batch = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    out = Path(str(config.output_dir))
    until = time.monotonic() + 120
    while len(list((out / "begun").glob("*"))) < 3 and time.monotonic() < until:
        time.sleep(0.01)  # the first date is done by then, two are at work
    workers = {int(path.name.partition("-")[2]) for path in (out / "begun").glob("*")}
    assert len(workers) == 2
    began = time.monotonic()
    batch.send_signal(sent)
    _, err = batch.communicate(timeout=300)
    assert batch.returncode in (-sent, 130)
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < began + 60:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers)
    assert partials(config) == DATES[:1]
    if sent == signal.SIGINT:
        assert "interrupted: 8 dates in" in err
        assert "1 done, 7 cancelled" in err
        assert err.rstrip().endswith("KeyboardInterrupt")
        assert not temporaries(config)
        (report,) = (out / "_vizflow" / "reports").glob("*.json")
        counts = {"done": 1, "empty": 0, "skipped": 0, "failed": 0, "cancelled": 7}
        assert json.loads(report.read_text())["counts"] == counts


def test_ctrl_c_with_an_executor_cancels_what_is_not_begun(config: vf.Config) -> None:
    def slow(df: pl.LazyFrame, ctx: vf.Context) -> pl.LazyFrame:
        if ctx.date == DATES[1]:
            _thread.interrupt_main()
            time.sleep(1)
        return df

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background starts with it ignored
    try:
        with concurrent.futures.ThreadPoolExecutor(1) as executor, pytest.raises(KeyboardInterrupt):
            run(slow, config, executor=executor)
    finally:
        signal.signal(signal.SIGINT, before)
    (report,) = (Path(str(config.output_dir)) / "_vizflow" / "reports").glob("*.json")
    counts = json.loads(report.read_text())["counts"]
    assert counts["cancelled"] >= 6
    assert counts["done"] + counts["cancelled"] == 8
    assert len(partials(config)) <= 2


# ---- two at once --------------------------------------------------------------------------------------------------


def test_two_batches_at_once_on_one_folder(config: vf.Config, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    dates = [f"2024{month:02d}{day:02d}" for month in (1, 2) for day in range(1, 29)]
    for date in dates:
        vf.save(DAY, config.get_file_path(date))
    for _ in range(3):
        started = [
            subprocess.Popen([sys.executable, "script.py", *dates], cwd=tmp_path, stdout=subprocess.DEVNULL)
            for _ in range(2)
        ]
        assert [batch.wait(timeout=300) for batch in started] == [0, 0]
        assert partials(config) == dates
        for date in dates:
            assert vf.load(config.get_partial_path(date)).rows() == SIDES
            config.get_partial_path(date).unlink()
    assert not temporaries(config)


# ---- report -------------------------------------------------------------------------------------------------------


def test_the_report_as_json_is_the_frame_and_no_partial(config: vf.Config) -> None:
    with pytest.raises(vf.BatchError) as caught:
        run(batch_jobs.trouble, config)
    report = caught.value.report
    assert report.path is not None
    written = json.loads(report.path.read_text(encoding="utf-8"))
    assert written["counts"] == {"done": 4, "empty": 0, "skipped": 0, "failed": 4, "cancelled": 0}
    assert_frame_equal(pl.DataFrame(written["dates"], schema=report.frame.schema), report.frame)
    assert report.path.parent.parent.parent == config.output_dir
    assert partials(config) == report.frame.filter(status="done")["date"].to_list()
    assert str(report).splitlines()[0].endswith("s: 4 done, 4 failed")


def test_old_reports_go(config: vf.Config) -> None:
    for _ in range(22):
        run(batch_jobs.sides, config, DATES[:1], parallel=False)
        time.sleep(0.001)
    folder = Path(str(config.output_dir)) / "_vizflow" / "reports"
    old = [folder / f"19990101T0000{i:02d}Z-x-1.json" for i in range(30)]
    for path in old:
        path.write_text("{}")
    run(batch_jobs.sides, config, DATES[:1], parallel=False)
    assert len(list(folder.iterdir())) == 20
    assert run(batch_jobs.sides, config, DATES[:1], parallel=False).path in folder.iterdir()


def test_hot_partitions_and_sizes_are_noted(
    config: vf.Config, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "vizflow")
    report = run(batch_jobs.hot, config, parallel=False)
    notes = dict(report.frame.select("date", "note").rows())
    assert [date for date, note in notes.items() if "hot partition" in note] == ["20240102"]
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1
    assert re.fullmatch(r"hot partitions, over 3 times the median of 0\.\d\d s: 20240102 \(1\.\d s\)", warned[0]), (
        warned
    )
    assert "8 of 8 inputs are smaller than 100 MB, the first 20240101" in caplog.messages
    monkeypatch.setattr("vizflow.jobs.batch.LARGE", 10)
    monkeypatch.setattr("vizflow.jobs.batch.SMALL", 10)
    report = run(batch_jobs.sides, config, DATES[:2], parallel=False, skip_existing=False)
    assert report.frame["note"].to_list() == ["input larger than 50 GB"] * 2
    assert "2 of 2 inputs are larger than 50 GB, the first 20240101" in caplog.messages


def test_the_bar_shows_dates_rate_and_failures(config: vf.Config, tmp_path: Path) -> None:
    pytest.importorskip("rich")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py", *DATES, "20240109"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "FORCE_COLOR": "1", "COLUMNS": "120"},
    )
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", done.stderr)
    assert "9/9 dates" in shown
    assert "100%" in shown
    assert "1 failed" in shown
    assert re.search(r"\d/(s|min)", shown)


def test_no_bar_without_a_terminal_or_without_rich(
    config: vf.Config, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(batch_jobs.sides, config, DATES[:2], progress=True, parallel=False)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with progress.bar(True, {"20240101": 5}) as advance:
        advance("20240101", "done")


# ---- what is never done -------------------------------------------------------------------------------------------


def test_nothing_read_from_disk_is_unpickled() -> None:
    sources = {path.name: path.read_text(encoding="utf-8") for path in Path(vf.__file__).parent.rglob("*.py")}
    assert not [name for name, text in sources.items() if re.search(r"pickle\.load\(|Unpickler|read_pickle", text)]
    users = sorted(name for name, text in sources.items() if "pickle.loads" in text)
    assert users == ["job.py", "messages.py", "pipelines.py"]  # each names the pipe it reads from


def test_a_batch_writes_no_pickle(config: vf.Config) -> None:
    run(lambda df, ctx: df, config)
    suffixes = {path.suffix for path in Path(str(config.output_dir)).rglob("*") if path.is_file()}
    assert suffixes <= {".parquet", ".json", ""}
