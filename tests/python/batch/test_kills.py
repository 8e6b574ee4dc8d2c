"""A batch that is killed and started again: a few rounds of `kill_rounds.py`, which can do as many as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_rounds_of_kills_and_resumes() -> None:
    script = Path(__file__).with_name("kill_rounds.py")
    done = subprocess.run(
        [sys.executable, str(script), "--rounds", "8"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 rounds in" in done.stdout
    assert "every partial whole, results equal" in done.stdout
