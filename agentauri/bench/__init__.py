"""What ``agentauri bench`` runs: one module a bench, each with ``run(progress) -> Report``."""
