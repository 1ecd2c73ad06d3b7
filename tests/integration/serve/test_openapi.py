"""The OpenAPI document is well-formed, and what it says of answers is what the application answers."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import jsonschema  # type: ignore[import-untyped]  # comes with ray, without types
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from agentauri.accounts.roles import Scope
from agentauri.serve.app import create_app
from agentauri.serve.triggers.schemas import EXAMPLE_TRIGGER
from tests.integration.serve.conftest import PASSWORD, Api, User, settings_for

Document = dict[str, Any]
ROOT = "urn:document"


@pytest.fixture(scope="module")
def document() -> Document:
    made: Document = create_app(settings_for("postgresql://x", "redis://x")).openapi()
    return made


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield path, method, operation


def check(document: Document, schema: Document, value: Any) -> None:
    """Raise unless ``value`` fits a schema of the document."""
    registry: Registry[Any] = Registry().with_resource(
        ROOT, Resource.from_contents(document, default_specification=DRAFT202012)
    )
    formats = jsonschema.Draft202012Validator.FORMAT_CHECKER
    jsonschema.Draft202012Validator(_rooted(schema), registry=registry, format_checker=formats).validate(value)


def _rooted(schema: Any) -> Any:
    """The schema with its references pointing into the registered document."""
    if isinstance(schema, list):
        return [_rooted(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: ROOT + value if key == "$ref" and isinstance(value, str) else _rooted(value)
        for key, value in schema.items()
    }


def test_every_operation_is_complete(document: Document) -> None:
    assert document["openapi"] == "3.1.0"
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in document["tags"]}
    for path, _, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= tags
        responses = operation["responses"]
        assert {"500", "503"} <= set(responses)
        assert "422" not in responses
        assert ("404" in responses) or "{" not in path
        assert {"400", "413", "415"} <= set(responses) or "requestBody" not in operation
        assert {"400", "401", "403"} <= set(responses) or not operation.get("security")
        for status, response in responses.items():
            assert response["description"]
            assert "X-Request-ID" in response["headers"]
            if int(status) >= 400 and "/health" not in path:
                (content,) = response["content"].values()
                check(document, content["schema"], content["example"])


def test_scopes_are_known_and_credentials_are_asked_for(document: Document) -> None:
    open_paths = {path for path, _, operation in operations(document) if not operation.get("security")}
    assert all(re.search("/health|/auth/(register|login|refresh)|well-known", path) for path in open_paths)
    for _, _, operation in operations(document):
        for requirement in operation.get("security", []):
            assert all(scope in set(Scope) for scope in requirement["bearer"])


def test_references_resolve_and_schemas_are_schemas(document: Document) -> None:
    schemas = document["components"]["schemas"]
    for name, schema in schemas.items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert name not in ("HTTPValidationError", "ValidationError")
    references = set(re.findall(r"'\$ref': '#/components/schemas/([^']+)'", str(document)))
    assert references == set(schemas)


def test_the_example_of_a_trigger_fits_its_schema(document: Document) -> None:
    body = document["paths"]["/api/v1/triggers"]["post"]["requestBody"]["content"]["application/json"]
    check(document, body["schema"], EXAMPLE_TRIGGER)


class Checked:
    """Calls the application and holds each answer against the document."""

    def __init__(self, document: Document, user: User) -> None:
        self._document, self._user = document, user
        self.seen: set[tuple[str, str]] = set()

    async def call(self, method: str, path: str, template: str = "", **more: Any) -> Any:
        answer = await self._user.call(method, path, **more)
        found = self._document["paths"]["/api/v1" + (template or path.partition("?")[0])][method.lower()]
        response = found["responses"][str(answer.status_code)]
        self.seen.add((method, template or path))
        if "content" not in response:
            assert answer.content == b""
            return None
        content = response["content"][answer.headers["content-type"]]
        check(self._document, content["schema"], answer.json())
        return answer.json()


async def test_answers_fit_their_schemas(document: Document, api: Api, user: User) -> None:
    checked = Checked(document, user)
    email = {"email": "fits@example.com", "password": PASSWORD}
    for path in ("/health", "/health/live", "/health/ready", "/auth/me", "/events", "/deliveries", "/webhook-secrets"):
        await checked.call("GET", path)
    for _ in range(2):
        await checked.call("POST", "/auth/register", json=email)
        await checked.call("POST", "/auth/login", json=email)
        email["password"] += "-other"
    made = (await checked.call("POST", "/triggers", json=EXAMPLE_TRIGGER))["data"]
    await checked.call("POST", "/triggers", json={"name": ""})
    await checked.call("POST", "/triggers", content=b"x")
    await checked.call("POST", "/triggers", content=b"x" * (2**20 + 1))
    await checked.call("GET", "/triggers?limit=1")
    for id_ in (made["id"], str(uuid4()), "nonsense"):
        one = "/triggers/{trigger_id}"
        await checked.call("GET", f"/triggers/{id_}", one)
        await checked.call("PATCH", f"/triggers/{id_}", one, json={"description": "x"})
        await checked.call("POST", f"/triggers/{id_}/disable", f"{one}/disable")
        await checked.call("POST", f"/triggers/{id_}/enable", f"{one}/enable")
        await checked.call("DELETE", f"/triggers/{id_}", one)
        await checked.call("GET", f"/events/{id_}", "/events/{event_id}")
        await checked.call("GET", f"/deliveries/{id_}", "/deliveries/{delivery_id}")
    for path, template in [("/webhook-secrets", ""), ("/webhook-secrets/{}", "/webhook-secrets/{secret_id}")]:
        secret = (await checked.call("POST", "/webhook-secrets"))["data"]["id"]
        await checked.call("DELETE" if template else "GET", path.format(secret), template)
    for token in (user.registered["refresh_token"], "x"):
        await checked.call("POST", "/auth/refresh", json={"refresh_token": token})
    await checked.call("POST", "/auth/logout")
    user.token = "x"
    await checked.call("GET", "/triggers")
    everything = {(method.upper(), path.removeprefix("/api/v1")) for path, method, _ in operations(document)}
    assert {(method, path.partition("?")[0]) for method, path in checked.seen} == everything - {
        ("GET", "/.well-known/jwks.json")
    }
