"""The simulated account's figures after each closed trade.

One row per closed trade, so that closing it again after a crash adds none.
The downgrade drops the tables with their rows.

Revision ID: 0008
Revises: 0007
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
MONEY = sa.Numeric(38, 18)
TABLES = ("performance_metrics",)


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "performance_metrics",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column(
            "trade_id",
            sa.Uuid(),
            nullable=False,
            comment="The trade whose closing it is.",
        ),
        sa.Column("as_of", INSTANT, nullable=False, comment="When that trade closed."),
        sa.Column(
            "trades", sa.Integer(), nullable=False, comment="Trades closed so far."
        ),
        sa.Column(
            "wins",
            sa.Integer(),
            nullable=False,
            comment="Those with a profit after fees.",
        ),
        sa.Column(
            "losses",
            sa.Integer(),
            nullable=False,
            comment="Those with a loss after fees.",
        ),
        sa.Column(
            "win_rate", sa.Double(), nullable=False, comment="Wins over trades, 0 to 1."
        ),
        sa.Column(
            "profit_factor",
            sa.Double(),
            nullable=True,
            comment="Gross profit over gross loss; NULL: no loss yet.",
        ),
        sa.Column(
            "expectancy",
            sa.Double(),
            nullable=False,
            comment="Mean profit or loss of a trade, in initial risks (R).",
        ),
        sa.Column(
            "sharpe",
            sa.Double(),
            nullable=True,
            comment="Mean over standard deviation of trade returns; NULL: too few.",
        ),
        sa.Column(
            "realised_pnl",
            MONEY,
            nullable=False,
            comment="Profit or loss of all closed trades, after fees.",
        ),
        sa.Column("fees", MONEY, nullable=False, comment="Fees of all closed trades."),
        sa.Column(
            "equity", MONEY, nullable=False, comment="Starting cash plus realised_pnl."
        ),
        sa.Column(
            "peak_equity", MONEY, nullable=False, comment="Highest equity so far."
        ),
        sa.Column(
            "drawdown", MONEY, nullable=False, comment="peak_equity less equity."
        ),
        sa.Column(
            "max_drawdown", MONEY, nullable=False, comment="Largest drawdown so far."
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
            "equity > '-Infinity' AND equity < 'Infinity'",
            name=op.f("ck_performance_metrics_equity_finite"),
        ),
        sa.CheckConstraint(
            "realised_pnl > '-Infinity' AND realised_pnl < 'Infinity'",
            name=op.f("ck_performance_metrics_realised_pnl_finite"),
        ),
        sa.CheckConstraint(
            "drawdown >= 0 AND max_drawdown >= drawdown",
            name=op.f("ck_performance_metrics_drawdown_within_max"),
        ),
        sa.CheckConstraint(
            "peak_equity >= equity",
            name=op.f("ck_performance_metrics_peak_not_below_equity"),
        ),
        sa.CheckConstraint(
            "wins >= 0 AND losses >= 0 AND wins + losses <= trades",
            name=op.f("ck_performance_metrics_wins_and_losses_within_trades"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_performance_metrics_run_id_configuration_history"),
        ),
        sa.ForeignKeyConstraint(
            ["trade_id"],
            ["simulated_trades.id"],
            name=op.f("fk_performance_metrics_trade_id_simulated_trades"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performance_metrics")),
        sa.UniqueConstraint("trade_id", name=op.f("uq_performance_metrics_trade_id")),
        comment="Figures of the simulated account, one row per closed trade.",
    )
    op.create_index(
        "ix_performance_metrics_as_of", "performance_metrics", ["as_of"], unique=False
    )
    op.create_index(
        "ix_performance_metrics_run_id", "performance_metrics", ["run_id"], unique=False
    )


def downgrade() -> None:
    _set_lock_timeout()
    for table in reversed(TABLES):
        op.drop_table(table)


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
