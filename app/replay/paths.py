"""One simulated symbol-day: 1440 minute bars from the factors and the day's draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.replay.bars import COLUMNS, Rows
from app.replay.catalogue import Role, SymbolSpec
from app.replay.draws import generator
from app.replay.grid import DAY_MS, MINUTE_MS
from app.replay.regimes import MINUTES, Floats, RegimeProcess

_MARKET_VOLATILITY = 0.014
_PART = np.arange(MINUTES + 1) / MINUTES
# Busiest around 15:00 UTC, quietest around 04:00.
_HOUR = np.arange(MINUTES) / 60
_DAILY_CYCLE = 1.0 + 0.35 * np.cos(2 * np.pi * (_HOUR - 15) / 24)
_PUMP_MINUTES, _PUMP_HEIGHT = 1020, 0.42
_ILLIQUID_ACTIVITY = 0.4


@dataclass(frozen=True, slots=True)
class FactorDay:
    """The market factor over one day: log level (1441), volatility a minute (1440)."""

    level: Floats
    sigma: Floats


class MarketFactor:
    """What moves all symbols together."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._process = RegimeProcess(seed, "market", 0.6, 0.25, 0.008)

    def day(self, day: int) -> FactorDay:
        """The factor on the `day`-th day since the epoch."""
        rng = generator(self._seed, "market", "day", day)
        return _factor_day(self._process, day, _MARKET_VOLATILITY, rng)


class SymbolPath:
    """Minute bars of one symbol, a day at a time."""

    def __init__(self, seed: int, spec: SymbolSpec) -> None:
        self._seed, self._spec = seed, spec
        calm = spec.role is Role.CALM
        # Two quotes of one base share their path, as arbitrage would make them.
        self._process = RegimeProcess(
            seed,
            spec.base,
            drift=0.005 if calm else spec.volatility / 0.028,
            wander=0.0003 if calm else 0.22,
            noise=0.35 * spec.volatility,
        )

    def day(self, day: int, factor: FactorDay) -> Rows:
        """The 1440 bars of the `day`-th day since the epoch.

        The first open is the close of the day before; a minute without a trade is
        a flat bar of zero volume at the last price, as Binance serves it.
        """
        spec = self._spec
        own_rng = generator(self._seed, spec.base, "day", day)
        own = _factor_day(self._process, day, spec.volatility, own_rng)
        rng = generator(self._seed, spec.symbol, "bars", day)
        log_price = np.log(spec.price) + spec.beta * factor.level + own.level
        if spec.role is Role.WILD:
            minute = np.arange(day * MINUTES, (day + 1) * MINUTES + 1)
            log_price += _PUMP_HEIGHT * np.sin(2 * np.pi * minute / _PUMP_MINUTES)
        sigma = np.sqrt((spec.beta * factor.sigma) ** 2 + own.sigma**2)
        # 1. Which minutes trade. The last always does, so that days join.
        traded = np.ones(MINUTES, dtype=bool)
        if spec.role is Role.ILLIQUID:
            traded = rng.random(MINUTES) < _ILLIQUID_ACTIVITY
            traded[-1] = True
            known = np.where(np.append(True, traded), np.arange(MINUTES + 1), 0)
            log_price = log_price[np.maximum.accumulate(known)]
        # 2. Prices in ticks; extremes of a Brownian bridge between open and close.
        rows = np.empty((MINUTES, COLUMNS), dtype=np.int64)
        rows[:, 0] = day * DAY_MS + np.arange(MINUTES) * MINUTE_MS
        rows[:, 1:5] = _prices(log_price, sigma * traded, rng, spec.price_decimals)
        # 3. Volumes: more when volatile, when moving, and in the busy hours.
        pull = np.diff(log_price) / sigma
        usual = spec.daily_volume / MINUTES * _DAILY_CYCLE / np.mean(traded)
        typical = np.sqrt(
            (spec.beta * _MARKET_VOLATILITY) ** 2 + spec.volatility**2
        ) / np.sqrt(MINUTES)
        noise = np.exp(0.45 * rng.standard_normal(MINUTES) - 0.1)
        wild = np.sqrt(sigma / typical)
        turnover = usual * wild * np.sqrt(wild) * noise * (0.55 + 0.55 * np.abs(pull))
        rows[:, 5:] = _volumes(rows, turnover, pull, rng, spec)
        rows[~traded, 5:] = 0
        return rows


