"""Asking what was known at NULL is an error, not an empty answer.

A comparison with NULL is never true, whatever the guard says, so the planner would
drop the query and never ask the guard: the comparisons use a stand-in for NULL.
The downgrade brings the functions of 0011 back, which let NULL through.

Revision ID: 0018
Revises: 0017
"""

from __future__ import annotations

from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

NULL_IS_AN_ERROR = """
    IF at IS NULL THEN
        RAISE EXCEPTION 'what was known at NULL cannot be asked, only at an instant'
            USING ERRCODE = 'null_value_not_allowed',
                  HINT = 'Ask for the instant in knowledge_horizon.settled_until.';
    END IF;
"""
NULL_STANDS_FOR = "coalesce(market_data_as_of.at, '-infinity')"


def upgrade() -> None:
    _set_lock_timeout()
    op.execute(_guard(NULL_IS_AN_ERROR))
    op.execute(_as_of(NULL_STANDS_FOR))


def downgrade() -> None:
    _set_lock_timeout()
    op.execute(_as_of("market_data_as_of.at"))
    op.execute(_guard("\n"))


def _guard(first: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION market_data_is_settled(at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    horizon timestamptz := (SELECT max(settled_until) FROM knowledge_horizon);
BEGIN{first}    IF horizon IS NULL OR at > horizon THEN
        RAISE EXCEPTION 'what was known at % is not settled yet, only up to %',
            at, coalesce(horizon::text, 'no instant')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Ask for the instant in knowledge_horizon.settled_until.';
    END IF;
    RETURN true;
END
$$
"""


def _as_of(instant: str) -> str:
    return f"""
CREATE OR REPLACE FUNCTION market_data_as_of(at timestamptz)
RETURNS TABLE (
    cryptocurrency_id integer, timeframe timeframe, "timestamp" timestamptz,
    open double precision, high double precision, low double precision,
    close double precision, volume double precision, known_from timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT h.cryptocurrency_id, h.timeframe, h.timestamp,
           h.open, h.high, h.low, h.close, h.volume, h.known_from
    FROM market_data_history AS h
    WHERE h.known_from <= {instant}
      AND (h.known_to IS NULL OR h.known_to > {instant})
      AND market_data_is_settled(market_data_as_of.at)
$$
"""


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
