"""Which kind of market a window shows: all readings behind one door."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from app.analysis.beta import latest_beta, rolling_beta
from app.analysis.breadth import BreadthReading, market_breadth
from app.analysis.correlation import return_correlation
from app.analysis.correlation_matrix import CorrelationMatrix, correlation_matrix
from app.analysis.impulse import ImpulseReading, impulse_bars_needed, read_impulse
from app.analysis.market_context import (
    MarketContext,
    TimeframeContext,
    agreement_of,
    find_as_of,
)
from app.analysis.regimes.detection import (
    DEFAULT_RULES,
    RegimeReading,
    RegimeSeries,
    read_regime,
    regime_series,
)
from app.analysis.regimes.rules import RegimeRules
from app.analysis.sessions import session_flags
from app.analysis.trend_strength import TrendReading, read_trend
from app.analysis.volatility.reading import (
    VolatilityReading,
    read_volatility,
    volatility_needs,
)
from app.analysis.volume_anomaly import VolumeReading, read_volume
from app.analysis.window import CandleWindow, FloatArray
from app.domain.timeframe import Timeframe


class MarketAnalyzer:
    """Reads regime, volatility, volume and company from windows of closed bars.

    Each reading is of a window's last bar and depends on a fixed number of bars before
    it; with fewer it is None, with more the same.
    """

    def __init__(
        self,
        rules: RegimeRules = DEFAULT_RULES,
        *,
        trend_bars: int = 50,
        volatility_bars: int = 30,
        percentile_bars: int = 100,
        volume_bars: int = 50,
        correlation_bars: int = 100,
        impulse_bars: int = 3,
        impulse_atr: float = 3.0,
    ) -> None:
        self._rules = rules
        self._trend_bars = trend_bars
        self._volatility_bars = volatility_bars
        self._percentile_bars = percentile_bars
        self._volume_bars = volume_bars
        self._correlation_bars = correlation_bars
        self._impulse_bars, self._impulse_atr = impulse_bars, impulse_atr

    @property
    def needs(self) -> dict[str, int]:
        """Bars after which each kind of reading is complete."""
        return {
            "regime": self._rules.bars_needed,
            "trend": self._trend_bars,
            "volatility": max(self.volatility_needs.values()),
            "volume": self._volume_bars + 1,
            "correlation": self._correlation_bars + 1,
            "impulse": impulse_bars_needed(self._impulse_bars),
        }

    @property
    def volatility_needs(self) -> dict[str, int]:
        """Bars after which each part of the volatility can be read."""
        return volatility_needs(self._volatility_bars, self._percentile_bars)

    @property
    def bars_needed(self) -> int:
        """Bars after which everything can be read."""
        return max(self.needs.values())

    def regime(self, window: CandleWindow) -> RegimeReading:
        """Regime at the last bar, held on to until another one is clear."""
        return read_regime(window, self._rules)

    def regimes(
        self, windows: Mapping[Timeframe, CandleWindow]
    ) -> dict[Timeframe, RegimeReading]:
        """Regime of each time frame at its own last bar."""
        return {frame: self.regime(window) for frame, window in windows.items()}

    def regime_series(self, window: CandleWindow) -> RegimeSeries:
        """Regime at every bar, for charts and research."""
        return regime_series(window, self._rules)

    def trend(self, window: CandleWindow) -> TrendReading:
        """Direction and straightness of the last closes."""
        return read_trend(window, self._trend_bars)

    def volatility(self, window: CandleWindow) -> VolatilityReading:
        """Volatility from closes and from ranges, and next to its own past."""
        return read_volatility(window, self._volatility_bars, self._percentile_bars)

    def volume(self, window: CandleWindow) -> VolumeReading:
        """Whether the last bar traded unusually much or little."""
        return read_volume(window, self._volume_bars)

    def btc_correlation(
        self, window: CandleWindow, btc_window: CandleWindow
    ) -> float | None:
        """Correlation of returns with BTC's over `correlation_bars`, in [-1, 1]."""
        return return_correlation(window, btc_window, self._correlation_bars)

    def btc_beta(self, window: CandleWindow, btc_window: CandleWindow) -> float | None:
        """Beta to BTC over `correlation_bars` returns of common bars."""
        return latest_beta(window, btc_window, self._correlation_bars)

    def rolling_beta(
        self, window: CandleWindow, btc_window: CandleWindow
    ) -> FloatArray:
        """Beta to BTC at every bar of `window`; NaN where it is undefined."""
        return rolling_beta(window, btc_window, self._correlation_bars)

    def correlation_matrix(
        self, windows: Mapping[str, CandleWindow]
    ) -> CorrelationMatrix:
        """Correlations of several markets over bars that all of them hold."""
        return correlation_matrix(windows, self._correlation_bars)

    def breadth(self, windows: Mapping[str, CandleWindow]) -> BreadthReading:
        """How many markets climb, stand above their EMA, and reach new highs."""
        return market_breadth(windows)

    def btc_impulse(self, btc_window: CandleWindow) -> ImpulseReading:
        """Whether BTC is moving violently right now, where to and by how many ATRs."""
        return read_impulse(btc_window, self._impulse_bars, self._impulse_atr)

    def get_market_context(
        self,
        windows: Mapping[Timeframe, CandleWindow],
        btc_window: CandleWindow | None = None,
        markets: Mapping[str, CandleWindow] | None = None,
    ) -> MarketContext:
        """Everything about one market as it was known at one instant.

        That is the close of the last bar of the shortest time frame. Bars of any window
        that closed later are left out, whoever passed them in.
        """
        symbol = next((window.symbol for window in windows.values()), "")
        as_of = find_as_of(windows)
        if as_of is None:
            return MarketContext(symbol, None, {}, None, None, None, None)
        contexts = self._timeframes(windows, as_of)
        impulse = breadth = None
        if btc_window is not None:
            impulse = self.btc_impulse(_closed_by(btc_window, as_of))
        if markets is not None:
            cut = {name: _closed_by(window, as_of) for name, window in markets.items()}
            breadth = self.breadth(cut)
        return MarketContext(
            symbol,
            as_of,
            contexts,
            agreement_of(contexts),
            session_flags(as_of),
            impulse,
            breadth,
        )

    def _timeframes(
        self, windows: Mapping[Timeframe, CandleWindow], as_of: datetime
    ) -> dict[Timeframe, TimeframeContext]:
        contexts = {}
        for timeframe in sorted(windows, key=lambda frame: frame.duration):
            window = _closed_by(windows[timeframe], as_of)
            if not len(window):
                continue
            contexts[timeframe] = TimeframeContext(
                bar_at=window.last_open_at,
                bars=len(window),
                missing_bars=window.missing_bars,
                regime=self.regime(window),
                trend=self.trend(window),
                volatility=self.volatility(window),
                volume=self.volume(window),
            )
        return contexts


def _closed_by(window: CandleWindow, moment: datetime) -> CandleWindow:
    return window.until(window.timeframe.last_closed(moment))
