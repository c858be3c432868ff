"""Exchanges' published files of past bars and trades, and recordings like them."""
