"""The parts that a market's sentiment is made of, each a lean in [-1, 1]."""
