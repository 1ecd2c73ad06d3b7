"""Triggers with their conditions and actions."""
