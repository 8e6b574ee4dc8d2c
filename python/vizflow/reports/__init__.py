"""Reports: an alpha's and a book of trades' numbers, as frames, figures, and one HTML file that opens anywhere.

Computed date by date from day files or frames, or from partials. Figures need the extra ``vizflow[viz]``.
"""

from __future__ import annotations

from vizflow.reports._alpha import alpha
from vizflow.reports._report import Report
from vizflow.reports._trades import trades

__all__ = ["Report", "alpha", "trades"]
