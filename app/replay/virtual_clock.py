"""The replay market's time: virtual, accelerated, and remembered between runs."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path

import structlog

from app.core.clock import ScaledClock, SystemClock
from app.replay.grid import to_datetime, to_ms

log = structlog.get_logger(__name__)

SAVE_INTERVAL_SECONDS = 0.25


class VirtualClock:
    """Virtual time in milliseconds, which never passes `ends_ms`.

    `state_file` lets a later process go on where this one stopped. The file holds
    an instant two saves ahead, so that time cannot run backwards when a process
    dies between two of them. It is ignored when it belongs to another `market`.
    """

    def __init__(
        self,
        start_ms: int,
        speed: float,
        ends_ms: int | None = None,
        state_file: Path | None = None,
        market: str = "",
    ) -> None:
        self.speed, self.ends_ms = speed, ends_ms
        self._state_file, self._market = state_file, market
        resumed = self._load()
        self.resumed = resumed is not None
        begin = start_ms if resumed is None else resumed
        if ends_ms is not None:
            begin = min(begin, ends_ms)
        self._system = SystemClock()
        self._clock = ScaledClock(to_datetime(begin), self._system.now(), speed)
        self._latest = begin

    def now_ms(self) -> int:
        """The current virtual instant; never less than an earlier answer."""
        now = to_ms(self._clock.now())
        if self.ends_ms is not None:
            now = min(now, self.ends_ms)
        self._latest = max(self._latest, now)
        return self._latest

    def reading(self) -> dict[str, object]:
        """What `/replay/clock` says of time: one instant on both scales, the speed."""
        real = self._system.now()
        virtual = self._clock.virtual_at + timedelta(
            seconds=(real - self._clock.real_at).total_seconds() * self.speed
        )
        now = to_ms(virtual)
        return {
            "virtual_ms": now if self.ends_ms is None else min(now, self.ends_ms),
            "real_ms": to_ms(real),
            "speed": self.speed,
            "ends_ms": self.ends_ms,
        }

    def save(self, ahead: bool = True) -> None:
        """Write the state file atomically; `ahead` of time unless stopping."""
        if self._state_file is None:
            return
        lead_ms = round(2 * SAVE_INTERVAL_SECONDS * 1000 * self.speed) if ahead else 0
        state = {"virtual_ms": self.now_ms() + lead_ms, "market": self._market}
        self._state_file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._state_file.with_suffix(".tmp")
        draft.write_text(json.dumps(state))
        os.replace(draft, self._state_file)

    def _load(self) -> int | None:
        """The saved virtual time, unless there is none for this market."""
        if self._state_file is None or not self._state_file.exists():
            return None
        try:
            state = json.loads(self._state_file.read_text())
            virtual_ms, market = int(state["virtual_ms"]), state["market"]
        except (ValueError, KeyError, TypeError) as error:
            # Losing the place only means starting over; refusing would stop the run.
            log.warning("replay_state_unreadable", error=str(error))
            return None
        if market != self._market:
            log.warning("replay_state_of_another_market", saved=market)
            return None
        return virtual_ms
