"""What all processes share: the exchange's budget, its bans, and who does what.

A ban outlives the process that met it, and two collectors on one database take turns.
The downgrade drops the tables with their rows.

Revision ID: 0014
Revises: 0013
"""

from __future__ import annotations

import sqlalchemy as sa

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TABLES = ("rate_budgets", "process_leases")


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "rate_budgets",
        sa.Column("exchange", sa.Text(), nullable=False, comment="The exchange."),
        sa.Column(
            "address",
            sa.Text(),
            nullable=False,
            comment="The address it is asked from, as configured.",
        ),
        sa.Column(
            "tokens",
            sa.Double(),
            nullable=False,
            comment="Units that may be spent at refilled_at.",
        ),
        sa.Column(
            "refilled_at",
            INSTANT,
            nullable=False,
            comment="When the tokens were counted, by the clock in use.",
        ),
        sa.Column(
            "cooldown_until",
            INSTANT,
            nullable=True,
            comment="Nothing is asked before this instant, by the clock in use.",
        ),
        sa.Column(
            "bans",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Bans in a row, without a good answer between them.",
        ),
        sa.Column(
            "spent",
            sa.Double(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Units spent since the row was made.",
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
        sa.CheckConstraint("bans >= 0", name=op.f("ck_rate_budgets_bans_not_negative")),
        sa.CheckConstraint(
            "spent >= 0 AND spent < 'Infinity'",
            name=op.f("ck_rate_budgets_spent_not_negative"),
        ),
        sa.CheckConstraint(
            "tokens > '-Infinity' AND tokens < 'Infinity'",
            name=op.f("ck_rate_budgets_tokens_finite"),
        ),
        sa.PrimaryKeyConstraint("exchange", "address", name=op.f("pk_rate_budgets")),
        comment="One row per exchange and address: budget and cooldown of all "
        "processes.",
    )
    op.create_table(
        "process_leases",
        sa.Column("name", sa.Text(), nullable=False, comment="The work that is owned."),
        sa.Column(
            "holder", sa.Text(), nullable=False, comment="Who does it: run and process."
        ),
        sa.Column(
            "epoch",
            sa.BigInteger(),
            nullable=False,
            comment="Goes up with each change of hands; older holders may not write.",
        ),
        sa.Column(
            "expires_at",
            INSTANT,
            nullable=False,
            comment="Until when it is held unless renewed (database clock, real time).",
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
        sa.CheckConstraint("epoch >= 1", name=op.f("ck_process_leases_epoch_from_one")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_process_leases")),
        comment="Which run does a piece of work that only one may do.",
    )


def downgrade() -> None:
    _set_lock_timeout()
    for table in reversed(TABLES):
        op.drop_table(table)


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
