"""The HTTP API and the Serve deployments that host it: one folder a resource."""
