"""Login at other services: Google by OpenID Connect, GitHub by OAuth 2."""
