"""Login with Google and GitHub: off to the provider, back from it, and the swap of the one-time code for tokens.

The same three routes for each provider. What goes wrong on the way back is told to the front end that the login
began at (`?error=…&message=…`), or as problem+json when it named none.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from agentauri.accounts.limits import Policy
from agentauri.accounts.redirects import parse_redirect, with_answer
from agentauri.accounts.roles import Principal
from agentauri.accounts.social import CODE_LIFETIME, make_attempt
from agentauri.errors import Forbidden, InvalidRequest, RequestError, Unauthenticated
from agentauri.models.social import Provider
from agentauri.serve import API
from agentauri.serve.answers import one, secret
from agentauri.serve.auth.cookies import with_cookies
from agentauri.serve.auth.schemas import TokensAnswer
from agentauri.serve.auth.social import pending as pendings
from agentauri.serve.auth.social import service
from agentauri.serve.auth.social.pending import Pending
from agentauri.serve.auth.social.schemas import (
    Challenge,
    DestinationAnswer,
    ExchangeBody,
    Follow,
    OutcomeAnswer,
    Parameter,
    Redirect,
)
from agentauri.serve.caller import Client
from agentauri.serve.context import Context, In
from agentauri.serve.guard import Guard, guarded
from agentauri.serve.once import Once
from agentauri.serve.openapi import errors
from agentauri.serve.principal import require_user
from agentauri.serve.problems import refusal
from agentauri.serve.reading import Route
from agentauri.store.database import Connection

router = APIRouter(prefix=f"{API}/auth", tags=["auth"], route_class=Route)
Open = Annotated[Guard, guarded(Policy.ANONYMOUS)]
FOUND: dict[int | str, dict[str, Any]] = {302: {"description": "On to the next page."}}


@router.post("/exchange", operation_id="exchange", response_model=TokensAnswer, responses=errors(401, 429))
async def exchange(
    context: In, guard: Annotated[Guard, guarded(Policy.EXCHANGE)], once: Once, body: ExchangeBody
) -> Response:
    """Swap the one-time code of a social login for tokens; answers as a login does."""
    await guard.admit()

    async def work(connection: Connection) -> Response:
        return secret(one(await service.exchange(context, connection, body, guard.client)))

    answer = await once.perform(None, work)
    return with_cookies(context, guard.request, answer) if body.cookie else answer


def _add_begin(provider: Provider) -> None:
    @router.get(
        f"/{provider}",
        operation_id=f"login_with_{provider}",
        summary=f"Log in with {provider.brand}",
        response_model=DestinationAnswer,
        responses=FOUND | errors(404, 429),
    )
    async def begin(
        context: In, guard: Open, redirect: Redirect = None, challenge: Challenge = None, follow: Follow = True
    ) -> Response:
        """Send the browser to the provider. Whoever comes back is logged in, and has an account if there was none."""
        await guard.admit()
        context.providers.get(provider)
        return await _begin(context, provider, Pending(make_attempt(), _allowed(context, redirect), challenge), follow)


def _add_link(provider: Provider) -> None:
    @router.get(
        f"/link/{provider}",
        operation_id=f"link_{provider}",
        summary=f"Link {provider.brand} to your account",
        response_model=DestinationAnswer,
        responses=FOUND,
    )
    async def link(
        request: Request,
        context: In,
        principal: Annotated[Principal, require_user()],
        redirect: Redirect = None,
        follow: Follow = True,
    ) -> Response:
        """Send the browser to the provider; the account that signs in there may then log in to this one."""
        _refuse_other_sites(request)
        context.providers.get(provider)
        pending = Pending(
            make_attempt(), _allowed(context, redirect), None, user_id=principal.user, session_id=principal.session
        )
        return await _begin(context, provider, pending, follow)


def _add_callback(provider: Provider) -> None:
    @router.get(
        f"/{provider}/callback",
        operation_id=f"{provider}_callback",
        summary=f"Come back from {provider.brand}",
        response_model=OutcomeAnswer,
        responses=FOUND | errors(401, 404, 409, 429),
    )
    async def callback(
        request: Request, context: In, guard: Open, state: Parameter = "", code: Parameter = "", error: Parameter = ""
    ) -> Response:
        """Where the provider sends the browser. Only the browser that began the login may finish it, once."""
        await guard.admit()
        context.providers.get(provider)
        pending = pendings.recall(context, request, provider, state)
        answer = await _finish(context, request, provider, pending, guard.client, "" if error else code)
        pendings.drop(context, answer, provider)
        return _private(answer)


def _refuse_other_sites(request: Request) -> None:
    """Another site's link may not make a signed-in browser attach whatever account it has at the provider."""
    if request.headers.get("sec-fetch-site") == "cross-site" and "authorization" not in request.headers:
        raise Forbidden("linking by cookie has to begin at a page of this site.")


def _allowed(context: Context, redirect: str | None) -> str | None:
    """The place to end at. Raises InvalidRequest when it is none of ours."""
    if redirect is None:
        return None
    settings = context.settings
    try:
        return parse_redirect(redirect, origins=settings.http.cors_origins, public_url=settings.public_url)
    except ValueError as error:
        raise InvalidRequest(f"/query/redirect {error}", [("/query/redirect", str(error))]) from None


async def _begin(context: Context, provider: Provider, pending: Pending, follow: bool) -> Response:
    url = await context.providers.get(provider).begin(pending.attempt)
    answer = RedirectResponse(url, 302) if follow else one({"url": url})
    pendings.keep(context, answer, provider, pending)
    return _private(answer)


async def _finish(
    context: Context, request: Request, provider: Provider, pending: Pending, client: Client, code: str
) -> Response:
    try:
        if not code:
            raise Unauthenticated(f"the login with {provider.brand} was not granted.")
        profile = await context.providers.get(provider).finish(pending.attempt, code)
        made = await service.finish(context, pending, profile, client)
    except RequestError as refused:
        if pending.redirect is None:
            return refusal(request.scope, refused)
        return _to(pending.redirect, {"error": refused.code, "message": refused.message})
    if pending.redirect is None:
        seconds = int(CODE_LIFETIME.total_seconds())
        lives = None if made is None else seconds
        return one({"provider": provider, "linked": made is None, "code": made, "expires_in": lives})
    return _to(pending.redirect, {"linked": provider} if made is None else {"code": made})


def _to(url: str, answer: dict[str, str]) -> Response:
    return RedirectResponse(with_answer(url, answer), 302)


def _private(answer: Response) -> Response:
    answer.headers["Cache-Control"] = "no-store"
    return answer


for _provider in Provider:
    _add_begin(_provider)
    _add_link(_provider)
    _add_callback(_provider)
