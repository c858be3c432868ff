"""How closely several markets follow one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.analysis.common_bars import NO_VARIATION
from app.analysis.window import CandleWindow, FloatArray, TimeArray


@dataclass(frozen=True, eq=False, slots=True)
class CorrelationMatrix:
    """Correlations of log returns, shape (symbols, symbols), in [-1, 1].

    NaN in the row and column of a market that ends before the newest bar of all, is
    too short, or whose returns never vary; and everywhere where the others have too
    few bars in common. 1 on the diagonal of all others. `bars` returns were used of
    each, all of the same bars, so that the matrix is one that returns can have.
    """

    symbols: tuple[str, ...]
    values: FloatArray
    bars: int

    def get_pair(self, first: str, second: str) -> float | None:
        """Correlation of two markets, None for NaN. Raises KeyError for a stranger."""
        for symbol in (first, second):
            if symbol not in self.symbols:
                raise KeyError(
                    f"{symbol} is not one of the {len(self.symbols)} markets"
                )
        at = self.symbols.index(first), self.symbols.index(second)
        value = float(self.values[at])
        return None if np.isnan(value) else value


def correlation_matrix(
    windows: Mapping[str, CandleWindow], bars: int = 100
) -> CorrelationMatrix:
    """Pearson correlations over the last `bars` returns between common bars.

    Raises ValueError for windows of several time frames or fewer than 2 returns.
    """
    frames = {window.timeframe for window in windows.values()}
    if len(frames) > 1 or bars < 2:
        named = sorted(frame.value for frame in frames)
        raise ValueError(
            f"correlations need one time frame and 2 returns, got {named} and {bars}"
        )
    symbols = tuple(windows)
    values = np.full((len(symbols), len(symbols)), np.nan)
    filled = [window for window in windows.values() if len(window)]
    newest = max((window.open_at[-1] for window in filled), default=None)
    used = [
        number
        for number, window in enumerate(windows.values())
        if len(window) > bars and window.open_at[-1] == newest
    ]
    if used:
        closes = _common_closes([windows[symbols[number]] for number in used])
        if closes.shape[1] > bars:
            values[np.ix_(used, used)] = _correlate(closes[:, -bars - 1 :])
    return CorrelationMatrix(symbols, values, bars)


def _common_closes(windows: Sequence[CandleWindow]) -> FloatArray:
    """Closes at the bars that all hold, shape (windows, common bars)."""
    times: TimeArray = windows[0].open_at
    for window in windows[1:]:
        if not np.array_equal(times, window.open_at):  # which is far faster to see
            times = np.intersect1d(times, window.open_at, assume_unique=True)
    return np.array([w.close[np.searchsorted(w.open_at, times)] for w in windows])


def _correlate(closes: FloatArray) -> FloatArray:
    returns = np.diff(np.log(closes), axis=1)
    returns -= returns.mean(axis=1, keepdims=True)
    variation = (returns * returns).sum(axis=1)
    variation[variation <= returns.shape[1] * NO_VARIATION] = np.nan
    returns /= np.sqrt(variation)[:, np.newaxis]
    # Sums of products, not `@`: BLAS adds up in another order on other processors.
    products = np.array([(returns * own).sum(axis=1) for own in returns])
    matrix: FloatArray = np.clip(products, -1.0, 1.0)
    known = ~np.isnan(variation)
    matrix[known, known] = 1.0
    return matrix
