"""Run the Python suite: once in full, then again under one thread, under tiny chunks, and on the streaming engine.

Files of tests are spread over the cores, but for those that start processes of their own or write figures. Not a test
runner: each round is one pytest, and the first that fails ends it.
"""

import os
import subprocess
import sys

SPREAD = ["-n", "auto", "--dist", "loadfile"]
AGAIN = [*SPREAD, "-m", "not slow", "tests/python/unit", "tests/python/engines"]
ALONE = ["batch", "cluster", "damage", "docs", "faults"]  # `make test-browser`, `make test-differential` run the others
ELSEWHERE = [*ALONE, "browser", "differential"]

ROUNDS = [
    ("whole suite", {}, [*SPREAD, *(f"--ignore=tests/python/{name}" for name in ELSEWHERE), "tests/python"]),
    ("processes, files, pages", {}, [f"tests/python/{name}" for name in ALONE]),
    ("one thread", {"POLARS_MAX_THREADS": "1"}, AGAIN),
    ("tiny chunks", {"VIZFLOW_TEST_CHUNKS": "3"}, AGAIN),
    (
        "streaming engine, tiny morsels",
        {"POLARS_ENGINE_AFFINITY": "streaming", "POLARS_IDEAL_MORSEL_SIZE": "7"},
        AGAIN,
    ),
]

for name, settings, arguments in ROUNDS:
    print(f"---- {name} ----", flush=True)
    code = subprocess.call(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], env={**os.environ, **settings}
    )
    if code != 0:
        sys.exit(code)
