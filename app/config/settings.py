"""Validated, frozen settings: one class a section, one description a key.

`docs/configuration.md` and `config.yaml.example` are generated from these classes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from app.config.replay_settings import FaultSettings, ReplaySettings
from app.config.section import AwareDatetime, Fraction, IndicatorNames, Section
from app.config.trading_settings import (
    MomentumSettings,
    RiskSettings,
    SimulationSettings,
    StrategiesSettings,
    TakeProfitStage,
)
from app.domain.timeframe import Timeframe

__all__ = [
    "ApplicationSettings",
    "AwareDatetime",
    "CollectorSettings",
    "DatabaseSettings",
    "ExchangeSettings",
    "FaultSettings",
    "FilterSettings",
    "Fraction",
    "MomentumSettings",
    "ReplaySettings",
    "RiskSettings",
    "Section",
    "Settings",
    "SimulationSettings",
    "SnapshotSettings",
    "StrategiesSettings",
    "TakeProfitStage",
]


class ExchangeSettings(Section):
    """Which exchange is read, and how politely."""

    id: str = Field(
        "replay",
        pattern=r"^[a-z0-9_]+$",
        description="`replay` for the bundled replay market, or any ccxt exchange "
        "id (`binance`, `kraken`, ...).",
    )
    replay_url: str = Field(
        "",
        description="Where the replay market listens; empty: "
        "`http://{replay.host}:{replay.port}`.",
    )
    call_deadline_seconds: float = Field(
        60.0, gt=0, le=600, description="Total time for one call, retries included."
    )
    request_timeout_seconds: float = Field(
        10.0, gt=0, le=120, description="Time for one HTTP request."
    )
    max_attempts: int = Field(5, ge=1, le=20, description="Tries per call.")
    budget_share: float = Field(
        0.8,
        gt=0,
        le=0.8,
        description="Part of the venue's published rate limit that all processes of "
        "one `address` may use together; they keep one count in the database.",
    )
    address: str = Field(
        "local",
        pattern=r"^[A-Za-z0-9._:-]{1,64}$",
        description="Name of the public IP address that the venue sees. Processes "
        "behind one address share its budget and its bans; give each address its "
        "own name.",
    )
    max_concurrent_requests: int = Field(
        8, ge=1, le=64, description="Requests of one process under way at once."
    )
    max_body_bytes: int = Field(
        16 * 1024 * 1024,
        ge=1024,
        le=256 * 1024 * 1024,
        description="Largest reply body accepted.",
    )
    markets_ttl_seconds: float = Field(
        3600.0, ge=0, description="How long the market list is cached."
    )
    tickers_ttl_seconds: float = Field(
        5.0, ge=0, description="How long a batch of tickers is cached."
    )


class DatabaseSettings(Section):
    """Where PostgreSQL is. Without a URL the embedded server is used."""

    url: SecretStr = Field(
        SecretStr(""),
        validate_default=False,  # strict JSON would want it as text
        description="SQLAlchemy URL, for example "
        "`postgresql://user@host:5432/name`; empty starts the embedded server. "
        "Environment: `DATABASE_URL` or `DATABASE_URL_FILE`.",
    )
    password: SecretStr = Field(
        SecretStr(""),
        validate_default=False,  # strict JSON would want it as text
        description="Password, when the URL holds none. Environment: "
        "`DATABASE_PASSWORD` or `DATABASE_PASSWORD_FILE`.",
    )
    data_directory: str = Field(
        "",
        description="Folder of the embedded server's data; empty: "
        "`{application.state_directory}/{market}/postgres`, or a folder under /var/lib "
        "for root where other users cannot enter that one.",
    )
    pool_size: int = Field(3, ge=1, le=50, description="Connections per process.")
    max_overflow: int = Field(2, ge=0, le=50, description="Connections on top.")
    connect_timeout_seconds: int = Field(5, ge=1, le=60, description="To connect.")
    statement_deadline_seconds: float = Field(
        30.0,
        gt=0,
        le=3600,
        description="Client-side limit on every statement; then the connection is "
        "cut, because a black hole never answers.",
    )
    lock_timeout_seconds: float = Field(
        5.0, gt=0, le=600, description="Server-side limit on waiting for a lock."
    )


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

    tail_grace_seconds: float = Field(
        300.0,
        ge=0,
        le=86_400,
        description="How long after its close a bar may still be late before its slot "
        "is recorded as a gap.",
    )


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


class ApplicationSettings(Section):
    """The processes themselves."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="Least severe message logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Lines for people or for machines."
    )
    state_directory: str = Field(
        ".data", description="Folder for logs and state files."
    )
    watchdog_seconds: float = Field(
        300.0,
        gt=0,
        description="Real seconds without progress after which a process exits 70.",
    )
    max_data_lag_seconds: float = Field(
        900.0,
        ge=0,
        description="How long the scanner waits for a late series before it judges "
        "the others without it.",
    )


class Settings(Section):
    """The whole configuration."""

    exchange: ExchangeSettings = ExchangeSettings()
    database: DatabaseSettings = DatabaseSettings()
    filter: FilterSettings = FilterSettings()
    collector: CollectorSettings = CollectorSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    strategies: StrategiesSettings = StrategiesSettings()
    risk: RiskSettings = RiskSettings()
    simulation: SimulationSettings = SimulationSettings()
    application: ApplicationSettings = ApplicationSettings()
    replay: ReplaySettings = ReplaySettings()

    @model_validator(mode="after")
    def _used_timeframes_are_collected(self) -> Self:
        """Time frames that any section uses are among `collector.timeframes`."""
        used = {
            "snapshot.timeframes": self.snapshot.timeframes,
            "strategies.momentum.timeframe": (self.strategies.momentum.timeframe,),
            "simulation.step_timeframe": (self.simulation.step_timeframe,),
        }
        collected = self.collector.timeframes
        problems = [
            f"{key}: {timeframe} is not among collector.timeframes "
            f"({', '.join(map(str, collected))})"
            for key, timeframes in used.items()
            for timeframe in timeframes
            if timeframe not in collected
        ]
        if problems:
            raise ValueError("\n  ".join(problems))
        return self

    @model_validator(mode="after")
    def _trades_can_be_stepped_to_every_close(self) -> Self:
        """`simulation.step_timeframe` divides `strategies.momentum.timeframe`."""
        step = self.simulation.step_timeframe
        judged = self.strategies.momentum.timeframe
        # A close inside a candle would cut it: trades could never be stepped to it.
        is_divisor = judged.duration % step.duration == timedelta(0)
        if step is not judged and (step.is_month or not is_divisor):
            raise ValueError(
                f"simulation.step_timeframe: {step} does not divide "
                f"strategies.momentum.timeframe ({judged})"
            )
        return self
