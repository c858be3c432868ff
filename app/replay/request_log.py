"""What was asked, when, and whether it was asked while told to wait."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import asdict, dataclass, field

from app.replay.grid import MINUTE_MS

_KEPT_REQUESTS = 2000


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """One request on the exchange's paths."""

    virtual_ms: int
    path: str
    symbol: str
    weight: int
    status: int
    fault: str = ""
    wait_seconds: float = 0.0


@dataclass(slots=True)
class RequestLog:
    """Totals since the start and the newest requests, bounded."""

    recent: deque[RequestEntry] = field(
        default_factory=lambda: deque(maxlen=_KEPT_REQUESTS)
    )
    count: int = 0
    weight: int = 0
    inside_ban: int = 0
    largest_minute_weight: int = 0
    by_status: Counter[int] = field(default_factory=Counter)
    by_path: Counter[str] = field(default_factory=Counter)
    by_fault: Counter[str] = field(default_factory=Counter)
    _wait_until_ms: dict[str, int] = field(default_factory=dict)
    _minute: int = -1
    _minute_weight: int = 0

    def record(self, address: str, entry: RequestEntry) -> None:
        """Add a request; a reply that says wait opens a window for its sender."""
        self.recent.append(entry)
        self.count += 1
        self.weight += entry.weight
        self.by_status[entry.status] += 1
        self.by_path[entry.path] += 1
        if entry.fault:
            self.by_fault[entry.fault] += 1
        minute = entry.virtual_ms // MINUTE_MS
        if minute != self._minute:
            self._minute, self._minute_weight = minute, 0
        self._minute_weight += entry.weight
        self.largest_minute_weight = max(
            self.largest_minute_weight, self._minute_weight
        )
        wait_until = self._wait_until_ms.get(address, 0)
        if entry.virtual_ms < wait_until:
            self.inside_ban += 1
        if entry.status in (418, 429) and entry.wait_seconds:
            until = entry.virtual_ms + math.ceil(entry.wait_seconds * 1000)
            self._wait_until_ms[address] = max(wait_until, until)

    def summary(self, newest: int = 0) -> dict[str, object]:
        """Totals, and the `newest` requests, oldest first."""
        recent = list(self.recent)[-newest:] if newest else []
        return {
            "count": self.count,
            "weight_used": self.weight,
            "largest_minute_weight": self.largest_minute_weight,
            "inside_ban_windows": self.inside_ban,
            "by_status": {str(key): n for key, n in sorted(self.by_status.items())},
            "by_path": dict(sorted(self.by_path.items())),
            "by_fault": dict(sorted(self.by_fault.items())),
            "recent": [asdict(entry) for entry in recent],
        }
