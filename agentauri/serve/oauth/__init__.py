"""OAuth 2 clients: programs that act for an organization, and the tokens that they get."""
