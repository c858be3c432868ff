"""Numbers of things, as people write them."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """`1 bar`, `2,000 bars`: nouns whose plural ends in s."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
