"""Candlestick patterns, price action and breakouts."""
