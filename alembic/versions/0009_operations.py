"""Heartbeats of the processes, and the quarantine of refused items.

Operators see what runs and what was refused without reading logs.
The downgrade drops the tables with their rows.

Revision ID: 0009
Revises: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TIMEFRAME = postgresql.ENUM(name="timeframe", create_type=False)
PROCESS_STATE = postgresql.ENUM(name="process_state", create_type=False)

# Made here, so dropped by the downgrade: dropping a table leaves its types behind.
TYPES = {
    "process_state": (
        "starting",
        "running",
        "waiting",
        "backing_off",
        "stopped",
        "failed",
    ),
}
TABLES = (
    "process_heartbeats",
    "quarantine",
)


def upgrade() -> None:
    _set_lock_timeout()
    for name, values in TYPES.items():
        labels = ", ".join(f"'{value}'" for value in values)
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    op.create_table(
        "process_heartbeats",
        sa.Column("process", sa.Text(), nullable=False, comment="The process."),
        sa.Column("pid", sa.Integer(), nullable=False, comment="Its process id."),
        sa.Column("host", sa.Text(), nullable=False, comment="The machine it runs on."),
        sa.Column("state", PROCESS_STATE, nullable=False, comment="What it was doing."),
        sa.Column(
            "started_at",
            INSTANT,
            nullable=False,
            comment="When it started, by the clock in use.",
        ),
        sa.Column(
            "beat_at",
            INSTANT,
            nullable=False,
            comment="When it said so, by the clock in use (virtual in a replay).",
        ),
        sa.Column(
            "real_beat_at",
            INSTANT,
            nullable=False,
            comment="When it said so, in real time: tells whether it is alive.",
        ),
        sa.Column(
            "last_success_at",
            INSTANT,
            nullable=True,
            comment="When a pass last went through, by the clock in use.",
        ),
        sa.Column(
            "lag_seconds",
            sa.Double(),
            nullable=True,
            comment="How far its data is behind the clock in use, in seconds.",
        ),
        sa.Column(
            "ticks",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Passes of this run.",
        ),
        sa.Column(
            "errors",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Failed passes of this run.",
        ),
        sa.Column(
            "last_error",
            sa.Text(),
            nullable=True,
            comment="The last failure's message.",
        ),
        sa.Column(
            "detail",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="What the last pass did.",
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
            "ticks >= 0 AND errors >= 0",
            name=op.f("ck_process_heartbeats_counts_not_negative"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_process_heartbeats_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("process", name=op.f("pk_process_heartbeats")),
        comment="One row per process: its newest heartbeat.",
    )
    op.create_table(
        "quarantine",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column(
            "exchange", sa.Text(), nullable=False, comment="Exchange that sent it."
        ),
        sa.Column(
            "symbol", sa.Text(), nullable=False, comment="Unified symbol it was about."
        ),
        sa.Column(
            "timeframe",
            TIMEFRAME,
            nullable=True,
            comment="Time frame, for a bar; else NULL.",
        ),
        sa.Column(
            "what",
            sa.Text(),
            nullable=False,
            comment="Kind of item: candle, ticker, ...",
        ),
        sa.Column(
            "rule", sa.Text(), nullable=False, comment="The rule that refused it."
        ),
        sa.Column("raw", sa.Text(), nullable=False, comment="The item as it came."),
        sa.Column(
            "figures",
            postgresql.JSONB(),
            nullable=True,
            comment="Figures the rule looked at, by name.",
        ),
        sa.Column(
            "occurred_at",
            INSTANT,
            nullable=True,
            comment="The time the item claims, where it can be read.",
        ),
        sa.Column(
            "known_at", INSTANT, nullable=False, comment="When it was first refused."
        ),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="SHA-256 (hex) of exchange, symbol, time frame, what, "
            "rule and raw.",
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
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_quarantine_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quarantine")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_quarantine_fingerprint")),
        comment="Refused items, raw; the same item is kept once.",
    )
    op.create_index("ix_quarantine_known_at", "quarantine", ["known_at"], unique=False)


def downgrade() -> None:
    _set_lock_timeout()
    for table in reversed(TABLES):
        op.drop_table(table)
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
