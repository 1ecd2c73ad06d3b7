"""Simulated events look real and tell a story that hangs together."""

from collections import defaultdict

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from agentauri.chain.layouts import EVENTS, parse
from agentauri.demo.simulator import AGENTS, Simulator

NOW = 1_790_000_000


def test_same_seed_and_first_block_give_the_same_events() -> None:
    assert Simulator(1, 100).take(500, NOW) == Simulator(1, 100).take(500, NOW)
    assert Simulator(1, 100).take(500, NOW) != Simulator(2, 100).take(500, NOW)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=12))
def test_batches_of_any_size_tell_one_story(sizes: list[int]) -> None:
    whole, parts = Simulator(3, 1), Simulator(3, 1)
    assert [log for size in sizes for log in parts.take(size, NOW)] == whole.take(sum(sizes), NOW)


def test_a_block_has_one_time_and_a_log_one_place() -> None:
    simulator = Simulator(1, 100)
    logs = [log for second in range(40) for log in simulator.take(7 + second, NOW + second)]
    times = defaultdict(set)
    for log in logs:
        times[log.block_hash].add(log.block_timestamp)
    assert all(len(seen) == 1 for seen in times.values())
    assert len({(log.block_hash, log.log_index) for log in logs}) == len(logs)


def test_later_events_name_what_was_there_before() -> None:
    feedback, requests = set(), set()
    for log in Simulator(8, 1).take(5_000, NOW):
        data = log.data
        match log.event_type:
            case "NewFeedback":
                feedback.add((log.agent_id, data["client_address"], data["feedback_index"]))
            case "FeedbackRevoked" | "ResponseAppended":
                assert (log.agent_id, data["client_address"], data["feedback_index"]) in feedback
            case "ValidationRequest":
                requests.add(data["request_hash"])
            case "ValidationResponse":
                assert data["request_hash"] in requests
            case _:
                continue


def test_fields_are_those_that_the_decoder_gives() -> None:
    extra = {"NewFeedback": {"score"}, "MetadataSet": {"metadata_text"}}
    known = {layout.event_type: layout for layout in reversed(list(map(parse, EVENTS)))}
    for log in Simulator(5, 1).take(3_000, NOW):
        arguments = (*known[log.event_type].indexed, *known[log.event_type].plain)
        names = {argument.name for argument in arguments} - {"agent_id"}
        assert set(log.data) == names | extra.get(log.event_type, set())
        assert log.agent_id is None or 0 <= log.agent_id < AGENTS
        assert len(orjson.dumps(log.data)) < 2_000
