"""Stores what sources answered: bars, corrections, gaps and cursors together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from app.core.failpoints import fp
from app.domain.slots import split_by_presence
from app.models import SeriesCursor
from app.models.bars import from_microseconds, to_microseconds
from app.models.ingest import IngestResult, SeriesCounts, WriterMemory, store_bars
from app.models.knowledge import begin_knowing
from app.models.series_lock import SeriesKey
from app.models.series_state import SeriesState, lock_states, save_states
from app.models.steady_cursors import NextBars, add_counts, advance_cursors
from app.services.collection.empty_answers import EmptyAnswers
from app.services.collection.gaps import Evidence, GapBook
from app.services.collection.missing import missing_with_reasons
from app.services.collection.presence import OpenTimes
from app.services.collection.slices import SeriesSlice, join_adjacent
from app.services.collection.steady import next_bars_of


@dataclass(frozen=True, slots=True)
class StoredSlices:
    """What one transaction changed, in bars and slots.

    `known_at` is stamped on every value it wrote.
    """

    known_at: datetime
    inserted: int = 0
    revised: int = 0
    unchanged: int = 0
    gap_slots: int = 0
    filled_slots: int = 0
    confirmed_slots: int = 0


class Ledger:
    """Writes slices so that bars and gaps always cover each series' grid exactly.

    For every series, the slots from `history_from` to the watermark are the stored
    bars plus the gaps that are not filled, each slot once. Storing a slice again
    changes nothing but the attempts counted.
    """

    def __init__(
        self,
        run_id: UUID,
        recheck_delays_seconds: Sequence[int] = (),
        tail_grace_seconds: float = 300.0,
    ) -> None:
        self._run_id = run_id
        self._delays = tuple(recheck_delays_seconds)
        self._grace = timedelta(seconds=tail_grace_seconds)
        self._known: set[SeriesKey] = set()
        self._memory = WriterMemory()
        self._empty = EmptyAnswers()

    def store(
        self, session: Session, slices: Sequence[SeriesSlice], now: datetime
    ) -> StoredSlices:
        """Store `slices` in the caller's transaction; `now` becomes `known_at`."""
        slices = join_adjacent(slices)
        # 1. Stamp, and become the one writer of these series.
        known_at = begin_knowing(session, now)
        steady, states = self._lock(session, slices)
        others = [item for item in slices if item.key not in steady]
        fp("store.after_lock")
        # 2. The bars, and the values that they supersede.
        new_from = {key: bars.expected for key, bars in steady.items()}
        new_from |= {key: state.watermark for key, state in states.items()}
        result = store_bars(
            session,
            slices,
            known_at,
            new_from,
            self._memory,
        )
        fp("store.after_bars")
        # 3. What is missing, what arrived late, and how far each series is now.
        book = GapBook(session, self._run_id, known_at)
        self._account(book, others, states)
        self._amend_steady(book, slices, steady, result)
        fp("store.after_gaps")
        self._count(states, result)
        save_states(session, states.values(), self._run_id)
        _forget_mapped_cursors(session)
        return StoredSlices(
            known_at,
            result.inserted,
            result.revised,
            result.unchanged,
            book.gap_slots,
            book.filled_slots,
            book.confirmed_slots,
        )

    def _lock(
        self, session: Session, slices: Sequence[SeriesSlice]
    ) -> tuple[dict[SeriesKey, NextBars], dict[SeriesKey, SeriesState]]:
        """Series that just go on, their cursors moved; the locked ones of the others.

        Cursors are locked in key order by every writer. Hence, where some need more
        care, all of them are before any is moved.
        """
        wanted = _find_steady(slices)
        states: dict[SeriesKey, SeriesState] = {}
        if len(wanted) < len(slices):
            states = self._lock_states(session, slices)
        moved = advance_cursors(session, list(wanted.values()), self._run_id)
        if not states:
            others = [item for item in slices if item.key not in moved]
            states = self._lock_states(session, others)
        steady = {key: wanted[key] for key in moved}
        return steady, {key: it for key, it in states.items() if key not in moved}

    def _lock_states(
        self, session: Session, slices: Sequence[SeriesSlice]
    ) -> dict[SeriesKey, SeriesState]:
        starts: dict[SeriesKey, datetime] = {}
        for item in slices:
            earliest = starts.get(item.key, item.answered_from)
            starts[item.key] = min(earliest, item.answered_from)
        states = lock_states(session, starts, self._run_id, self._known)
        # One that has bars was not made just now, by a transaction that may be lost.
        self._known.update(
            key for key, state in states.items() if state.first_bar is not None
        )
        return states

    def _amend_steady(
        self,
        book: GapBook,
        slices: Sequence[SeriesSlice],
        steady: Mapping[SeriesKey, NextBars],
        result: IngestResult,
    ) -> None:
        """Older bars that a slice brought along may have been missing or corrected."""
        extra, nothing_new = [], SeriesCounts()
        for key, bars in steady.items():
            inserted, revised = result.by_series.get(key, nothing_new)
            if inserted != bars.new or revised:
                extra.append((key, inserted - bars.new, revised))
        add_counts(book.session, extra)
        filled = {key for key, inserted, _ in extra if inserted}
        if not filled:
            return
        ranges = {
            key: (
                from_microseconds(steady[key].begins),
                from_microseconds(steady[key].ends),
            )
            for key in filled
        }
        book.load(ranges)
        for item in slices:
            if item.key in filled:
                nothing = Evidence(item.answered_from, item.answered_from)
                book.note_answer(item.key, OpenTimes(item.bars["open_at"]), nothing)

    def _account(
        self,
        book: GapBook,
        slices: Sequence[SeriesSlice],
        states: dict[SeriesKey, SeriesState],
    ) -> None:
        ranges: dict[SeriesKey, tuple[datetime, datetime]] = {}
        for item in slices:
            first, last = ranges.get(item.key, (item.answered_from,) * 2)
            end = max(last, item.answered_until, _after_last(item))
            ranges[item.key] = (min(first, item.answered_from), end)
        book.load(ranges)
        for item in slices:
            state = states[item.key]
            self._settle(book, item, state)
            self._advance(book, item, state)

    def _settle(self, book: GapBook, item: SeriesSlice, state: SeriesState) -> None:
        """Bring the gaps in step with a slice that is more than the next bars."""
        arrived = OpenTimes(item.bars["open_at"])
        evidence = _evidence(item, state, arrived)
        book.note_answer(item.key, arrived, evidence)
        if state.pending_reason is not None:
            self._note_late(book, item, state)
        until = max(item.answered_until, _after_last(item))
        # Slots older than any accounted for so far, and those up to them.
        if item.answered_from < state.history_from_at:
            self._open(
                book, item, state, item.answered_from, state.history_from_at, evidence
            )
            state.history_from = to_microseconds(item.answered_from)
            self._read_again(item, state)
        # Slots newer than the watermark, and those skipped on the way there.
        if until > state.watermark_at:
            self._open(book, item, state, state.watermark_at, until, evidence)

    def _open(
        self,
        book: GapBook,
        item: SeriesSlice,
        state: SeriesState,
        starts_at: datetime,
        ends_at: datetime,
        evidence: Evidence,
    ) -> None:
        for run, reason in missing_with_reasons(item, state, starts_at, ends_at):
            book.open(item.key, run, reason, evidence)

    def _note_late(self, book: GapBook, item: SeriesSlice, state: SeriesState) -> None:
        """Keep on record why bars came late, once they are here."""
        reason, since = state.pending_reason, state.pending_since
        if reason is None or since is None:
            return
        late_until = item.timeframe.floor(book.now - self._grace)
        start = state.watermark_at
        end = min(late_until, max(start, item.answered_until))
        arrived = OpenTimes(item.bars["open_at"])
        end = max(start, end)
        present = arrived.between(start, end)
        for run in split_by_presence(item.timeframe, start, end, present):
            if run.is_filled:
                book.note_late(item.key, run, reason, from_microseconds(since))

    def _advance(self, book: GapBook, item: SeriesSlice, state: SeriesState) -> None:
        if len(item.bars):
            first = int(item.bars["open_at"][0])
            last = int(item.bars["open_at"][-1])
            if state.first_bar is None or first < state.first_bar:
                if state.first_bar is not None:
                    former = from_microseconds(state.first_bar)
                    book.note_earlier_bars(item.key, from_microseconds(first), former)
                state.first_bar = first
            if state.last_bar is None or last > state.last_bar:
                state.last_bar = last
        until = max(item.answered_until, _after_last(item))
        state.watermark = max(state.watermark, to_microseconds(until))
        if state.pending_reason is not None:
            if item.timeframe.floor(book.now - self._grace) <= state.watermark_at:
                state.pending_reason = state.pending_since = None
        self._mark_rechecked(item, state)

    def _mark_rechecked(self, item: SeriesSlice, state: SeriesState) -> None:
        if item.read_at is None:
            return
        start = to_microseconds(item.answered_from)
        until = to_microseconds(item.answered_until)
        last_bar = state.last_bar
        for delay in self._delays:
            done = state.rechecked_until.get(str(delay), state.history_from)
            closed = item.timeframe.floor(item.read_at - timedelta(seconds=delay))
            reached = min(until, to_microseconds(closed))
            if not start <= done < reached:
                continue
            if not len(item.bars) and last_bar is not None and last_bar >= done:
                # Stored bars may be there, of which nothing at all was said.
                if not self._empty.give_up(item.key, delay, done, item.read_at):
                    continue
            state.rechecked_until[str(delay)] = reached

    def _read_again(self, item: SeriesSlice, state: SeriesState) -> None:
        """History that was added in front may be younger than a delay."""
        if item.read_at is None:
            return
        for delay in self._delays:
            done = state.rechecked_until.get(str(delay))
            young = item.timeframe.floor(item.read_at - timedelta(seconds=delay))
            if done is not None and to_microseconds(young) < done:
                state.rechecked_until[str(delay)] = max(
                    state.history_from, to_microseconds(young)
                )

    @staticmethod
    def _count(states: dict[SeriesKey, SeriesState], result: IngestResult) -> None:
        for key, counts in result.by_series.items():
            if key in states:
                states[key].bars += counts.inserted
                states[key].revisions += counts.revised


