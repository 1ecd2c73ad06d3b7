"""What a channel makes of an action's configuration once: kept until the action changes or too many came after."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from agentauri.models.delivery import Claimed

MOST = 10_000

T = TypeVar("T")


class Kept(Generic[T]):
    """One ``T`` for each version of an action; what ``make`` raises is raised each time."""

    def __init__(self, make: Callable[[Claimed], T]) -> None:
        self._make = make
        self._found: OrderedDict[tuple[UUID, datetime], T] = OrderedDict()

    def of(self, delivery: Claimed) -> T:
        """That of the delivery's action."""
        key = (delivery.action_id, delivery.version)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._make(delivery)
            if len(self._found) > MOST:
                self._found.popitem(last=False)
        return found
