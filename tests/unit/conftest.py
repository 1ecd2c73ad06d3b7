"""Settings of hypothesis for all unit tests: how long one example takes on a busy machine says nothing."""

from hypothesis import settings

settings.register_profile("agentauri", deadline=None)
settings.load_profile("agentauri")
