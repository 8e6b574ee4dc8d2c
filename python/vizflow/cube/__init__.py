"""Partials of many dates as an N-d array of states."""

from vizflow.cube.cube import Cube

__all__ = ["Cube"]
