"""Decisions of the strategies, refusals too, and how far each has judged.

One decision per strategy and bar: judging a bar again after a crash changes nothing.
The downgrade drops the tables with their rows.

Revision ID: 0005
Revises: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
MONEY = sa.Numeric(38, 18)
TIMEFRAME = postgresql.ENUM(name="timeframe", create_type=False)
DECISION_KIND = postgresql.ENUM(name="decision_kind", create_type=False)
SIDE = postgresql.ENUM(name="side", create_type=False)

# Made here, so dropped by the downgrade: dropping a table leaves its types behind.
TYPES = {
    "side": ("long", "short"),
    "decision_kind": ("signal", "refusal"),
}
TABLES = (
    "signals",
    "scan_cursors",
)


def upgrade() -> None:
    _set_lock_timeout()
    for name, values in TYPES.items():
        labels = ", ".join(f"'{value}'" for value in values)
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    op.create_table(
        "signals",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column(
            "cryptocurrency_id",
            sa.Integer(),
            nullable=False,
            comment="The market judged.",
        ),
        sa.Column(
            "strategy",
            sa.Text(),
            nullable=False,
            comment="The strategy that judged it.",
        ),
        sa.Column(
            "timeframe", TIMEFRAME, nullable=False, comment="Time frame it looked at."
        ),
        sa.Column(
            "bar_at",
            INSTANT,
            nullable=False,
            comment="Open time of the last closed bar it saw.",
        ),
        sa.Column("kind", DECISION_KIND, nullable=False, comment="Signal or refusal."),
        sa.Column("side", SIDE, nullable=True, comment="Direction of the position."),
        sa.Column(
            "confidence", sa.Double(), nullable=True, comment="Confidence, 0 to 1."
        ),
        sa.Column(
            "entry_price",
            MONEY,
            nullable=True,
            comment="Price to enter at, quote currency.",
        ),
        sa.Column(
            "stop_price",
            MONEY,
            nullable=True,
            comment="Price that proves it wrong, quote currency.",
        ),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why: a stable code."),
        sa.Column(
            "evidence",
            postgresql.JSONB(),
            nullable=False,
            comment="Figures the rule looked at, by name.",
        ),
        sa.Column(
            "decided_at",
            INSTANT,
            nullable=False,
            comment="When it was decided, and so known.",
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
            "entry_price > 0 AND entry_price < 'Infinity'",
            name=op.f("ck_signals_entry_price_positive"),
        ),
        sa.CheckConstraint(
            "kind <> 'signal' OR (side IS NOT NULL AND confidence IS NOT "
            "NULL AND entry_price IS NOT NULL AND stop_price IS NOT NULL)",
            name=op.f("ck_signals_signal_is_complete"),
        ),
        sa.CheckConstraint(
            "stop_price > 0 AND stop_price < 'Infinity'",
            name=op.f("ck_signals_stop_price_positive"),
        ),
        sa.CheckConstraint(
            "confidence BETWEEN 0 AND 1", name=op.f("ck_signals_confidence_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["cryptocurrency_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_signals_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_signals_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signals")),
        sa.UniqueConstraint(
            "cryptocurrency_id",
            "strategy",
            "timeframe",
            "bar_at",
            name=op.f("uq_signals_cryptocurrency_id_strategy_timeframe_bar_at"),
        ),
        comment="Decisions on each closed bar: signals and refusals.",
    )
    op.create_index("ix_signals_decided_at", "signals", ["decided_at"], unique=False)
    op.create_index(
        "ix_signals_kind_decided_at", "signals", ["kind", "decided_at"], unique=False
    )
    op.create_index("ix_signals_run_id", "signals", ["run_id"], unique=False)
    op.create_table(
        "scan_cursors",
        sa.Column("strategy", sa.Text(), nullable=False, comment="The strategy."),
        sa.Column(
            "timeframe", TIMEFRAME, nullable=False, comment="Time frame it judges."
        ),
        sa.Column(
            "inception_at",
            INSTANT,
            nullable=False,
            comment="Bar close from which it began to judge.",
        ),
        sa.Column(
            "evaluated_through",
            INSTANT,
            nullable=False,
            comment="Bar close up to which every member of the universe was judged.",
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
            "evaluated_through >= inception_at",
            name=op.f("ck_scan_cursors_not_before_inception"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_scan_cursors_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("strategy", "timeframe", name=op.f("pk_scan_cursors")),
        comment="One row per strategy and time frame: how far it has judged.",
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
