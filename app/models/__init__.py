"""The tables, one model a file; importing this package registers them all."""

from app.models.base import BaseModel
from app.models.configuration_history import ConfigurationHistory
from app.models.cryptocurrency import Cryptocurrency
from app.models.knowledge_horizon import KnowledgeHorizon
from app.models.market_context import MarketContextRow
from app.models.market_data import MarketData
from app.models.market_data_finding import MarketDataFinding
from app.models.market_data_gap import MarketDataGap
from app.models.market_data_indicators import MarketDataIndicators
from app.models.market_data_revision import MarketDataRevision
from app.models.market_event import MarketEvent
from app.models.market_snapshot import MarketSnapshot
from app.models.partial_exit import PartialExit
from app.models.performance_metrics import PerformanceMetrics
from app.models.process_heartbeat import ProcessHeartbeat
from app.models.process_lease import ProcessLease
from app.models.quarantined_row import QuarantinedRow
from app.models.rate_budget import RateBudget
from app.models.scan_cursor import ScanCursor
from app.models.series_cursor import SeriesCursor
from app.models.signal import Signal
from app.models.simulated_trade import SimulatedTrade
from app.models.snapshot_layout import SnapshotLayout
from app.models.universe_membership import UniverseMembership

__all__ = [
    "BaseModel",
    "ConfigurationHistory",
    "Cryptocurrency",
    "KnowledgeHorizon",
    "MarketContextRow",
    "MarketData",
    "MarketDataFinding",
    "MarketDataGap",
    "MarketDataIndicators",
    "MarketDataRevision",
    "MarketEvent",
    "MarketSnapshot",
    "PartialExit",
    "PerformanceMetrics",
    "ProcessHeartbeat",
    "ProcessLease",
    "QuarantinedRow",
    "RateBudget",
    "ScanCursor",
    "SeriesCursor",
    "Signal",
    "SimulatedTrade",
    "SnapshotLayout",
    "UniverseMembership",
]
