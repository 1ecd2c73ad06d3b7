"""The HTTP application, made by a factory: everything is opened in the ASGI lifespan and closed after it.

The order around a request, outermost first: Frame (id, headers), CORS, Net (size, unforeseen errors), FastAPI's own
layers with our error handlers, the route with its principal.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from agentauri import __version__
from agentauri.accounts.passwords import PRODUCTION, Cost
from agentauri.config import Settings
from agentauri.serve import API, cross_origin, docs, problems
from agentauri.serve.api_keys.routes import router as api_keys
from agentauri.serve.auth.account_routes import router as account
from agentauri.serve.auth.browser_routes import router as browser
from agentauri.serve.auth.password_routes import router as passwords
from agentauri.serve.auth.routes import router as auth
from agentauri.serve.auth.social.routes import router as social
from agentauri.serve.auth.wallet.routes import router as wallet
from agentauri.serve.context import open_context, set_context
from agentauri.serve.deliveries.routes import router as deliveries
from agentauri.serve.deliveries.steering import router as deliveries_steering
from agentauri.serve.deliveries.stream import router as deliveries_stream
from agentauri.serve.events.routes import router as events
from agentauri.serve.events.stream import router as events_stream
from agentauri.serve.frame import Frame, Net
from agentauri.serve.guard import count_refused
from agentauri.serve.indexer.routes import router as indexer
from agentauri.serve.methods import with_refusals
from agentauri.serve.oauth.routes import forms as oauth_forms
from agentauri.serve.oauth.routes import router as oauth
from agentauri.serve.openapi import document
from agentauri.serve.organizations.routes import router as organizations
from agentauri.serve.system.routes import router as system
from agentauri.serve.triggers.action_routes import router as trigger_actions
from agentauri.serve.triggers.breaker_routes import router as breakers
from agentauri.serve.triggers.condition_routes import router as trigger_conditions
from agentauri.serve.triggers.explain import router as explanations
from agentauri.serve.triggers.form import router as triggers_form
from agentauri.serve.triggers.ledger import router as ledger
from agentauri.serve.triggers.preview import router as triggers_preview
from agentauri.serve.triggers.routes import router as triggers
from agentauri.serve.triggers.state import router as states
from agentauri.serve.triggers.testing import router as tests
from agentauri.serve.webhook_secrets.routes import router as webhook_secrets
from agentauri.serve.well_known.routes import router as well_known

OPENAPI_URL = f"{API}/openapi.json"
TAGS = [
    {"name": "system", "description": "Whether the service lives."},
    {"name": "auth", "description": "Accounts and tokens."},
    {"name": "triggers", "description": "What is watched for, and what then happens."},
    {"name": "events", "description": "What happened on the chains; the same for everybody."},
    {"name": "deliveries", "description": "What your triggers sent, with every attempt."},
    {"name": "indexer", "description": "How far the chains are read, and what was found."},
    {"name": "organizations", "description": "Who owns everything: organizations, their members and what they use."},
    {"name": "api-keys", "description": "Keys by which programs call this API."},
    {"name": "oauth", "description": "OAuth 2 clients, and where they get tokens."},
    {"name": "webhook-secrets", "description": "The secrets that sign your webhooks."},
    {"name": "well-known", "description": "What other programs look for."},
]

ROUTERS = (
    system,
    triggers_form,
    triggers_preview,
    tests,
    triggers,
    breakers,
    ledger,
    explanations,
    states,
    trigger_conditions,
    trigger_actions,
    events_stream,
    events,
    deliveries_stream,
    deliveries_steering,
    deliveries,
    webhook_secrets,
    indexer,
    auth,
    social,
    wallet,
    account,
    passwords,
    browser,
    api_keys,
    oauth,
    oauth_forms,
    organizations,
    well_known,
)
"""Every resource; a path is looked for in this order."""


def create_app(settings: Settings, *, cost: Cost = PRODUCTION) -> FastAPI:
    """The application for ``settings``, whose addresses of stores and secret key are filled in.

    ``cost`` is that of password hashes; only tests lower it.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_context(settings, cost) as context:
            set_context(app, context)
            yield

    app = FastAPI(
        title="AgentAuri",
        version=__version__,
        openapi_url=None,
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    for router in ROUTERS:
        app.router.routes.extend(router.routes)  # include_router would cost every request a second matching
    app.router.routes[:] = with_refusals(app.router.routes)
    docs.install(app, openapi_url=OPENAPI_URL)
    problems.install(app, count_refused)
    app.add_middleware(Net)
    cross_origin.install(app, settings.http.cors_origins)
    app.add_middleware(Frame, hsts=settings.environment == "production")

    def openapi() -> dict[str, Any]:
        return document(app, public_url=settings.public_url)

    setattr(app, "openapi", openapi)  # noqa: B010 - FastAPI's own way to replace the method, which mypy refuses
    return app
