"""Checks of stored bars; what they find is recorded, nothing is changed."""
