"""The explorer in the browser: `app` for a server of your own, `serve` for this one.

Dash and Plotly come with the extra ``vizflow[viz]``; this module imports without them.
"""

from vizflow.viz.explorer import app, serve

__all__ = ["app", "serve"]
