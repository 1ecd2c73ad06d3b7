"""The ids that cross module borders, as distinct types, and the id formulas of the log and the queue.

Every derived id is a UUIDv5, so that doing a thing twice names the same row (architecture §2.3, protocol P5).
"""

from typing import NewType
from uuid import UUID, uuid5

OrganizationId = NewType("OrganizationId", UUID)
UserId = NewType("UserId", UUID)
TriggerId = NewType("TriggerId", UUID)
ConditionId = NewType("ConditionId", UUID)
ActionId = NewType("ActionId", UUID)
EventId = NewType("EventId", UUID)
DeliveryId = NewType("DeliveryId", UUID)

NAMESPACE = UUID("8004a169-fb4a-5332-9eb2-9fa0ceb6d2e5")
"""Namespace of all ids derived here. Changing it would make every old event fire again."""


def event_id(chain_id: int, block_hash: str, transaction_hash: str, log_index: int, n: int) -> EventId:
    """Id of a log's row; ``n`` counts the retracted rows of that same log (protocol P5)."""
    return EventId(uuid5(NAMESPACE, f"{chain_id}:{block_hash}:{transaction_hash}:{log_index}:{n}"))


def delivery_id(trigger: TriggerId, action: ActionId, event: EventId) -> DeliveryId:
    """Id of the one delivery of an action for an event."""
    return DeliveryId(uuid5(NAMESPACE, f"{trigger}:{action}:{event}"))


def absence_id(trigger: TriggerId, action: ActionId, last: EventId) -> DeliveryId:
    """Id of the one delivery of an action for the absence that began after the event ``last`` (protocol P20)."""
    return DeliveryId(uuid5(NAMESPACE, f"{trigger}:{action}:{last}:absence"))


def retraction_notice_id(first: DeliveryId) -> DeliveryId:
    """Id of the notice that the event behind ``first`` was retracted."""
    return DeliveryId(uuid5(first, "retracted"))
