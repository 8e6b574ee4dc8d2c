"""What is wrong with days, before anything runs."""

from vizflow.check.check import CheckReport, check

__all__ = ["CheckReport", "check"]
