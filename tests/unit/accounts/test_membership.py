"""Who may do what to whom in an organization."""

import pytest

from agentauri.accounts.membership import (
    check_change,
    check_grant,
    check_not_personal,
    check_owner_stays,
    lost_grants,
    masked_email,
)
from agentauri.accounts.roles import Role
from agentauri.errors import Conflict, Forbidden

OWNER, ADMIN, MEMBER, VIEWER = Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER


@pytest.mark.parametrize("actor", Role)
@pytest.mark.parametrize("granted", Role)
def test_nobody_gives_a_role_above_the_own_and_none_below_admin(actor: Role, granted: Role) -> None:
    if actor.reaches(ADMIN) and actor.reaches(granted):
        check_grant(actor, granted)
    else:
        with pytest.raises(Forbidden):
            check_grant(actor, granted)


@pytest.mark.parametrize("granted", [*Role, None])
def test_only_owners_touch_owners(granted: Role | None) -> None:
    check_change(OWNER, OWNER, granted)
    with pytest.raises(Forbidden):
        check_change(ADMIN, OWNER, granted)


@pytest.mark.parametrize("target", [ADMIN, MEMBER, VIEWER])
def test_admins_manage_whoever_is_below_owner(target: Role) -> None:
    for granted in (ADMIN, MEMBER, VIEWER, None):
        check_change(ADMIN, target, granted)
    with pytest.raises(Forbidden):
        check_change(ADMIN, target, OWNER)


def test_last_owner_stays() -> None:
    for granted in (ADMIN, None):
        check_owner_stays(OWNER, granted, 2)
        check_owner_stays(ADMIN, granted, 1)
        with pytest.raises(Conflict):
            check_owner_stays(OWNER, granted, 1)
    check_owner_stays(OWNER, OWNER, 1)


def test_personal_organization_has_no_other_members() -> None:
    check_not_personal(False)
    with pytest.raises(Conflict):
        check_not_personal(True)


def test_grants_are_lost_with_the_role_that_could_give_them() -> None:
    assert lost_grants(OWNER) == []
    assert lost_grants(ADMIN) == [OWNER]
    assert set(lost_grants(MEMBER)) == set(lost_grants(None)) == set(Role)


@pytest.mark.parametrize(
    ("email", "masked"),
    [("ada@example.com", "a***@example.com"), ("a@x.org", "a***@x.org"), ('"a@b"@x.org', '"***@x.org'), (None, None)],
)
def test_masked_address_shows_first_letter_and_domain(email: str | None, masked: str | None) -> None:
    assert masked_email(email) == masked
