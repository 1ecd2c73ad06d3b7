"""What a form for triggers is built from: every condition and action type with its JSON Schema, and what they may name.

Made from the tables by which triggers are checked, so it says what this version takes and no more.
"""

from functools import cache
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.responses import Response

from agentauri.accounts.roles import Principal, Scope
from agentauri.models.action import CHECKS, MAX_ACTIONS, MAX_PRIORITY, ActionType
from agentauri.models.condition import MAX_CONDITIONS, MAX_DEPTH, STATEFUL
from agentauri.models.condition_schema import condition_schemas
from agentauri.models.event import Registry
from agentauri.models.fields import ALIASES, EVENT_TYPE_ALIASES, EVENT_TYPES, FIELDS
from agentauri.models.operators import SYNONYMS, Operator, operators_of
from agentauri.models.template import WITH_ARGUMENT, FilterName
from agentauri.models.template_names import names
from agentauri.serve import API
from agentauri.serve.answers import one
from agentauri.serve.principal import require
from agentauri.serve.routing import Route
from agentauri.serve.triggers.configs import ACTION_CONFIGS
from agentauri.serve.triggers.form_schemas import TriggerFormAnswer

router = APIRouter(prefix=f"{API}/triggers", tags=["triggers"], route_class=Route)
Reader = Annotated[Principal, require(Scope.TRIGGERS_READ)]


@router.get("/schema", operation_id="get_trigger_schema", response_model=TriggerFormAnswer)
async def get_trigger_schema(principal: Reader) -> Response:
    """What triggers are made of: JSON Schemas of all conditions and actions, fields of events, names in templates."""
    return one(_form())


@cache
def _form() -> dict[str, Any]:
    return {
        "conditions": [
            {"type": kind, "is_stateful": kind in STATEFUL, "schema": schema}
            for kind, schema in condition_schemas().items()
        ],
        "actions": [{"type": kind, "schema": _action(kind)} for kind in CHECKS],
        "operators": [
            {"name": operator, "synonyms": [name for name, of in SYNONYMS.items() if of is operator and name != of]}
            for operator in Operator
        ],
        "event": {
            "registries": list(Registry),
            "types": list(EVENT_TYPES),
            "type_aliases": EVENT_TYPE_ALIASES,
            "fields": [_field(name) for name in FIELDS],
        },
        "templates": {
            "names": names(),
            "filters": [{"name": name, "takes_argument": name in WITH_ARGUMENT} for name in FilterName],
        },
        "limits": {"conditions": MAX_CONDITIONS, "depth": MAX_DEPTH, "actions": MAX_ACTIONS},
    }


def _action(kind: ActionType) -> dict[str, Any]:
    return {
        "title": kind,
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "action_type": {"const": kind},
            "priority": {"type": "integer", "minimum": 0, "maximum": MAX_PRIORITY, "default": 0},
            "enabled": {"type": "boolean", "default": True},
            "config": ACTION_CONFIGS[kind],
        },
        "required": ["action_type", "config"],
        "additionalProperties": False,
    }


def _field(name: str) -> dict[str, Any]:
    field = FIELDS[name]
    return {
        "name": name,
        "kind": field.kind,
        "in_data": not field.column,
        "aliases": [alias for alias, of in ALIASES.items() if of == name],
        "operators": [operator for operator in Operator if operator in operators_of(field.kind)],
    }
