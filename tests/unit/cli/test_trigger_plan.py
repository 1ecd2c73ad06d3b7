"""Plans: nothing to do the second time, ids that stay with what they belong to, and mistakes that are told before."""

from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_DNS, uuid4, uuid5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentauri.cli import trigger_file
from agentauri.cli.trigger_plan import Change, Create, Delete, Keep, Step, plan
from agentauri.errors import ConfigError
from agentauri.models.action import MASK, masked, merge_masked, parse_actions
from agentauri.models.trigger import validate_trigger

Raw = dict[str, Any]
READ_ONLY = ("id", "organization_id", "created_at", "is_stateful")
NAMES = ("description", "chain_id", "registry", "enabled", "match_all", "fire", "cooldown_seconds")
SCORE = {"condition_type": "score_threshold", "field": "score", "operator": "lt", "value": "60"}
TAG = {"condition_type": "tag_equals", "field": "tag1", "operator": "==", "value": "starred"}
EMA = {"condition_type": "ema_threshold", "operator": "<", "value": 70, "config": {"window_size": 10}}
HOOK = {"action_type": "rest", "config": {"url": "https://a.example/hook"}}
SECRET: Raw = {"action_type": "rest", "config": {"url": "https://a.example/", "headers": {"Authorization": "Bearer x"}}}


class FakeApi:
    """Keeps triggers as the API does, by the same rules."""

    def __init__(self) -> None:
        self.stored: list[Raw] = []
        self.hidden: dict[str, Raw] = {}

    def apply(self, wanted: list[Raw], *, prune: bool = False) -> list[Step]:
        steps = plan(deepcopy(wanted), self.answers(), read_only=READ_ONLY, prune=prune)
        for step in steps:
            match step:
                case Create():
                    self.stored.insert(0, self._stored({}, step.body))
                case Change():
                    place = next(index for index, one in enumerate(self.stored) if one["id"] == step.id)
                    self.stored[place] = self._stored(self.stored[place], step.body)
                case Delete():
                    self.stored = [one for one in self.stored if one["id"] != step.id]
                case Keep():
                    pass
        return steps

    def answers(self) -> list[Raw]:
        found = deepcopy(self.stored)
        for one in found:
            for action in one["actions"]:
                action["config"] = masked(action["config"])
        return found

    def _stored(self, old: Raw, body: Raw) -> Raw:
        own = {one["id"] for one in old.get("conditions", [])}
        sent = dict(body)
        if "conditions" in sent:
            sent["conditions"] = [
                one if one.get("id") in own else {key: value for key, value in one.items() if key != "id"}
                for one in sent["conditions"]
            ]
        before = validate_trigger({name: old[name] for name in ("name", *NAMES, "conditions")}) if old else None
        fields = validate_trigger(sent, before)
        actions = (
            self._actions(old.get("actions", []), body["actions"]) if "actions" in body else old.get("actions", [])
        )
        return {
            "id": old.get("id", str(uuid4())),
            "organization_id": "o",
            "created_at": "c",
            "is_stateful": fields.is_stateful,
            "name": fields.name,
            **{name: getattr(getattr(fields, name), "value", getattr(fields, name)) for name in NAMES},
            "conditions": [one.wire() for one in fields.conditions],
            "actions": sorted(actions, key=lambda one: (one["priority"], one["id"])),
        }

    def _actions(self, old: list[Raw], new: list[Raw]) -> list[Raw]:
        known = {one["id"]: one for one in old}
        written = [
            {**one, "config": merge_masked(known[one["id"]]["config"], one["config"])} if one.get("id") in known
            else {key: value for key, value in one.items() if key != "id"}
            for one in new
        ]  # fmt: skip
        return [
            {
                "id": str(spec.id or uuid4()),
                "action_type": spec.action_type.value,
                "priority": spec.priority,
                "enabled": spec.enabled,
                "disabled_by": None,
                "disabled_reason": None,
                "config": spec.config,
            }
            for spec in parse_actions(written)
        ]


def a_trigger(*conditions: Raw, **more: Any) -> Raw:
    return {"name": "A", "conditions": list(conditions) or [SCORE], "actions": [HOOK], **more}


