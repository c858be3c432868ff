"""Which way a finding points."""

from __future__ import annotations

from enum import Enum


class Direction(str, Enum):
    """Up, down or neither; values are stored in snapshots."""

    BULLISH = "bullish"
    BEARISH = "bearish"
    NEUTRAL = "neutral"

    def __str__(self) -> str:
        return self.value

    @property
    def sign(self) -> int:
        """1 for bullish, -1 for bearish, 0 for neutral."""
        return _SIGNS[self]


_SIGNS = {Direction.BULLISH: 1, Direction.BEARISH: -1, Direction.NEUTRAL: 0}
