"""How a pipeline function is named, found again, and carried to another process.

Not for running one. Only what was made by a process of ours and came through its pipe is ever unpickled, never a file.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import inspect
import pickle
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import polars as pl

from vizflow.config import Context
from vizflow.errors import ConfigError

Pipeline = Callable[[pl.LazyFrame, Context], pl.LazyFrame]

_FILE = "__vizflow_file__"  # set on a module that was loaded from a file's path


@dataclass(frozen=True)
class Reference:
    """Where a process finds a pipeline function: by a module's name, by a file, or in bytes of ours."""

    kind: Literal["module", "file", "value"]
    where: str
    name: str
    payload: bytes = b""

    @property
    def text(self) -> str:
        """``module:function`` or ``path/to/file.py:function``; the bare name of one that goes by value."""
        return f"{self.where}:{self.name}" if self.where else self.name


def name_of(function: Any) -> str:
    """Return a function's name, for messages."""
    return str(getattr(function, "__qualname__", None) or repr(function))


# ---- from a function to where it is -------------------------------------------------------------------------------


def refer(function: Pipeline) -> Reference:
    """Say how another process of ours on this machine, or an executor's, finds a function.

    Raises
    ------
    ConfigError
        It cannot travel: it is nowhere to be imported from, and cannot be pickled; the message says what to do.
    """
    if not callable(function):
        raise ConfigError(f"the pipeline is {function!r}; a function of (frame, context) is accepted")
    module = _home(function)
    if module is not None:
        file = getattr(module, _FILE, None)
        if file is not None:
            return Reference("file", str(file), name_of(function))
        if _importable(module):
            return Reference("module", module.__name__, name_of(function))
    return _by_value(function, module)


def written(function: Pipeline) -> tuple[str, Path | None]:
    """Return ``module:function`` or ``file.py:function`` for a command line, and the folder that must be on its path.

    Raises
    ------
    ConfigError
        The function is in no file, so a command cannot name it.
    """
    if not callable(function):
        raise ConfigError(f"the pipeline is {function!r}; a function of (frame, context) is accepted")
    module = _home(function)
    if module is None:
        raise ConfigError(
            f"{name_of(function)} is not a plain function of a file or module, so a command line cannot name it: write "
            "it, with a name, at the top level of a .py file and import it from there (in a notebook: %%writefile "
            "job.py); run_batch(executor=...) carries functions as they are"
        )
    name, file = name_of(function), getattr(module, _FILE, None) or getattr(module, "__file__", None)
    if module.__name__ != "__main__" and (_installed(module) or "." in module.__name__) and _importable(module):
        root = None if _installed(module) else Path(str(file)).resolve().parents[_depth(module)]
        return f"{module.__name__}:{name}", root
    if file is None or not Path(file).is_file():
        raise ConfigError(
            f"{name} is defined in a notebook or at a prompt, so a command line cannot name it: write it to a .py file "
            "and import it from there (in a notebook: %%writefile job.py); run_batch(executor=...) carries functions "
            "as they are"
        )
    return f"{Path(file).resolve()}:{name}", None


def module_of(function: Pipeline) -> ModuleType | None:
    """Return the module a function is a plain member of, if it is one."""
    return _home(function)


def _home(function: Any) -> ModuleType | None:
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if module is None:
        return None
    found: Any = module
    for part in name_of(function).split("."):
        found = getattr(found, part, None)
    return module if found is function else None


def _importable(module: ModuleType) -> bool:
    """Return whether a fresh process with this one's path would import this very module under its name."""
    name, file = module.__name__, getattr(module, "__file__", None)
    if name == "__main__" or file is None:
        return False
    parent = sys.modules.get(name.rpartition(".")[0]) if "." in name else None
    if "." in name and (parent is None or not _importable(parent)):
        return False
    path = getattr(parent, "__path__", None)
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path) if hasattr(finder, "find_spec") else None
        if spec is not None:
            return spec.origin is not None and Path(spec.origin).resolve() == Path(file).resolve()
    return False


