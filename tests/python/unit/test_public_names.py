"""What may be imported, by its name and from where: the package, and the modules that the design document names."""

from __future__ import annotations

import importlib

import pytest

import vizflow as vf

MODULES = {
    "config": {"Config", "Context"},
    "calendar": {"get", "range", "next_day", "prev_day"},
    "market": {"Market", "Session", "CN", "CRYPTO", "HK", "KR", "US"},
    "enrichment": {"Enricher", "FIFOMatch", "State", "TagCondition", "TagRule", "TagRunning"},
    "ops": {
        "parse_time", "time_report", "mid", "near_integer", "forward_return", "bin", "aggregate",
    },
    "run": {"run", "run_batch", "run_cluster"},
    "io": {"load", "save", "scan"},
    "viz": {"coverage", "dashboard", "heatmap", "line", "weighted_mean"},
    "stats": {"clustered", "over_dates", "t_statistic", "weighted"},
    "demo": {"generate"},
    "reports": {"alpha", "trades"},
    "explore": {"app", "serve"},
    "cli": {"main"},
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_names_of_the_documents_modules_are_there(name: str) -> None:
    assert set(vars(importlib.import_module(f"vizflow.{name}"))) >= MODULES[name]


def test_every_name_of_the_package_is_there() -> None:
    assert not [name for name in vf.__all__ if not hasattr(vf, name)]


def test_subjects_are_attributes_of_the_package() -> None:
    for name in ("calendar", "cluster", "demo", "reports", "stats", "viz"):
        assert name in vf.__all__
