"""The explorer, from a notebook. Not for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dash import Dash


def dashboard(source: Any, **options: Any) -> Dash:
    """Make the explorer: a Dash app on a cube.

    Parameters
    ----------
    source
        A `Cube`, or what `Cube.from_partials` takes: a folder, glob or list of partials, or dates mapped to frames.
        A saved cube's ``.arrow``. Or a frame that `aggregate` or `reduce` gave, untouched.
    options
        As in `vizflow.explore.app`: ``units``, ``title``, ``name``.

    Returns
    -------
    dash.Dash
        ``app.run(host="127.0.0.1", port=8050)`` serves it; `vizflow.explore.serve` does so with checks. All assets are
        in the packages: nothing is fetched from elsewhere.

    Raises
    ------
    ImportError
        Dash is not installed: ``pip install 'vizflow[viz]'``.
    """
    from vizflow.viz import explorer

    return explorer.app(source, **options)
