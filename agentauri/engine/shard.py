"""Which partition a trigger belongs to, and which evaluator owns a partition.

A function of the ids alone, so that every process agrees without asking. The number of partitions never changes;
when the number of evaluators does, only the partitions that must move do (rendezvous hashing).
"""

from hashlib import blake2b
from uuid import UUID

PARTITIONS = 64
"""Fixed for good: it is stored with every trigger."""


def _hash(data: bytes) -> int:
    return int.from_bytes(blake2b(data, digest_size=8).digest())


def partition_of(trigger_id: UUID) -> int:
    """The partition of a trigger, in [0, PARTITIONS)."""
    return _hash(trigger_id.bytes) % PARTITIONS


def owner_of(partition: int, evaluators: int) -> int:
    """The index of the evaluator that owns a partition, of ``evaluators`` in all."""
    return max(range(evaluators), key=lambda index: _hash(f"{partition}:{index}".encode()))


def partitions_of(index: int, evaluators: int) -> tuple[int, ...]:
    """The partitions that evaluator ``index`` owns; all of the evaluators' together are every partition once."""
    return tuple(partition for partition in range(PARTITIONS) if owner_of(partition, evaluators) == index)
