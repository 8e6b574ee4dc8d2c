"""Figures for the notebook: `heatmap` and `line` return Plotly figures, `dashboard` the explorer as a Dash app.

They are drawn from aggregated cells only, so a figure's size never depends on the rows behind it. Plotly and Dash
come with the extra ``vizflow[viz]``; this module imports without them.
"""

from vizflow.viz.dashboard import dashboard
from vizflow.viz.figures import heatmap, line
from vizflow.viz.frame_cells import coverage, weighted_mean

__all__ = ["coverage", "dashboard", "heatmap", "line", "weighted_mean"]
