"""How far each series goes, and the ledger of what is missing in it.

With both, every expected bar is stored or listed with a reason, and nobody scans
the bars to learn where a series ends.
The downgrade drops the tables with their rows.

Revision ID: 0003
Revises: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TIMEFRAME = postgresql.ENUM(name="timeframe", create_type=False)
GAP_STATUS = postgresql.ENUM(name="gap_status", create_type=False)
GAP_REASON = postgresql.ENUM(name="gap_reason", create_type=False)

# Made here, so dropped by the downgrade: dropping a table leaves its types behind.
TYPES = {
    "gap_status": ("open", "repairing", "filled", "confirmed_absent"),
    "gap_reason": (
        "no_trade",
        "exchange_outage",
        "maintenance",
        "not_listed",
        "our_downtime",
        "fetch_failed",
        "quarantined",
        "unknown",
    ),
}
TABLES = (
    "series_cursors",
    "market_data_gaps",
)


def upgrade() -> None:
    _set_lock_timeout()
    for name, values in TYPES.items():
        labels = ", ".join(f"'{value}'" for value in values)
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    op.create_table(
        "series_cursors",
        sa.Column(
            "cryptocurrency_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The market.",
        ),
        sa.Column(
            "timeframe", TIMEFRAME, nullable=False, comment="Length of the bars."
        ),
        sa.Column(
            "history_from",
            INSTANT,
            nullable=False,
            comment="Open time of the first slot that is accounted for.",
        ),
        sa.Column(
            "watermark_at",
            INSTANT,
            nullable=False,
            comment="Open time of the first slot not accounted for: every "
            "slot before it, from history_from on, is stored or in the gap ledger.",
        ),
        sa.Column(
            "first_bar_at",
            INSTANT,
            nullable=True,
            comment="Open time of the oldest stored bar; NULL: none.",
        ),
        sa.Column(
            "last_bar_at",
            INSTANT,
            nullable=True,
            comment="Open time of the newest stored bar; NULL: none.",
        ),
        sa.Column(
            "run_id",
            sa.Uuid(),
            nullable=False,
            comment="Run that wrote this row (configuration_history.run_id).",
        ),
        sa.Column(
            "created_at",
            INSTANT,
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was inserted (database clock, real time).",
        ),
        sa.Column(
            "updated_at",
            INSTANT,
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was last changed (database clock, real time).",
        ),
        sa.CheckConstraint(
            "(first_bar_at IS NULL) = (last_bar_at IS NULL)",
            name=op.f("ck_series_cursors_both_ends_or_none"),
        ),
        sa.CheckConstraint(
            "last_bar_at >= first_bar_at",
            name=op.f("ck_series_cursors_last_not_before_first"),
        ),
        sa.CheckConstraint(
            "watermark_at >= history_from",
            name=op.f("ck_series_cursors_watermark_not_before_history"),
        ),
        sa.ForeignKeyConstraint(
            ["cryptocurrency_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_series_cursors_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_series_cursors_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint(
            "cryptocurrency_id", "timeframe", name=op.f("pk_series_cursors")
        ),
        comment="One row per series: where its history starts and ends.",
    )
    op.create_table(
        "market_data_gaps",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column(
            "cryptocurrency_id", sa.Integer(), nullable=False, comment="The market."
        ),
        sa.Column(
            "timeframe", TIMEFRAME, nullable=False, comment="Length of the bars."
        ),
        sa.Column(
            "starts_at",
            INSTANT,
            nullable=False,
            comment="Open time of the first missing bar.",
        ),
        sa.Column(
            "ends_at",
            INSTANT,
            nullable=False,
            comment="Open time of the first slot after the gap (exclusive).",
        ),
        sa.Column(
            "slots", sa.Integer(), nullable=False, comment="Number of missing bars."
        ),
        sa.Column(
            "status", GAP_STATUS, nullable=False, comment="Where its repair stands."
        ),
        sa.Column(
            "reason", GAP_REASON, nullable=False, comment="Why the bars are missing."
        ),
        sa.Column(
            "detected_at", INSTANT, nullable=False, comment="When it was noticed."
        ),
        sa.Column(
            "resolved_at",
            INSTANT,
            nullable=True,
            comment="When it was filled or confirmed absent.",
        ),
        sa.Column(
            "attempts",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often a repair was tried.",
        ),
        sa.Column(
            "last_attempt_at",
            INSTANT,
            nullable=True,
            comment="When a repair was last tried.",
        ),
        sa.Column(
            "run_id",
            sa.Uuid(),
            nullable=False,
            comment="Run that wrote this row (configuration_history.run_id).",
        ),
        sa.Column(
            "created_at",
            INSTANT,
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was inserted (database clock, real time).",
        ),
        sa.Column(
            "updated_at",
            INSTANT,
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the row was last changed (database clock, real time).",
        ),
        sa.CheckConstraint(
            "(status IN ('filled', 'confirmed_absent')) = (resolved_at IS NOT NULL)",
            name=op.f("ck_market_data_gaps_resolved_when_final"),
        ),
        sa.CheckConstraint(
            "attempts >= 0", name=op.f("ck_market_data_gaps_attempts_not_negative")
        ),
        sa.CheckConstraint(
            "ends_at > starts_at", name=op.f("ck_market_data_gaps_interval_not_empty")
        ),
        sa.CheckConstraint(
            "slots > 0", name=op.f("ck_market_data_gaps_slots_positive")
        ),
        sa.ForeignKeyConstraint(
            ["cryptocurrency_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_market_data_gaps_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_market_data_gaps_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_data_gaps")),
        comment="Slots without a bar; with the bars they cover the grid exactly.",
    )
    op.create_index(
        "ix_market_data_gaps_unresolved",
        "market_data_gaps",
        ["last_attempt_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('open', 'repairing')"),
    )
    op.create_index(
        "uq_market_data_gaps_missing",
        "market_data_gaps",
        ["cryptocurrency_id", "timeframe", "starts_at"],
        unique=True,
        postgresql_where=sa.text("status <> 'filled'"),
    )


def downgrade() -> None:
    _set_lock_timeout()
    for table in reversed(TABLES):
        op.drop_table(table)
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
