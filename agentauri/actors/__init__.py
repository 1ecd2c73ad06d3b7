"""The actors of the path: thin shells around the plain core; the only ray.remote."""
