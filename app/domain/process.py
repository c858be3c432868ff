"""Names and states of the background processes."""

from __future__ import annotations

from enum import Enum


class ProcessName(str, Enum):
    """The background processes, in the order data flows through them."""

    MARKET_FILTER = "market_filter"
    COLLECTOR = "collector"
    SNAPSHOTTER = "snapshotter"
    SCANNER = "scanner"
    TRADE_MANAGER = "trade_manager"


class ProcessState(str, Enum):
    """What a process said it was doing at its last heartbeat."""

    STARTING = "starting"
    RUNNING = "running"
    WAITING = "waiting"
    BACKING_OFF = "backing_off"
    STOPPED = "stopped"
    FAILED = "failed"
