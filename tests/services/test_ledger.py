"""The ledger accounts for every slot, and an absence needs proof."""

from __future__ import annotations

import uuid

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.database import Database
from app.domain.gap import GapReason, GapStatus
from app.models import MarketDataGap
from app.models.knowledge import publish_horizon
from tests.services.series import LedgerSeries, minute
from tests.services.world import at

HOUR = 60


def test_three_answers_an_hour_apart_confirm_an_absence(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, now=10.1, without=(4, 5))
        for later in (1, 30, HOUR + 1, HOUR + 59):
            series.answer(3, 7, now=10.1 + later, without=(4, 5))
        (gap,) = series.gaps()
        assert (gap.confirmations, gap.status) == (2, GapStatus.OPEN)

        stored = series.answer(3, 7, now=10.1 + 2 * HOUR + 1, without=(4, 5))

        (gap,) = series.gaps()
        assert (gap.status, stored.confirmed_slots) == (GapStatus.CONFIRMED_ABSENT, 2)
        assert gap.resolved_at == stored.known_at
        series.check_cover()


def test_empty_answers_never_confirm_an_absence(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 3, now=3.1)
        for hours in range(8):
            series.store([], 3, 20, now=30 + hours * HOUR)
        (gap,) = series.gaps()
        assert (gap.status, gap.confirmations) == (GapStatus.OPEN, 0)


def test_an_answer_that_does_not_show_the_bar_before_is_no_proof(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, now=10.1, without=(4, 5))
        for hours in (2, 4, 6):
            # As from a venue that ignores `since` and sends its newest bars.
            series.store([8, 9], 3, 10, now=10 + hours * HOUR)
        (gap,) = series.gaps()
        assert (gap.status, gap.confirmations) == (GapStatus.OPEN, 1)


def test_a_refused_bar_is_not_absent(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        for hours in range(5):
            series.answer(0, 9, now=10 + hours * HOUR, refused=(4,), without=(6,))
        quarantined, absent = series.gaps()
        assert (quarantined.reason, minute(quarantined.starts_at)) == (
            GapReason.QUARANTINED,
            4,
        )
        assert quarantined.status is GapStatus.OPEN
        assert absent.status is GapStatus.CONFIRMED_ABSENT


def test_a_bar_that_turns_up_after_all_fills_a_confirmed_absence(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        for hours in range(3):
            series.answer(0, 10, now=10 + hours * HOUR, without=(3, 4, 5))
        series.answer(4, 5, now=500)
        assert series.spans() == [(3, 4), (5, 6)]
        assert {gap.status for gap in series.gaps()} == {GapStatus.CONFIRMED_ABSENT}
        series.check_cover()


def test_history_in_front_and_a_hole_between_are_accounted_for(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(100, 110, now=200)
        series.answer(0, 10, now=201, without=(0, 1))
        series.answer(150, 160, now=202)
        assert series.spans() == [(0, 2), (10, 100), (110, 150)]
        assert [gap.reason for gap in series.gaps()] == [
            GapReason.NOT_LISTED,
            GapReason.UNKNOWN,
            GapReason.UNKNOWN,
        ]
        series.check_cover()


def test_slots_between_bars_are_not_called_unlisted_once_older_bars_are_here(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(100, 200, 200, without=range(100, 110))
        assert [gap.reason for gap in series.gaps()] == [GapReason.NOT_LISTED]

        series.answer(0, 100, 201, without=range(50))

        session.expire_all()
        assert [(gap.reason, minute(gap.starts_at)) for gap in series.gaps()] == [
            (GapReason.NOT_LISTED, 0),
            (GapReason.UNKNOWN, 100),
        ]
        series.check_cover()


def test_late_bars_keep_the_reason_why_they_were_late(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 3, now=3.1)
        series.cursor.pending_reason = GapReason.OUR_DOWNTIME
        series.cursor.pending_since = at(60)
        session.flush()
        series.answer(3, 60, now=60.1, without=(7,))
        assert series.cursor.pending_reason is None
        filled = session.scalars(
            select(MarketDataGap)
            .where(MarketDataGap.status == GapStatus.FILLED)
            .order_by(MarketDataGap.starts_at)
        ).all()
        assert [(minute(f.starts_at), minute(f.ends_at)) for f in filled] == [
            (3, 7),
            (8, 55),
        ]
        assert {f.reason for f in filled} == {GapReason.OUR_DOWNTIME}
        series.check_cover()


def test_each_delay_remembers_how_far_bars_were_read_again(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 10, now=10.1)
        assert series.cursor.rechecked_until == {"60": at(9).isoformat()}
        series.answer(9, 80, now=80.1)
        assert series.cursor.rechecked_until == {"60": at(79).isoformat()}
        series.answer(0, 20, now=80.2)
        assert series.cursor.rechecked_until["3600"] == at(20).isoformat()


def test_known_at_lies_behind_the_horizon(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        publish_horizon(session, at(50))
        assert series.answer(0, 3, now=3.1).known_at > at(50)


answers = st.tuples(
    st.integers(0, 60),  # first slot asked for
    st.integers(1, 30),  # slots answered
    st.sets(st.integers(0, 90), max_size=25),  # minutes without a bar
    st.sets(st.integers(0, 90), max_size=3),  # minutes whose bar is refused
    st.sampled_from([100.0, 101.0]),
    st.integers(0, 120),  # minutes that pass before it
    st.integers(0, 90),  # where the watermark is believed to stand
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(answers, min_size=1, max_size=9))
def test_whatever_is_answered_in_any_order_the_grid_is_covered(
    database: Database,
    given_answers: list[tuple[int, int, set[int], set[int], float, int, int]],
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session, f"{uuid.uuid4().hex}/USDT")
        served: dict[int, float] = {}
        now = 100
        for first, slots, without, refused, price, passed, expected in given_answers:
            now += passed
            end = first + slots
            series.expected = expected
            series.answer(
                first, end, now, without, price, refused & {*range(first, end)}
            )
            for number in set(range(first, end)) - without - refused:
                served[number] = price
            series.check_cover()
        assert series.minutes() == sorted(served), "nothing lost, nothing invented"
        before = series.spans()
        series.answer(first, end, now, without, price, refused & {*range(first, end)})
        assert series.spans() == before, "the same answer again changes nothing"


def test_next_bars_move_the_cursor_and_nothing_else(database: Database) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 5, now=5.1, without=(3,))
        series.expected = 5
        # The slice begins with known bars: one comes at last, another is corrected.
        stored = series.answer(3, 7, now=7.1, price=101.0)
        assert (stored.inserted, stored.revised, stored.filled_slots) == (3, 1, 1)
        assert series.spans() == [] and series.cursor.revisions == 1
        series.check_cover()


def test_a_slice_that_expected_another_watermark_is_stored_all_the_same(
    database: Database,
) -> None:
    with database.session_scope() as session:
        series = LedgerSeries(session)
        series.answer(0, 5, now=5.1)
        for expected in (3, 8):
            series.expected = expected
            series.answer(3, 12, now=12.1)
            series.check_cover()
        assert series.minutes() == list(range(12))
