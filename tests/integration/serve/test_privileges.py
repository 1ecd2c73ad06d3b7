"""Every route of the OpenAPI document × every role and every scope, held against the table of roles that is promised.

Who may not is told so (403) before anything else about the request is looked at; who may is told what is wrong with
it (nothing here names anything that exists). The table is written down here, not read off the routes.
"""

from collections.abc import Iterator
from uuid import uuid4

import httpx2
import pytest

from agentauri.accounts.roles import Role, Scope
from tests.integration.serve.conftest import CONTRACT, Api, User
from tests.support.openapi import Document

READ_BY_ADMINS = {"list_organization_audit", "list_invitations"}
READ_BY_POST = {"preview_action"}
"""What takes a body and changes and sends nothing."""
OWNERS = {"delete_organization", "transfer_organization"}
WRITERS = {
    "triggers": Role.MEMBER,
    "deliveries": Role.MEMBER,
    "organizations": Role.ADMIN,
    "api-keys": Role.ADMIN,
    "oauth": Role.ADMIN,
    "webhook-secrets": Role.ADMIN,
}
"""The least role that changes something, by the first step of the path."""
LAST = ("delete_organization", "leave_organization")
"""Whoever may do these is out afterwards."""


def operations() -> Iterator[tuple[str, str, Document]]:
    """Those of an organization: method, path, operation."""
    found = [
        (method.upper(), path, operation)
        for path, method, operation in CONTRACT.operations()
        if operation.get("security") and not path.startswith("/api/v1/auth/")
    ]
    yield from sorted(found, key=lambda one: LAST.index(name) if (name := one[2]["operationId"]) in LAST else -1)


def is_for_people(operation: Document) -> bool:
    return "session" in operation["security"][0]


def least_role(method: str, path: str, operation: Document) -> Role:
    """Who may, as api.md says."""
    name = operation["operationId"]
    if is_for_people(operation) or name == "leave_organization":
        return Role.VIEWER
    if name in OWNERS:
        return Role.OWNER
    if method == "GET" or name in READ_BY_POST:
        return Role.ADMIN if name in READ_BY_ADMINS else Role.VIEWER
    return WRITERS[path.removeprefix("/api/v1/").partition("/")[0]]


async def ask(api: Api, method: str, path: str, organization_id: str, headers: dict[str, str]) -> httpx2.Response:
    names = {part[1:-1]: str(uuid4()) for part in path.split("/") if part.startswith("{")}
    filled = path.format(**(names | {"organization_id": organization_id, "chain_id": "1"}))
    body: dict[str, str] | None = {} if method in ("POST", "PATCH", "PUT") else None
    return await api.client.request(method, filled, headers=headers, json=body)


def is_refused(answer: httpx2.Response) -> bool:
    """Whether somebody was told to have no right to this; some routes work, and a plan's limit is 403 too."""
    return answer.status_code == 403 and answer.json()["error"] == "forbidden"


def is_stream(path: str) -> bool:
    """What stays open for those who may; that it is refused to others is tested where streams are."""
    return path.endswith("/stream")


@pytest.mark.parametrize("role", Role)
async def test_a_role_reaches_its_routes_and_no_other(api: Api, role: Role) -> None:
    owner, member = await api.register(), await api.register()
    team = (await owner.call("POST", "/organizations", json={"name": "team"})).json()["data"]["id"]
    added = {"user_id": member.registered["user"]["id"], "role": role}
    assert (await owner.call("POST", f"/organizations/{team}/members", json=added)).status_code == 201
    headers = {"Authorization": f"Bearer {member.token}", "X-Organization-ID": team}
    wrong = {}
    for method, path, operation in operations():
        if is_stream(path):
            continue
        answer = await ask(api, method, path, team, headers)
        if is_refused(answer) is role.reaches(least_role(method, path, operation)):
            wrong[f"{method} {path}"] = answer.text
    assert not wrong


async def test_a_key_without_a_scope_reaches_no_route_that_needs_it_and_with_it_alone_nothing_else(
    api: Api, user: User
) -> None:
    wrong = {}
    for scope in Scope:
        with_it, without = [await key(user, [scope]), await key(user, [one for one in Scope if one is not scope])]
        for method, path, operation in operations():
            if is_stream(path):
                continue
            needs = scope.value in operation["security"][0].get("bearer", [])
            for carried, has in ((with_it, needs), (without, not needs)):
                answer = await ask(api, method, path, user.organization_id, carried)
                may = has and not is_for_people(operation) and least_role(method, path, operation) is not Role.OWNER
                if is_refused(answer) is may and operation["operationId"] != "leave_organization":
                    wrong[f"{scope} {has}: {method} {path}"] = answer.text
    assert not wrong


async def key(user: User, scopes: list[Scope]) -> dict[str, str]:
    made = await user.call("POST", "/api-keys", json={"name": "some", "permissions": scopes})
    return {"X-API-Key": made.json()["data"]["key"]}


async def test_keys_and_strangers_reach_nothing_of_an_account(api: Api, user: User) -> None:
    everything = await key(user, list(Scope))
    for path, method, operation in CONTRACT.operations():
        if operation.get("security") and path.startswith("/api/v1/auth/"):
            for headers, status in ((everything, 403), ({}, 401), ({"Cookie": "auth-token=x"}, 401)):
                assert (await ask(api, method.upper(), path, "", headers)).status_code == status, path
