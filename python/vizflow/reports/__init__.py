"""Reports: an alpha's and a book of trades' numbers, as frames, figures, and one HTML file that opens anywhere.

Computed date by date from day files or frames, or from partials. Figures need the extra ``vizflow[viz]``.
"""

from __future__ import annotations

from vizflow.reports.alpha_report import alpha
from vizflow.reports.report import Report
from vizflow.reports.trades_report import trades

__all__ = ["Report", "alpha", "trades"]
