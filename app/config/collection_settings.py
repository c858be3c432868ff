"""Settings of what is collected: which markets, which bars, which snapshots."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from app.config.section import IndicatorNames, Section
from app.domain.timeframe import Timeframe


class FilterSettings(Section):
    """Which markets are collected (the market filter)."""

    interval_seconds: float = Field(900.0, gt=0, description="Time between two passes.")
    quote_currencies: tuple[str, ...] = Field(
        ("USDT",), min_length=1, description="Quote currencies admitted."
    )
    symbols: tuple[str, ...] = Field(
        (),
        description="Admit exactly these symbols, as long as they trade, and skip "
        "every other rule; empty: use the rules.",
    )
    exclude_symbols: tuple[str, ...] = Field((), description="Never admit these.")
    min_quote_volume_24h: float = Field(
        1_000_000.0, ge=0, description="Least 24 h volume, in the quote currency."
    )
    max_spread_bps: float = Field(
        20.0, gt=0, description="Largest bid/ask spread, in basis points of the mid."
    )
    min_volatility_24h: float = Field(
        0.002, ge=0, description="Least 24 h range (high - low) / low; 0.002 = 0.2 %."
    )
    max_volatility_24h: float = Field(
        0.80, gt=0, description="Largest 24 h range (high - low) / low."
    )
    min_market_cap: float = Field(
        0.0,
        ge=0,
        description="Least market capitalisation in the quote currency; judged only "
        "where the capitalisation is known.",
    )
    max_markets: int = Field(
        100, ge=1, le=5000, description="The most markets admitted, by volume."
    )

    @model_validator(mode="after")
    def _volatility_is_a_range(self) -> Self:
        """`min_volatility_24h` < `max_volatility_24h`."""
        if self.min_volatility_24h >= self.max_volatility_24h:
            raise ValueError(
                f"filter.min_volatility_24h: {self.min_volatility_24h} is not below "
                f"filter.max_volatility_24h ({self.max_volatility_24h})"
            )
        return self


class CollectorSettings(Section):
    """What the collector stores."""

    timeframes: tuple[Timeframe, ...] = Field(
        (
            Timeframe.M1,
            Timeframe.M5,
            Timeframe.M15,
            Timeframe.H1,
            Timeframe.H4,
            Timeframe.D1,
        ),
        min_length=1,
        description="Time frames collected for every admitted market.",
    )
    history_bars: int = Field(
        500,
        ge=1,
        le=1_000_000,
        description="Bars of history fetched for a new series.",
    )
    settle_seconds: float = Field(
        2.0, ge=0, le=60, description="Wait after a bar closes before asking for it."
    )
    poll_seconds: float = Field(
        15.0, gt=0, description="Longest time between two looks for new bars."
    )
    correction_bars: int = Field(
        2,
        ge=0,
        le=100,
        description="Closed bars re-read with every request, to see corrections.",
    )
    recheck_delays_seconds: tuple[int, ...] = Field(
        (60, 3_600, 86_400, 604_800),
        description="How long after its close each bar is read again, to see "
        "corrections; empty: only `correction_bars`.",
    )
    rechecks_per_pass: int = Field(
        32, ge=0, le=10_000, description="Most pages read again in one pass."
    )
    page_limit: int = Field(1000, ge=1, le=1000, description="Bars per request.")
    tail_grace_seconds: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="How long after its close a bar may still be late before its slot "
        "is recorded as a gap.",
    )

    @model_validator(mode="after")
    def _delays_ascend(self) -> Self:
        """`recheck_delays_seconds` are positive and ascend."""
        delays = self.recheck_delays_seconds
        if list(delays) != sorted({delay for delay in delays if delay > 0}):
            raise ValueError(
                f"collector.recheck_delays_seconds: {list(delays)} must be positive "
                "and ascend"
            )
        return self

    @model_validator(mode="after")
    def _each_timeframe_once(self) -> Self:
        """`timeframes` lists no time frame twice."""
        for timeframe in self.timeframes:
            if self.timeframes.count(timeframe) > 1:
                raise ValueError(f"collector.timeframes: {timeframe} is listed twice")
        return self


class SnapshotSettings(Section):
    """What the snapshotter stores."""

    interval_seconds: int = Field(
        300, ge=60, le=86_400, description="Time between snapshots, on the UTC grid."
    )
    timeframes: tuple[Timeframe, ...] = Field(
        (Timeframe.M5, Timeframe.H1, Timeframe.H4),
        min_length=1,
        description="Time frames whose indicators a snapshot holds.",
    )
    order_book_depth: int = Field(
        20, ge=1, le=1000, description="Order book levels read per side."
    )
    window_bars: int = Field(
        400,
        ge=50,
        le=5000,
        description="Fewest bar slots read of a series. What everything configured "
        "needs, and a quarter more to bridge gaps, is read in any case.",
    )
    indicators: IndicatorNames = Field(
        {},
        description="Indicators by name with their parameters, `null` for defaults or "
        "a list for several of a kind: `{rsi: {period: 14}, ema: [{period: 20}, "
        "{period: 50}]}`; empty: the default set.",
    )
    taker_trades: int = Field(
        0,
        ge=0,
        le=1000,
        description="Newest trades read of each market for the taker flow in its "
        "sentiment; one more request a market. 0: none.",
    )
