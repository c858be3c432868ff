"""A page of bars together with the task that asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from app.exchange.replies import CandlePage
from app.services.collection.planning import SeriesTask


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A task with the page that answered it."""

    task: SeriesTask
    page: CandlePage
