"""What the gap ledger rests on, and what each series adds up to.

A gap is confirmed absent only after several answers, so each counts; a series knows
its bars and corrections, why its newest slots are still open, how far corrections
were looked for, and when it closed. Bars stored before are counted here once.
The downgrade drops these columns.

Revision ID: 0010
Revises: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
GAP_REASON = postgresql.ENUM(name="gap_reason", create_type=False)

GAP_COLUMNS = ("confirmations", "last_answer_at")
CURSOR_COLUMNS = (
    "bars",
    "revisions",
    "pending_reason",
    "pending_since",
    "rechecked_until",
    "closed_at",
    "close_reason",
)
COUNT_BARS = """
UPDATE series_cursors AS cursor
SET bars = stored.bars
FROM (
    SELECT cryptocurrency_id, timeframe, count(*) AS bars
    FROM market_data GROUP BY cryptocurrency_id, timeframe
) AS stored
WHERE stored.cryptocurrency_id = cursor.cryptocurrency_id
  AND stored.timeframe = cursor.timeframe
"""
COUNT_REVISIONS = """
UPDATE series_cursors AS cursor
SET revisions = kept.revisions
FROM (
    SELECT cryptocurrency_id, timeframe, count(*) AS revisions
    FROM market_data_revisions GROUP BY cryptocurrency_id, timeframe
) AS kept
WHERE kept.cryptocurrency_id = cursor.cryptocurrency_id
  AND kept.timeframe = cursor.timeframe
"""


def upgrade() -> None:
    _set_lock_timeout()
    op.add_column(
        "market_data_gaps",
        sa.Column(
            "confirmations",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Independent answers, an hour apart at least, that had bars around "
            "these slots and none in them.",
        ),
    )
    op.add_column(
        "market_data_gaps",
        sa.Column(
            "last_answer_at",
            INSTANT,
            nullable=True,
            comment="When the last answer that counts was had.",
        ),
    )
    op.create_check_constraint(
        op.f("ck_market_data_gaps_confirmations_not_negative"),
        "market_data_gaps",
        "confirmations >= 0",
    )
    for column in (
        sa.Column(
            "bars",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Number of stored bars.",
        ),
        sa.Column(
            "revisions",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Number of superseded values kept.",
        ),
        sa.Column(
            "pending_reason",
            GAP_REASON,
            nullable=True,
            comment="Why slots from the watermark on are late; NULL: they are not.",
        ),
        sa.Column(
            "pending_since",
            INSTANT,
            nullable=True,
            comment="When that was noticed.",
        ),
        sa.Column(
            "rechecked_until",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="By delay in seconds: open time of the first bar not yet read "
            "again so long after its close.",
        ),
        sa.Column(
            "closed_at",
            INSTANT,
            nullable=True,
            comment="End of the series: no slot from here on is expected.",
        ),
        sa.Column(
            "close_reason",
            sa.Text(),
            nullable=True,
            comment="Why the series ended, for example delisted.",
        ),
    ):
        op.add_column("series_cursors", column)
    op.create_check_constraint(
        op.f("ck_series_cursors_counts_not_negative"),
        "series_cursors",
        "bars >= 0 AND revisions >= 0",
    )
    op.create_check_constraint(
        op.f("ck_series_cursors_pending_reason_with_time"),
        "series_cursors",
        "(pending_reason IS NULL) = (pending_since IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_series_cursors_closed_with_reason"),
        "series_cursors",
        "(closed_at IS NULL) = (close_reason IS NULL)",
    )
    op.execute(COUNT_BARS)
    op.execute(COUNT_REVISIONS)


def downgrade() -> None:
    _set_lock_timeout()
    for column in reversed(CURSOR_COLUMNS):
        op.drop_column("series_cursors", column)
    for column in reversed(GAP_COLUMNS):
        op.drop_column("market_data_gaps", column)


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
