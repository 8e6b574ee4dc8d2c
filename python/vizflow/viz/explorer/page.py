"""The explorer's Dash app: layout, routes, and the guard at the door. Not for computing: `engine` answers.

The page asks `/_vizflow/answer` itself and draws (assets/explore.js): through a Dash callback the same
answer takes about 8 ms longer, which a brush cannot spare (docs/decisions/0070). ``dcc.Store(id="vf-view")`` holds the
view, for callbacks of others.
"""

from __future__ import annotations

import html
import io
import ipaddress
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from vizflow.errors import ConfigError, Error
from vizflow.viz import theme as _theme
from vizflow.viz.dims import Units
from vizflow.viz.explorer.engine import Engine, Question
from vizflow.viz.optional import need

if TYPE_CHECKING:
    from dash import Dash

_ASSETS = Path(__file__).parent / "assets"
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self' data:; frame-ancestors 'self'; base-uri 'self'; form-action 'self'"
)
_MOST_BYTES = 256 * 1024

INDEX = """<!DOCTYPE html>
<html lang="en">
<head>
{%metas%}
<title>{%title%}</title>
<link rel="icon" href="data:,">
<style>__THEMES__</style>
{%css%}
</head>
<body>
{%app_entry%}
<footer>
{%config%}
<script src="__BASE___vizflow/plotly.js"></script>
{%scripts%}
{%renderer%}
</footer>
</body>
</html>"""


def make(source: Any, *, units: Units | None, title: str | None, allowed_hosts: Sequence[str], url_base: str) -> Dash:
    """Make the app; see `vizflow.explore.app`."""
    dash = need("dash")
    need("plotly")
    if not (url_base.startswith("/") and url_base.endswith("/")):
        raise ConfigError(f"url_base is {url_base!r}; a path that begins and ends with '/' is accepted")
    engine = source if isinstance(source, Engine) else _engine(source, units, title)
    made = dash.Dash(
        "vizflow.explore",
        assets_folder=str(_ASSETS),
        url_base_pathname=url_base,
        title=html.escape(f"{engine.source.title} · VizFlow"),  # Dash puts it into the page as it is
        update_title="",
        serve_locally=True,
        add_log_handler=False,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        index_string=INDEX.replace("__BASE__", url_base).replace("__THEMES__", _themes()),
    )
    made.layout = _layout(dash.html, dash.dcc, engine, url_base)
    made.server.config["MAX_CONTENT_LENGTH"] = _MOST_BYTES  # of bodies without a length, too
    _guard(made, url_base, {"127.0.0.1", "localhost", "::1", *allowed_hosts})
    _routes(made.server, engine, url_base)
    return made


def _themes() -> str:
    """Return both themes as CSS variables: the reader's system chooses until the reader does."""

    def variables(theme: dict[str, Any]) -> str:
        return "".join(
            f"--{name.replace('_', '-')}:{value};" for name, value in theme.items() if isinstance(value, str)
        )

    light, dark = variables(_theme.LIGHT), variables(_theme.DARK)
    return (
        f":root{{color-scheme:light;--sans:{_theme.SANS};{light}}}"
        f"@media (prefers-color-scheme:dark){{:root:not([data-theme]){{color-scheme:dark;{dark}}}}}"
        f":root[data-theme=dark]{{color-scheme:dark;{dark}}}"
    )


def _engine(source: Any, units: Units | None, title: str | None) -> Engine:
    from vizflow.viz.explorer.source import CubeSource

    return Engine(CubeSource.of(source, units=units, title=title))


# ---- the guard --------------------------------------------------------------------------------------------------


