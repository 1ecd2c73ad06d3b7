"""How far the chains are read, and what was found on them."""
