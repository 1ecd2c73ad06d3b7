"""Organizations, their members and invitations, and what becomes of them."""