def _guard(app: Dash, base: str, hosts: set[str]) -> None:
    """Refuse requests under foreign names and from foreign pages; let the page load nothing from elsewhere."""
    flask = need("flask")
    server: Any = app.server

    @server.before_request  # type: ignore[untyped-decorator]
    def check() -> Any:
        request = flask.request
        if "*" not in hosts and _hostname(request.host) not in hosts:
            text = f"the host {request.host[:200]!r} is not one this page is served under; add it to allowed_hosts\n"
            return flask.Response(text, status=421, mimetype="text/plain")
        origin = request.headers.get("Origin")
        if request.method != "GET" and origin is not None and _split(origin) != request.host:
            return flask.Response(f"the origin {origin[:200]!r} may not ask\n", status=403, mimetype="text/plain")
        if (
            request.headers.get("Sec-Fetch-Site") == "cross-site"
            and request.headers.get("Sec-Fetch-Mode") != "navigate"
        ):
            return flask.Response("asked from another site\n", status=403, mimetype="text/plain")
        if (request.content_length or 0) > _MOST_BYTES:
            return flask.Response("the question is too long\n", status=413, mimetype="text/plain")
        if request.path == f"{base}_dash-update-component" and not _is_callback(app, request.get_data()):
            return flask.Response("there is no such callback\n", status=400, mimetype="text/plain")
        return None

    @server.errorhandler(need("dash.exceptions").DashException)  # type: ignore[untyped-decorator]
    def missing(_error: Exception) -> Any:  # of a component's file that there is not, with a list of those there are
        return flask.Response("there is no such file\n", status=404, mimetype="text/plain")

    @server.after_request  # type: ignore[untyped-decorator]
    def dress(response: Any) -> Any:
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def _is_callback(app: Dash, body: bytes) -> bool:
    """Return whether Dash is asked for a callback that there is; the explorer has none, who builds on it may."""
    try:
        given = _read_json(body)
    except ConfigError:
        return False
    return isinstance(given, dict) and isinstance(given.get("output"), str) and given["output"] in app.callback_map


def _hostname(host: str) -> str:
    """Take the port off a Host header; an IPv6 address loses its brackets."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return name


def _split(origin: str) -> str:
    """Return an origin's host and port; nothing for what is no address."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _read_json(text: str | bytes) -> Any:
    """Read a question: strict JSON, numbers finite, nested no deeper than a question is."""
    try:
        given = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise ConfigError(f"a question is JSON: {said[:200]}") from None
    return given


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _attachment(name: str) -> str:
    """Return the header that names a download: ASCII for all, and the name itself as RFC 5987 and 6266 have it."""
    clean = re.sub(r"[^\w.-]+", "-", name)[-150:]
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    there = f'attachment; filename="{plain}"'
    return there if plain == clean else f"{there}; filename*=UTF-8''{quote(clean, safe='')}"


# ---- routes -----------------------------------------------------------------------------------------------------


def _routes(server: Any, engine: Engine, base: str) -> None:
    flask = need("flask")
    about = json.dumps(
        {**engine.about(), "themes": {"light": _theme.LIGHT, "dark": _theme.DARK}, "sans": _theme.SANS},
        default=str,
        allow_nan=False,
    )

    @server.get(f"{base}_vizflow/plotly.js")  # type: ignore[untyped-decorator]
    def plotly_js() -> Any:
        import plotly

        folder = Path(plotly.__file__).parent / "package_data"
        return flask.send_from_directory(folder, "plotly.min.js", max_age=86_400, mimetype="text/javascript")

    @server.get(f"{base}_vizflow/about")  # type: ignore[untyped-decorator]
    def what() -> Any:
        return flask.Response(about, mimetype="application/json")

    @server.post(f"{base}_vizflow/answer")  # type: ignore[untyped-decorator]
    def answer() -> Any:
        try:
            body = engine.answer(_read_json(flask.request.get_data()))
        except Error as error:
            return flask.Response(json.dumps({"error": str(error)}), status=400, mimetype="application/json")
        return flask.Response(body, mimetype="application/json")

    @server.get(f"{base}_vizflow/export.<kind>")  # type: ignore[untyped-decorator]
    def export(kind: str) -> Any:
        try:
            question = Question.read(_read_json(flask.request.args.get("view", "{}")), engine.source)
            frame = engine.seen(question)
        except Error as error:
            return flask.Response(f"{error}\n", status=400, mimetype="text/plain")
        out = io.BytesIO()
        if kind == "csv":
            frame.write_csv(out)
        elif kind == "parquet":
            frame.write_parquet(out)
        else:
            return flask.Response("csv and parquet are exported\n", status=404, mimetype="text/plain")
        name = f"{engine.source.title}-{question.x}-{question.y}.{kind}"
        mimetype = "text/csv" if kind == "csv" else "application/vnd.apache.parquet"
        headers = {"Content-Disposition": _attachment(name)}
        return flask.Response(out.getvalue(), mimetype=mimetype, headers=headers)


