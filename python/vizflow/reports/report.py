"""A report as an object: frames, figures, and one HTML file with everything in it. Not for computing."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

import vizflow._core as _core
from vizflow.errors import ConfigError
from vizflow.files import places
from vizflow.files.atomic import atomic
from vizflow.viz import theme as _theme
from vizflow.viz.dims import number
from vizflow.viz.optional import need

if TYPE_CHECKING:
    from collections.abc import Callable

    from plotly.graph_objects import Figure

__all__ = ["Report", "Section"]

_HERE = Path(__file__).parent


@dataclass
class Section:
    """A part of a report: what it shows, the frame it is drawn from, and how."""

    name: str
    title: str
    text: str
    frame: pl.DataFrame
    draw: Callable[[pl.DataFrame], Figure] | None = None
    missing: str = ""  # why it is not there


@dataclass
class Report:
    """What `alpha` and `trades` give.

    Attributes
    ----------
    title : str
        What the report is about.
    frame : DataFrame
        The summary: a row per horizon (alpha) or per measure (trades).
    sections : list of Section
        Each part's name, text and frame; a part that could not be computed says why in ``missing``.
    """

    title: str
    about: str
    frame: pl.DataFrame
    sections: list[Section]
    notes: list[str] = field(default_factory=list)
    units: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    tall: bool = False  # few rows of many measures: shown with a column a row

    @property
    def frames(self) -> dict[str, pl.DataFrame]:
        """The frame behind each section, by name."""
        return {section.name: section.frame for section in self.sections if not section.missing}

    @cached_property
    def figures(self) -> dict[str, Figure]:
        """The figures by section name; drawn when first asked for (Plotly is needed)."""
        return {s.name: s.draw(s.frame) for s in self.sections if s.draw is not None and not s.missing}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the report as one HTML file.

        Parameters
        ----------
        path
            Ends in ``.html``. Folders are made; an existing file is replaced, at once and whole.

        Returns
        -------
        Path
            Where it is. The file holds scripts, figures and tables (about 5 MB, most of it Plotly) and asks for nothing
            from any network. Light or dark by the reader's system, or by its button.
        """
        path = places.local(path)
        if path.suffix.lower() not in (".html", ".htm"):
            raise ConfigError(f"{path.name}: a report is saved as .html")
        page = self.to_html().encode()
        with atomic(path) as file:
            file.write(page)
        return path

    def to_html(self) -> str:
        """Return the report as the text of one HTML page."""
        plotly = need("plotly")
        script = (Path(plotly.__file__).parent / "package_data" / "plotly.min.js").read_text(encoding="utf-8")
        figures = {name: json.loads(figure.to_json()) for name, figure in self.figures.items()}
        themes = {"light": _flat(_theme.LIGHT), "dark": _flat(_theme.DARK)}
        blocks = "\n".join(self._block(section) for section in self.sections if not section.missing)
        absent = [f"{section.title}: not computed; {section.missing}." for section in self.sections if section.missing]
        notes = "".join(f"<li>{html.escape(note)}</li>" for note in [*self.notes, *absent])
        page = (_HERE / "page.html").read_text(encoding="utf-8")
        parts = {
            "TITLE": html.escape(self.title),
            "ABOUT": html.escape(self.about),
            "THEMES": _variables(),
            "STYLE": (_HERE / "page.css").read_text(encoding="utf-8"),
            "SUMMARY": table(self.frame, self.units, caption="Summary", tall=self.tall),
            "NOTES": f'<ul class="notes">{notes}</ul>' if notes else "",
            "SECTIONS": blocks,
            "VERSION": html.escape(_core.version),
            "FIGURES": _script_json(figures),
            "COLOURS": _script_json(themes),
            "PLOTLY": script.replace("</script", "<\\/script"),
        }
        return re.sub(r"@([A-Z]+)@", lambda found: parts[found[1]], page)

    def _block(self, section: Section) -> str:
        name, title = html.escape(section.name), html.escape(section.title)
        head = f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>'
        plot = f'<div class="plot" id="plot-{name}" role="img" aria-label="{title}"></div>' if section.draw else ""
        shown = section.frame.head(2_000)
        more = f" (first {shown.height:,} of {section.frame.height:,})" if shown.height < section.frame.height else ""
        opened = "" if section.draw else " open"
        return (
            f"{head}<p>{html.escape(section.text)}</p>{plot}<details{opened}><summary>Numbers{more}</summary>"
            f'<div class="scroll" tabindex="0">{table(shown, self.units)}</div></details></section>'
        )

    def _repr_html_(self) -> str:
        return table(self.frame, self.units, caption=self.title, tall=self.tall)

    def __repr__(self) -> str:
        there = ", ".join(self.frames)
        return f"Report({self.title!r}: {there})\n{self.frame}"


