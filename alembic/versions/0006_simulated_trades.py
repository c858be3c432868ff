"""Trades on simulated money.

One trade per signal, so that opening it again after a crash opens no second one.
The downgrade drops the tables with their rows.

Revision ID: 0006
Revises: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
MONEY = sa.Numeric(38, 18)
SIDE = postgresql.ENUM(name="side", create_type=False)
TRADE_STATUS = postgresql.ENUM(name="trade_status", create_type=False)
EXIT_REASON = postgresql.ENUM(name="exit_reason", create_type=False)

# Made here, so dropped by the downgrade: dropping a table leaves its types behind.
TYPES = {
    "trade_status": ("open", "closed"),
    "exit_reason": (
        "stop_loss",
        "take_profit",
        "trailing_stop",
        "time_limit",
        "delisted",
    ),
}
TABLES = ("simulated_trades",)


def upgrade() -> None:
    _set_lock_timeout()
    for name, values in TYPES.items():
        labels = ", ".join(f"'{value}'" for value in values)
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    op.create_table(
        "simulated_trades",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column(
            "signal_id", sa.Uuid(), nullable=False, comment="The signal that opened it."
        ),
        sa.Column(
            "cryptocurrency_id", sa.Integer(), nullable=False, comment="The market."
        ),
        sa.Column("side", SIDE, nullable=False, comment="Direction."),
        sa.Column("status", TRADE_STATUS, nullable=False, comment="Open or closed."),
        sa.Column("entry_at", INSTANT, nullable=False, comment="When it was entered."),
        sa.Column(
            "entry_price", MONEY, nullable=False, comment="Price paid, with slippage."
        ),
        sa.Column(
            "quantity", MONEY, nullable=False, comment="Amount bought, base currency."
        ),
        sa.Column(
            "remaining_quantity",
            MONEY,
            nullable=False,
            comment="Amount still held, base currency.",
        ),
        sa.Column("initial_stop_price", MONEY, nullable=False, comment="First stop."),
        sa.Column("stop_price", MONEY, nullable=False, comment="Stop now."),
        sa.Column(
            "risk_amount",
            MONEY,
            nullable=False,
            comment="Money lost if the first stop is hit.",
        ),
        sa.Column(
            "take_profits",
            postgresql.JSONB(),
            nullable=False,
            comment="Targets, nearest first: price, quantity and fraction of each.",
        ),
        sa.Column(
            "next_target",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Position of the next target to be hit.",
        ),
        sa.Column("entry_fee", MONEY, nullable=False, comment="Fee of the entry."),
        sa.Column(
            "fees_total", MONEY, nullable=False, comment="Fees so far, entry included."
        ),
        sa.Column(
            "realised_pnl",
            MONEY,
            nullable=False,
            comment="Profit or loss realised so far, after fees.",
        ),
        sa.Column(
            "is_trailing",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether the stop trails the price.",
        ),
        sa.Column(
            "best_price", MONEY, nullable=False, comment="Best price since entry."
        ),
        sa.Column(
            "worst_price", MONEY, nullable=False, comment="Worst price since entry."
        ),
        sa.Column(
            "stepped_through",
            INSTANT,
            nullable=False,
            comment="Close time of the last candle it was stepped through.",
        ),
        sa.Column("exit_at", INSTANT, nullable=True, comment="When the rest was sold."),
        sa.Column(
            "exit_price", MONEY, nullable=True, comment="Price of the last sale."
        ),
        sa.Column(
            "exit_reason", EXIT_REASON, nullable=True, comment="What sold the rest."
        ),
        sa.Column(
            "mfe",
            MONEY,
            nullable=True,
            comment="Maximum favourable excursion: best price move, per unit.",
        ),
        sa.Column(
            "mae",
            MONEY,
            nullable=True,
            comment="Maximum adverse excursion: worst price move, per unit.",
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
            "(status = 'closed') = (exit_reason IS NOT NULL)",
            name=op.f("ck_simulated_trades_closed_for_a_reason"),
        ),
        sa.CheckConstraint(
            "(status = 'closed') = (remaining_quantity = 0 AND exit_at IS NOT NULL)",
            name=op.f("ck_simulated_trades_closed_when_nothing_remains"),
        ),
        sa.CheckConstraint(
            "entry_fee >= 0 AND entry_fee < 'Infinity'",
            name=op.f("ck_simulated_trades_entry_fee_not_negative"),
        ),
        sa.CheckConstraint(
            "entry_price > 0 AND entry_price < 'Infinity'",
            name=op.f("ck_simulated_trades_entry_price_positive"),
        ),
        sa.CheckConstraint(
            "fees_total >= 0 AND fees_total < 'Infinity'",
            name=op.f("ck_simulated_trades_fees_total_not_negative"),
        ),
        sa.CheckConstraint(
            "initial_stop_price > 0 AND initial_stop_price < 'Infinity'",
            name=op.f("ck_simulated_trades_initial_stop_price_positive"),
        ),
        sa.CheckConstraint(
            "quantity > 0 AND quantity < 'Infinity'",
            name=op.f("ck_simulated_trades_quantity_positive"),
        ),
        sa.CheckConstraint(
            "realised_pnl > '-Infinity' AND realised_pnl < 'Infinity'",
            name=op.f("ck_simulated_trades_realised_pnl_finite"),
        ),
        sa.CheckConstraint(
            "risk_amount > 0 AND risk_amount < 'Infinity'",
            name=op.f("ck_simulated_trades_risk_amount_positive"),
        ),
        sa.CheckConstraint(
            "stop_price > 0 AND stop_price < 'Infinity'",
            name=op.f("ck_simulated_trades_stop_price_positive"),
        ),
        sa.CheckConstraint(
            "exit_at >= entry_at", name=op.f("ck_simulated_trades_exit_after_entry")
        ),
        sa.CheckConstraint(
            "next_target >= 0",
            name=op.f("ck_simulated_trades_next_target_not_negative"),
        ),
        sa.CheckConstraint(
            "remaining_quantity >= 0 AND remaining_quantity <= quantity",
            name=op.f("ck_simulated_trades_remaining_within_quantity"),
        ),
        sa.ForeignKeyConstraint(
            ["cryptocurrency_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_simulated_trades_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_simulated_trades_run_id_configuration_history"),
        ),
        sa.ForeignKeyConstraint(
            ["signal_id"],
            ["signals.id"],
            name=op.f("fk_simulated_trades_signal_id_signals"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_simulated_trades")),
        sa.UniqueConstraint("signal_id", name=op.f("uq_simulated_trades_signal_id")),
        comment="Simulated trades, open and closed.",
    )
    op.create_index(
        "ix_simulated_trades_cryptocurrency_id",
        "simulated_trades",
        ["cryptocurrency_id"],
        unique=False,
    )
    op.create_index(
        "ix_simulated_trades_exit_at", "simulated_trades", ["exit_at"], unique=False
    )
    op.create_index(
        "ix_simulated_trades_open",
        "simulated_trades",
        ["entry_at"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index(
        "ix_simulated_trades_run_id", "simulated_trades", ["run_id"], unique=False
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
