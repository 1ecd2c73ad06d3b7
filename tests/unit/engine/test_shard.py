"""Partitions and their owners: fixed, complete, and moved no more than needed."""

from uuid import UUID

import pytest

from agentauri.engine.shard import PARTITIONS, owner_of, partition_of, partitions_of


def test_partition_of_a_trigger_never_changes() -> None:
    ids = [UUID(int=0), UUID(int=1), UUID("8004a169-fb4a-5332-9eb2-9fa0ceb6d2e5")]
    assert [partition_of(one) for one in ids] == PINNED


PINNED = [14, 2, 43]
"""Stored with every trigger: if this test fails, the code is wrong."""


@pytest.mark.parametrize("evaluators", [1, 2, 3, 8])
def test_every_partition_has_one_owner(evaluators: int) -> None:
    owned = [partition for index in range(evaluators) for partition in partitions_of(index, evaluators)]
    assert sorted(owned) == list(range(PARTITIONS))


def test_one_more_evaluator_takes_partitions_only_for_itself() -> None:
    for partition in range(PARTITIONS):
        assert owner_of(partition, 4) in (owner_of(partition, 3), 3)


def test_triggers_spread_over_all_partitions() -> None:
    assert {partition_of(UUID(int=number)) for number in range(2_000)} == set(range(PARTITIONS))
