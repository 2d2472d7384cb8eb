"""Risk as one facade: `engine`, and what it is made of: the books it reads, its figures, what it asks, payloads."""
