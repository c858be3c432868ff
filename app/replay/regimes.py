"""Regimes of one price factor: which way it drifts, and how wildly, hours on end.

Time is cut into blocks of `BLOCK_DAYS`. A block is drawn from its own key and ends
where the next one begins, so any day can be had without the days before it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.replay.draws import generator

Floats = NDArray[np.float64]

BLOCK_DAYS = 64
MINUTES = 1440
_BLOCK_MINUTES = BLOCK_DAYS * MINUTES
_BLOCK_HOURS = BLOCK_DAYS * 24
_SEGMENTS = 1024
_KEPT_BLOCKS = 4

# Trending up, trending down, ranging, volatile: how often, sign, volatility.
_SHARE = np.array([0.30, 0.25, 0.31, 0.14])
_DIRECTION = np.array([1.0, -1.0, 0.0, 0.0])
_AGITATION = np.array([1.0, 1.1, 0.6, 1.9])


@dataclass(frozen=True, slots=True)
class RegimeDay:
    """One UTC day: `level` (1441 points, log price), `agitation` (1440 minutes)."""

    level: Floats
    agitation: Floats


@dataclass(frozen=True, slots=True)
class _Block:
    knots: Floats  # minutes from the block's start, segments + 1
    levels: Floats  # log price at the knots
    agitation: Floats  # volatility multiplier of each segment
    hourly: Floats  # slow volatility multiplier, one an hour, plus the last again
    midnights: Floats  # where the noise stands at each midnight, one a day


class RegimeProcess:
    """Piecewise drift with volatility that clusters, keyed by (seed, name).

    `drift` scales the hourly drift of trends, `wander` is the standard deviation of
    the log level at block boundaries and `noise` that of the noise at midnight.
    """

    def __init__(
        self, seed: int, name: str, drift: float, wander: float, noise: float
    ) -> None:
        self._seed, self._name = seed, name
        self._drift, self._wander, self._noise = drift, wander, noise
        self._blocks: OrderedDict[int, _Block] = OrderedDict()

    def day(self, day: int) -> RegimeDay:
        """Level and agitation of the `day`-th day since the epoch."""
        block, offset = self._block(day // BLOCK_DAYS), day % BLOCK_DAYS * MINUTES
        points = np.arange(offset, offset + MINUTES + 1, dtype=np.float64)
        level = np.interp(points, block.knots, block.levels)
        segment = np.searchsorted(block.knots, points[:-1], side="right") - 1
        slow = np.interp(points[:-1] / 60, np.arange(_BLOCK_HOURS + 1), block.hourly)
        return RegimeDay(level, block.agitation[segment] * slow)

    def midnight(self, day: int) -> float:
        """Where the noise stands when the `day`-th day begins."""
        return float(self._block(day // BLOCK_DAYS).midnights[day % BLOCK_DAYS])

    def _block(self, index: int) -> _Block:
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = self._draw(index)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(index)
        return block

    def _anchor(self, index: int) -> float:
        rng = generator(self._seed, self._name, "anchor", index)
        return self._wander * float(np.clip(rng.standard_normal(), -2, 2))

    def _draw(self, index: int) -> _Block:
        rng = generator(self._seed, self._name, "regime", index)
        # 1. Segments of two hours to three days until the block is full.
        lengths = np.clip(rng.lognormal(np.log(540), 0.8, _SEGMENTS), 120, 4320)
        ends = np.cumsum(lengths)
        count = int(np.searchsorted(ends, _BLOCK_MINUTES)) + 1
        knots = np.concatenate(([0.0], ends[: count - 1], [float(_BLOCK_MINUTES)]))
        # 2. A kind and a drift for each; then bend the whole to the next anchor.
        kinds = rng.choice(4, size=_SEGMENTS, p=_SHARE)[:count]
        hourly_drift = rng.uniform(0.0012, 0.0048, _SEGMENTS)[:count] * self._drift
        moves = _DIRECTION[kinds] * hourly_drift * np.diff(knots) / 60
        levels = np.concatenate(([0.0], np.cumsum(moves)))
        start, end = self._anchor(index), self._anchor(index + 1)
        levels += start + (end - start - levels[-1]) * knots / _BLOCK_MINUTES
        # 3. Volatility that decays over some hours (an AR(1) of hourly shocks).
        shocks = rng.standard_normal(_BLOCK_HOURS + 48)
        memory = 0.9 ** np.arange(49)
        slow = np.convolve(shocks, memory, mode="valid") * np.sqrt(1 - 0.81)
        hourly = np.exp(0.45 * slow - 0.1)
        midnights = self._noise * rng.standard_normal(BLOCK_DAYS)
        return _Block(
            knots, levels, _AGITATION[kinds], np.append(hourly, hourly[-1]), midnights
        )
