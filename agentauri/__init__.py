"""AgentAuri watches the ERC-8004 agent registries and delivers what its users' triggers ask for."""

__version__ = "0.1.0"
