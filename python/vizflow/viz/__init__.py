"""Figures for the notebook."""

from vizflow.viz.dashboard import dashboard
from vizflow.viz.figures import heatmap, line
from vizflow.viz.frame_cells import coverage, weighted_mean

__all__ = ["coverage", "dashboard", "heatmap", "line", "weighted_mean"]
