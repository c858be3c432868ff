"""Sales of parts of simulated trades.

One exit per trade and number, so that it may be written twice.
The downgrade drops the tables with their rows.

Revision ID: 0007
Revises: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
MONEY = sa.Numeric(38, 18)
EXIT_REASON = postgresql.ENUM(name="exit_reason", create_type=False)
TABLES = ("partial_exits",)


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "partial_exits",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column("trade_id", sa.Uuid(), nullable=False, comment="The trade."),
        sa.Column(
            "sequence",
            sa.Integer(),
            nullable=False,
            comment="1 for the first exit of the trade.",
        ),
        sa.Column("exited_at", INSTANT, nullable=False, comment="When it was sold."),
        sa.Column("price", MONEY, nullable=False, comment="Price got, with slippage."),
        sa.Column(
            "quantity", MONEY, nullable=False, comment="Amount sold, base currency."
        ),
        sa.Column(
            "fee", MONEY, nullable=False, comment="Fee of the sale, quote currency."
        ),
        sa.Column(
            "pnl",
            MONEY,
            nullable=False,
            comment="Profit or loss of this part, after its fee, quote currency.",
        ),
        sa.Column("reason", EXIT_REASON, nullable=False, comment="What sold it."),
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
            "fee >= 0 AND fee < 'Infinity'",
            name=op.f("ck_partial_exits_fee_not_negative"),
        ),
        sa.CheckConstraint(
            "pnl > '-Infinity' AND pnl < 'Infinity'",
            name=op.f("ck_partial_exits_pnl_finite"),
        ),
        sa.CheckConstraint(
            "price > 0 AND price < 'Infinity'",
            name=op.f("ck_partial_exits_price_positive"),
        ),
        sa.CheckConstraint(
            "quantity > 0 AND quantity < 'Infinity'",
            name=op.f("ck_partial_exits_quantity_positive"),
        ),
        sa.CheckConstraint(
            "sequence >= 1", name=op.f("ck_partial_exits_sequence_from_one")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_partial_exits_run_id_configuration_history"),
        ),
        sa.ForeignKeyConstraint(
            ["trade_id"],
            ["simulated_trades.id"],
            name=op.f("fk_partial_exits_trade_id_simulated_trades"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_partial_exits")),
        sa.UniqueConstraint(
            "trade_id", "sequence", name=op.f("uq_partial_exits_trade_id_sequence")
        ),
        comment="Exits of simulated trades, the last one included.",
    )
    op.create_index(
        "ix_partial_exits_exited_at", "partial_exits", ["exited_at"], unique=False
    )
    op.create_index(
        "ix_partial_exits_run_id", "partial_exits", ["run_id"], unique=False
    )


def downgrade() -> None:
    _set_lock_timeout()
    for table in reversed(TABLES):
        op.drop_table(table)


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
