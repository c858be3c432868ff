"""Which market a database belongs to, so that two are never mixed in one."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from app.config.settings import ReplaySettings, Settings

REPLAY = "replay"
_FOLDER = ",folder="


def market_identity(settings: Settings) -> str:
    """The exchange, or for the replay market everything that decides its prices.

    Rows of two identities must not share a database: simulated money, scan cursors
    and the universe would mix two worlds.
    """
    if settings.exchange.id != REPLAY:
        return settings.exchange.id
    return replay_identity(settings.replay)


def replay_identity(replay: ReplaySettings) -> str:
    """What a replay market with these settings is, wherever it listens."""
    if replay.recording:
        folder = Path(replay.recording).resolve()
        return f"recording:{folder.name}{_FOLDER}{_digest(str(folder))}"
    return (
        f"replay:seed={replay.seed},markets={replay.markets},"
        f"start={replay.start.isoformat()},history_days={replay.history_days}"
    )


def is_same_market(stored: str, asked: str) -> bool:
    """Whether a database of market `stored` may be used for market `asked`.

    Recordings were once known by their folder's name alone; such a database is taken
    for the one that is asked for.
    """
    return stored == asked or (
        asked.startswith("recording:") and stored == asked.rpartition(_FOLDER)[0]
    )


def state_directory(settings: Settings) -> Path:
    """Folder for this market's embedded database, logs and clock."""
    base = Path(settings.application.state_directory).resolve()
    if settings.exchange.id != REPLAY:
        return base / settings.exchange.id
    if settings.replay.recording:
        folder = Path(settings.replay.recording).resolve()
        slug = re.sub(r"[^A-Za-z0-9]+", "-", folder.name).strip("-").lower()
        return base / f"recording-{slug}-{_digest(str(folder))}"
    return base / f"replay-{_digest(market_identity(settings))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
