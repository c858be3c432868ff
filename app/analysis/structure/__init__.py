"""Smart-money concepts: swings, breaks, order blocks, gaps, liquidity, ranges."""
