"""What was sent, what waits, and every attempt."""
