"""From the exchange's pages of bars to stored bars, gaps and cursors."""
