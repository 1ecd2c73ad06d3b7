"""Behind `make demo`: a local chain with events, a receiver, and the way between them, shown in the terminal."""
