"""The planted bugs by name, and planting one in a collector's process."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.mutants import absence, pages, politeness, storing

MUTANTS: dict[str, Callable[[], None]] = {
    bug.__name__: bug
    for bug in (
        storing.watermark_before_rows,
        storing.plain_insert,
        storing.revision_lost,
        storing.known_at_overwritten,
        storing.unsorted_upsert,
        storing.blind_retry,
        storing.watermark_off_by_one,
        pages.last_bar_dropped_by_position,
        pages.open_bar_stored,
        pages.forward_fill,
        absence.gap_closed_on_empty,
        absence.confirmed_after_one_answer,
        absence.confirmed_within_minutes,
        politeness.cooldown_ignored_after_restart,
    )
}


def plant(name: str) -> None:
    """Put the bug `name` in force in this process; none for an empty name."""
    if name:
        MUTANTS[name]()
