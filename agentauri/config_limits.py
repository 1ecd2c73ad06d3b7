"""The settings of what organizations may have, by plan.

Each plan has a class of its own, so that whoever sets one bound of a plan leaves the others at that plan's defaults.
"""

from typing import Any

from pydantic import Field

from agentauri.config_section import Section
from agentauri.models.plan import Plan


class PlanLimits(Section):
    """What an organization may have, with the defaults of the plan free."""

    triggers: int = Field(10_000, ge=0)
    """Triggers of an organization."""
    actions: int = Field(30_000, ge=0)
    """Actions of all its triggers together."""
    api_keys: int = Field(100, ge=0)
    """API keys that are neither revoked nor expired."""
    members: int = Field(50, ge=1)
    """Members and open invitations."""
    queued_deliveries: int = Field(1_000_000, ge=1)
    """Deliveries that wait; past it new firings are recorded as suppressed, within a minute."""


def _likewise(name: str, default: int) -> Any:
    """The field of ``PlanLimits`` with another default."""
    field = PlanLimits.model_fields[name]
    return Field(default, ge=0, description=field.description)


class StarterLimits(PlanLimits):
    """What an organization on the plan starter may have."""

    triggers: int = _likewise("triggers", 20_000)
    actions: int = _likewise("actions", 60_000)
    api_keys: int = _likewise("api_keys", 200)
    members: int = _likewise("members", 100)
    queued_deliveries: int = _likewise("queued_deliveries", 2_000_000)


class ProLimits(PlanLimits):
    """What an organization on the plan pro may have."""

    triggers: int = _likewise("triggers", 50_000)
    actions: int = _likewise("actions", 150_000)
    api_keys: int = _likewise("api_keys", 500)
    members: int = _likewise("members", 500)
    queued_deliveries: int = _likewise("queued_deliveries", 5_000_000)


class EnterpriseLimits(PlanLimits):
    """What an organization on the plan enterprise may have."""

    triggers: int = _likewise("triggers", 200_000)
    actions: int = _likewise("actions", 600_000)
    api_keys: int = _likewise("api_keys", 2_000)
    members: int = _likewise("members", 5_000)
    queued_deliveries: int = _likewise("queued_deliveries", 20_000_000)


class Limits(Section):
    """What organizations may have, by plan."""

    free: PlanLimits = PlanLimits()
    starter: StarterLimits = StarterLimits()
    pro: ProLimits = ProLimits()
    enterprise: EnterpriseLimits = EnterpriseLimits()

    def by_plan(self) -> dict[Plan, PlanLimits]:
        """What an organization on each plan may have."""
        return {
            Plan.FREE: self.free,
            Plan.STARTER: self.starter,
            Plan.PRO: self.pro,
            Plan.ENTERPRISE: self.enterprise,
        }
