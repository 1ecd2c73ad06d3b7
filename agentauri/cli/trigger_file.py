"""Triggers as people keep them in files: YAML or JSON, one, a list of them, or several documents.

``${NAME}`` in a text is filled in from the environment after parsing, so no value
can change the structure; ``$${`` stands for ``${`` itself. ``dump`` writes what ``load`` reads again.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from agentauri.cli import yaml12
from agentauri.cli.yaml12 import Dumper, Loader, exact
from agentauri.errors import ConfigError
from agentauri.models.depth import is_deeper
from agentauri.models.problems import step

STANDARD_INPUT = "-"
MAX_BYTES = 8 << 20
MAX_DEPTH = 40
MAX_VALUES = 500_000
"""Aliases make a small file large."""
VARIABLE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")
FIELDS = (
    "name", "description", "chain_id", "registry", "enabled", "match_all", "fire", "cooldown_seconds", "conditions",
    "actions",
)  # fmt: skip
"""What a user says of a trigger, in the order in which it is written."""
START = "start"
"""Where a new trigger begins; of one that is there it says nothing."""


def load(file: str, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The triggers of a file ("-": of standard input). Raises ConfigError that says where it is wrong."""
    text = _read(file)
    triggers = list(_triggers(parse(text, file)))
    if not triggers:
        raise ConfigError(f"{file} holds no trigger.")
    missing: list[str] = []
    filled = _Filler(environment, missing)
    found = [filled.fill(one, "") for one in triggers]
    if missing:
        raise ConfigError(f"{file} needs variables that are not set: {', '.join(missing)}.")
    return found


def parse(text: str, file: str) -> list[Any]:
    """The documents of a text. Raises ConfigError."""
    try:
        if text.lstrip()[:1] in ("{", "[") and not is_deeper(text.encode(), yaml12.MAX_DEPTH):
            try:
                return [json.loads(text, parse_float=exact, parse_constant=exact, object_pairs_hook=_unique)]
            except ValueError as error:
                if file.endswith(".json"):
                    raise ConfigError(f"{file} is not JSON: {error}.") from error
        return [one for one in yaml.load_all(text, Loader) if one is not None]
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} is not YAML: {_brief(error)}.") from error
    except ValueError as error:
        raise ConfigError(f"{file} cannot be read: {type(error).__name__}.") from error


def dump(trigger: Mapping[str, Any]) -> str:
    """A trigger as ``load`` reads it, without what belongs to the place where it is stored."""
    return yaml.dump(own(trigger), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100)


def own(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """What a user says of a trigger: no ids, no counters; ``${`` escaped."""
    shown = {name: trigger[name] for name in FIELDS if name in trigger}
    shown["conditions"] = [_without_ids(one) for one in trigger["conditions"]]
    shown["actions"] = [{name: one[name] for name in ACTION_FIELDS} for one in trigger["actions"]]
    escaped: dict[str, Any] = escape(shown)
    return escaped


ACTION_FIELDS = ("action_type", "priority", "enabled", "config")


def escape(value: Any) -> Any:
    """A value whose texts come back from ``load`` as they are."""
    match value:
        case str():
            return value.replace("${", "$${")
        case dict():
            return {key: escape(inner) for key, inner in value.items()}
        case list():
            return [escape(inner) for inner in value]
    return value


def _without_ids(condition: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in condition.items() if name != "id"}
    config = shown.get("config")
    if isinstance(config, dict) and isinstance(config.get("conditions"), list):
        shown["config"] = {**config, "conditions": [_without_ids(one) for one in config["conditions"]]}
    return {name: value for name, value in shown.items() if value not in (None, {})}


class _Filler:
    """Fills variables in, and bounds what it walks through."""

    def __init__(self, environment: Mapping[str, str], missing: list[str]) -> None:
        self._environment, self._missing, self._left = environment, missing, MAX_VALUES

    def fill(self, value: Any, pointer: str, depth: int = 0) -> Any:
        """``value`` with its variables filled in; names of missing ones are noted. Raises ConfigError."""
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ConfigError(f"the file is nested too deeply, or too large, at {pointer or 'its top'}.")
        match value:
            case str():
                return VARIABLE.sub(self._variable(pointer), value)
            case dict():
                return {key: self.fill(inner, step(pointer, key), depth + 1) for key, inner in value.items()}
            case list():
                return [self.fill(inner, step(pointer, index), depth + 1) for index, inner in enumerate(value)]
            case None | bool() | int() | float():
                return value
        raise ConfigError(f"{pointer} is no value of JSON; write it as text.")

    def _variable(self, pointer: str) -> Callable[[re.Match[str]], str]:
        def replace(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            name = found[1]
            if name is None:
                raise ConfigError(
                    f"{pointer}: ${{ begins a variable such as ${{TOKEN}}; write $${{ for the characters."
                )
            if name not in self._environment and f"{name} ({pointer})" not in self._missing:
                self._missing.append(f"{name} ({pointer})")
            return self._environment.get(name, "")

        return replace


def _read(file: str) -> str:
    try:
        if file == STANDARD_INPUT:
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as opened:
                raw = opened.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ConfigError(f"{file} has more than {MAX_BYTES >> 20} MiB.")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text.") from error


def _triggers(documents: list[Any]) -> Iterator[dict[str, Any]]:
    for document in documents:
        entries = document
        if isinstance(document, dict):
            entries = document["triggers"] if set(document) == {"triggers"} else [document]
        for entry in entries if isinstance(entries, list) else [entries]:
            if not isinstance(entry, dict):
                raise ConfigError("the file has to hold triggers: objects with a name, conditions and actions.")
            yield entry


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} stands twice")
    return found


def _brief(error: yaml.YAMLError) -> str:
    """What is wrong and where, without a picture of the line, which may hold secrets."""
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{getattr(error, 'problem', None) or 'not readable'}{where}"
