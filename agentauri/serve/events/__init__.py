"""The chain's events, as stored."""
