"""Logging in with Google and GitHub, and attaching them to an account."""
