"""The ``agentauri`` command, a module a command; nothing heavy is imported before a command needs it."""
