"""The OpenAPI document is well-formed, and what it says of answers is what the application answers."""

import re
from collections.abc import Iterator
from uuid import uuid4

import httpx2
import jsonschema  # type: ignore[import-untyped]  # comes with ray, without types
import pytest

from agentauri.accounts.roles import Scope
from agentauri.models.trigger import MAX_CHAIN_ID
from agentauri.serve.openapi_inputs import STORABLE
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from tests.integration.serve.conftest import CONTRACT, PASSWORD, Api, User
from tests.support.openapi import Document

OPEN = (
    r"/health|/oauth/token|well-known"
    r"|/auth/(register|login|refresh|exchange|google|github|nonce|wallet|csrf|email/verify|password/(forgot|reset))\b"
)
"""Paths that take no credentials, or bring them in their own way."""


def operations() -> Iterator[tuple[str, str, Document]]:
    return CONTRACT.operations()


def test_every_operation_is_complete() -> None:
    assert CONTRACT.document["openapi"] == "3.1.0"
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in CONTRACT.document["tags"]}
    for path, _, operation in operations():
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        responses = operation["responses"]
        assert {"500", "503"} <= set(responses)
        parameters = {one["name"] for one in operation.get("parameters", [])}
        assert ("422" in responses) == ("Idempotency-Key" in parameters)
        assert ("404" in responses) or "{" not in path
        assert {"400", "413", "415"} <= set(responses) or "requestBody" not in operation
        assert {"400", "401", "403"} <= set(responses) or not operation.get("security")
        for status, response in responses.items():
            assert response["description"]
            assert "X-Request-ID" in response["headers"]
            if int(status) >= 400 and "/health" not in path:
                (content,) = response["content"].values()
                CONTRACT.check_value(content["schema"], content["example"])


def test_scopes_are_known_and_credentials_are_asked_for() -> None:
    open_paths = {path for path, _, operation in operations() if not operation.get("security")}
    assert all(re.search(OPEN, path) for path in open_paths)
    for _, _, operation in operations():
        for requirement in operation.get("security", []):
            assert all(scope in set(Scope) for scope in next(iter(requirement.values())))


def test_references_resolve_and_schemas_are_schemas() -> None:
    schemas = CONTRACT.document["components"]["schemas"]
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name not in ("HTTPValidationError", "ValidationError")
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(CONTRACT.document)))
    assert references == set(schemas)


def test_headers_are_named_where_answers_have_them() -> None:
    described = CONTRACT.document["components"]["headers"]
    named = set(re.findall(r"'\$ref': '#/components/headers/([^']+)'", str(CONTRACT.document)))
    assert named == set(described)
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            headers = set(response["headers"])
            assert ("WWW-Authenticate" in headers) == (status == "401")
            assert ("Retry-After" in headers) == (status in ("429", "503"))
            assert ("RateLimit" in headers) == ("429" in operation["responses"])
            assert ("Location" in headers) == status.startswith("3")


def test_what_makes_a_thing_is_linked_to_all_that_takes_it() -> None:
    paths = CONTRACT.document["paths"]
    links = paths["/api/v1/triggers"]["post"]["responses"]["201"]["links"]
    assert set(links) == {
        operation["operationId"]
        for path, _, operation in operations()
        if path.startswith("/api/v1/triggers/{trigger_id}") and path.count("{") == 1
    }
    assert links["get_trigger"]["parameters"] == {"trigger_id": "$response.body#/data/id"}
    inner = paths["/api/v1/triggers/{trigger_id}/conditions"]["post"]["responses"]["201"]["links"]
    assert inner["delete_trigger_condition"]["parameters"] == {
        "trigger_id": "$request.path.trigger_id",
        "condition_id": "$response.body#/data/id",
    }
    of_organization = paths["/api/v1/organizations"]["post"]["responses"]["201"]["links"]
    assert of_organization["create_trigger"]["parameters"] == {"header.X-Organization-ID": "$response.body#/data/id"}


def test_bounds_of_integers_are_exact() -> None:
    chain_id = CONTRACT.document["components"]["schemas"]["TriggerBody"]["properties"]["chain_id"]["anyOf"][0]
    assert (chain_id["minimum"], chain_id["maximum"]) == (1, MAX_CHAIN_ID)
    assert not re.search(r"'type': 'integer', '(maximum|minimum)': [0-9.e+]*[.e]", str(CONTRACT.document))


def test_text_without_a_pattern_says_what_cannot_be_stored() -> None:
    fields = CONTRACT.document["components"]["schemas"]["RegisterBody"]["properties"]
    assert fields["name"]["pattern"] == STORABLE
    assert "pattern" not in CONTRACT.document["components"]["schemas"]["User"]["properties"]["name"]


def test_the_example_of_a_trigger_fits_its_schema() -> None:
    body = CONTRACT.document["paths"]["/api/v1/triggers"]["post"]["requestBody"]["content"]["application/json"]
    CONTRACT.check_value(body["schema"], EXAMPLE_TRIGGER)


async def test_answers_fit_their_schemas(api: Api, user: User) -> None:
    """The client of all these tests checks each answer; this one walks through those that the others may not meet."""
    email = {"email": "fits@example.com", "password": PASSWORD}
    for path in ("/health", "/health/live", "/health/ready", "/auth/me", "/events", "/deliveries", "/webhook-secrets"):
        await user.call("GET", path)
    for _ in range(2):
        await user.call("POST", "/auth/register", json=email)
        await user.call("POST", "/auth/login", json=email)
        email["password"] += "-other"
    made = (await user.call("POST", "/triggers", json=EXAMPLE_TRIGGER)).json()["data"]
    for body in (b"x", b"x" * (2**20 + 1), b"{}"):
        await user.call("POST", "/triggers", content=body)
    await user.call("GET", "/triggers?limit=1")
    for id_ in (made["id"], str(uuid4()), "nonsense"):
        await user.call("GET", f"/triggers/{id_}")
        await user.call("PATCH", f"/triggers/{id_}", json={"description": "x"})
        await user.call("POST", f"/triggers/{id_}/disable")
        await user.call("POST", f"/triggers/{id_}/enable")
        await user.call("DELETE", f"/triggers/{id_}")
        await user.call("GET", f"/events/{id_}")
        await user.call("GET", f"/deliveries/{id_}")
    for token in (user.registered["refresh_token"], "x"):
        await user.call("POST", "/auth/refresh", json={"refresh_token": token})
    await user.call("POST", "/auth/logout")
    user.token = "x"
    await user.call("GET", "/triggers")
    await api.client.get("/.well-known/jwks.json")


async def test_undocumented_answer_is_noticed(api: Api, user: User) -> None:
    """The net of these tests has no hole: an answer that fits no schema fails the test that met it."""
    answer = await user.call("GET", "/auth/me")
    answer.status_code = 418
    with pytest.raises(AssertionError, match="not documented"):
        CONTRACT.check_answer(answer)
    headers = {name: value for name, value in answer.headers.items() if name not in ("content-type", "content-length")}
    wrong = httpx2.Response(200, json={"data": {}}, headers=headers, request=answer.request)
    with pytest.raises(jsonschema.ValidationError):
        CONTRACT.check_answer(wrong)
