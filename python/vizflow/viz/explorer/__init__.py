"""The explorer: a page on which a cube is looked at, brushed and exported. ``vizflow explore partials/``.

Dash and Plotly come with the extra ``vizflow[viz]``; this module imports without them.
"""

from __future__ import annotations

import html
import socket
import sys
import webbrowser
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vizflow.errors import ConfigError
from vizflow.viz.dims import Units

if TYPE_CHECKING:
    from dash import Dash

__all__ = ["app", "serve"]


def app(
    source: Any,
    *,
    units: Units | None = None,
    title: str | None = None,
    allowed_hosts: Sequence[str] = (),
    url_base: str = "/",
) -> Dash:
    """Make the explorer as a Dash app; see `vizflow.viz.dashboard`.

    Parameters
    ----------
    source
        A `Cube`, or what `Cube.from_partials` takes.
    units
        Per dimension or metric, as in `vizflow.viz.heatmap`.
    title
        What the page is called; left out, the folder's name.
    allowed_hosts
        Names, besides 127.0.0.1 and localhost, under which the page may be asked for. Requests under others are
        refused, so that no page elsewhere can read the data through the reader's browser (DNS rebinding).
        ``["*"]`` allows all.
    url_base
        Path under which the app is served.

    Returns
    -------
    dash.Dash
        Serve it with ``.run()``, or `serve`, or any WSGI server through ``.server``. It holds no state of its readers:
        each page's view is in its address, and ``dcc.Store(id="vf-view")`` has it for callbacks of your own.
    """
    from vizflow.viz.explorer.page import make

    return make(source, units=units, title=title, allowed_hosts=allowed_hosts, url_base=url_base)


def serve(
    source: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8050,
    open_browser: bool = False,
    units: Units | None = None,
    title: str | None = None,
    allowed_hosts: Sequence[str] = (),
    threads: int = 8,
) -> None:
    """Serve the explorer until interrupted.

    Parameters
    ----------
    source, units, title, allowed_hosts
        As in `app`.
    host
        Interface to listen on. Anything but 127.0.0.1 shows the data to whoever reaches this machine: no login.
    port
        Port; 0 takes a free one. The address is printed.
    open_browser
        Open the page in the default browser.
    threads
        Requests answered at a time.

    Raises
    ------
    ConfigError
        The port is taken, or the host is none of this machine's.
    ImportError
        Dash is not installed: ``pip install 'vizflow[viz]'``.
    """
    from vizflow.viz.optional import need

    waitress = need("waitress")
    try:  # before the cube is made, which may take a while
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(f"{host}:{port} cannot be listened on ({error.strerror}); choose another port=") from error
    with listening:
        made = app(source, units=units, title=title, allowed_hosts=[*allowed_hosts, host])
        server = waitress.create_server(made.server, sockets=[listening], threads=threads, ident="vizflow")
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}/"
        print(f"{html.unescape(made.title)}: {address}  (Ctrl-C ends)", file=sys.stderr, flush=True)
        if open_browser:
            webbrowser.open(address)
        try:
            server.run()
        except KeyboardInterrupt:
            pass
        finally:
            server.close()
