"""Validated, frozen settings: one class a section, one description a key.

The sections lie in modules by concern; everybody gets them from here.
`docs/configuration.md` and `config.yaml.example` are generated from these classes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from app.config.collection_settings import (
    CollectorSettings,
    FilterSettings,
    SnapshotSettings,
)
from app.config.connection_settings import DatabaseSettings, ExchangeSettings
from app.config.replay_settings import FaultSettings, ReplaySettings
from app.config.section import Section
from app.config.trading_settings import (
    MomentumSettings,
    RiskSettings,
    SimulationSettings,
    StrategiesSettings,
)

__all__ = [
    "ApplicationSettings",
    "CollectorSettings",
    "DatabaseSettings",
    "ExchangeSettings",
    "FaultSettings",
    "FilterSettings",
    "MomentumSettings",
    "ReplaySettings",
    "RiskSettings",
    "Settings",
    "SimulationSettings",
    "SnapshotSettings",
    "StrategiesSettings",
]


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
