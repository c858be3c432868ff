"""Up to which instant what we knew is settled.

Two transactions may commit in another order than their `known_at`. Only for instants
up to the horizon is it certain that no bar will yet appear as known then, so the
as-of function answers for those and refuses later ones.
The downgrade brings the unguarded function back.

Revision ID: 0011
Revises: 0010
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)

GUARD_FUNCTION = """
CREATE FUNCTION market_data_is_settled(at timestamptz) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
DECLARE
    horizon timestamptz := (SELECT max(settled_until) FROM knowledge_horizon);
BEGIN
    IF horizon IS NULL OR at > horizon THEN
        RAISE EXCEPTION 'what was known at % is not settled yet, only up to %',
            at, coalesce(horizon::text, 'no instant')
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Ask for the instant in knowledge_horizon.settled_until.';
    END IF;
    RETURN true;
END
$$
"""

# Plain SQL and STABLE, so that the planner inlines it: conditions on its result
# prune partitions and use the primary keys. The guard looks at no column, so it is
# asked once a query, not once a row.
RESULT = """
RETURNS TABLE (
    cryptocurrency_id integer, timeframe timeframe, "timestamp" timestamptz,
    open double precision, high double precision, low double precision,
    close double precision, volume double precision, known_from timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT h.cryptocurrency_id, h.timeframe, h.timestamp,
           h.open, h.high, h.low, h.close, h.volume, h.known_from
    FROM market_data_history AS h
    WHERE h.known_from <= market_data_as_of.at
      AND (h.known_to IS NULL OR h.known_to > market_data_as_of.at)
"""
GUARDED = f"""
CREATE OR REPLACE FUNCTION market_data_as_of(at timestamptz)
{RESULT} AND market_data_is_settled(market_data_as_of.at)
$$
"""
UNGUARDED = f"""
CREATE OR REPLACE FUNCTION market_data_as_of(at timestamptz)
{RESULT}
$$
"""


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "knowledge_horizon",
        sa.Column(
            "id",
            sa.SmallInteger(),
            autoincrement=False,
            nullable=False,
            comment="Always 1: there is one horizon.",
        ),
        sa.Column(
            "settled_until",
            INSTANT,
            nullable=False,
            comment="No bar will become known at this instant or earlier any more, "
            "by the clock in use.",
        ),
        sa.Column(
            "published_at",
            INSTANT,
            server_default=sa.text("now()"),
            nullable=False,
            comment="When that was found (database clock, real time).",
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_knowledge_horizon_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_knowledge_horizon")),
        comment="One row: the instant up to which as-of reads never change.",
    )
    op.execute(GUARD_FUNCTION)
    op.execute(
        "COMMENT ON FUNCTION market_data_is_settled IS"
        " 'True up to the knowledge horizon; an error beyond it.'"
    )
    op.execute(GUARDED)


def downgrade() -> None:
    _set_lock_timeout()
    op.execute(UNGUARDED)
    op.execute("DROP FUNCTION market_data_is_settled")
    op.drop_table("knowledge_horizon")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
