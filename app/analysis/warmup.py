"""How many bars a recursive average needs before its start no longer matters.

An exponential average never forgets its seed, it only shrinks it by a constant factor
each bar. The seed's remaining weight after n bars is `decay ** n`; the functions below
give the smallest n at which that weight is under a tolerance. Where most bars move the
price, a value computed on that many bars differs from the one on all history by less
than 1e-6 relative. Where hardly any does, what is averaged shrinks as the seed does,
and a ratio of two such averages (RSI, ADX) may differ by any amount.
"""

from __future__ import annotations

import math
from functools import lru_cache

# Averages of prices: the seed differs from the average by less than the price level.
LEVEL_TOLERANCE = 1e-6
# Averages of changes: a violent seed may be a hundred times a quiet present.
CHANGE_TOLERANCE = 1e-8


def ema_decay(period: int) -> float:
    """Weight that an EMA of `period` bars (alpha 2 / (period + 1)) keeps a bar."""
    return (period - 1) / (period + 1)


def wilder_decay(period: int) -> float:
    """Weight that Wilder's average of `period` bars (alpha 1 / period) keeps a bar."""
    return (period - 1) / period


@lru_cache(maxsize=None)
def bars_to_forget(decay: float, tolerance: float) -> int:
    """Bars after which `decay ** bars` is at most `tolerance`."""
    if decay <= 0:
        return 0
    return math.ceil(math.log(tolerance) / math.log(decay))


@lru_cache(maxsize=None)
def bars_to_forget_twice(decay: float, tolerance: float) -> int:
    """The same for an average of an average with equal decay.

    The error of the second after n bars is `(1 + n * (1 - decay)) * decay ** n`: its
    own seed, and the first one's error that it has averaged in.
    """
    bars = bars_to_forget(decay, tolerance)
    while decay > 0 and (1 + bars * (1 - decay)) * decay**bars > tolerance:
        bars += 1
    return bars
