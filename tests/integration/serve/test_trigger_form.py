"""What a form for triggers is built from, over HTTP."""

from typing import Any

import jsonschema  # type: ignore[import-untyped]  # comes with ray, without types
import pytest

from agentauri.models.action import CHECKS, CONFIG_KEYS, SHARED_KEYS
from agentauri.serve.triggers.configs import ACTION_CONFIGS
from tests.integration.serve.conftest import Api, User
from tests.integration.serve.test_triggers import create


async def test_trigger_can_be_made_from_the_schema_alone(user: User) -> None:
    form = (await user.call("GET", "/triggers/schema")).json()["data"]
    kinds = {one["type"]: one["schema"] for one in form["conditions"]}
    made = await create(user)
    for condition in made["conditions"]:
        jsonschema.validate(condition, kinds[condition["condition_type"]])
    (action,) = made["actions"]
    shown = {name: action[name] for name in ("id", "action_type", "priority", "enabled", "config")}
    jsonschema.validate(shown, {one["type"]: one["schema"] for one in form["actions"]}["rest"])
    fields = {one["name"]: one for one in form["event"]["fields"]}
    assert fields["feedback_uri"]["aliases"] == ["file_uri"]
    assert fields["score"]["kind"] == "decimal"
    assert "computed.<n>.ema" in form["templates"]["names"]


@pytest.mark.parametrize("kind", list(CHECKS))
def test_configuration_of_an_action_is_described_whole(kind: Any) -> None:
    assert set(ACTION_CONFIGS[kind]["properties"]) == {*CONFIG_KEYS[kind], *SHARED_KEYS}


async def test_schema_needs_credentials(api: Api) -> None:
    assert (await api.client.get("/api/v1/triggers/schema")).status_code == 401
