"""Runs, markets and the universe as it was.

Every later row points at the run that wrote it and at the market it is about, so
these come first.
The downgrade drops the tables with their rows.

Revision ID: 0001
Revises:
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
MARKET_STATUS = postgresql.ENUM(name="market_status", create_type=False)

# Made here, so dropped by the downgrade: dropping a table leaves its types behind.
TYPES = {
    "market_status": ("trading", "halted", "delisted"),
}
TABLES = (
    "configuration_history",
    "cryptocurrencies",
    "universe_membership",
)


def upgrade() -> None:
    _set_lock_timeout()
    for name, values in TYPES.items():
        labels = ", ".join(f"'{value}'" for value in values)
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    op.create_table(
        "configuration_history",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column(
            "run_id",
            sa.Uuid(),
            nullable=False,
            comment="Name of the run; every later row points here.",
        ),
        sa.Column(
            "process", sa.Text(), nullable=False, comment="Which process ran, or `up`."
        ),
        sa.Column(
            "configuration",
            postgresql.JSONB(),
            nullable=False,
            comment="The whole configuration, secrets redacted.",
        ),
        sa.Column(
            "sha256",
            sa.Text(),
            nullable=False,
            comment="SHA-256 (hex) of the canonical configuration text.",
        ),
        sa.Column(
            "code_version", sa.Text(), nullable=False, comment="Version of the program."
        ),
        sa.Column(
            "started_at",
            INSTANT,
            nullable=False,
            comment="Start of the run, by the clock in use.",
        ),
        sa.Column(
            "ended_at",
            INSTANT,
            nullable=True,
            comment="Orderly end of the run, by the clock in use; NULL: "
            "running or killed.",
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
            "ended_at >= started_at",
            name=op.f("ck_configuration_history_ends_after_start"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_configuration_history")),
        sa.UniqueConstraint("run_id", name=op.f("uq_configuration_history_run_id")),
        comment="One row per run: its configuration, secrets redacted.",
    )
    op.create_index(
        "ix_configuration_history_process_started_at",
        "configuration_history",
        ["process", "started_at"],
        unique=False,
    )
    op.create_table(
        "cryptocurrencies",
        sa.Column(
            "id",
            sa.Integer(),
            sa.Identity(always=False),
            nullable=False,
            comment="Short key of the market.",
        ),
        sa.Column(
            "exchange",
            sa.Text(),
            nullable=False,
            comment="Exchange id, as in configuration.",
        ),
        sa.Column(
            "symbol",
            sa.Text(),
            nullable=False,
            comment="Unified symbol, for example BTC/USDT.",
        ),
        sa.Column(
            "exchange_symbol",
            sa.Text(),
            nullable=False,
            comment="The exchange's own name.",
        ),
        sa.Column("base", sa.Text(), nullable=False, comment="Currency traded."),
        sa.Column(
            "quote", sa.Text(), nullable=False, comment="Currency it is priced in."
        ),
        sa.Column(
            "status", MARKET_STATUS, nullable=False, comment="Whether it trades."
        ),
        sa.Column(
            "price_tick",
            sa.Double(),
            nullable=True,
            comment="Smallest price step, in quote currency.",
        ),
        sa.Column(
            "amount_step",
            sa.Double(),
            nullable=True,
            comment="Smallest amount step, in base currency.",
        ),
        sa.Column(
            "min_notional",
            sa.Double(),
            nullable=True,
            comment="Least order value, in quote currency.",
        ),
        sa.Column(
            "market_cap",
            sa.Double(),
            nullable=True,
            comment="Market capitalisation in quote currency; NULL: unknown.",
        ),
        sa.Column(
            "first_seen_at",
            INSTANT,
            nullable=False,
            comment="When the exchange first listed it to us.",
        ),
        sa.Column(
            "last_seen_at",
            INSTANT,
            nullable=False,
            comment="When the exchange last listed it to us.",
        ),
        sa.Column(
            "delisted_at",
            INSTANT,
            nullable=True,
            comment="When it was first found gone from the exchange.",
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
            "amount_step > 0 AND amount_step < 'Infinity'",
            name=op.f("ck_cryptocurrencies_amount_step_positive"),
        ),
        sa.CheckConstraint(
            "price_tick > 0 AND price_tick < 'Infinity'",
            name=op.f("ck_cryptocurrencies_price_tick_positive"),
        ),
        sa.CheckConstraint(
            "last_seen_at >= first_seen_at",
            name=op.f("ck_cryptocurrencies_last_seen_after_first_seen"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_cryptocurrencies_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cryptocurrencies")),
        sa.UniqueConstraint(
            "exchange", "symbol", name=op.f("uq_cryptocurrencies_exchange_symbol")
        ),
        comment="One row per market on one exchange; never deleted.",
    )
    op.create_table(
        "universe_membership",
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
            "admitted", sa.Boolean(), nullable=False, comment="Whether it is collected."
        ),
        sa.Column(
            "reasons",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="Rules that rejected it; empty where admitted.",
        ),
        sa.Column(
            "figures",
            postgresql.JSONB(),
            nullable=False,
            comment="Figures the rules looked at, by name.",
        ),
        sa.Column(
            "valid_from",
            INSTANT,
            nullable=False,
            comment="From when the verdict held; also when it was known.",
        ),
        sa.Column(
            "valid_to",
            INSTANT,
            nullable=True,
            comment="Until when it held (exclusive); NULL: still does.",
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
            "admitted = (cardinality(reasons) = 0)",
            name=op.f("ck_universe_membership_rejected_for_a_reason"),
        ),
        sa.CheckConstraint(
            "valid_to > valid_from",
            name=op.f("ck_universe_membership_interval_not_empty"),
        ),
        sa.ForeignKeyConstraint(
            ["cryptocurrency_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_universe_membership_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_universe_membership_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_universe_membership")),
        comment="Verdicts of the market filter, each with its validity interval.",
    )
    op.create_index(
        "ix_universe_membership_cryptocurrency_id_valid_from",
        "universe_membership",
        ["cryptocurrency_id", "valid_from"],
        unique=False,
    )
    op.create_index(
        "uq_universe_membership_open",
        "universe_membership",
        ["cryptocurrency_id"],
        unique=True,
        postgresql_where=sa.text("valid_to IS NULL"),
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
