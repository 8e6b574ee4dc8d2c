"""A `Config` as plain values (TOML, JSON), and back.

Not for what the fields mean: `vizflow.config` says and checks that.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vizflow.config import Config
from vizflow.errors import ConfigError, StorageError, near_names
from vizflow.files import places
from vizflow.market import PRESETS, Market, Session
from vizflow.schema.types import dtype_of, text_of

_PATHS = ("input_dir", "output_dir", "calendar_path")
_FIELDS = [field.name for field in dataclasses.fields(Config)]
_TYPES = ("load_as", "cast_to")


def read_toml(path: Path) -> Config:
    """Read a config from a TOML file; relative paths in it count from its own folder."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"{path}: the config file cannot be read ({error})") from error
    toml = _toml()
    try:
        values = toml.loads(text)
    except toml.TOMLDecodeError as error:
        raise ConfigError(f"{path}: this is not TOML: {error}") from error
    return from_mapping(values, path.parent.resolve(), str(path))


def _toml() -> Any:
    if sys.version_info >= (3, 11):
        import tomllib

        return tomllib
    try:
        import tomli
    except ImportError as error:
        raise ConfigError("TOML files need tomli under Python 3.10: pip install 'vizflow[cli]'") from error
    return tomli


def from_json(text: str) -> Config:
    """Make a config of a JSON object."""
    try:
        values = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"the config is not a JSON object: {error}") from error
    return from_mapping(values, Path.cwd(), "the config")


def from_mapping(values: Any, folder: Path, where: str) -> Config:
    """Make a config of plain values; types are given by name, and a market may be a table."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{where}: an object of Config's fields is accepted, not {values!r}")
    for name in values:
        if name not in _FIELDS:
            hint = near_names(name, _FIELDS).replace("the columns are", "the fields are")
            raise ConfigError(f"{where}: {name!r} is no field of Config; {hint}")
    settings = dict(values)
    if settings.get("metrics"):
        raise ConfigError(f"{where}: metrics are Polars expressions; they live in the pipeline's module, not in a file")
    for name in _PATHS:
        if settings.get(name) is not None:
            settings[name] = folder / places.local(str(settings[name]), f"{where}: {name}").expanduser()
    try:
        if isinstance(settings.get("market"), Mapping):
            settings["market"] = _market(settings["market"], where)
        if "schema" in settings:
            settings["schema"] = {name: _rule(name, rule, where) for name, rule in settings["schema"].items()}
        return Config(**settings)
    except ConfigError as error:
        raise ConfigError(str(error) if str(error).startswith(where) else f"{where}: {error}") from error
    except (TypeError, AttributeError) as error:
        raise ConfigError(f"{where}: a setting has a type that is not acceptable: {error}") from error


def _market(table: Mapping[str, Any], where: str) -> Market:
    try:
        if any(isinstance(session, Mapping) for session in table["sessions"]):
            raise TypeError(table["sessions"])
        sessions = [Session(start, end, *map(_is_night, rest)) for start, end, *rest in table["sessions"]]
        return Market(table["name"], sessions, table.get("timezone"), table.get("calendar"))
    except (KeyError, ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(
            f"{where}: a market is one of the presets' names, or a table of name, sessions (pairs such as "
            '["09:30", "11:30"], with "night" as a third for one of the evening before), timezone and calendar'
        ) from error


def _is_night(word: Any) -> bool:
    if word != "night":
        raise ValueError(word)
    return True


def _rule(name: str, rule: Any, where: str) -> dict[str, Any]:
    if not isinstance(rule, Mapping):
        raise ConfigError(
            f"{where}: the schema of {name!r} is {rule!r}; a table of load_as, cast_to and so on is taken"
        )
    return {key: dtype_of(value, where) if key in _TYPES else value for key, value in rule.items()}


def to_mapping(config: Config) -> dict[str, Any]:
    """Return a config's fields as plain values, paths absolute; fields that are as by default are left out.

    Raises
    ------
    ConfigError
        A field has no plain form: metrics are expressions.
    """
    if config.metrics:
        raise ConfigError(
            "the config holds metrics, which are expressions and cannot be written to a command; make the Config a "
            "global of the pipeline's module"
        )
    out: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(config, name)
        if name in _PATHS:
            if value is not None:
                out[name] = str(Path(value).absolute())
        elif name == "market":
            out[name] = _plain_market(value)
        elif name == "schema":
            if value:
                out[name] = {column: _plain_rule(column, rule) for column, rule in value.items()}
        elif value or (name == "time_cutoff" and value is not None):
            out[name] = value
    try:
        if json.loads(json.dumps(out)) == out:
            return out
    except (TypeError, ValueError):
        pass
    raise ConfigError(
        "a field of the config has no plain form (text, numbers, lists); make the Config a global of the pipeline's "
        "module"
    )


def _plain_market(market: str | Market) -> Any:
    if isinstance(market, str):
        return market
    if PRESETS.get(market.name.lower()) == market:
        return market.name
    if market.overrides:
        raise ConfigError(
            "the config's market has sessions of its own on some days, which cannot be written to a command; make the "
            "Config a global of the pipeline's module"
        )
    sessions = [[s.start, s.end, *(["night"] if s.night else [])] for s in market.sessions]
    others = {"timezone": market.timezone, "calendar": market.calendar}
    return {"name": market.name, "sessions": sessions, **{key: text for key, text in others.items() if text}}


def _plain_rule(column: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in rule.items():
        if key in _TYPES:
            out[key] = text_of(value)
        elif isinstance(value, (dt.date, dt.time, dt.timedelta)):
            raise ConfigError(
                f"the schema's default of {column!r}, {value!r}, cannot be written to a command; make the Config a "
                "global of the pipeline's module"
            )
        else:
            out[key] = list(value) if key == "aliases" else value
    return out


# ---- types by name ------------------------------------------------------------------------------------------------
