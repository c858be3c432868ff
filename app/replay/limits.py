"""Request weights and what happens to those who spend too much."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.replay.grid import MINUTE_MS

# After a 429, this many more requests inside the waiting time bring a ban.
_PATIENCE = 3
_FIRST_BAN_SECONDS = 120
_LONGEST_BAN_SECONDS = 3 * 86_400


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a request may pass; `used` is the weight of this virtual minute."""

    used: int
    status: int = 200
    retry_after_seconds: int = 0
    banned_until_ms: int = 0


@dataclass(slots=True)
class _Account:
    minute: int = -1
    used: int = 0
    wait_until_ms: int = 0
    banned_until_ms: int = 0
    strikes: int = 0
    bans: int = 0


@dataclass(slots=True)
class WeightLimiter:
    """Weight per virtual minute and client address, as Binance counts it.

    Too much is answered with 429 until the minute ends; who goes on asking is
    banned with 418, each time for twice as long.
    """

    per_minute: int
    _accounts: dict[str, _Account] = field(default_factory=dict)

    def admit(self, address: str, weight: int, now_ms: int) -> Verdict:
        """Count a request of `weight` and judge it."""
        account = self._accounts.setdefault(address, _Account())
        if now_ms < account.banned_until_ms:
            return self._banned(account, now_ms)
        minute = now_ms // MINUTE_MS
        if minute != account.minute:
            account.minute, account.used = minute, 0
        if now_ms >= account.wait_until_ms:
            account.strikes = 0
        if account.used + weight <= self.per_minute and not account.strikes:
            account.used += weight
            return Verdict(account.used)
        account.strikes += 1
        if account.strikes > _PATIENCE:
            seconds = min(_FIRST_BAN_SECONDS * 2**account.bans, _LONGEST_BAN_SECONDS)
            account.bans += 1
            account.strikes = 0
            account.banned_until_ms = now_ms + seconds * 1000
            return self._banned(account, now_ms)
        account.wait_until_ms = (minute + 1) * MINUTE_MS
        return Verdict(account.used, 429, _seconds(account.wait_until_ms - now_ms))

    def _banned(self, account: _Account, now_ms: int) -> Verdict:
        left = _seconds(account.banned_until_ms - now_ms)
        return Verdict(account.used, 418, left, account.banned_until_ms)


def weight_of(path: str, symbols: int | None, limit: int) -> int:
    """Binance's request weight of a spot `path`.

    `symbols` is how many were named, None when none was. Source: Binance spot API
    documentation, market data endpoints.
    """
    match path:
        case "klines":
            return 2
        case "exchangeInfo":
            return 20
        case "trades":
            return 25
        case "aggTrades":
            return 4
        case "depth":
            return 5 if limit <= 100 else 25 if limit <= 500 else 50
        case "ticker/24hr":
            if symbols is None or symbols > 100:
                return 80
            return 2 if symbols <= 20 else 40
        case "ticker/bookTicker" | "ticker/price":
            return 2 if symbols == 1 else 4
        case _:
            return 1


def _seconds(milliseconds: int) -> int:
    return max(1, -(-milliseconds // 1000))
