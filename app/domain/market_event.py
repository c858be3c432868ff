"""What happens to markets as a whole."""

from __future__ import annotations

from enum import Enum


class MarketEventKind(str, Enum):
    """Events of the universe; stored, so never renamed."""

    LISTED = "listed"
    DELISTED = "delisted"
    RELISTED = "relisted"
    RENAMED = "renamed"
    HALTED = "halted"
    RESUMED = "resumed"
    SHRINK_REFUSED = "shrink_refused"
