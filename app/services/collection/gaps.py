"""Keeps the gap ledger in step with the answers that arrive."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.gap import GapReason, GapStatus
from app.domain.slots import SlotRun, split_by_presence
from app.models import MarketDataGap
from app.models.series_lock import SeriesKey
from app.services.collection.absence import reason_of_absence
from app.services.collection.presence import OpenTimes

CONFIRMATIONS_NEEDED = 3
CONFIRMATION_SPACING = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """Slots whose absence an answer speaks for: [starts_at, ends_at), or none.

    `refused` holds slots whose bar came and was refused: those are not absent.
    """

    starts_at: datetime
    ends_at: datetime
    refused: Collection[datetime] = ()

    def covers(self, starts_at: datetime, ends_at: datetime) -> bool:
        """Whether the whole gap [starts_at, ends_at) is shown to be empty."""
        if not self.starts_at <= starts_at < ends_at <= self.ends_at:
            return False
        return not any(starts_at <= slot < ends_at for slot in self.refused)


@dataclass
class GapBook:
    """The gaps of some locked series, for one transaction at `now`."""

    session: Session
    run_id: UUID
    now: datetime
    gap_slots: int = 0
    filled_slots: int = 0
    confirmed_slots: int = 0
    _gaps: dict[SeriesKey, list[MarketDataGap]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def load(self, ranges: Mapping[SeriesKey, tuple[datetime, datetime]]) -> None:
        """Read the gaps of these series that are not filled and touch the ranges."""
        if not ranges:
            return
        for gap in self.session.scalars(_touching(ranges)):
            self._gaps[gap.cryptocurrency_id, gap.timeframe].append(gap)

    def note_answer(
        self, key: SeriesKey, arrived: OpenTimes, evidence: Evidence
    ) -> None:
        """Fill what `arrived` of the recorded gaps, and count `evidence` for the rest.

        A gap filled in part is cut: the ledger never claims a stored slot is missing.
        """
        for gap in list(self._gaps[key]):
            present = arrived.between(gap.starts_at, gap.ends_at)
            runs = split_by_presence(gap.timeframe, gap.starts_at, gap.ends_at, present)
            if any(run.is_filled for run in runs):
                self._cut(key, gap, runs, evidence)
            else:
                self._count_answer(gap, evidence)

    def open(
        self,
        key: SeriesKey,
        run: SlotRun,
        reason: GapReason,
        evidence: Evidence,
    ) -> None:
        """Record a run of missing slots.

        One that begins where an open gap of the same reason ends makes that longer:
        a halt grows by a slot at a time and is one gap, not hundreds.
        """
        slots = key[1].count_bars(run.starts_at, run.ends_at)
        self.gap_slots += slots
        answers = int(evidence.covers(run.starts_at, run.ends_at))
        before = self._find_open_before(key, run.starts_at, reason)
        if before is not None:
            before.ends_at = run.ends_at
            before.slots += slots
            before.confirmations = min(before.confirmations, answers)
            return
        self._add(
            key,
            run.starts_at,
            run.ends_at,
            GapStatus.OPEN,
            reason,
            detected_at=self.now,
            confirmations=answers,
            last_answer_at=self.now if answers else None,
        )

    def give_up(self, key: SeriesKey, run: SlotRun, reason: GapReason) -> None:
        """Record missing slots for which nobody can be asked: absent, unconfirmed."""
        gap = self._add(
            key,
            run.starts_at,
            run.ends_at,
            GapStatus.CONFIRMED_ABSENT,
            reason,
            detected_at=self.now,
            resolved_at=self.now,
        )
        self.gap_slots += gap.slots

    def divide(
        self, gap: MarketDataGap, parts: Sequence[tuple[SlotRun, GapReason]]
    ) -> None:
        """Give the parts of a gap, together all of it, reasons of their own."""
        if len(parts) == 1:
            gap.reason = parts[0][1]
            return
        kept = _Kept.of(gap)
        self.session.delete(gap)
        # The unique index must see the old row go before its pieces come.
        self.session.flush()
        for run, reason in parts:
            key = (gap.cryptocurrency_id, gap.timeframe)
            self._add_piece(key, run, kept, reason)

    def note_late(
        self, key: SeriesKey, run: SlotRun, reason: GapReason, since: datetime
    ) -> None:
        """Record slots that were late for `reason` and have now arrived."""
        self._add(
            key,
            run.starts_at,
            run.ends_at,
            GapStatus.FILLED,
            reason,
            detected_at=since,
            resolved_at=self.now,
        )

    def note_earlier_bars(
        self, key: SeriesKey, first_at: datetime, former_at: datetime
    ) -> None:
        """The series' first bar opens at `first_at`, no longer at `former_at`.

        What was missing before the former one is missing between bars now, and not
        because the market was not listed yet.
        """
        self.session.execute(
            sa.update(MarketDataGap)
            .where(
                MarketDataGap.cryptocurrency_id == key[0],
                MarketDataGap.timeframe == key[1],
                MarketDataGap.reason == GapReason.NOT_LISTED,
                MarketDataGap.starts_at >= first_at,
                MarketDataGap.ends_at <= former_at,
            )
            .values(reason=GapReason.UNKNOWN, run_id=self.run_id)
        )

    def _count_answer(self, gap: MarketDataGap, evidence: Evidence) -> None:
        if gap.status is GapStatus.CONFIRMED_ABSENT:
            return
        gap.status = GapStatus.OPEN
        if not evidence.covers(gap.starts_at, gap.ends_at):
            return
        last = gap.last_answer_at
        if last is not None and self.now - last < CONFIRMATION_SPACING:
            return
        gap.confirmations += 1
        gap.last_answer_at = self.now
        if gap.confirmations >= CONFIRMATIONS_NEEDED:
            gap.status = GapStatus.CONFIRMED_ABSENT
            gap.resolved_at = self.now
            gap.reason = reason_of_absence(self.session, gap)
            self.confirmed_slots += gap.slots

    def _cut(
        self,
        key: SeriesKey,
        gap: MarketDataGap,
        runs: Sequence[SlotRun],
        evidence: Evidence,
    ) -> None:
        kept = _Kept.of(gap)
        self._gaps[key].remove(gap)
        self.session.delete(gap)
        # The unique index must see the old row go before its pieces come.
        self.session.flush()
        for run in runs:
            if run.is_filled:
                self.filled_slots += key[1].count_bars(run.starts_at, run.ends_at)
                piece = self._add(
                    key,
                    run.starts_at,
                    run.ends_at,
                    GapStatus.FILLED,
                    kept.reason,
                    detected_at=kept.detected_at,
                    resolved_at=self.now,
                )
                piece.attempts = kept.attempts
                piece.last_attempt_at = kept.last_attempt_at
            else:
                piece = self._add_piece(key, run, kept, kept.reason)
                self._count_answer(piece, evidence)

    def _add_piece(
        self, key: SeriesKey, run: SlotRun, kept: _Kept, reason: GapReason
    ) -> MarketDataGap:
        piece = self._add(
            key,
            run.starts_at,
            run.ends_at,
            kept.status,
            reason,
            detected_at=kept.detected_at,
            resolved_at=kept.resolved_at,
            confirmations=kept.confirmations,
            last_answer_at=kept.last_answer_at,
        )
        piece.attempts = kept.attempts
        piece.last_attempt_at = kept.last_attempt_at
        return piece

    def _add(
        self,
        key: SeriesKey,
        starts_at: datetime,
        ends_at: datetime,
        status: GapStatus,
        reason: GapReason,
        *,
        detected_at: datetime,
        resolved_at: datetime | None = None,
        confirmations: int = 0,
        last_answer_at: datetime | None = None,
    ) -> MarketDataGap:
        gap = MarketDataGap(
            cryptocurrency_id=key[0],
            timeframe=key[1],
            starts_at=starts_at,
            ends_at=ends_at,
            slots=key[1].count_bars(starts_at, ends_at),
            status=status,
            reason=reason,
            detected_at=detected_at,
            resolved_at=resolved_at,
            attempts=0,
            confirmations=confirmations,
            last_answer_at=last_answer_at,
            run_id=self.run_id,
        )
        self.session.add(gap)
        if status is not GapStatus.FILLED:
            self._gaps[key].append(gap)
        return gap

    def _find_open_before(
        self, key: SeriesKey, moment: datetime, reason: GapReason
    ) -> MarketDataGap | None:
        for gap in self._gaps[key]:
            if gap.ends_at == moment:
                is_same = gap.status is GapStatus.OPEN and gap.reason is reason
                return gap if is_same else None
        return None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the pieces of a gap take over from it."""

    status: GapStatus
    reason: GapReason
    detected_at: datetime
    resolved_at: datetime | None
    attempts: int
    last_attempt_at: datetime | None
    confirmations: int
    last_answer_at: datetime | None

    @classmethod
    def of(cls, gap: MarketDataGap) -> _Kept:
        return cls(
            gap.status,
            gap.reason,
            gap.detected_at,
            gap.resolved_at,
            gap.attempts,
            gap.last_attempt_at,
            gap.confirmations,
            gap.last_answer_at,
        )