plain = st.sampled_from([SCORE, TAG, {**SCORE, "value": 59.5}, {**TAG, "config": {"ignore_case": True}}])
group = st.builds(
    lambda mode, inner: {"condition_type": "group", "config": {"mode": mode, "conditions": inner}},
    st.sampled_from(["all", "any", "none"]),
    st.lists(plain, min_size=1, max_size=3),
)
conditions = st.lists(st.one_of(plain, group, st.just(EMA)), min_size=1, max_size=4)
actions = st.lists(
    st.fixed_dictionaries(
        {
            "action_type": st.just("rest"),
            "config": st.fixed_dictionaries(
                {"url": st.sampled_from(["https://a.example/", "https://b.example/x"])},
                optional={
                    "method": st.sampled_from(["POST", "put"]),
                    "headers": st.just({"X-Plain": "yes"}),
                    "timeout_seconds": st.integers(1, 60),
                },
            ),
        },
        optional={"priority": st.integers(0, 3), "enabled": st.booleans()},
    ),
    max_size=3,
)
bodies = st.fixed_dictionaries(
    {"conditions": conditions, "actions": actions},
    optional={
        "description": st.sampled_from(["", "why"]) | st.none(),
        "chain_id": st.none() | st.integers(1, 5),
        "registry": st.sampled_from(["reputation", None]),
        "enabled": st.booleans(),
        "cooldown_seconds": st.integers(0, 3),
    },
)
files = st.dictionaries(st.sampled_from("ABCD"), bodies, min_size=1).map(
    lambda found: [{"name": name, **body} for name, body in found.items()]
)


@settings(max_examples=150)
@given(first=files, second=files, prune=st.booleans())
def test_applied_twice_nothing_is_left_to_do(first: list[Raw], second: list[Raw], prune: bool) -> None:
    api = FakeApi()
    api.apply(first)
    api.apply(second, prune=prune)
    steps = api.apply(second, prune=prune)
    assert {type(step) for step in steps} == {Keep}
    names = {one["name"] for one in second}
    assert {one["name"] for one in api.stored} == (names if prune else names | {one["name"] for one in first})


@settings(max_examples=100)
@given(first=bodies, second=bodies)
def test_ids_are_never_lost_where_the_type_is_still_there(first: Raw, second: Raw) -> None:
    api = FakeApi()
    api.apply([{"name": "A", **first}])
    before = api.stored[0]
    api.apply([{"name": "A", **second}])
    after = api.stored[0]
    for kind in ("score_threshold", "tag_equals", "group", "ema_threshold"):
        old = {one["id"] for one in before["conditions"] if one["condition_type"] == kind}
        new = {one["id"] for one in after["conditions"] if one["condition_type"] == kind}
        assert len(old & new) == min(len(old), len(new))
    old_actions, new_actions = ({one["id"] for one in side["actions"]} for side in (before, after))
    assert len(old_actions & new_actions) == min(len(old_actions), len(new_actions))


def test_only_what_differs_is_sent() -> None:
    api = FakeApi()
    api.apply([a_trigger()])
    [step] = api.apply([a_trigger(cooldown_seconds=60)])
    assert isinstance(step, Change)
    assert step.body == {"cooldown_seconds": 60}
    assert not step.secrets


def test_what_the_file_leaves_out_again_gets_its_default() -> None:
    api = FakeApi()
    api.apply([a_trigger(cooldown_seconds=60, chain_id=1, description="why")])
    [step] = api.apply([a_trigger()])
    assert isinstance(step, Change)
    assert step.body == {"cooldown_seconds": 0, "chain_id": None, "description": ""}


def test_what_somebody_switched_off_stays_off_unless_the_file_says_otherwise() -> None:
    api = FakeApi()
    api.apply([a_trigger(actions=[HOOK, {**HOOK, "priority": 1}])])
    api.stored[0]["enabled"] = False
    api.stored[0]["actions"][0]["enabled"] = False
    wanted = a_trigger(actions=[HOOK, {**HOOK, "priority": 2}])
    [step] = api.apply([wanted])
    assert isinstance(step, Change)
    assert list(step.body) == ["actions"]
    assert [one["enabled"] for one in api.stored[0]["actions"]] == [False, True]
    [step] = api.apply([{**wanted, "enabled": True}])
    assert isinstance(step, Change)
    assert step.body == {"enabled": True}


def test_condition_put_before_others_leaves_them_their_ids() -> None:
    api = FakeApi()
    api.apply([a_trigger(SCORE, EMA)])
    before = [one["id"] for one in api.stored[0]["conditions"]]
    api.apply([a_trigger({**SCORE, "value": 10}, SCORE, {**EMA, "value": 71})])
    assert [one["id"] for one in api.stored[0]["conditions"]][1:] == before


def test_action_that_leaves_takes_no_id_of_another_place_along() -> None:
    api = FakeApi()
    other = {**HOOK, "config": {"url": "https://b.example/"}}
    api.apply([a_trigger(actions=[HOOK, other])])
    ids = {one["config"]["url"]: one["id"] for one in api.stored[0]["actions"]}
    api.apply([a_trigger(actions=[{**other, "priority": 5}])])
    assert [one["id"] for one in api.stored[0]["actions"]] == [ids["https://b.example/"]]


