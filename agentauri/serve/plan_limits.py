"""Keeping organizations within what their plans allow, as the settings have it."""

from collections.abc import Mapping
from uuid import UUID

from agentauri.serve.context import Context
from agentauri.store import limits
from agentauri.store.database import Connection
from agentauri.store.limits import Countable


async def check_limits(
    context: Context, connection: Connection, organization_id: UUID, added: Mapping[Countable, int]
) -> None:
    """Raise LimitReached when what was ``added``, written in this transaction, is more than the plan allows.

    It holds the organization's row from here on, so it stands as late in the transaction as it can.
    """
    await limits.check(connection, organization_id, added, context.settings.limits.by_plan())
