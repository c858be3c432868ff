"""Compares bars with what they are made of: smaller bars, and trades."""
