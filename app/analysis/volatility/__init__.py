"""How much a price moves: from closes, from ranges, and next to its own past."""
