"""Counts the empty answers to requests for bars that are stored."""

from __future__ import annotations

from datetime import datetime

from app.models.series_lock import SeriesKey
from app.services.collection.gaps import CONFIRMATION_SPACING, CONFIRMATIONS_NEEDED


class EmptyAnswers:
    """Says when bars are given up on that an exchange does not serve any more.

    An empty answer proves nothing of them, so they are asked for again; but where it
    stays empty, as for history a venue has dropped, later bars must have their turn.
    Kept in memory: a new process begins to count anew.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[SeriesKey, int], tuple[int, int, datetime]] = {}

    def give_up(
        self, key: SeriesKey, delay_seconds: int, begins: int, read_at: datetime
    ) -> bool:
        """Count an empty answer about bars from `begins` (microseconds) on.

        Whether it is one of as many, as far apart, as confirm an absence.
        """
        place = (key, delay_seconds)
        where, count, last = self._counts.get(place, (begins, 0, read_at))
        if where != begins:
            count = 0
        if count and read_at - last < CONFIRMATION_SPACING:
            return False
        self._counts[place] = (begins, count + 1, read_at)
        return count + 1 >= CONFIRMATIONS_NEEDED
