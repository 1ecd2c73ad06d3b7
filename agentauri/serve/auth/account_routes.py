"""The own account: changed, exported, deleted, and its sessions."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from agentauri.accounts.roles import Principal
from agentauri.serve import API
from agentauri.serve.answers import counted, nothing, one, secret
from agentauri.serve.auth import export, leaving, profile, schemas
from agentauri.serve.auth.account_schemas import AccountPatch, ExportAnswer, LeaveBody, SessionList
from agentauri.serve.auth.cookies import SETS, without_cookies
from agentauri.serve.caller import actor_of
from agentauri.serve.context import In
from agentauri.serve.openapi import errors
from agentauri.serve.principal import Anonymous, require_user
from agentauri.serve.reading import Route
from agentauri.serve.schemas import DEFAULT_LIMIT, Id, Limit, Offset
from agentauri.store import audit, sessions

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)
Me = Annotated[Principal, require_user()]
FILE = 'attachment; filename="agentauri-account.json"'


@router.patch("/me", operation_id="change_me", response_model=schemas.UserAnswer, responses=errors(409, 429))
async def change_me(context: In, me: Me, client: Anonymous, body: AccountPatch) -> Response:
    """Change the own account; fields that are left out stay. A new e-mail address takes the current password, and holds
    when the token of the mail that goes there comes back; until then the old one does, and is told."""
    return one(await profile.change(context, me, client, body.sent()))


@router.delete(
    "/me", operation_id="delete_me", status_code=204, response_class=Response, responses={204: SETS, **errors(409, 429)}
)
async def delete_me(
    request: Request, context: In, me: Me, client: Anonymous, body: LeaveBody | None = None
) -> Response:
    """Delete the own account and everything that is the user's alone: the personal organization with all that is in it,
    and organizations without other members. Refused while one with other members would lose its only owner."""
    await leaving.delete_account(context, me, client, None if body is None else body.password)
    return without_cookies(context, request, nothing())


@router.get("/me/export", operation_id="export_me", response_model=ExportAnswer)
async def export_me(context: In, me: Me) -> Response:
    """Everything that is kept of the user, as one document without any secret; lists end at 10 000 entries."""
    head, personal = await export.begin(context, me.user)
    headers = {"Content-Disposition": FILE, "Cache-Control": "no-store"}
    return StreamingResponse(
        export.write(context, me.user, head, personal), media_type="application/json", headers=headers
    )


@router.get("/sessions", operation_id="list_sessions", response_model=SessionList)
async def list_sessions(context: In, me: Me, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0) -> Response:
    """The own live sessions, the one used last first; there are ten at most."""
    async with context.pool.acquire() as connection:
        found = await sessions.list_live(connection, me.user)
    shown = [{**asdict(session), "current": session.id == me.session} for session in found[offset : offset + limit]]
    return secret(counted(shown, total=len(found), limit=limit, offset=offset))


@router.delete(
    "/sessions/{session_id}",
    operation_id="delete_session",
    status_code=204,
    response_class=Response,
    responses={204: SETS},
)
async def delete_session(request: Request, context: In, me: Me, client: Anonymous, session_id: Id) -> Response:
    """End one of the own sessions, this one too: its tokens work no more."""
    async with context.pool.acquire() as connection, connection.transaction():
        await sessions.revoke_own(connection, me.user, session_id, "revoked")
        await audit.record(
            connection,
            actor_of(me, client),
            "session.revoked",
            organization_id=None,
            target=f"session:{session_id}",
        )
    context.access.forget(f"session:{session_id}")
    return without_cookies(context, request, nothing()) if session_id == me.session else nothing()
