"""What is said of an action that the system disabled: sentences for people, the same in a mail and in a webhook."""

from collections.abc import Mapping
from typing import Any

MAX_NAME = 80
WHAT_NOW = "Deliveries that wait for it are held. Mend what is wrong, then enable the action again, and they are sent."


def one_line(text: str, longest: int = MAX_NAME) -> str:
    """A text of somebody's choice as a part of a sentence: on one line, cut, nothing invisible in it."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    shown = " ".join(shown.split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def sentence(context: Mapping[str, Any]) -> str:
    """What happened and what to do, from the context of a delivery of type ``action.disabled``."""
    action, trigger = context["action"], context["trigger"]
    reason = str(context["reason"]).rstrip(".")
    return (
        f"The {action['action_type']} action {action['id']} of the trigger “{one_line(trigger['name'])}” was disabled "
        f"at {action['disabled_at']}: {one_line(reason, 500) or 'no reason is known'}. {WHAT_NOW}"
    )
