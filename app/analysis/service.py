"""Indicators of a window: all bars of it, or the value at its last bar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Self

import pandas as pd

from app.analysis.batch import calculate_columns, require_history, window_from
from app.analysis.divergence import (
    DIVERGENCE_RSI,
    Divergence,
    detect_divergence,
)
from app.analysis.indicator_config import IndicatorsConfig, indicators_from_config
from app.analysis.indicator_value import IndicatorValue, ValueStatus
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.base import compute_indicators as compute_indicators
from app.analysis.indicators.cmf import Cmf
from app.analysis.indicators.mfi import Mfi
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.obv import Obv
from app.analysis.indicators.realized_volatility import RealizedVolatility
from app.analysis.indicators.roc import Roc
from app.analysis.indicators.stochastic import Stochastic
from app.analysis.indicators.supertrend import SuperTrend
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.indicators.volume import VolumeRatio
from app.analysis.indicators.vwap import Vwap
from app.analysis.levels.support_resistance import PriceLevel, support_resistance
from app.analysis.levels.volume_profile import VolumeProfile, volume_profile
from app.analysis.preparation.frames import OhlcvInput
from app.analysis.window import CandleWindow, FloatArray
from app.domain.timeframe import Timeframe

DEFAULT_INDICATORS: tuple[Indicator, ...] = (
    Rsi(14),
    Macd(12, 26, 9),
    Ema(20),
    Ema(50),
    Sma(20),
    Sma(200),
    Atr(14),
    Adx(14),
    BollingerBands(20, 2.0),
    VolumeRatio(20),
    Roc(10),
    Stochastic(14, 3, 3),
    SuperTrend(10, 3.0),
    RealizedVolatility(20),
    Mfi(14),
    Cmf(20),
    Obv(200),
    Vwap("utc_day"),
)

_OVERFLOW = "the figure is beyond what a float can hold"


class IndicatorService:
    """A configured set of indicators over windows of closed bars."""

    def __init__(self, indicators: Sequence[Indicator] = DEFAULT_INDICATORS) -> None:
        names = [name for indicator in indicators for name in indicator.outputs]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"indicators must have unique outputs, doubled: {doubled}")
        self.indicators = tuple(indicators)

    @classmethod
    def from_config(cls, config: IndicatorsConfig) -> Self:
        """A service of the indicators that a configuration names.

        Raises ConfigurationError for a name or parameter that is none of ours.
        """
        return cls(indicators_from_config(config))

    @property
    def bars_needed(self) -> int:
        """Bars after which no indicator of the set warms up, on any time frame."""
        return max((item.bars_needed for item in self.indicators), default=0)

    def bars_needed_on(self, timeframe: Timeframe) -> int:
        """The same for one time frame: sessions have fewer bars of longer ones."""
        needs = (item.bars_needed_on(timeframe) for item in self.indicators)
        return max(needs, default=0)

    def requirements(self, timeframe: Timeframe | None = None) -> dict[str, Any]:
        """What each output is and needs, as plain data to store with a configuration.

        By output: indicator, its parameters, `bars_needed` (on any time frame where
        none is given) and `anchor`.
        """
        return {
            name: {
                "indicator": indicator.name,
                "parameters": asdict(indicator),  # type: ignore[call-overload]
                "bars_needed": (
                    indicator.bars_needed
                    if timeframe is None
                    else indicator.bars_needed_on(timeframe)
                ),
                "anchor": indicator.anchor,
            }
            for indicator in self.indicators
            for name in indicator.outputs
        }

    def latest(self, window: CandleWindow) -> dict[str, float | None]:
        """Value of each output at the last bar, by name; None while warming up."""
        return compute_indicators(window, self.indicators)

    def readings(self, window: CandleWindow) -> tuple[IndicatorValue, ...]:
        """Each output at the last bar with its status, its reason and its gaps."""
        values = self.latest(window)
        found: list[IndicatorValue] = []
        for indicator in self.indicators:
            needed = indicator.bars_needed_on(window.timeframe)
            missing = window.last(needed).missing_bars
            for name in indicator.outputs:
                value = values[name]
                status, reason = ValueStatus.OK, None
                if len(window) < needed:
                    status = ValueStatus.WARMING_UP
                    reason = f"{len(window)} of {needed} bars"
                elif value is None:
                    status = ValueStatus.UNDEFINED
                    reason = indicator.undefined_when or _OVERFLOW
                found.append(
                    IndicatorValue(
                        output=name,
                        value=value,
                        status=status,
                        bars_have=min(len(window), needed),
                        bars_needed=needed,
                        missing_bars=missing,
                        anchor=indicator.anchor,
                        reason=reason,
                    )
                )
        return tuple(found)

    def warming_up(self, window: CandleWindow) -> tuple[str, ...]:
        """Outputs for which the window is still too short."""
        return tuple(
            name
            for indicator in self.indicators
            if len(window) < indicator.bars_needed_on(window.timeframe)
            for name in indicator.outputs
        )

    def series(self, window: CandleWindow) -> Mapping[str, FloatArray]:
        """Each output at every bar, shape (bars,); NaN until the first value.

        For charts and research: early elements carry the truncation error that
        `latest` excludes.
        """
        return {
            name: array
            for indicator in self.indicators
            for name, array in zip(
                indicator.outputs, indicator.series(window), strict=True
            )
        }

    def batch_calculate(
        self,
        frame: OhlcvInput,
        indicators_config: IndicatorsConfig | None = None,
        *,
        timeframe: Timeframe | None = None,
        allow_warming_up: bool = False,
    ) -> pd.DataFrame:
        """A DataFrame with a column an output and a row a bar; NaN while warming up.

        `frame` holds bars in any form that `ohlcv_to_dataframe` takes. The
        configuration maps names to parameters, or to a list of them for one indicator
        several times: `{"rsi": {"period": 14}, "ema": [{"period": 20}, {}]}`; without
        one, the service's own set is computed. Names that are none of ours are looked
        up in pandas-ta-classic. `attrs["requirements"]` of the answer says for each
        column what it is, the bars it needs, its anchor, and the bars missing in the
        window of its last value.

        Raises BadData for bars that cannot be used (columns, types, order, duplicates,
        values) and where they are too few for an indicator to have a value, unless
        `allow_warming_up`; ConfigurationError for the configuration.
        """
        window = window_from(frame, timeframe)
        config = self.indicators if indicators_config is None else indicators_config
        table = calculate_columns(window, config)
        if not allow_warming_up:
            require_history(len(window), table)
        return table.set_axis(frame.index) if isinstance(frame, pd.DataFrame) else table

    def calculate_multi_timeframe(
        self,
        frames: Mapping[Timeframe, CandleWindow] | Mapping[Timeframe, OhlcvInput],
        indicators_config: IndicatorsConfig | None = None,
        *,
        allow_warming_up: bool = False,
    ) -> dict[Timeframe, pd.DataFrame]:
        """`batch_calculate` for each time frame, each on its own bars.

        Raises BadData where bars do not lie on the time frame that they are given as.
        """
        return {
            Timeframe(timeframe): self.batch_calculate(
                frame,
                indicators_config,
                timeframe=Timeframe(timeframe),
                allow_warming_up=allow_warming_up,
            )
            for timeframe, frame in frames.items()
        }

    def detect_divergence(
        self,
        frame: OhlcvInput,
        indicator: Indicator = DIVERGENCE_RSI,
        *,
        timeframe: Timeframe | None = None,
        max_bars: int = 60,
    ) -> tuple[Divergence, ...]:
        """Regular and hidden divergences; see `app.analysis.divergence`."""
        window = window_from(frame, timeframe)
        return detect_divergence(window, indicator, max_bars=max_bars)

    def support_resistance(
        self, frame: OhlcvInput, *, timeframe: Timeframe | None = None, bars: int = 300
    ) -> tuple[PriceLevel, ...] | None:
        """Levels of the last bars; see `app.analysis.levels.support_resistance`."""
        return support_resistance(window_from(frame, timeframe), bars=bars)

    def volume_profile(
        self,
        frame: OhlcvInput,
        *,
        timeframe: Timeframe | None = None,
        bars: int = 300,
        bins: int = 50,
    ) -> VolumeProfile | None:
        """Volume by price of the last bars; see `levels.volume_profile`."""
        window = window_from(frame, timeframe)
        return volume_profile(window, bars=bars, bins=bins)
