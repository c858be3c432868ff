"""Records every run and the configuration it ran with."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.core.exceptions import ConfigurationError
from app.core.market_identity import is_same_market
from app.models import ConfigurationHistory

_IDENTITY = "market_identity"
# One key of PostgreSQL's advisory locks, for this use alone.
_LOCK_KEY = 7_301_914_266_014


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is kept of a run; `configuration` has its secrets redacted already."""

    run_id: UUID
    process: str
    market_identity: str
    configuration: dict[str, Any]
    code_version: str


def record_run(session: Session, run: RunRecord, now: datetime) -> None:
    """Store a run once.

    Raises:
        ConfigurationError: the database holds the data of another market.
    """
    # Processes of one run start together: whoever comes second finds it recorded.
    session.execute(select(func.pg_advisory_xact_lock(_LOCK_KEY)))
    _check_market(session, run.market_identity)
    if ConfigurationHistory.find_by_run_id(session, run.run_id) is not None:
        return
    configuration = run.configuration | {_IDENTITY: run.market_identity}
    canonical = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    session.add(
        ConfigurationHistory(
            run_id=run.run_id,
            process=run.process,
            configuration=configuration,
            sha256=hashlib.sha256(canonical.encode()).hexdigest(),
            code_version=run.code_version,
            started_at=now,
        )
    )


def end_run(session: Session, run_id: UUID, now: datetime) -> None:
    """Note when a run ended; a run that was killed keeps an empty end."""
    run = ConfigurationHistory.find_by_run_id(session, run_id)
    if run is not None and run.ended_at is None:
        run.ended_at = max(now, run.started_at)


def _check_market(session: Session, identity: str) -> None:
    query = (
        select(ConfigurationHistory.configuration[_IDENTITY].astext)
        .where(ConfigurationHistory.configuration.has_key(_IDENTITY))
        # The newest: an older one may name its recording less exactly.
        .order_by(ConfigurationHistory.created_at.desc())
        .limit(1)
    )
    found = session.scalar(query)
    if found is not None and not is_same_market(found, identity):
        raise ConfigurationError(
            f"this database holds the data of market {found!r}, the configuration asks "
            f"for {identity!r}; two markets must not share a database: use another "
            "DATABASE_URL or database.data_directory"
        )
