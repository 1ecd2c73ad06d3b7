"""Login with GitHub: OAuth 2 with S256 PKCE. It is no OpenID provider: who somebody is comes from its API.

The subject is the account's number, because a login name can be given to somebody else. Of the addresses only the
primary one counts, verified or not as GitHub says. A base address of one's own means GitHub Enterprise Server, whose
API stands below ``/api/v3``.
"""

import asyncio
from typing import Any

from agentauri.channels.social.calls import LOGIN_SECONDS, Bounded, Calls, Registration, text_of
from agentauri.models.social import MAX_EMAIL_LENGTH, MAX_NAME_LENGTH, Attempt, Profile, Provider

HOME = "https://github.com"
API = "https://api.github.com"
SCOPE = "read:user user:email"
PAGE = 100


class GitHub:
    """GitHub, or a server that speaks like it at ``base_url``."""

    provider = Provider.GITHUB

    def __init__(self, registration: Registration, transport: Bounded, base_url: str = "") -> None:
        self._calls = Calls(self.provider, registration, transport)
        self._home = base_url or HOME
        self._api = f"{base_url}/api/v3" if base_url else API

    async def begin(self, attempt: Attempt) -> str:
        """The address to send the browser to."""
        return self._calls.redirection(f"{self._home}/login/oauth/authorize", SCOPE, attempt)

    async def finish(self, attempt: Attempt, code: str) -> Profile:
        """Whose login it was. Raises Unauthenticated or Unavailable."""
        async with self._calls.guarded(), asyncio.timeout(LOGIN_SECONDS), self._calls.client(SCOPE) as client:
            await self._calls.swap(client, f"{self._home}/login/oauth/access_token", attempt, code)
            account = await self._calls.get(client, f"{self._api}/user")
            addresses = await self._calls.get(client, f"{self._api}/user/emails", params={"per_page": PAGE})
            return self._profile(account, addresses)

    def _profile(self, account: Any, addresses: Any) -> Profile:
        number = account.get("id") if isinstance(account, dict) else None
        if type(number) is not int or not isinstance(addresses, list):
            raise self._calls.nonsense()
        primary = next((one for one in addresses if isinstance(one, dict) and one.get("primary") is True), {})
        email = primary.get("email")
        name = account.get("name") or account.get("login")
        return Profile(
            self.provider,
            str(number),
            text_of(email, MAX_EMAIL_LENGTH) or None,
            primary.get("verified") is True,
            text_of(name, MAX_NAME_LENGTH),
        )
