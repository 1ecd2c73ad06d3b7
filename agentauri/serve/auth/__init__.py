"""Registering, logging in, and who one is."""
