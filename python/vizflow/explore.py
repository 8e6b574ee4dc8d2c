"""The explorer in the browser: `app` for a server of your own, `serve` for this one."""

from vizflow.viz.explorer import app, serve

__all__ = ["app", "serve"]
