"""Validated, frozen settings: one class a section, one description a key.

`docs/configuration.md` is generated from this file.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from app.domain.timeframe import Timeframe


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time needs a zone, for example 2025-01-06T00:00:00Z")
    return moment


AwareDatetime = Annotated[datetime, AfterValidator(_aware)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Section(BaseModel):
    """Base of every section: frozen, unknown keys refused, inputs never echoed."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        validate_default=True,
    )


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
        0.2,
        gt=0,
        le=0.8,
        description="Part of the venue's published rate limit that one process may "
        "use. Four processes at 0.2 stay at 80 %.",
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
        description="SQLAlchemy URL, for example "
        "`postgresql://user@host:5432/name`; empty starts the embedded server. "
        "Environment: `DATABASE_URL` or `DATABASE_URL_FILE`.",
    )
    password: SecretStr = Field(
        SecretStr(""),
        description="Password, when the URL holds none. Environment: "
        "`DATABASE_PASSWORD` or `DATABASE_PASSWORD_FILE`.",
    )
    data_directory: str = Field(
        "",
        description="Folder of the embedded server's data; empty: `.data/postgres` "
        "in the working folder, or a folder under /var/lib for root where other "
        "users cannot enter the working folder.",
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
    page_limit: int = Field(1000, ge=1, le=1000, description="Bars per request.")


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
        400, ge=50, le=5000, description="Closed bars the indicators see."
    )


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
        0.25, gt=0, le=1, description="Largest position value over equity."
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


class ReplaySettings(Section):
    """The replay market (used when `exchange.id` is `replay`)."""

    host: str = Field("127.0.0.1", min_length=1, description="Address it listens on.")
    port: int = Field(
        18080, ge=0, le=65535, description="Port it listens on; 0: any free one."
    )
    seed: int = Field(
        7, ge=0, le=2**32 - 1, description="Seed of the simulated market."
    )
    markets: int = Field(
        20, ge=4, le=1000, description="Symbols of the simulated market."
    )
    start: AwareDatetime = Field(
        datetime.fromisoformat("2025-01-05T23:52:00+00:00"),
        description="Virtual time at the first start.",
    )
    history_days: int = Field(
        600, ge=1, le=4000, description="Days of history before `start`."
    )
    speed: float = Field(
        120.0, gt=0, le=100_000, description="Virtual seconds per real second."
    )
    recording: str = Field(
        "",
        description="Folder of recorded bars (CSV or Parquet) to serve instead of "
        "the simulated market.",
    )
    recording_warmup_hours: float = Field(
        24.0,
        ge=0,
        description="Without a `start` of its own, a recording starts this long after "
        "its first bar, so that there is history to fetch.",
    )
    delisting_after_hours: float = Field(
        4.0,
        ge=0,
        description="Virtual hours from `start` until one simulated symbol stops "
        "trading; six hours later it is gone.",
    )
    weight_per_minute: int = Field(
        6000, ge=1, description="Request weight an address may use per minute."
    )
    faults: tuple[FaultSettings, ...] = Field(
        (), description="Misbehaviour on request, for tests."
    )


class FaultSettings(Section):
    """One way in which the replay market misbehaves."""

    kind: Literal[
        "status",
        "html",
        "empty",
        "null",
        "truncate",
        "hang",
        "reset",
        "missing_bars",
        "corrected_bars",
        "duplicate_bars",
        "reversed_bars",
        "short_page",
    ] = Field(..., description="What goes wrong.")
    path: str = Field("", description="Only requests whose path contains this text.")
    symbol: str = Field("", description="Only requests for this exchange symbol.")
    timeframe: str = Field(
        "", description="Only bars of this time frame (kinds about bars)."
    )
    status: int = Field(500, ge=400, le=599, description="Status code (kind `status`).")
    retry_after_seconds: int = Field(
        0, ge=0, description="`Retry-After` header (kind `status`); 0: none."
    )
    every: int = Field(
        1, ge=1, description="Every n-th matching request is hit (per fault)."
    )
    times: int = Field(0, ge=0, description="At most this many hits; 0: no limit.")
    start: AwareDatetime | None = Field(
        None, description="Virtual time (bars: open time) from which it applies."
    )
    end: AwareDatetime | None = Field(
        None, description="Virtual time (bars: open time) until which it applies."
    )
    fraction: Fraction = Field(
        1.0, description="Part of the bars hit (kinds `missing_bars`, ...)."
    )
    settles_after_seconds: float = Field(
        60.0,
        ge=0,
        description="A corrected bar shows its first value this long after its close.",
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
    replay: ReplaySettings = Field(default_factory=lambda: ReplaySettings())


ReplaySettings.model_rebuild()
Settings.model_rebuild()