def _factor_day(
    process: RegimeProcess, day: int, volatility: float, rng: np.random.Generator
) -> FactorDay:
    """Drift plus a fat-tailed noise that is bridged between its midnights."""
    regime = process.day(day)
    sigma = volatility / np.sqrt(MINUTES) * regime.agitation * np.sqrt(_DAILY_CYCLE)
    shocks, tails = rng.standard_normal((2, MINUTES))
    walk = np.concatenate(([0.0], np.cumsum(sigma * shocks * np.exp(0.35 * tails))))
    start, end = process.midnight(day), process.midnight(day + 1)
    noise = walk + start + (end - start - walk[-1]) * _PART
    return FactorDay(regime.level + noise, sigma)


def _prices(
    log_price: Floats, sigma: Floats, rng: np.random.Generator, decimals: int
) -> Rows:
    """Open, high, low and close in ticks, shape (1440, 4).

    The extreme of a Brownian bridge of variance s^2 from a to b exceeds m with
    probability exp(-2 (m - a)(m - b) / s^2); inverted, a uniform number gives it.
    """
    opened, close = log_price[:-1], log_price[1:]
    chances = 1.0 - rng.random((2, MINUTES))
    reach = np.sqrt((close - opened) ** 2 - 2 * sigma**2 * np.log(chances))
    middle = opened + close
    scale = 10.0**decimals
    ticks = np.empty((MINUTES, 4), dtype=np.int64)
    closes = np.rint(np.exp(log_price) * scale)
    ticks[:, 0], ticks[:, 3] = closes[:-1], closes[1:]
    ticks[:, 1] = np.rint(np.exp((middle + reach[0]) / 2) * scale)
    ticks[:, 2] = np.rint(np.exp((middle - reach[1]) / 2) * scale)
    # Rounding may leave an extreme a tick inside; a price is at least one tick.
    np.maximum(ticks, 1, out=ticks)
    body_high = np.maximum(ticks[:, 0], ticks[:, 3])
    body_low = np.minimum(ticks[:, 0], ticks[:, 3])
    ticks[:, 1] = np.maximum(ticks[:, 1], body_high)
    ticks[:, 2] = np.minimum(ticks[:, 2], body_low)
    return ticks


def _volumes(
    rows: Rows,
    turnover: Floats,
    pull: Floats,
    rng: np.random.Generator,
    spec: SymbolSpec,
) -> Rows:
    """Volume, quote volume, trades and taker volumes, shape (1440, 5)."""
    price = rows[:, 4] / 10.0**spec.price_decimals
    lots = np.rint(turnover / price * 10.0**spec.lot_decimals)
    volume = np.maximum(lots, 1).astype(np.int64)
    mean = (rows[:, 1] + rows[:, 2] + rows[:, 3] + rows[:, 4]) >> 2
    quote = mean * volume
    ticket = 40.0 + np.sqrt(spec.daily_volume) / 40
    spread = np.exp(0.25 * rng.standard_normal(MINUTES))
    trades = np.clip(np.rint(turnover / ticket * spread), 1, volume).astype(np.int64)
    share = 0.5 + 0.2 * np.tanh(pull) + 0.08 * rng.standard_normal(MINUTES)
    share = np.minimum(np.maximum(share, 0.02), 0.98)
    taker = (volume * share).astype(np.int64)
    taker_quote = mean * taker
    return np.stack((volume, quote, trades, taker, taker_quote), axis=1)
