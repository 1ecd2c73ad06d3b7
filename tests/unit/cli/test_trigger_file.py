"""Files of triggers: YAML without its traps, variables that cannot change the structure, and what is written again."""

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentauri.cli import trigger_file
from agentauri.errors import ConfigError

ADDRESS = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def write(text: str, name: str = "triggers.yaml") -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    return write


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (ADDRESS, ADDRESS),
        ("no", "no"),
        ("On", "On"),
        ("true", True),
        ("False", False),
        ("trueish", "trueish"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("1:30", "1:30"),
        ("010", 10),
        ("-42", -42),
        ("1_000", "1_000"),
        ("59.5", 59.5),
        ("1e3", 1000.0),
        ("0.12345678901234567890", "0.12345678901234567890"),
        (str(2**256 - 1), 2**256 - 1),
        ("~", None),
        ("", None),
        ("nullable", "nullable"),
        ("=", "="),
        ("'42'", "42"),
    ],
)
def test_values_are_what_they_look_like(text: str, value: object) -> None:
    [document] = trigger_file.parse(f"v: {text}\n", "f")
    assert document == {"v": value}
    assert type(document["v"]) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2", r"not YAML: a stands twice at line 2, column 1"),
        ('{"a": 1, "a": 2}', "a stands twice"),
        ("1: 2", "a key has to be text"),
        ("a: [", "not YAML"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: \x07", "not YAML"),
        ("a: !!int [1]", "a number was expected"),
        ("[" * 3000 + "]" * 3000, "nested deeper than 64 levels"),
        ('{"a":' * 3000 + "1" + "}" * 3000, "nested deeper than 64 levels"),
        ("- " * 3000 + "a", "nested deeper than 64 levels"),
    ],
)
def test_what_cannot_be_meant_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trigger_file.parse(text, "f")


def test_error_does_not_repeat_the_line_that_may_hold_a_secret() -> None:
    with pytest.raises(ConfigError) as refused:
        trigger_file.parse("token: {s3cr3t", "f")
    assert "s3cr3t" not in refused.value.message


@pytest.mark.parametrize(
    "text",
    [
        "name: A\n---\nname: B\n",
        "- name: A\n- name: B\n",
        "triggers:\n- name: A\n- name: B\n",
        '[{"name": "A"}, {"name": "B"}]',
        "---\nname: A\n---\n- name: B\n---\n",
    ],
)
def test_one_list_or_several_documents(write: Any, text: str) -> None:
    assert [one["name"] for one in trigger_file.load(write(text), {})] == ["A", "B"]


@pytest.mark.parametrize(
    ("text", "message"), [("", "holds no trigger"), ("[]", "holds no trigger"), ("- 1", "objects")]
)
def test_file_without_triggers_is_refused(write: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        trigger_file.load(write(text), {})


def test_variables_are_filled_in_after_parsing(write: Any) -> None:
    text = 'name: "A ${X}"\nconfig: {url: "https://${HOST}/$${X}", more: ["$", "$HOST", "${HOST}${X}"]}\n'
    [found] = trigger_file.load(write(text), {"X": 'x", enabled: true, y: "${HOST}', "HOST": "h"})
    assert found["name"] == 'A x", enabled: true, y: "${HOST}'
    assert found["config"]["url"] == "https://h/${X}"
    assert found["config"]["more"][:2] == ["$", "$HOST"]
    assert set(found) == {"name", "config"}


def test_missing_variables_are_all_named_with_their_places(write: Any) -> None:
    text = "name: ${ONE}\nactions: [{config: {url: 'x${TWO}${TWO}'}}]\n"
    with pytest.raises(ConfigError, match=r"not set: ONE \(/name\), TWO \(/actions/0/config/url\)\.$"):
        trigger_file.load(write(text), {"THREE": "3"})


def test_empty_variable_is_one(write: Any) -> None:
    assert trigger_file.load(write("name: a${X}"), {"X": ""}) == [{"name": "a"}]


def test_broken_variable_is_refused(write: Any) -> None:
    with pytest.raises(ConfigError, match=r"/name: \$\{ begins a variable"):
        trigger_file.load(write("name: ${not this}"), {})


def test_values_that_json_does_not_have_are_refused(write: Any) -> None:
    with pytest.raises(ConfigError, match="/name is no value of JSON"):
        trigger_file.load(write("name: !!timestamp 2026-01-01"), {})


@pytest.mark.parametrize(
    "text",
    [
        "name: a\nx: &x [*x]\n",
        "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
        + "".join(f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)),
    ],
)
def test_aliases_that_grow_without_end_are_refused(write: Any, text: str) -> None:
    with pytest.raises(ConfigError, match="too deeply, or too large"):
        trigger_file.load(write(text), {})


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO("\ufeffname: Ä\n".encode())))
    assert trigger_file.load("-", {}) == [{"name": "Ä"}]


@pytest.mark.parametrize("text", [b"name: \xff", b"x" * ((8 << 20) + 1)])
def test_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "f").write_bytes(text)
    with pytest.raises(ConfigError, match=r"UTF-8|MiB"):
        trigger_file.load(str(tmp_path / "f"), {})


def test_missing_file_is_told() -> None:
    with pytest.raises(ConfigError, match="/nowhere/at/all cannot be read: No such file"):
        trigger_file.load("/nowhere/at/all", {})


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(name=texts, value=values)
def test_what_is_dumped_is_loaded_again(name: str, value: object) -> None:
    config = {"url": "https://x.example/${not a variable}", "body_template": value}
    action = {"action_type": "rest", "priority": 0, "enabled": True, "config": config}
    condition = {
        "id": "1",
        "condition_type": "tag_equals",
        "field": "tag1",
        "operator": "=",
        "value": name,
        "config": {},
    }
    trigger = {"name": name, "description": name, "conditions": [condition], "actions": [{"id": "2", **action}]}
    [written] = trigger_file.parse(trigger_file.dump(trigger), "f")
    again = trigger_file._Filler({}, []).fill(written, "")
    assert again["name"] == again["description"] == name
    assert json.dumps(again["actions"]) == json.dumps([action])
    assert again["conditions"] == [{key: condition[key] for key in ("condition_type", "field", "operator", "value")}]
