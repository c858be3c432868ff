"""Instants as people type them."""

from __future__ import annotations

from datetime import datetime, timezone

import typer


def parse_moment(text: str | None, option: str) -> datetime | None:
    """An ISO date or instant, UTC where it names no zone.

    Raises typer's usage error, which names `option`.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{option} must be ISO 8601, as 2017-08-01 or 2017-08-01T12:00, "
            f"got {text!r:.60}"
        ) from None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=timezone.utc)
    return moment.astimezone(timezone.utc)
