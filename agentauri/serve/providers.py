"""The login providers of this replica, as the settings name them; one that is not set up is not found."""

from agentauri.channels.social.calls import Bounded, Registration
from agentauri.channels.social.github import GitHub
from agentauri.channels.social.google import Google
from agentauri.config import Settings
from agentauri.errors import NotFound
from agentauri.models.social import Provider
from agentauri.serve import API


class Providers:
    """Google and GitHub with their connections. Make it inside the event loop that uses it."""

    def __init__(self, settings: Settings) -> None:
        self._transport = Bounded()
        self._found: dict[Provider, Google | GitHub] = {}
        for provider, kind, given in (
            (Provider.GOOGLE, Google, settings.oauth.google),
            (Provider.GITHUB, GitHub, settings.oauth.github),
        ):
            if given.client_id:
                callback = f"{settings.public_url}{API}/auth/{provider}/callback"
                registration = Registration(given.client_id, given.client_secret.get_secret_value(), callback)
                self._found[provider] = kind(registration, self._transport, given.base_url)

    def get(self, provider: Provider) -> Google | GitHub:
        """The provider. Raises NotFound when it is not set up."""
        found = self._found.get(provider)
        if found is None:
            raise NotFound(
                f"this server offers no login with {provider.brand}; its operator can set oauth.{provider}.client_id."
            )
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()