def test_secret_of_the_file_is_sent_each_time_and_shown_never() -> None:
    api = FakeApi()
    api.apply([a_trigger(actions=[SECRET])])
    [step] = api.apply([a_trigger(actions=[SECRET])])
    assert isinstance(step, Change)
    assert step.secrets
    assert step.before == step.after
    assert step.body["actions"][0]["config"]["headers"] == {"Authorization": "Bearer x"}
    assert step.body["actions"][0]["id"] == api.stored[0]["actions"][0]["id"]
    assert "Bearer" not in str((step.before, step.after))


def test_masked_secret_keeps_the_stored_one() -> None:
    api = FakeApi()
    api.apply([a_trigger(actions=[SECRET])])
    kept = deepcopy(SECRET)
    kept["config"]["headers"]["Authorization"] = MASK
    [step] = api.apply([a_trigger(actions=[kept])])
    assert isinstance(step, Keep)
    api.apply([a_trigger(actions=[{**kept, "priority": 7}])])
    assert api.stored[0]["actions"][0]["config"]["headers"] == {"Authorization": "Bearer x"}


def test_answer_of_the_api_applies_as_it_stands() -> None:
    api = FakeApi()
    group = {"condition_type": "group", "config": {"mode": "any", "conditions": [SCORE, TAG]}}
    api.apply([a_trigger(SCORE, group, EMA, actions=[SECRET, HOOK])])
    assert [type(step) for step in api.apply(api.answers())] == [Keep]


def test_same_name_twice_is_refused_wherever_it_stands() -> None:
    api = FakeApi()
    with pytest.raises(ConfigError, match="the file has two triggers of the name 'A'"):
        api.apply([a_trigger(), a_trigger()])
    api.apply([a_trigger()])
    api.stored.append({**api.stored[0], "id": str(uuid5(NAMESPACE_DNS, "x"))})
    with pytest.raises(ConfigError, match=r"the API has 2 triggers of the name 'A' \(.*, .*\); rename one"):
        api.apply([a_trigger()])


def test_only_prune_deletes() -> None:
    api = FakeApi()
    api.apply([a_trigger(), a_trigger(name="B")])
    assert [type(step) for step in api.apply([a_trigger()])] == [Keep]
    assert [type(step) for step in api.apply([a_trigger()], prune=True)] == [Keep, Delete]
    assert [one["name"] for one in api.stored] == ["A"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "trigger 2 of the file has no name"),
        ({"name": 5}, "trigger 2 of the file has no name"),
        ({"nmae": "B"}, "trigger 'B' is not valid: /nmae unknown"),
        ({"conditions": [{**SCORE, "value": "x"}], "fire": "never"}, "/conditions/0/value .*; /fire must be"),
        ({"conditions": "x"}, "/conditions must be a list"),
        ({"actions": {"x": 1}}, "/actions actions are a list"),
        ({"actions": [1]}, "/actions/0 an action is an object"),
        ({"actions": [{**HOOK, "config": None}]}, "/actions/0/config the config is an object"),
        ({"actions": [{**SECRET, "config": {**SECRET["config"], "headers": {"Authorization": MASK}}}]}, "no secret is"),
        ({"enabled": "yes"}, "/enabled must be true or false"),
        ({"name": "\x1b[2J"}, r"trigger '\\x1b\[2J' is not valid"),
    ],
)
def test_mistake_is_told_before_anything_is_done(wrong: Raw, message: str) -> None:
    api = FakeApi()
    bad = {"name": "B", "conditions": [SCORE], **wrong}
    if wrong.get("name") == "\x1b[2J":
        bad["fire"] = "never"
    with pytest.raises(ConfigError, match=message):
        api.apply([a_trigger(), bad])
    assert api.stored == []


def test_example_of_the_readme_is_a_file(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    (tmp_path / "triggers.yaml").write_text(readme.split("```yaml\n")[1].split("```")[0])
    wanted = trigger_file.load(str(tmp_path / "triggers.yaml"), {"HOOK_TOKEN": "x"})
    [step] = FakeApi().apply(wanted)
    assert isinstance(step, Create)
    assert step.body["actions"][0]["config"]["headers"] == {"Authorization": "Bearer x"}


def test_place_to_begin_goes_along_with_a_new_trigger_and_is_nothing_to_change_later() -> None:
    api = FakeApi()
    (made,) = api.apply([a_trigger(start={"seq": 5})])
    assert isinstance(made, Create)
    assert made.body["start"] == {"seq": 5}
    assert all(isinstance(step, Keep) for step in api.apply([a_trigger(start={"seq": 7})]))


def test_place_that_is_none_is_told_before_anything_is_done() -> None:
    with pytest.raises(ConfigError, match="/start/block a block is one of a chain"):
        FakeApi().apply([a_trigger(start={"block": 5})])
