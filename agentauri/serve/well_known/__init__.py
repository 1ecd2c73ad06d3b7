"""What other programs look for at fixed places."""
