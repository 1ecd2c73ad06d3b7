"""The HTTP API and the Serve deployments that host it: one folder a resource."""

API = "/api/v1"
"""What every path begins with, but those that browsers and other programs look for at the root."""
