"""Where files are: paths of this machine told from URLs, and the files of dates told by a pattern.

Not for reading or writing what is there.
"""

from __future__ import annotations

import os
import re
import stat
import string
from collections.abc import Iterator
from pathlib import Path

from vizflow.errors import ConfigError, StorageError

# A path has no "://"; pathlib takes one of its slashes away, and then the scheme itself must tell.
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://", re.ASCII)
_SHORTENED = re.compile(r"(s3a?|gs|gcs|az|adl|abfss?|https?|hdfs|hf|ftp|sftp|file|memory):/(?!/)", re.ASCII)


def local(path: str | os.PathLike[str], what: str = "") -> Path:
    """Return a path of this machine; `what` names the option that holds it.

    Raises
    ------
    ConfigError
        It is a URL, which would be read as a folder named like its scheme.
    """
    text = os.fspath(path)
    found = _URL.match(text) or _SHORTENED.match(text)
    if found is None:
        return Path(text)
    where, shown = f"{what} " if what else "", f"{found[1]}://{text[found.end() :].lstrip('/')}"
    if found[1] == "file":
        raise ConfigError(f"{where}{text!r} is a URL; give the path alone: {'/' + text[found.end() :].lstrip('/')!r}")
    raise ConfigError(
        f"{where}{shown!r} is a URL of a store that VizFlow neither reads nor writes; files of this machine are: copy "
        "them here, or mount the store and give the path it has then"
    )


def look(path: Path, *, missing_ok: bool = False) -> int | None:
    """Return a file's size; None where it is not there and that is `missing_ok`.

    Raises
    ------
    StorageError
        It is not there, may not be looked at, or is no regular file: reading a pipe or a device might never end.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if missing_ok:
            return None
        raise StorageError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        raise StorageError(f"{path}: it cannot be looked at ({getattr(error, 'strerror', None) or error})") from error
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{path}: it is no regular file (a pipe, a socket, a device or a folder)")
    return found.st_size


def check_pattern(pattern: object, what: str) -> None:
    """Check a pattern of files' names: ``{date}`` in it, and no other place to be filled in.

    Raises
    ------
    ConfigError
        Says what is wrong with it.
    """
    if not isinstance(pattern, str) or "{date}" not in pattern:
        raise ConfigError(f"{what} {pattern!r} does not hold {{date}}")
    try:
        fields = {name for _, name, _, _ in string.Formatter().parse(pattern) if name is not None}
        pattern.format(date="20000101")
    except (ValueError, KeyError, IndexError, AttributeError):
        fields = {""}
    if fields != {"date"}:
        raise ConfigError(f"{what} {pattern!r}: {{date}} is the one place that is filled in; other braces are doubled")
    local(pattern, what)


def dates(folder: Path, pattern: str) -> list[str]:
    """Return the dates, in order, for which a folder holds a file named by a pattern, which may name folders too.

    Raises
    ------
    OSError
        The folder, or one below it, may not be looked into.
    """
    found: set[str] = set()
    for path, date in _matches(Path(folder), Path(pattern).parts, ""):
        if pattern.format(date=date) == path:
            found.add(date)
    return sorted(found)


def _matches(folder: Path, parts: tuple[str, ...], above: str, date: str = "") -> Iterator[tuple[str, str]]:
    """Yield the paths below a folder that look like a pattern's parts, and the date in each."""
    part, rest = parts[0], parts[1:]
    if date or "{date" not in part:
        name = part.format(date=date or "00010101")
        if rest:
            yield from _matches(folder / name, rest, os.path.join(above, name), date)  # noqa: PTH118
        elif _is_file(folder / name):
            yield os.path.join(above, name), date  # noqa: PTH118
        return
    form = _form(part)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if form.fullmatch(entry.name) and bool(rest) == entry.is_dir()]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        match = form.fullmatch(name)
        day = match.group("date") if match is not None and "date" in form.groupindex else ""
        path = os.path.join(above, name)  # noqa: PTH118
        if rest:
            yield from _matches(folder / name, rest, path, day)
        else:
            yield path, day


def _is_file(path: Path) -> bool:
    return os.path.isfile(path)  # noqa: PTH113 (Path.is_file raises where it may not look)


def _form(part: str) -> re.Pattern[str]:
    """Return what names of a pattern's part look like; ``{date}`` is a date, and the same one wherever it stands."""
    out, named = "", False
    for text, name, spec, _ in string.Formatter().parse(part):
        out += re.escape(text)
        if name is not None and spec:
            out += ".*"
        elif name is not None:
            out += "(?P=date)" if named else "(?P<date>[0-9]{8})"
            named = True
    return re.compile(out, re.DOTALL)
