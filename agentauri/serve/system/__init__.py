"""Whether the service lives."""
