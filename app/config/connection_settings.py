"""Settings of what the program talks to: the exchange and the database."""

from __future__ import annotations

from pydantic import Field, SecretStr

from app.config.section import Section


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
