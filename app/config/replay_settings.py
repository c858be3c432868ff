"""Settings of the replay market and of the faults it plays."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from app.config.section import AwareDatetime, Fraction, Section


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
        "overlapping_pages",
        "shuffled_bars",
        "halt",
        "delist",
        "rename",
        "clock_skew",
    ] = Field(..., description="What goes wrong.")
    path: str = Field("", description="Only requests whose path contains this text.")
    symbol: str = Field("", description="Only requests for this exchange symbol.")
    timeframe: str = Field(
        "", description="Only bars of this time frame (kinds about bars)."
    )
    status: int = Field(500, ge=400, le=599, description="Status code (kind `status`).")
    retry_after_seconds: float = Field(
        0.0, ge=0, description="`Retry-After` header (kind `status`); 0: none."
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
    rename_to: str = Field("", description="New exchange symbol (kind `rename`).")
    skew_seconds: float = Field(
        0.0,
        ge=-86_400,
        le=86_400,
        description="How far the exchange's clock is ahead (kind `clock_skew`).",
    )

    @model_validator(mode="after")
    def _about_one_symbol(self) -> Self:
        """Kinds about a listing say which, from when, and what it becomes."""
        if self.kind in ("halt", "delist", "rename"):
            if not self.symbol or self.start is None:
                raise ValueError(f"kind `{self.kind}` needs `symbol` and `start`")
        if self.kind == "rename" and not self.rename_to:
            raise ValueError("kind `rename` needs `rename_to`")
        return self


class ReplaySettings(Section):
    """The replay market (used when `exchange.id` is `replay`)."""

    host: str = Field("127.0.0.1", min_length=1, description="Address it listens on.")
    port: int = Field(
        18080, ge=0, le=65535, description="Port it listens on; 0: any free one."
    )
    seed: int = Field(
        5, ge=0, le=2**32 - 1, description="Seed of the simulated market."
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
    served_log: bool = Field(
        False,
        description="Keep every bar value sent, for `/replay/served`; grows without "
        "bound.",
    )
    faults: tuple[FaultSettings, ...] = Field(
        (), description="Misbehaviour on request, for tests."
    )
