"""How an account begins, whoever makes it: the user, the personal organization, and that one's first webhook secret."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from agentauri.store import organizations, users, webhook_secrets
from agentauri.store.database import Connection
from agentauri.store.users import User
from agentauri.store.vault import Vault


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What was made; ``webhook_secret`` is shown this once."""

    user: User
    organization_id: UUID
    webhook_secret: str


async def create_account(
    connection: Connection,
    vault: Vault,
    *,
    email: str | None,
    username: str | None = None,
    name: str = "",
    password_hash: str | None = None,
    verified: bool = False,
) -> NewAccount:
    """Make all of it in the caller's transaction. Raises Conflict when the e-mail or the user name is taken."""
    user = await users.create_user(
        connection,
        id=uuid4(),
        email=email,
        username=username,
        name=name,
        password_hash=password_hash,
        verified=verified,
    )
    organization_id = uuid4()
    title = name or username or str(email or user.id).partition("@")[0]
    await organizations.create_personal(connection, id=organization_id, user_id=user.id, name=title)
    _, secret = await webhook_secrets.create_secret(
        connection, vault, organization_id=organization_id, created_by=user.id
    )
    return NewAccount(user, organization_id, secret)
