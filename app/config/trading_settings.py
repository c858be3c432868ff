"""Settings of the strategies, of risk and of the simulated account."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from pydantic import Field, model_validator

from app.config.section import Section
from app.domain.timeframe import Timeframe


class MomentumSettings(Section):
    """Rules of `MomentumStrategy`."""

    enabled: bool = Field(True, description="Whether the strategy runs.")
    timeframe: Timeframe = Field(
        Timeframe.M5, description="Time frame whose closes are judged."
    )
    window_bars: int = Field(
        400,
        ge=60,
        le=5000,
        description="Closed bars handed to the strategy; an EMA of 50 bars needs 396 "
        "to differ by less than 1e-6 from one on all history.",
    )
    rsi_period: int = Field(14, ge=2, le=200, description="RSI length in bars.")
    rsi_min: float = Field(
        52.0, ge=0, le=100, description="Long entries need an RSI above this."
    )
    rsi_max: float = Field(
        75.0, ge=0, le=100, description="... and below this (not overbought)."
    )
    macd_fast: int = Field(12, ge=2, le=200, description="Fast EMA of MACD.")
    macd_slow: int = Field(26, ge=3, le=400, description="Slow EMA of MACD.")
    macd_signal: int = Field(9, ge=2, le=200, description="Signal EMA of MACD.")
    volume_period: int = Field(
        20, ge=2, le=500, description="Bars of the volume average."
    )
    min_volume_ratio: float = Field(
        1.1, ge=0, description="Bar volume over its average, at least."
    )
    trend_fast: int = Field(20, ge=2, le=400, description="Fast EMA of the trend.")
    trend_slow: int = Field(50, ge=3, le=1000, description="Slow EMA of the trend.")
    atr_period: int = Field(14, ge=2, le=200, description="ATR length in bars.")
    stop_atr: float = Field(
        1.5, gt=0, le=20, description="Stop distance in ATRs from the entry."
    )
    min_confidence: float = Field(
        0.55, ge=0, le=1, description="Signals below this are refused."
    )

    @model_validator(mode="after")
    def _pairs_are_ordered(self) -> Self:
        """`rsi_min`, `macd_fast`, `trend_fast` are below their partners."""
        pairs = [
            ("rsi_min", self.rsi_min, "rsi_max", self.rsi_max),
            ("macd_fast", self.macd_fast, "macd_slow", self.macd_slow),
            ("trend_fast", self.trend_fast, "trend_slow", self.trend_slow),
        ]
        problems = [
            f"strategies.momentum.{low_name}: {low} is not below "
            f"strategies.momentum.{high_name} ({high})"
            for low_name, low, high_name, high in pairs
            if low >= high
        ]
        if problems:
            raise ValueError("\n  ".join(problems))
        return self


class StrategiesSettings(Section):
    """One subsection a strategy."""

    momentum: MomentumSettings = MomentumSettings()


class RiskSettings(Section):
    """How much is risked, and when no more is."""

    risk_per_trade: float = Field(
        0.01, gt=0, le=0.2, description="Part of equity lost if the stop is hit."
    )
    max_open_positions: int = Field(
        8, ge=1, le=1000, description="Simulated positions open at once."
    )
    max_position_fraction: float = Field(
        0.125,
        gt=0,
        le=1,
        description="Largest position value over equity. Times `max_open_positions` "
        "it is the most that is invested at once; above 1 the account borrows.",
    )
    min_notional: float = Field(
        10.0, ge=0, description="Smallest position value, in the quote currency."
    )


class TakeProfitStage(Section):
    """One stage of profit taking."""

    r_multiple: float = Field(
        ..., gt=0, le=100, description="Distance from entry, in initial risks (R)."
    )
    fraction: float = Field(
        ..., gt=0, le=1, description="Part of the initial quantity sold there."
    )


class SimulationSettings(Section):
    """The simulated account."""

    initial_equity: Decimal = Field(
        Decimal("10000"), gt=0, description="Starting cash, in the quote currency."
    )
    fee_rate: Decimal = Field(
        Decimal("0.001"), ge=0, le=Decimal("0.1"), description="Fee per fill, taker."
    )
    slippage_bps: Decimal = Field(
        Decimal("2"), ge=0, le=500, description="Slippage per fill, basis points."
    )
    take_profits: tuple[TakeProfitStage, ...] = Field(
        (
            TakeProfitStage(r_multiple=1.0, fraction=0.4),
            TakeProfitStage(r_multiple=2.0, fraction=0.3),
            TakeProfitStage(r_multiple=3.0, fraction=0.3),
        ),
        description="Stages of profit taking, nearest first; fractions sum to at "
        "most 1, the rest is left to the trailing stop.",
    )
    trailing_after_r: float = Field(
        1.0, ge=0, le=100, description="The stop trails once price has moved this R."
    )
    trailing_distance_r: float = Field(
        1.0, gt=0, le=100, description="Distance of the trailing stop, in R."
    )
    max_holding_bars: int = Field(
        2880, ge=1, description="A trade is closed after this many one-minute bars."
    )
    step_timeframe: Timeframe = Field(
        Timeframe.M1, description="Candles that open trades are stepped through."
    )
    poll_seconds: float = Field(
        15.0, gt=0, description="Longest time between two passes."
    )

    @model_validator(mode="after")
    def _take_profits_are_a_plan(self) -> Self:
        """`take_profits`: fractions sum to at most 1, `r_multiple` ascends."""
        key = "simulation.take_profits"
        total = sum(Decimal(str(stage.fraction)) for stage in self.take_profits)
        if total > 1:
            raise ValueError(f"{key}: the fractions sum to {total}, above the bound 1")
        targets = [stage.r_multiple for stage in self.take_profits]
        if targets != sorted(set(targets)):
            raise ValueError(f"{key}: r_multiple must ascend, got {targets}")
        return self
