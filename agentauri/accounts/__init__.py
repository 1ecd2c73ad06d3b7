"""Who may do what: passwords, tokens, roles. Rules alone: no HTTP, no SQL."""
