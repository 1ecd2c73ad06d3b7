"""The only SQL and the only Redis commands, one module a noun."""
