"""All that is kept of a market's bars at a snapshot, as a row of figures."""
