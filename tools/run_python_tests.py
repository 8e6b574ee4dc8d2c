"""Run the Python suite: once in full, then again under one thread, under tiny chunks, and on the streaming engine.

Not a test runner: each round is one pytest, and the first that fails ends it.
"""

import os
import subprocess
import sys

ROUNDS = [
    (
        "whole suite",  # `make test-browser` and `make test-differential` run the others
        {},
        ["--ignore=tests/python/browser", "--ignore=tests/python/differential", "tests/python"],
    ),
    ("one thread", {"POLARS_MAX_THREADS": "1"}, ["-m", "not slow", "tests/python/unit", "tests/python/engines"]),
    ("tiny chunks", {"VIZFLOW_TEST_CHUNKS": "3"}, ["-m", "not slow", "tests/python/unit", "tests/python/engines"]),
    (
        "streaming engine, tiny morsels",
        {"POLARS_ENGINE_AFFINITY": "streaming", "POLARS_IDEAL_MORSEL_SIZE": "7"},
        ["-m", "not slow", "tests/python/unit", "tests/python/engines"],
    ),
]

for name, settings, arguments in ROUNDS:
    print(f"---- {name} ----", flush=True)
    code = subprocess.call(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], env={**os.environ, **settings}
    )
    if code != 0:
        sys.exit(code)
