"""Which kind of market a window shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.analysis.correlation import return_correlation
from app.analysis.indicators.trend import Adx, Ema
from app.analysis.indicators.volatility import Atr
from app.analysis.service import compute_indicators
from app.analysis.window import CandleWindow
from app.domain.regime import Regime


@dataclass(frozen=True, slots=True)
class RegimeReading:
    """A regime and the figures it was read from; all None while warming up.

    `ema_slope` is the change of the EMA over `slope_bars`, in ATRs a bar;
    `atr_percentile` the part of recent bars whose ATR over close was at most the
    last one's, in (0, 1].
    """

    regime: Regime | None
    adx: float | None
    ema_slope: float | None
    atr_percentile: float | None


class MarketAnalyzer:
    """Reads regime and correlation from windows of closed bars."""

    def __init__(
        self,
        *,
        trend_adx: float = 25.0,
        volatile_percentile: float = 0.95,
        slope_bars: int = 10,
        percentile_bars: int = 100,
        correlation_bars: int = 100,
    ) -> None:
        self._adx, self._ema, self._atr = Adx(14), Ema(20), Atr(14)
        self._trend_adx = trend_adx
        self._volatile_percentile = volatile_percentile
        self._slope_bars = slope_bars
        self._percentile_bars = percentile_bars
        self._correlation_bars = correlation_bars

    @property
    def bars_needed(self) -> int:
        """Bars after which a regime can be read."""
        return max(
            self._adx.bars_needed,
            self._ema.bars_needed + self._slope_bars,
            self._atr.bars_needed + self._percentile_bars - 1,
        )

    def regime(self, window: CandleWindow) -> RegimeReading:
        """Regime at the last bar.

        Trending where ADX is at least `trend_adx` (Wilder reads 25 as a trend) and the
        EMA slopes; else volatile where the ATR is near its highest of late; else
        ranging.
        """
        if len(window) < self.bars_needed:
            return RegimeReading(None, None, None, None)
        window = window.last(self.bars_needed)
        adx = compute_indicators(window, [self._adx])[self._adx.outputs[0]]
        (ema,) = self._ema.series(window)
        (atr,) = self._atr.series(window)
        slope = float(ema[-1] - ema[-1 - self._slope_bars]) / self._slope_bars
        slope = slope / float(atr[-1]) if atr[-1] > 0 else 0.0
        relative = (atr / window.close)[-self._percentile_bars :]
        percentile = float(np.mean(relative <= relative[-1]))
        regime = self._classify(adx or 0.0, slope, percentile, float(atr[-1]))
        return RegimeReading(regime, adx, slope, percentile)

    def btc_correlation(
        self, window: CandleWindow, btc_window: CandleWindow
    ) -> float | None:
        """Correlation of returns with BTC's over `correlation_bars`, in [-1, 1]."""
        return return_correlation(window, btc_window, self._correlation_bars)

    def _classify(
        self, adx: float, slope: float, percentile: float, atr: float
    ) -> Regime:
        if adx >= self._trend_adx and slope != 0:
            return Regime.TRENDING_UP if slope > 0 else Regime.TRENDING_DOWN
        if atr > 0 and percentile >= self._volatile_percentile:
            return Regime.VOLATILE
        return Regime.RANGING