def table(
    frame: pl.DataFrame,
    units: Mapping[str, tuple[str, float]] | None = None,
    *,
    caption: str = "",
    tall: bool = False,
) -> str:
    """Return a frame as an HTML table, numbers to the right; tall: turned, its first column the head."""
    units = units or {}
    numeric = [dtype.is_numeric() for dtype in frame.dtypes]
    columns = [
        [_figure(value, units.get(name)) if right else html.escape(_words(value)) for value in frame[name].to_list()]
        for name, right in zip(frame.columns, numeric, strict=True)
    ]
    heads = [html.escape(_heading(name, units)) for name in frame.columns]
    if tall:
        first, *rest = columns
        head = f'<th scope="col">{heads[0]}</th>' + "".join(f'<th scope="col" class=n>{name}</th>' for name in first)
        rows = [f'<tr><th scope="row">{name}</th>{"".join(f"<td class=n>{v}</td>" for v in values)}</tr>'
                for name, values in zip(heads[1:], rest, strict=True)]  # fmt: skip
    else:
        head = "".join(f'<th scope="col"{" class=n" if right else ""}>{name}</th>'
                       for name, right in zip(heads, numeric, strict=True))  # fmt: skip
        marks = [" class=n" if right else "" for right in numeric]
        rows = [f"<tr>{''.join(f'<td{m}>{v}</td>' for m, v in zip(marks, row, strict=True))}</tr>"
                for row in zip(*columns, strict=True)]  # fmt: skip
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _words(value: Any) -> str:
    return "–" if value is None else str(value)


def _heading(name: str, units: Mapping[str, tuple[str, float]]) -> str:
    unit = units.get(name, ("", 1.0))[0]
    return f"{name.replace('_', ' ')} [{unit}]" if unit and unit != "%" else name.replace("_", " ")


def _figure(value: Any, unit: tuple[str, float] | None) -> str:
    if value is None or value != value:
        return "–"
    if unit is not None:
        value = value * unit[1]
        if unit[0] == "%":
            return f"{value:.2f} %".replace("-", "−")
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    size = abs(value)
    text = f"{value:,.0f}" if size >= 1e4 else f"{value:.4g}" if size >= 1e-4 or size == 0 else number(value)
    return text.replace("-", "−")


def _flat(theme: dict[str, Any]) -> list[str]:
    """Return a theme's colours in one order, so that a page can swap one theme's for the other's."""
    out: list[str] = []
    for value in theme.values():
        out += [value] if isinstance(value, str) else value
    return out


def _variables() -> str:
    def css(theme: dict[str, Any]) -> str:
        return "".join(f"--{n.replace('_', '-')}:{v};" for n, v in theme.items() if isinstance(v, str))

    light, dark = css(_theme.LIGHT), css(_theme.DARK)
    return (
        f":root{{color-scheme:light;--sans:{_theme.SANS};{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
    )


def _script_json(value: Any) -> str:
    """Return JSON that may stand inside a script element."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
