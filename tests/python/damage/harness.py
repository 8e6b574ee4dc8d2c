"""Thousands of damaged files, opened in processes that may die: counts of what came of them, and what must not have.

``python -m damage`` in tests/python runs it with VARIANTS=50000, SEED=… and WORKERS=…; the test, with fewer.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

HERE = Path(__file__).resolve().parent
KEPT = HERE.parents[2] / "build" / "damage"
HANGS_AFTER = 60.0  # seconds that no file of a few kilobytes takes, on a machine however loaded
BAD = ("DIED", "HUNG", "RAW", "LIES", "WROTE", "UNNAMED")


@dataclass
class Told:
    """What came of the variants."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    """Kind to outcome to number."""
    bad: list[dict[str, Any]] = field(default_factory=list)
    noisy: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def variants(self) -> int:
        return sum(sum(count.values()) for count in self.counts.values())

    def table(self) -> str:
        """Return the counts by kind."""
        names = ["refused", "same", "other", *BAD]
        lines = [f"{'kind':30}" + "".join(f"{name:>9}" for name in names)]
        for kind, count in self.counts.items():
            lines.append(f"{kind:30}" + "".join(f"{count[name]:9}" for name in names))
        total: Counter[str] = sum(self.counts.values(), Counter())
        lines.append(f"{'all ' + str(self.variants):30}" + "".join(f"{total[name]:9}" for name in names))
        return "\n".join([*lines, f"{len(self.noisy)} wrote on standard error; {self.seconds:.0f} seconds"])


def words(found: dict[str, Any]) -> str:
    """Say what went wrong."""
    what = f"{found['kind']}, variant {found['variant']} ({found.get('use')}, {found.get('how')})"
    return f"{found['outcome']}: {what}: {found['detail']}\n"


class _Worker:
    def __init__(self, number: int, sound: Path, folder: Path, seed: str) -> None:
        self.folder = folder / f"worker{number}"
        self.errors = folder / f"worker{number}.errors"
        self._arguments = [sys.executable, str(HERE / "worker.py"), str(sound), str(self.folder), seed]
        self.job: tuple[int, int] | None = None
        self.since = 0.0
        self._start()

    def _start(self) -> None:
        settings = {**os.environ, "POLARS_MAX_THREADS": "2"}
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                self._arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=settings, text=True
            )

    @property
    def answers(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def give(self, job: tuple[int, int]) -> None:
        self.job, self.since = job, time.monotonic()
        assert self.process.stdin is not None
        self.process.stdin.write(f"{job[0]} {job[1]}\n")
        self.process.stdin.flush()

    def died(self, outcome: str, names: list[str]) -> dict[str, Any]:
        """Say what the process died of, and start another."""
        self.process.kill()
        code = self.process.wait()
        assert self.job is not None
        detail = f"exit status {code}: {self.errors.read_bytes()[-1500:].decode(errors='replace')}"
        self.answers.close()
        self._start()
        name = names[self.job[0]]
        return {"kind": name, "variant": self.job[1], "outcome": outcome, "detail": detail, "noise": True}

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.answers.close()


def run(variants: int, seed: str, workers: int, folder: Path, only: str = "") -> Told:
    """Open so many damaged files, as many of each kind."""
    from damage import kinds

    sound = folder / "sound"
    if not sound.exists():
        kinds.make(sound)
    names = list(kinds.KINDS)
    chosen = [number for number, name in enumerate(names) if name.startswith(only)]
    told = Told({names[number]: Counter() for number in chosen})
    jobs = iter([(chosen[at % len(chosen)], at // len(chosen)) for at in range(variants)])
    started = time.monotonic()
    pool = [_Worker(number, sound, folder, seed) for number in range(workers)]
    with selectors.DefaultSelector() as waiting:
        busy = 0
        for worker in pool:
            job = next(jobs, None)
            if job is not None:
                worker.give(job)
                waiting.register(worker.answers, selectors.EVENT_READ, worker)
                busy += 1
        while busy:
            ready = {key.data for key, _ in waiting.select(1.0)}
            for worker in pool:
                if worker.job is None:
                    continue
                hung = time.monotonic() - worker.since > HANGS_AFTER
                if worker not in ready and not hung:
                    continue
                waiting.unregister(worker.answers)
                line = worker.answers.readline() if worker in ready else ""
                answer = json.loads(line) if line else worker.died("HUNG" if hung else "DIED", names)
                told.counts[answer["kind"]][answer["outcome"]] += 1
                if answer["outcome"] in BAD:
                    told.bad.append(answer)
                    print(words(answer), file=sys.stderr, flush=True)
                    _keep(answer, worker, kinds.KINDS[answer["kind"]].name)
                elif answer["noise"]:
                    told.noisy.append(answer)
                job = next(jobs, None)
                worker.job = None
                if job is None:
                    busy -= 1
                    continue
                worker.give(job)
                waiting.register(worker.answers, selectors.EVENT_READ, worker)
    for worker in pool:
        worker.end()
    told.seconds = time.monotonic() - started
    return told


def _keep(answer: dict[str, Any], worker: _Worker, name: str) -> None:
    """Keep the file that it went wrong with."""
    path = worker.folder / name
    if path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        kind = answer["kind"].replace(", ", "-").replace(" ", "_")
        shutil.copy(path, KEPT / f"{answer['outcome']}-{kind}-{answer['variant']}-{name}")
