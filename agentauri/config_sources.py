"""Where settings come from: the environment over ``agentauri.toml``, and which names exist.

Pure but for ``read_file``: takes the environment as a mapping and the settings class as an argument. Every name that
is not known is an error with the nearest one that is; an empty environment variable counts as not set.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

import orjson
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from agentauri.errors import ConfigError

PREFIX = "AGENTAURI_"
CLASSIC = {"DATABASE_URL": ("stores", "database_url"), "REDIS_URL": ("stores", "redis_url")}
"""Names that hosting platforms set; the AGENTAURI_ name of the same setting wins."""

CLIENT = {"AGENTAURI_API", "AGENTAURI_API_KEY", "AGENTAURI_ORGANIZATION"}
"""What commands that call an API read; no settings of the service."""

Key = tuple[str, ...]


def leaves(model: type[BaseModel], above: Key = ()) -> Iterator[tuple[Key, FieldInfo]]:
    """Every setting that has a value of its own, with its path; tables are walked into, lists of tables are not."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, (*above, name))
        else:
            yield (*above, name), field


def variable(key: Key) -> str:
    """The environment variable of a setting."""
    return PREFIX + "__".join(key).upper()


def takes_json(field: FieldInfo) -> bool:
    """Whether the variable of this setting holds JSON (a list) rather than plain text."""
    kinds = (field.annotation, *get_args(field.annotation))
    return any(get_origin(kind) is tuple for kind in kinds)


def from_environment(model: type[BaseModel], environment: Mapping[str, str]) -> dict[str, Any]:
    """The settings that the environment gives, as nested tables. Raises ConfigError for one that cannot be read."""
    known = {variable(key): (key, field) for key, field in leaves(model)}
    found: dict[str, Any] = {}
    for classic, place in CLASSIC.items():
        if environment.get(classic):
            _put(found, place, environment[classic])
    for name, text in environment.items():
        if not name.startswith(PREFIX) or not text or name in CLIENT:
            continue
        if name not in known:
            raise ConfigError(f"the environment variable {name} is not known{_nearest(name, list(known))}")
        key, field = known[name]
        _put(found, key, _parse_json(name, text) if takes_json(field) else text)
    return found


def _parse_json(name: str, text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f'{name} has to be a JSON list such as ["a", "b"]: {error}') from error


def _put(tables: dict[str, Any], key: Key, value: Any) -> None:
    for name in key[:-1]:
        tables = tables.setdefault(name, {})
    tables[key[-1]] = value


def read_file(path: Path) -> dict[str, Any]:
    """A TOML file as nested tables. Raises ConfigError if it cannot be read or parsed."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; check --config.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of both; where both have a value, ``over`` wins."""
    both = dict(under)
    for name, value in over.items():
        below = both.get(name)
        both[name] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return both


def complaint(model: type[BaseModel], error: ValidationError) -> str:
    """What is wrong with the settings, in one line: each key, why, and its nearest known name. Shows no value."""
    return "; ".join(_one(model, dict(problem)) for problem in error.errors(include_url=False, include_input=False))


def _one(model: type[BaseModel], problem: dict[str, Any]) -> str:
    path = tuple(problem["loc"])
    name = ".".join(str(part) for part in path)
    if problem["type"] == "extra_forbidden":
        return f"the setting {name} is not known{_nearest(_without_indexes(path), _names(model))}"
    reason = str(problem["msg"]).removeprefix("Value error, ")
    by_variable = f" (or {variable(path)})" if path in dict(leaves(model)) else ""
    return f"{name}{by_variable}: {reason}" if name else reason


def _without_indexes(path: tuple[Any, ...]) -> str:
    return ".".join(part for part in path if isinstance(part, str))


def _names(model: type[BaseModel]) -> list[str]:
    """Dotted names of every table and setting, those inside a list of tables included."""
    names = list(model.model_fields)
    for key, field in leaves(model):
        names.append(".".join(key))
        inner = next((kind for kind in get_args(field.annotation) if _is_table(kind)), None)
        names += [".".join((*key, name)) for name in inner.model_fields] if inner else []
    return names


def _is_table(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _nearest(name: str, known: list[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"; did you mean {found[0]}?" if found else "."
