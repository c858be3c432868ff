"""Buy strength: an up-trend with rising MACD, firm RSI and more volume than usual."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar

from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.trend import Ema
from app.analysis.indicators.volatility import Atr
from app.analysis.indicators.volume import VolumeRatio
from app.analysis.window import CandleWindow
from app.config.settings import MomentumSettings
from app.core.exceptions import ConfigurationError
from app.domain.decision import ReasonCode, Refusal, Side, Signal
from app.domain.timeframe import Timeframe
from app.strategies.base import BaseStrategy, Evidence

# What full marks take. Trend: EMAs this many ATRs apart; MACD: a histogram of this
# many ATRs; volume: this many times the least ratio.
_FULL_TREND_ATR = 2.0
_FULL_MACD_ATR = 0.25
_FULL_VOLUME_MULTIPLE = 3.0


@dataclass(frozen=True, slots=True)
class _Figures:
    """What the rules look at, at the close judged."""

    close: float
    rsi: float
    macd: float
    macd_signal: float
    macd_histogram: float
    macd_histogram_previous: float
    ema_fast: float
    ema_slow: float
    atr: float
    volume_ratio: float

    def evidence(self) -> dict[str, float | None]:
        return {name: getattr(self, name) for name in self.__slots__}


class MomentumStrategy(BaseStrategy):
    """Long entries where trend, MACD, RSI and volume all agree.

    Rules, in the order in which the first one that fails names the refusal:

    1. the market moves at all (ATR above 0), else `flat_market`;
    2. fast EMA above slow EMA and close above the slow one, else `trend_down`;
    3. MACD histogram above 0 and not below the bar before, else `macd_not_rising`;
    4. RSI above `rsi_min`, else `rsi_too_low`; below `rsi_max`, else `rsi_too_high`;
    5. volume ratio at least `min_volume_ratio`, else `volume_too_low`; so it is, too,
       where nothing was traded before and there is no ratio (unless 0 is enough);
    6. a stop above 0 that lies under the entry, else `stop_unusable`;
    7. confidence at least `min_confidence`, else `confidence_too_low`.

    Confidence is 0.5 + 0.5 * (0.35 trend + 0.25 macd + 0.2 rsi + 0.2 volume), each
    part in [0, 1]: distance of the EMAs over 2 ATR; histogram over a quarter ATR;
    closeness of RSI to the middle of its band; volume ratio on the way from its least
    to three times that.
    """

    name: ClassVar[str] = "momentum"

    def __init__(self, settings: MomentumSettings) -> None:
        self._settings = settings
        self._rsi = Rsi(settings.rsi_period)
        self._macd = Macd(settings.macd_fast, settings.macd_slow, settings.macd_signal)
        self._ema_fast = Ema(settings.trend_fast)
        self._ema_slow = Ema(settings.trend_slow)
        self._atr = Atr(settings.atr_period)
        self._volume = VolumeRatio(settings.volume_period)
        self._bars_needed = max(
            self._rsi.bars_needed,
            # One more: the histogram of the bar before is judged too.
            self._macd.bars_needed + 1,
            self._ema_fast.bars_needed,
            self._ema_slow.bars_needed,
            self._atr.bars_needed,
            self._volume.bars_needed,
        )
        _check_settings(settings, self._bars_needed)

    @property
    def timeframe(self) -> Timeframe:
        return self._settings.timeframe

    @property
    def bars_needed(self) -> int:
        return self._bars_needed

    @property
    def window_bars(self) -> int:
        return self._settings.window_bars

    def decide(self, window: CandleWindow) -> Signal | Refusal:
        figures = self._figures(window)
        evidence = figures.evidence()
        undefined = [
            name for name in evidence if not math.isfinite(getattr(figures, name))
        ]
        evidence.update(dict.fromkeys(undefined))
        # The rule of volume judges a market that traded nothing.
        if undefined not in ([], ["volume_ratio"]):
            return self.refuse(window, ReasonCode.INDICATOR_WARMING_UP, evidence)
        reason = self._failed_rule(figures)
        if reason is not None:
            return self.refuse(window, reason, evidence)
        stop = figures.close - self._settings.stop_atr * figures.atr
        evidence["stop"] = stop
        if not 0 < stop < figures.close:
            return self.refuse(window, ReasonCode.STOP_UNUSABLE, evidence)
        parts = self._confidence_parts(figures)
        confidence = 0.5 + 0.5 * (
            0.35 * parts["confidence_trend"]
            + 0.25 * parts["confidence_macd"]
            + 0.2 * parts["confidence_rsi"]
            + 0.2 * parts["confidence_volume"]
        )
        evidence.update(parts)
        if confidence < self._settings.min_confidence:
            return self.refuse(
                window,
                ReasonCode.CONFIDENCE_TOO_LOW,
                evidence,
                confidence=confidence,
            )
        return self._signal(window, figures.close, stop, confidence, evidence)

    def _figures(self, window: CandleWindow) -> _Figures:
        # Each indicator sees the last `bars_needed` bars of its own, as in snapshots.
        (rsi,) = self._rsi.series(window.last(self._rsi.bars_needed))
        line, signal, histogram = self._macd.series(window.last(self._macd.bars_needed))
        before = window.last(self._macd.bars_needed + 1).first(self._macd.bars_needed)
        _, _, histogram_before = self._macd.series(before)
        (ema_fast,) = self._ema_fast.series(window.last(self._ema_fast.bars_needed))
        (ema_slow,) = self._ema_slow.series(window.last(self._ema_slow.bars_needed))
        (atr,) = self._atr.series(window.last(self._atr.bars_needed))
        (volume,) = self._volume.series(window.last(self._volume.bars_needed))
        return _Figures(
            close=float(window.close[-1]),
            rsi=float(rsi[-1]),
            macd=float(line[-1]),
            macd_signal=float(signal[-1]),
            macd_histogram=float(histogram[-1]),
            macd_histogram_previous=float(histogram_before[-1]),
            ema_fast=float(ema_fast[-1]),
            ema_slow=float(ema_slow[-1]),
            atr=float(atr[-1]),
            volume_ratio=float(volume[-1]),
        )

    def _failed_rule(self, figures: _Figures) -> ReasonCode | None:
        settings = self._settings
        if figures.atr <= 0:
            return ReasonCode.FLAT_MARKET
        if not figures.ema_fast > figures.ema_slow < figures.close:
            return ReasonCode.TREND_DOWN
        if not 0 < figures.macd_histogram >= figures.macd_histogram_previous:
            return ReasonCode.MACD_NOT_RISING
        if figures.rsi <= settings.rsi_min:
            return ReasonCode.RSI_TOO_LOW
        if figures.rsi >= settings.rsi_max:
            return ReasonCode.RSI_TOO_HIGH
        least = settings.min_volume_ratio
        if least > 0 and not figures.volume_ratio >= least:
            return ReasonCode.VOLUME_TOO_LOW
        return None

    def _confidence_parts(self, figures: _Figures) -> dict[str, float]:
        settings = self._settings
        half_band = (settings.rsi_max - settings.rsi_min) / 2
        off_middle = abs(figures.rsi - settings.rsi_min - half_band)
        spread = figures.ema_fast - figures.ema_slow
        # A least ratio of 0 asks for no volume, so any is measured against the average.
        least = settings.min_volume_ratio or 1.0
        has_ratio = not math.isnan(figures.volume_ratio)
        surplus = figures.volume_ratio / least - 1 if has_ratio else 0.0
        return {
            "confidence_trend": _unit(spread / (_FULL_TREND_ATR * figures.atr)),
            "confidence_macd": _unit(
                figures.macd_histogram / (_FULL_MACD_ATR * figures.atr)
            ),
            "confidence_rsi": _unit(1 - off_middle / half_band),
            "confidence_volume": _unit(surplus / (_FULL_VOLUME_MULTIPLE - 1)),
        }

    def _signal(
        self,
        window: CandleWindow,
        close: float,
        stop: float,
        confidence: float,
        evidence: Evidence,
    ) -> Signal:
        return Signal(
            symbol=window.symbol,
            strategy=self.name,
            timeframe=self.timeframe,
            bar_at=window.last_open_at,
            side=Side.LONG,
            confidence=confidence,
            # repr is the shortest text that is this float: the price the venue sent.
            entry_price=Decimal(repr(close)),
            stop_price=Decimal(repr(stop)),
            reason=ReasonCode.MOMENTUM_LONG,
            evidence=evidence,
        )


def _unit(value: float) -> float:
    return min(1.0, max(0.0, value))


def _check_settings(settings: MomentumSettings, bars_needed: int) -> None:
    section = "strategies.momentum"
    for low, high in (
        ("rsi_min", "rsi_max"),
        ("macd_fast", "macd_slow"),
        ("trend_fast", "trend_slow"),
    ):
        lower, upper = getattr(settings, low), getattr(settings, high)
        if lower >= upper:
            raise ConfigurationError(
                f"{section}.{low} is {lower}, it must be below {section}.{high} "
                f"({upper})"
            )
    if settings.window_bars < bars_needed:
        raise ConfigurationError(
            f"{section}.window_bars is {settings.window_bars}, the indicators "
            f"configured need at least {bars_needed}"
        )
