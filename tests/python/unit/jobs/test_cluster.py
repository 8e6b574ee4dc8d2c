"""Executors where their engine is not installed; what needs an engine is in `tests/python/cluster`."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

import pytest

import vizflow as vf
from support import raises
from vizflow.errors import ConfigError
from vizflow.jobs.cluster import _Polled


@pytest.mark.parametrize(
    ("module", "make", "extra"),
    [
        ("submitit", vf.cluster.slurm, "cluster"),
        ("distributed", vf.cluster.dask, "dask"),
        ("ray", vf.cluster.ray, "ray"),
    ],
)
def test_an_engine_that_is_not_installed(module: str, make: Any, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with raises(ConfigError, f"pip install 'vizflow[{extra}]'"):
        make()


class Job:
    """A job that ends when it is told to."""

    def __init__(self, value: Any) -> None:
        self.value, self.ended, self.cancelled = value, threading.Event(), False

    def result(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value

    def look(self) -> Any:
        return self.result if self.ended.is_set() else None

    def cancel(self) -> None:
        self.cancelled = True


def test_jobs_that_are_polled() -> None:
    jobs: list[Job] = []

    def submit(value: Any) -> Job:
        jobs.append(Job(value))
        return jobs[-1]

    executor = _Polled(submit, Job.look, Job.cancel)
    good, bad, cancelled = executor.submit(7), executor.submit(KeyError("x")), executor.submit(8)
    assert not good.done()
    assert cancelled.cancel()
    jobs[0].ended.set(), jobs[1].ended.set()
    assert good.result(timeout=5) == 7
    assert isinstance(bad.exception(timeout=5), KeyError)
    executor.shutdown(wait=True)
    until = time.monotonic() + 5
    while not jobs[2].cancelled and time.monotonic() < until:
        time.sleep(0.01)
    assert jobs[2].cancelled
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(9)


def test_a_polled_executor_that_is_shut_down_lets_its_jobs_end() -> None:
    jobs: list[Job] = []
    executor = _Polled(lambda value: jobs.append(Job(value)) or jobs[-1], Job.look, Job.cancel)
    future = executor.submit(7)
    threading.Timer(0.3, jobs[0].ended.set).start()
    executor.shutdown(wait=True)
    assert future.result(timeout=0) == 7
    later = _Polled(lambda value: jobs.append(Job(value)) or jobs[-1], Job.look, Job.cancel)
    waiting = later.submit(8)
    later.shutdown(wait=True, cancel_futures=True)
    assert waiting.cancelled()


def test_an_engine_that_refuses_to_be_asked_is_the_jobs_failure() -> None:
    def look(job: Job) -> bool:
        raise OSError("squeue is gone")

    executor = _Polled(Job, look, Job.cancel)
    assert isinstance(executor.submit(7).exception(timeout=5), OSError)
    executor.shutdown()
