"""What ``trigger apply`` has to do so that the API holds the triggers of a file. Pure.

Triggers are the same where their names are. What a file leaves out has its default, but for ``enabled``: whoever
switched a trigger or an action off, the next apply leaves it off unless the file says otherwise. Where a trigger
begins is said of a new one alone. Conditions and
actions keep their ids where they can be told to be the same ones, so that state and waiting deliveries stay. Both
sides are compared in the form that the API stores. Guarantees that a plan made after it was carried out is empty, but
for secrets: they come back masked, so those that a file spells out are sent each time.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agentauri.cli.printable import printable
from agentauri.cli.trigger_file import FIELDS
from agentauri.cli.trigger_form import PARTS, form, has_secret, shown, stored_form, with_enabled
from agentauri.cli.trigger_match import same_set, with_ids, with_kept
from agentauri.errors import ConfigError

Raw = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Create:
    """A trigger that is missing."""

    name: str
    body: Raw
    after: Raw


@dataclass(frozen=True, slots=True)
class Change:
    """A trigger that differs. ``body`` has what differs; ``before`` and ``after`` show it, secrets masked.

    ``secrets``: secrets are sent that cannot be compared. With ``before`` equal to ``after`` they are all there is.
    """

    name: str
    id: str
    body: Raw
    before: Raw
    after: Raw
    secrets: bool


@dataclass(frozen=True, slots=True)
class Keep:
    """A trigger that is as it should be."""

    name: str
    id: str


@dataclass(frozen=True, slots=True)
class Delete:
    """A trigger that the file does not have."""

    name: str
    id: str


Step = Create | Change | Keep | Delete


def plan(wanted: Sequence[Raw], stored: Sequence[Raw], *, read_only: Sequence[str] = (), prune: bool) -> list[Step]:
    """The steps from ``stored``, as the API answers it, to ``wanted``, as a file has it.

    ``read_only`` are members that answers carry and files may. Raises ConfigError with everything wrong in one trigger.
    """
    files = [{key: value for key, value in one.items() if key not in read_only} for one in wanted]
    names = [_name(one, index) for index, one in enumerate(files)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ConfigError(f"the file has two triggers of the name {printable(twice[0])!r}; names tell triggers apart.")
    by_name: dict[str, list[Raw]] = {}
    for one in stored:
        by_name.setdefault(one["name"], []).append(one)
    steps = [_step(name, one, by_name.get(name, [])) for name, one in zip(names, files, strict=True)]
    gone = [one for one in stored if one["name"] not in set(names)] if prune else []
    return [*steps, *(Delete(one["name"], one["id"]) for one in gone)]


def _name(raw: Raw, index: int) -> str:
    name = raw.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ConfigError(f"trigger {index + 1} of the file has no name.")
    return name


def _step(name: str, raw: Raw, same_name: list[Raw]) -> Step:
    if len(same_name) > 1:
        ids = ", ".join(one["id"] for one in same_name)
        raise ConfigError(f"the API has {len(same_name)} triggers of the name {printable(name)!r} ({ids}); rename one.")
    if not same_name:
        return Create(name, raw, shown(form(raw, name, is_new=True)))
    stored = same_name[0]
    return _compare(name, raw, stored, form(raw, name), stored_form(stored))


def _compare(name: str, raw: Raw, stored: Raw, wanted: Raw, found: Raw) -> Step:
    """``raw`` and ``stored`` as they came, ``wanted`` and ``found`` in the form to compare."""
    actions = with_kept(raw.get("actions") or [], stored["actions"], wanted["actions"], found["actions"])
    pairs = [(index, one["id"]) for index, one in enumerate(actions) if "id" in one]
    positions = {one["id"]: index for index, one in enumerate(stored["actions"])}
    sent = {index: found["actions"][positions[id_]] for index, id_ in pairs}
    wanted["actions"] = [with_enabled(one, sent.get(index)) for index, one in enumerate(wanted["actions"])]
    if wanted["enabled"] is None:
        wanted["enabled"] = found["enabled"]
    secrets = any(has_secret(one.get("config")) for one in actions)

    body = {name: raw.get(name, wanted[name]) for name in FIELDS if name not in PARTS and wanted[name] != found[name]}
    if wanted["conditions"] != found["conditions"]:
        sides = (raw.get("conditions") or [], stored["conditions"], wanted["conditions"], found["conditions"])
        body["conditions"] = with_ids(*sides)
    if secrets or not same_set(wanted["actions"], found["actions"]):
        body["actions"] = actions
    if not body:
        return Keep(name, stored["id"])
    if same_set(wanted["actions"], found["actions"]):
        wanted["actions"] = found["actions"]  # in the API's order, so that no difference shows
    return Change(name, stored["id"], body, shown(found), shown(wanted), secrets)
