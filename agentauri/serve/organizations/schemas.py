"""What organizations take, and how they and what they use are shown."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field

from agentauri.accounts.roles import Role
from agentauri.models.plan import Plan
from agentauri.serve.schemas import EXAMPLE_ID, EXAMPLE_TIME, Body, CursorPagination, Pagination, Schema, Text

MAX_NAME = 255
BREAKING = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069"
"""Control characters, line breaks, and what turns the direction of writing: a name stands in mails and lists."""
NAME_PATTERN = rf"^[^{BREAKING}]*[^\s{BREAKING}][^{BREAKING}]*$"
NAME_FORM = re.compile(NAME_PATTERN)


def _name(text: str) -> str:
    if not NAME_FORM.fullmatch(text):
        raise ValueError("must be one line of text and not empty.")
    return text.strip()


Name = Annotated[
    Text,
    Field(min_length=1, max_length=MAX_NAME, examples=["Lovelace Ltd."], json_schema_extra={"pattern": NAME_PATTERN}),
    AfterValidator(_name),
]


class OrganizationBody(Body):
    """A new organization."""

    name: Name


def _no_defaults(schema: dict[str, Any]) -> None:
    """What is not sent is not changed; there is no value that stands for it."""
    for field in schema["properties"].values():
        field.pop("default", None)


class OrganizationChange(Body):
    """The fields to change."""

    model_config = ConfigDict(json_schema_extra=_no_defaults)

    name: Name = Field("", validate_default=False)


class Organization(Schema):
    """An organization as the caller sees it."""

    id: UUID = Field(examples=[EXAMPLE_ID])
    name: str
    personal: bool = Field(description="Whether it came with a user; such a one has no other members.")
    plan: Plan
    role: Role = Field(description="What the caller is in it; API keys and OAuth clients act as admins.")
    paused_at: datetime | None = Field(description="Since when its deliveries are held; null: they are sent.")
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    updated_at: datetime = Field(examples=[EXAMPLE_TIME])


class OrganizationAnswer(Schema):
    """One organization."""

    data: Organization


class NewOrganization(Organization):
    """A new organization."""

    webhook_secret: str = Field(
        description="The secret that signs the organization's webhooks; shown once.", examples=["whsec_…"]
    )


class NewOrganizationAnswer(Schema):
    """A new organization."""

    data: NewOrganization


class OrganizationList(Schema):
    """A page of organizations, the personal one first."""

    data: list[Organization]
    pagination: Pagination


class TransferBody(Body):
    """Who is to own the organization."""

    user_id: UUID = Field(description="A member.", examples=[EXAMPLE_ID])


class Used(Schema):
    """How many there are, and how many the plan allows."""

    used: int = Field(ge=0)
    limit: int = Field(ge=0)


class Usage(Schema):
    """What an organization uses of its plan."""

    plan: Plan
    triggers: Used
    actions: Used
    api_keys: Used
    members: Used = Field(description="Members and open invitations.")
    queued_deliveries: Used = Field(
        description="Deliveries that are not finished; past the limit new ones are suppressed."
    )
    month: datetime = Field(
        description="The beginning of the month that is counted.", examples=["2026-11-01T00:00:00Z"]
    )
    deliveries_this_month: int = Field(ge=0)
    firings_this_month: int = Field(ge=0, description="Events on which triggers fired, by their blocks' time.")


class UsageAnswer(Schema):
    """What an organization uses."""

    data: Usage


class AuditEntry(Schema):
    """Something that was done, by whom and from where."""

    id: UUID
    organization_id: UUID | None
    user_id: UUID | None
    actor_kind: str = Field(description="user, key, client, operator or system.", examples=["user"])
    actor_id: UUID | None
    action: str = Field(examples=["member.added"])
    target: str = Field(examples=[f"user:{EXAMPLE_ID}"])
    details: dict[str, Any]
    ip: str
    request_id: str
    created_at: datetime


class AuditList(Schema):
    """A page of the audit log, the newest entry first."""

    data: list[AuditEntry]
    pagination: CursorPagination
