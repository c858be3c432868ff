"""The markets that the seeds are run on, with what is wrong with them for good."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.config.settings import ReplaySettings, Settings

MINUTE = timedelta(minutes=1)
LENGTH = 60 * MINUTE
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "WAVESUSDT")
MARKETS = 8
HISTORY_BARS = 60

# Ends of months and days, a leap day, nights in which clocks change elsewhere.
_STARTS = (
    "2025-01-31T23:21:30+00:00",
    "2025-01-05T23:52:00+00:00",
    "2024-02-29T11:59:59+00:00",
    "2025-03-30T00:40:10+00:00",
    "2024-12-31T23:10:00+00:00",
    "2025-02-28T23:59:03+00:00",
    "2024-11-03T05:30:00+00:00",
    "2025-06-15T12:00:01+00:00",
)
_CATCH_UP_MINUTES = (6, 70, 135, 215)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One market: `facts` hold in the undisturbed run as well."""

    number: int
    start: datetime
    timeframes: tuple[str, ...]
    facts: tuple[dict[str, Any], ...]
    delisting_after_hours: float

    @property
    def end(self) -> datetime:
        """Bars that close until then are compared."""
        return self.start + LENGTH

    @property
    def corrects(self) -> bool:
        """Whether the exchange corrects bars."""
        return any(fact["kind"] == "corrected_bars" for fact in self.facts)

    @property
    def gone(self) -> int | None:
        """The market (by key) that is delisted or renamed in the end."""
        names = [f["symbol"] for f in self.facts if f["kind"] in ("delist", "rename")]
        return SYMBOLS.index(names[0]) + 1 if names else None

    @property
    def catch_up(self) -> tuple[datetime, ...]:
        """Passes after everything was healed: repairs, confirmations, re-reads."""
        return tuple(self.end + minutes * MINUTE for minutes in _CATCH_UP_MINUTES)

    def replay_settings(self) -> ReplaySettings:
        """The market as the undisturbed run sees it, without its facts."""
        return ReplaySettings(
            seed=self.number,
            markets=len(SYMBOLS),
            start=self.start,
            history_days=10,
            delisting_after_hours=self.delisting_after_hours,
            served_log=True,
        )


def scenario(number: int) -> Scenario:
    """The `number`-th market (of `MARKETS`)."""
    rng = random.Random(f"chaos market {number}")
    start = datetime.fromisoformat(_STARTS[number])
    facts: list[dict[str, Any]] = [
        # Bars that the exchange does not have and never will.
        _bars(
            "missing_bars",
            start - 50 * MINUTE,
            start + LENGTH,
            symbol="SOLUSDT",
            timeframe="1m",
            fraction=rng.choice((0.03, 0.15)),
        ),
        # Bars whose first value is corrected later.
        _bars(
            "corrected_bars",
            start - 5 * MINUTE,
            start + LENGTH,
            fraction=0.15,
            settles_after_seconds=rng.choice((50.0, 170.0, 900.0, 3000.0)),
        ),
    ]
    if number % 8 == 6:
        facts.pop()  # here time frames must agree to the last digit
    if number % 2:
        out = start + rng.randrange(8, 40) * MINUTE
        facts.append(_bars("missing_bars", out, out + 4 * MINUTE, timeframe="1m"))
    # Once the bars compared are out: what is gone cannot be had afterwards.
    if number % 4 == 3:
        facts.append(_listing("delist", start + LENGTH + 20 * MINUTE))
    if number % 4 == 0:
        change = _listing("rename", start + LENGTH + 20 * MINUTE)
        facts.append({**change, "rename_to": "WAVEUSDT"})
    hours = 0.4 if number % 4 == 1 else 1000.0  # until WAVESUSDT is halted
    frames = ("1m", "5m", "1h") if number % 4 == 2 else ("1m", "5m")
    return Scenario(number, start, frames, tuple(facts), hours)


def settings_for(
    case: Scenario, market_url: str, page_limit: int = 200, **database: float
) -> Settings:
    """The collector's settings: small pages, and patience of a second or less."""
    return Settings.model_validate(
        {
            "exchange": {
                "replay_url": market_url,
                "request_timeout_seconds": 0.6,
                "call_deadline_seconds": 20.0,
                "max_attempts": 2,
            },
            "database": {
                "pool_size": 2,
                "connect_timeout_seconds": 1,
                "statement_deadline_seconds": 1.0,
                "lock_timeout_seconds": 0.2,
                **database,
            },
            "collector": {
                "timeframes": case.timeframes,
                "history_bars": HISTORY_BARS,
                "page_limit": page_limit,
                "settle_seconds": 0.0,
            },
            "snapshot": {"timeframes": ("5m",)},
        }
    )


def _bars(kind: str, start: datetime, end: datetime, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "start": start, "end": end, **more}


def _listing(kind: str, start: datetime) -> dict[str, Any]:
    return {"kind": kind, "symbol": "WAVESUSDT", "start": start}
