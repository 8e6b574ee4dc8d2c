"""Realistic days, generated."""

from vizflow.demo.days import SCHEMA, generate

__all__ = ["SCHEMA", "generate"]
