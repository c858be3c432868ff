"""Records every run and the configuration it ran with."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from app.models import ConfigurationHistory


def record_run(
    session: Session,
    run_id: UUID,
    process: str,
    configuration: dict[str, Any],
    code_version: str,
    now: datetime,
) -> None:
    """Store a run's configuration once; `configuration` must be redacted already."""
    if ConfigurationHistory.find_by_run_id(session, run_id) is not None:
        return
    canonical = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    session.add(
        ConfigurationHistory(
            run_id=run_id,
            process=process,
            configuration=configuration,
            sha256=hashlib.sha256(canonical.encode()).hexdigest(),
            code_version=code_version,
            started_at=now,
        )
    )


def end_run(session: Session, run_id: UUID, now: datetime) -> None:
    """Note when a run ended; a run that was killed keeps an empty end."""
    run = ConfigurationHistory.find_by_run_id(session, run_id)
    if run is not None and run.ended_at is None:
        run.ended_at = now
