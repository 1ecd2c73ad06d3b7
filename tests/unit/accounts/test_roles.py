"""Roles reach what stands at or below them."""

from uuid import uuid4

import pytest

from agentauri.accounts.roles import LEAST_ROLE, SCOPES, Caller, Principal, Role, Scope
from agentauri.errors import Forbidden
from agentauri.models.ids import OrganizationId
from agentauri.models.plan import Plan


def principal(role: Role, scopes: frozenset[Scope] | None = None) -> Principal:
    granted = SCOPES[role] if scopes is None else scopes
    return Principal(Caller.USER, uuid4(), OrganizationId(uuid4()), role, granted, Plan.FREE)


def test_every_scope_has_a_least_role_and_roles_only_add() -> None:
    assert set(LEAST_ROLE) == set(Scope)
    assert SCOPES[Role.VIEWER] < SCOPES[Role.MEMBER] < SCOPES[Role.ADMIN] < SCOPES[Role.OWNER] == set(Scope)


@pytest.mark.parametrize(
    ("role", "scope", "least", "allowed"),
    [
        (Role.VIEWER, Scope.TRIGGERS_READ, None, True),
        (Role.VIEWER, Scope.TRIGGERS_WRITE, None, False),
        (Role.MEMBER, Scope.TRIGGERS_WRITE, None, True),
        (Role.MEMBER, Scope.ORGANIZATION_WRITE, None, False),
        (Role.ADMIN, Scope.ORGANIZATION_WRITE, None, True),
        (Role.ADMIN, Scope.ORGANIZATION_WRITE, Role.OWNER, False),
        (Role.OWNER, Scope.ORGANIZATION_WRITE, Role.OWNER, True),
    ],
)
def test_a_role_reaches_what_the_table_says(role: Role, scope: Scope, least: Role | None, allowed: bool) -> None:
    if allowed:
        principal(role).require(scope, least)
    else:
        with pytest.raises(Forbidden, match=role):
            principal(role).require(scope, least)


def test_scopes_narrow_what_a_role_may() -> None:
    with pytest.raises(Forbidden, match="triggers:write"):
        principal(Role.OWNER, frozenset({Scope.TRIGGERS_READ})).require(Scope.TRIGGERS_WRITE)


def test_keys_and_clients_have_no_account() -> None:
    for name in ("user", "session"):
        with pytest.raises(Forbidden, match="person"):
            getattr(principal(Role.ADMIN), name)
