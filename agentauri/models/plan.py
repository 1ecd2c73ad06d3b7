"""The plans that an organization can be on; what each allows is in the settings."""

from enum import StrEnum


class Plan(StrEnum):
    """An organization's plan, the smallest first."""

    FREE = "free"
    STARTER = "starter"
    PRO = "pro"
    ENTERPRISE = "enterprise"