# ---- layout -----------------------------------------------------------------------------------------------------


def _layout(html: Any, dcc: Any, engine: Engine, base: str) -> Any:
    """Return the page's frame; explore.js fills it."""

    def field(label: str, name: str) -> Any:
        return html.Div([html.Label(label, htmlFor=f"vf-{name}"), html.Select(id=f"vf-{name}")], className="vf-field")

    def panel(name: str, label: str) -> Any:
        return html.Section(
            [
                html.Div(
                    [html.H2(label, id=f"vf-{name}-title"), html.P("", id=f"vf-{name}-note", className="vf-note")],
                    className="vf-panel-head",
                ),
                html.Div(
                    [
                        html.Div(
                            id=f"vf-{name}", className="vf-plot", role="img", **{"aria-labelledby": f"vf-{name}-title"}
                        ),
                        html.Div(id=f"vf-{name}-brush", className="vf-brush", hidden=True),
                    ],
                    className="vf-plot-box",
                ),
                html.Div("", id=f"vf-{name}-error", className="vf-error", role="alert", hidden=True),
            ],
            id=f"vf-{name}-panel",
            className=f"vf-panel vf-panel-{name}",
            **{"aria-labelledby": f"vf-{name}-title"},
        )

    header = html.Header(
        [
            html.Div(
                [html.H1(engine.source.title), html.Span("", id="vf-summary", className="vf-summary")],
                className="vf-title",
            ),
            html.Div(
                [
                    html.Button("Clear filters", id="vf-clear", type="button", disabled=True),
                    html.Button("Copy link", id="vf-link", type="button"),
                    html.A("CSV", id="vf-csv", href="#", className="vf-button", title="Save the table as CSV (e)"),
                    html.A(
                        "Parquet", id="vf-parquet", href="#", className="vf-button", title="Save the table as Parquet"
                    ),
                    html.Button("Dark", id="vf-theme", type="button", title="Light or dark (d)"),
                    html.Button("?", id="vf-help-open", type="button", title="Keys (?)", **{"aria-label": "Keys"}),
                ],
                className="vf-actions",
                role="toolbar",
                **{"aria-label": "View"},
            ),
        ],
        className="vf-header",
    )
    side = html.Aside(
        [
            html.Div(
                [
                    field("Metric", "metric"),
                    field("Across (x)", "x"),
                    field("Up (y)", "y"),
                    field("Lines by", "by"),
                    field("Axes show", "extent"),
                    html.Div(
                        [html.Label("Least rows", htmlFor="vf-min")],
                        className="vf-field",
                        id="vf-min-field",
                    ),
                ],
                className="vf-fields",
            ),
            html.Div(id="vf-filters", className="vf-filters", role="group", **{"aria-label": "Filters"}),
        ],
        className="vf-side",
        **{"aria-label": "Axes and filters"},
    )
    table = html.Section(
        [
            html.Div(
                [html.H2("Table", id="vf-table-title"), html.P("", id="vf-table-note", className="vf-note")],
                className="vf-panel-head",
            ),
            html.Div(
                id="vf-table", className="vf-table", tabIndex=0, role="region", **{"aria-label": "Table of cells"}
            ),
            html.Div("", id="vf-table-error", className="vf-error", role="alert", hidden=True),
        ],
        id="vf-table-panel",
        className="vf-panel vf-panel-table",
    )
    main = html.Main(
        [
            html.Div("", id="vf-trouble", className="vf-trouble", role="alert", hidden=True),
            html.Section(
                [
                    html.Div(id="vf-total", className="vf-total"),
                    html.Div("", id="vf-total-error", className="vf-error", role="alert", hidden=True),
                ],
                id="vf-total-panel",
                **{"aria-label": "Totals", "aria-live": "polite"},
            ),
            html.Div([panel("heat", "Map"), panel("curve", "Curve")], className="vf-pair"),
            panel("series", "By date"),
            table,
        ],
        className="vf-main",
    )
    keys = html.Div(id="vf-help", className="vf-help", hidden=True, role="dialog", **{"aria-label": "Keys"})
    return html.Div(
        [dcc.Store(id="vf-view"), header, html.Div([side, main], className="vf-body"), keys],
        id="vf-explorer",
        className="vf-explorer",
        **{"data-base": base},
    )