def _installed(module: ModuleType) -> bool:
    """Return whether a module is there wherever VizFlow is."""
    if module.__name__.partition(".")[0] == __package__:
        return True
    file = Path(str(module.__file__)).resolve() if getattr(module, "__file__", None) else None
    roots = {sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")}
    return file is not None and any(file.is_relative_to(Path(root).resolve()) for root in roots if root)


def _depth(module: ModuleType) -> int:
    """How many folders above a module's file the folder lies that its top package is imported from."""
    return module.__name__.count(".") + (1 if hasattr(module, "__path__") else 0)


def _by_value(function: Pipeline, module: ModuleType | None) -> Reference:
    name = name_of(function)
    try:
        import cloudpickle
    except ImportError:
        return _by_file(name, module)
    foreign = _strangers(function)
    for other in foreign:
        cloudpickle.register_pickle_by_value(other)
    try:
        return Reference("value", "", name, cloudpickle.dumps(function, protocol=5))
    except Exception as error:
        raise ConfigError(
            f"{name} cannot travel to another process: {type(error).__name__}: {error}. What it refers to must be "
            "picklable: open files, locks and connections are made inside the function; or put it into a module that "
            "can be imported; or parallel=False"
        ) from error
    finally:
        for other in foreign:
            cloudpickle.unregister_pickle_by_value(other)


def _by_file(name: str, module: ModuleType | None) -> Reference:
    file = getattr(module, "__file__", None)
    if module is not None and file is not None and Path(file).is_file():
        return Reference("file", str(Path(file).resolve()), name)
    raise ConfigError(
        f"{name} is not in a module that another process can import; to carry functions of a notebook, lambdas and "
        "nested functions, install cloudpickle (pip install 'vizflow[batch]'); or put it into a .py file; or "
        "parallel=False"
    )


def _strangers(function: Any) -> list[ModuleType]:
    """Return the module of a function, if other processes cannot import it, for cloudpickle to carry along."""
    function = getattr(function, "func", function)  # functools.partial
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if module is None or module.__name__ == "__main__" or _importable(module):
        return []
    return [module]


# ---- from where it is to a function -------------------------------------------------------------------------------


def resolve(reference: Reference) -> Pipeline:
    """Return the function that a reference made by one of our processes is of."""
    if reference.kind == "value":
        try:
            return pickle.loads(reference.payload)  # type: ignore[no-any-return]  # came through a pipe, not from disk
        except Exception as error:
            raise ConfigError(
                f"{reference.name} arrived in another process but cannot be made again there: "
                f"{type(error).__name__}: {error}; put it into a module that can be imported"
            ) from error
    return find(reference.text)


def find(spec: str) -> Pipeline:
    """Return the function that ``module:function`` or ``path/to/file.py:function`` names.

    Raises
    ------
    ConfigError
        There is no such module, file or function.
    """
    return load(spec)[1]


def load(spec: str) -> tuple[ModuleType, Pipeline]:
    """Return the module and the function that ``module:function`` or ``path/to/file.py:function`` names."""
    where, _, name = spec.rpartition(":")
    if not where or not name:
        raise ConfigError(f"{spec!r}: module:function or path/to/file.py:function is accepted")
    stopped = None
    try:
        if where.endswith(".py"):
            module, stopped = _load_file(Path(where))
        else:
            module = importlib.import_module(where)
    except (ImportError, OSError) as error:
        raise ConfigError(f"{where!r} cannot be imported: {error}") from error
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    if not callable(found):
        names = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        there = f"; its functions are {', '.join(names[:12])}" if names else ""
        raise ConfigError(f"{where!r} holds no function {name!r}{there}{stopped or ''}")
    return module, found


def _load_file(path: Path) -> tuple[ModuleType, str | None]:
    path = path.resolve()
    name = f"{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"  # so it can hide no other module
    if name in sys.modules:
        return sys.modules[name], None
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"{path} is not a Python file" if path.exists() else f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    setattr(module, _FILE, str(path))
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))  # as when it is run as a script: what lies beside it can be imported
    try:
        with _loading():
            spec.loader.exec_module(module)
    except _Stop as stop:
        return module, f" before it calls {stop}, where loading a pipeline's file ends"
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception) and not isinstance(error, (ImportError, OSError)):
            raise ConfigError(f"{path} cannot be loaded: {type(error).__name__}: {error}") from error
        raise
    return module, None


# ---- scripts that run as they are loaded --------------------------------------------------------------------------
#
# The design document's script defines its function and calls vf.run_cluster at top level, without a guard. Each job
# loads that file to find the function: it must not submit the jobs again. Loading ends at the first such call; all
# that the call was given exists by then.


class _Stop(BaseException):
    """Ends the loading of a file; not an Exception, so that the file's own handlers let it pass."""


_loads = threading.local()


@contextmanager
def _loading() -> Iterator[None]:
    _loads.depth = getattr(_loads, "depth", 0) + 1
    try:
        yield
    finally:
        _loads.depth -= 1


def stop_loading(call: str) -> None:
    """End the loading of a pipeline's file, if one is being loaded: its function exists, and it must not run now."""
    if getattr(_loads, "depth", 0):
        raise _Stop(call)
