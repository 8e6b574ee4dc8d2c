"""The command line: ``vizflow demo`` and ``vizflow run``. The same code as the Python interface.

Not for logic of its own: each command parses, calls, prints.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vizflow import __version__
from vizflow.config import Config
from vizflow.errors import ConfigError, Error
from vizflow.run import run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; give the exit code: 0 done, 1 the work failed, 2 wrong usage."""
    parser = _parser()
    args = parser.parse_args(argv)
    try:
        args.command(args)
    except (Error, ImportError) as error:
        print(f"vizflow: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vizflow", description="A trading day's clock, FIFO matching, returns, bins and aggregation, in C."
    )
    parser.add_argument("--version", action="version", version=f"vizflow {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    demo = commands.add_parser("demo", help="generate realistic days and run the whole job over them")
    demo.add_argument("--output", type=Path, default=Path("demo-output"), help="folder (default: demo-output)")
    demo.add_argument("--rows", type=int, default=1_000_000, help="rows a day (default: 1000000)")
    demo.add_argument("--symbols", type=int, default=5_000, help="symbols (default: 5000)")
    demo.add_argument(
        "--dates", nargs="+", default=["20240102", "20240103", "20240104"], metavar="YYYYMMDD", help="days to make"
    )
    demo.add_argument("--serve", action="store_true", help="open the explorer on the result at the end")
    demo.set_defaults(command=_demo)

    one = commands.add_parser(
        "run",
        help="run a pipeline function for one date",
        description="Run MODULE:FUNCTION, or FILE.py:FUNCTION, for one date; the module also holds the Config.",
    )
    one.add_argument("pipeline", help="module:function or path/to/file.py:function")
    one.add_argument("date", help="YYYYMMDD")
    one.add_argument("--config", default="config", help="name of the Config in that module (default: config)")
    one.add_argument("--no-save", action="store_true", help="print the result and write nothing")
    one.set_defaults(command=_run)

    explore = commands.add_parser(
        "explore",
        help="open partials in the browser",
        description="Serve the explorer on partials, on this machine only, until Ctrl-C.",
    )
    explore.add_argument("partials", nargs="+", help="folder, glob or files")
    explore.add_argument("--host", default="127.0.0.1", help="interface; others than 127.0.0.1 have no login")
    explore.add_argument("--port", type=int, default=8050, help="0 takes a free one (default: 8050)")
    explore.add_argument("--title", help="what the page is called (default: the folder's name)")
    explore.add_argument(
        "--unit", action="append", default=[], metavar="NAME=UNIT", help="how a column is shown: alpha1=bp, holding=s"
    )
    explore.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name the page may be asked under"
    )
    explore.add_argument("--no-browser", action="store_true", help="print the address only")
    explore.set_defaults(command=_explore)
    return parser


def _demo(args: argparse.Namespace) -> None:
    from vizflow import showcase

    showcase.show(args.output, args.dates, args.rows, args.symbols, serve=args.serve)


def _explore(args: argparse.Namespace) -> None:
    from vizflow import explore

    units = {}
    for item in args.unit:
        name, equals, unit = item.partition("=")
        if not (name and equals and unit):
            raise ConfigError(f"--unit {item!r}: NAME=UNIT is accepted, for example alpha1=bp")
        units[name] = unit
    explore.serve(
        args.partials[0] if len(args.partials) == 1 else args.partials,
        host=args.host,
        port=args.port,
        title=args.title,
        units=units,
        allowed_hosts=args.allow_host,
        open_browser=not args.no_browser,
    )


def _run(args: argparse.Namespace) -> None:
    module, function = _load(args.pipeline)
    config = getattr(module, args.config, None)
    if not isinstance(config, Config):
        raise ConfigError(f"{args.pipeline.rpartition(':')[0]} holds no Config named {args.config!r}")
    result = run(function, config, args.date, save=not args.no_save)
    print(result if args.no_save else f"{config.get_partial_path(args.date)}: {result.height:,} rows")


def _load(spec: str) -> tuple[Any, Any]:
    where, _, name = spec.rpartition(":")
    if not where or not name:
        raise ConfigError(f"{spec!r}: module:function or path/to/file.py:function is accepted")
    try:
        module = _load_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
    except (ImportError, OSError) as error:
        raise ConfigError(f"{where!r} cannot be imported: {error}") from error
    function = getattr(module, name, None)
    if not callable(function):
        raise ConfigError(f"{where!r} holds no function {name!r}")
    return module, function


def _load_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
