"""What the data is: no I/O, imports nothing of ours but errors."""
