"""Outbound: the guard, templates, signatures, retries, fairness, and a channel for each type of action."""