def _find_steady(slices: Sequence[SeriesSlice]) -> dict[SeriesKey, NextBars]:
    """The next bars of series that bring nothing else, by key."""
    wanted = {}
    for item in slices:
        bars = next_bars_of(item)
        if bars is not None:
            wanted[bars.key] = bars
    if len({item.key for item in slices}) < len(slices):
        # Two of one series that do not touch: there is a hole between them.
        times = Counter(item.key for item in slices)
        wanted = {key: wanted[key] for key in wanted if times[key] == 1}
    return wanted


def _after_last(item: SeriesSlice) -> datetime:
    if not len(item.bars):
        return item.answered_from
    return item.timeframe.next_open(from_microseconds(int(item.bars["open_at"][-1])))


def _evidence(item: SeriesSlice, state: SeriesState, arrived: OpenTimes) -> Evidence:
    """The slots for whose absence this answer speaks.

    They lie before its last bar: that the exchange has a later one shows that it got
    so far. Where the series has older bars they also lie after the answer's first
    one: else a reply that ignored where it should begin would prove anything.
    """
    if not len(arrived) or not item.counts_as_answer:
        return Evidence(item.answered_from, item.answered_from)
    first = item.answered_from
    has_older = state.first_bar is not None and state.first_bar < to_microseconds(
        arrived.first
    )
    if has_older:
        first = arrived.first
    return Evidence(first, arrived.last, item.refused)


def _forget_mapped_cursors(session: Session) -> None:
    """Cursors this session read as objects are stale now."""
    for row in session:
        if isinstance(row, SeriesCursor):
            session.expire(row)
