"""Who has which limits."""

from typing import Any
from uuid import UUID

import pytest

from agentauri.accounts.limits import HOUR, Limits, Policy, Quota, digest, site
from agentauri.accounts.roles import SCOPES, Caller, Principal, Role
from agentauri.models.ids import OrganizationId
from agentauri.models.plan import Plan

ID = UUID("11111111-1111-4111-8111-111111111111")
LIMITS = Limits(
    {Plan.FREE: 600, Plan.STARTER: 3_000, Plan.PRO: 15_000, Plan.ENTERPRISE: 100_000},
    {Policy.ANONYMOUS: 60, Policy.LOGIN: 30, Policy.REGISTRATION: 20},
)


def test_anonymous_callers_share_the_quota_of_their_address() -> None:
    demand = LIMITS.anonymous("192.0.2.1")
    (bucket,) = demand.buckets
    assert (demand.policy, bucket.subject, bucket.limit, bucket.window) == ("anonymous", "ip:192.0.2.1", 60, HOUR)


@pytest.mark.parametrize(("plan", "limit"), [(Plan.FREE, 600), (Plan.ENTERPRISE, 100_000)])
def test_organization_has_the_quota_of_its_plan(plan: Plan, limit: int) -> None:
    (bucket,) = LIMITS.organization(ID, plan, 5).buckets
    assert (bucket.subject, bucket.limit, bucket.cost) == (f"org:{ID}", limit, 5)


def test_keys_own_limit_is_counted_apart_from_the_organizations() -> None:
    (bucket,) = LIMITS.key(ID, 42).buckets
    assert (bucket.subject, bucket.limit) == (f"key:{ID}", 42)


def key(**more: Any) -> Principal:
    organization = OrganizationId(UUID(int=2))
    return Principal(Caller.KEY, ID, organization, Role.ADMIN, SCOPES[Role.ADMIN], Plan.STARTER, **more)


def test_key_shares_its_organizations_quota() -> None:
    (bucket,) = LIMITS.caller(key()).buckets
    assert (bucket.subject, bucket.limit) == (f"org:{UUID(int=2)}", 3_000)


def test_key_with_a_limit_of_its_own_has_that_instead() -> None:
    (bucket,) = LIMITS.caller(key(requests_per_hour=7), 2).buckets
    assert (bucket.subject, bucket.limit, bucket.cost) == (f"key:{ID}", 7, 2)


def test_login_counts_by_address_and_by_account_in_one_slot() -> None:
    demand = LIMITS.guarded(Policy.LOGIN, "192.0.2.1", "Ada@Example.com ")
    by_address, by_account = demand.buckets
    assert by_address.subject == "login:ip:192.0.2.1"
    assert by_account.subject == f"login:account:{digest('ada@example.com')}"
    assert (by_address.limit, by_account.limit, demand.slot) == (30, 20, "login")


def test_account_is_no_part_of_a_policy_without_limits_for_one() -> None:
    assert len(LIMITS.guarded(Policy.REGISTRATION, "192.0.2.1", "ada").buckets) == 1


def test_accounts_name_does_not_reach_the_subject() -> None:
    subjects = [bucket.subject for bucket in LIMITS.guarded(Policy.LOGIN, "::1", "ada\0 }{:\n\ud800").buckets]
    assert all(subject.isascii() and subject.isprintable() and "ada" not in subject for subject in subjects)


@pytest.mark.parametrize(
    ("ip", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2::9", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("nonsense", "unknown"),
    ],
)
def test_address_is_counted_by_its_site(ip: str, counted: str) -> None:
    assert site(ip) == counted


@pytest.mark.parametrize(("limit", "burst"), [(5, 5), (60, 20), (600, 60), (100_000, 10_000)])
def test_burst_is_a_tenth_but_what_a_page_needs_and_never_above_the_quota(limit: int, burst: int) -> None:
    assert Quota.of(limit).burst == burst


def test_burst_admits_one_request_of_any_cost() -> None:
    assert Quota.of(5).bucket("a", 10).burst == 10


def test_guarded_policies_are_all_but_those_of_plain_requests_and_refused_ones() -> None:
    assert {policy for policy in Policy if not policy.is_guarded} == {
        "anonymous", "organization", "key", "credentials", "trial",
    }  # fmt: skip
