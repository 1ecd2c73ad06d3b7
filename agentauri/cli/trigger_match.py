"""Which of a file's conditions and actions are which of the API's, so that they keep their ids. Pure.

With its id a condition keeps its state and an action its waiting deliveries and its secrets.
"""

from collections.abc import Callable, Sequence
from typing import Any

from agentauri.cli.trigger_file import ACTION_FIELDS
from agentauri.models.condition import ConditionType

GROUP = ConditionType.GROUP.value
PLACES = ("url", "chat_id", "server_url")
"""Members of a configuration that say whom an action reaches."""

Raw = dict[str, Any]
Likeness = Callable[[int, int], bool]
"""Whether the thing at a place of the file is the one at a place of the API's list."""


def match(wanted: int, stored: int, likenesses: Sequence[Likeness]) -> list[int | None]:
    """For each of the file's things the place of its counterpart, if any; surer likenesses first, each used once."""
    found: list[int | None] = [None] * wanted
    free = list(range(stored))
    for alike in likenesses:
        for index in range(wanted):
            other = next((one for one in free if alike(index, one)), None) if found[index] is None else None
            if other is not None:
                found[index] = other
                free.remove(other)
    return found


def with_ids(raw: list[Raw], stored: list[Raw], wanted: list[Raw], found: list[Raw]) -> list[Raw]:
    """The file's conditions with the ids of those that they are: equal ones first, then by place and type, then type.

    ``wanted`` and ``found`` are both sides in the form to compare.
    """

    def same_type(index: int, other: int) -> bool:
        return bool(wanted[index]["condition_type"] == found[other]["condition_type"])

    likenesses: tuple[Likeness, ...] = (
        lambda index, other: raw[index].get("id") == stored[other]["id"],
        lambda index, other: wanted[index] == found[other],
        lambda index, other: index == other and same_type(index, other),
        same_type,
    )
    sent = []
    for index, place in enumerate(match(len(raw), len(stored), likenesses)):
        shown = {key: value for key, value in raw[index].items() if key != "id"}
        if place is not None:
            shown = {"id": stored[place]["id"], **shown}
            if shown["condition_type"] == GROUP:
                sides = (shown, stored[place], wanted[index], found[place])
                parts = with_ids(*(side["config"]["conditions"] for side in sides))
                shown["config"] = {**shown["config"], "conditions": parts}
        sent.append(shown)
    return sent


def with_kept(raw: list[Raw], stored: list[Raw], wanted: list[Raw], found: list[Raw]) -> list[Raw]:
    """The file's actions as they are sent: with the ids of those that they are, and on or off as those are."""

    def alike(index: int, other: int, *names: str) -> bool:
        return all(wanted[index][name] == found[other][name] for name in names)

    def same_place(index: int, other: int) -> bool:
        mine, theirs = wanted[index]["config"], found[other]["config"]
        return alike(index, other, "action_type") and all(mine.get(name) == theirs.get(name) for name in PLACES)

    likenesses: tuple[Likeness, ...] = (
        lambda index, other: raw[index].get("id") == stored[other]["id"],
        lambda index, other: alike(index, other, "action_type", "priority", "enabled", "config"),
        lambda index, other: alike(index, other, "action_type", "priority", "config"),
        same_place,
        lambda index, other: alike(index, other, "action_type"),
    )
    sent = []
    for one, place in zip(raw, match(len(raw), len(stored), likenesses), strict=True):
        shown = {name: one[name] for name in ACTION_FIELDS if name in one}
        if place is not None:
            shown = {"id": stored[place]["id"], "enabled": stored[place]["enabled"], **shown}
        sent.append(shown)
    return sent


def same_set(one: list[Raw], other: list[Raw]) -> bool:
    """Whether both have the same actions; the API orders them by itself."""
    left = list(other)
    for action in one:
        if action not in left:
            return False
        left.remove(action)
    return not left
