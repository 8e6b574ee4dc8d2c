"""Packages that are needed for a purpose, and how to get them. Not for imports that always work."""

from __future__ import annotations

from typing import Any


def need(module: str) -> Any:
    """Import a module of the extra, or say how to get it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ImportError as error:
        # What is missing may be what the package itself imports.
        package = (getattr(error, "name", None) or module).partition(".")[0]
        raise ImportError(
            f"{package}, which vizflow's figures and pages need, is not installed: pip install 'vizflow[viz]'"
        ) from error