def _touching(
    ranges: Mapping[SeriesKey, tuple[datetime, datetime]],
) -> sa.Select[MarketDataGap]:
    wanted = (
        sa.func.unnest(
            sa.cast([key[0] for key in ranges], sa.ARRAY(sa.Integer)),
            sa.cast(
                [key[1] for key in ranges],
                sa.ARRAY(MarketDataGap.__table__.c.timeframe.type),
            ),
            sa.cast([start for start, _ in ranges.values()], _INSTANTS),
            sa.cast([end for _, end in ranges.values()], _INSTANTS),
        )
        .table_valued("id", "frame", "starts_at", "ends_at")
        .render_derived("wanted")
    )
    return (
        sa.select(MarketDataGap)
        .join(
            wanted,
            sa.and_(
                MarketDataGap.cryptocurrency_id == wanted.c.id,
                MarketDataGap.timeframe == wanted.c.frame,
                MarketDataGap.ends_at >= wanted.c.starts_at,
                MarketDataGap.starts_at < wanted.c.ends_at,
            ),
        )
        .where(MarketDataGap.status != GapStatus.FILLED)
        .order_by(MarketDataGap.starts_at)
        .execution_options(populate_existing=True)
    )


_INSTANTS = sa.ARRAY(sa.TIMESTAMP(timezone=True))
