"""How VizFlow's pages and figures look: two themes, colour scales, units. One place, used by Python and by the page.

Not for data: nothing here knows a frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SANS = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", Arial, sans-serif'

# Text on its ground has a contrast of 4.5 or more (tests/python/unit/viz/test_look.py computes it).
LIGHT: dict[str, Any] = {
    "ground": "#f5f5f2",
    "surface": "#ffffff",
    "raised": "#fafaf8",
    "line": "#deded8",
    "grid": "#ecece7",
    "text": "#1d2126",
    "muted": "#5d646c",
    "accent": "#0b5cad",
    "accent_text": "#ffffff",
    "bad": "#a8201a",
    "bad_ground": "#fdf0ee",
    "empty": "#f8f8f5",
    "series": ["#0b5cad", "#b4500b", "#16713f", "#8a3a8f", "#55606c", "#94690a", "#a8201a", "#0a7276"],
    "diverging": ["#8f3208", "#c8683a", "#e9b192", "#e6e6e2", "#9fc0de", "#4787bf", "#0b4682"],
    "sequential": ["#e4ebf1", "#b4cde2", "#7aa8cf", "#4182b6", "#1d5f98", "#0a3d6e"],
}
DARK: dict[str, Any] = {
    "ground": "#14171a",
    "surface": "#1b1f23",
    "raised": "#22272c",
    "line": "#363c43",
    "grid": "#292e34",
    "text": "#e6e8ea",
    "muted": "#a3abb3",
    "accent": "#6cb0f5",
    "accent_text": "#0d1620",
    "bad": "#ff8f86",
    "bad_ground": "#33201f",
    "empty": "#181b1f",
    "series": ["#6cb0f5", "#f0a35e", "#63c98d", "#d79bdc", "#aab4bf", "#dfc063", "#ff8f86", "#58c8cc"],
    "diverging": ["#ffb48a", "#d9804f", "#804a2e", "#363b41", "#2e5f8c", "#5599d6", "#a6d2fb"],
    "sequential": ["#2a3037", "#2c4a66", "#2f6796", "#4288c2", "#74b0e6", "#b9dbfa"],
}


def palette(dark: bool) -> dict[str, Any]:
    """Return a theme."""
    return DARK if dark else LIGHT


def scale(colours: Sequence[str]) -> list[list[Any]]:
    """Return colours as a Plotly colour scale, evenly spaced."""
    return [[index / (len(colours) - 1), colour] for index, colour in enumerate(colours)]


def layout(dark: bool) -> dict[str, Any]:
    """Return the part of a Plotly layout that every figure shares."""
    c = palette(dark)
    axis = {
        "automargin": True,
        "gridcolor": c["grid"],
        "linecolor": c["line"],
        "zerolinecolor": c["line"],
        "tickcolor": c["line"],
        "ticks": "outside",
        "ticklen": 4,
        "tickfont": {"color": c["muted"], "size": 11},
        "title": {"font": {"color": c["text"], "size": 12}, "standoff": 8},
    }
    return {
        "font": {"family": SANS, "size": 12, "color": c["text"]},
        "paper_bgcolor": c["surface"],
        "plot_bgcolor": c["empty"],
        "colorway": c["series"],
        "margin": {"l": 56, "r": 16, "t": 40, "b": 44},
        "hoverlabel": {
            "bgcolor": c["raised"],
            "bordercolor": c["line"],
            "font": {"family": SANS, "size": 12, "color": c["text"]},
            "align": "left",
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "y": 1,
            "yanchor": "bottom",
            "font": {"size": 11},
            "bgcolor": "rgba(0,0,0,0)",
        },
        "title": {"x": 0, "xanchor": "left", "xref": "paper", "font": {"size": 13, "color": c["text"]}},
        "xaxis": axis,
        "yaxis": axis,
    }


def translucent(colour: str, alpha: float) -> str:
    """Return ``#rrggbb`` as ``rgba(...)``."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def spread(values: Sequence[tuple[float, int]], share: float = 0.99) -> float:
    """Return the size that `share` of the rows stay within: the end of a colour scale that no thin cell can bleach."""
    sizes = sorted((abs(value), rows) for value, rows in values)
    if not sizes:
        return 1.0
    total, seen = sum(rows for _, rows in sizes), 0
    for size, rows in sizes:
        seen += rows
        if seen >= share * total and size > 0:
            return size
    return sizes[-1][0] or 1.0
