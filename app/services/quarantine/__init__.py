"""Refused items: keeping them, and judging them again."""
