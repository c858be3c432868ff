"""Listings, delistings, renames, halts and refused lists, as they became known.

The downgrade drops the table with its rows.

Revision ID: 0013
Revises: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "market_events",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column("exchange", sa.Text(), nullable=False, comment="The exchange."),
        sa.Column(
            "cryptocurrency_id",
            sa.Integer(),
            nullable=True,
            comment="The market; NULL: about the whole exchange.",
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="What happened."),
        sa.Column(
            "successor_id",
            sa.Integer(),
            nullable=True,
            comment="For a rename: the market under its new name.",
        ),
        sa.Column(
            "known_at", INSTANT, nullable=False, comment="When we came to know it."
        ),
        sa.Column(
            "detail",
            postgresql.JSONB(),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Figures and names that belong to it.",
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
            ["cryptocurrency_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_market_events_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["successor_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_market_events_successor_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_market_events_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_events")),
        comment="Listings, delistings, renames, halts; refused market lists.",
    )
    op.create_index(
        "ix_market_events_market", "market_events", ["cryptocurrency_id", "known_at"]
    )
    op.create_index(
        "ix_market_events_exchange", "market_events", ["exchange", "known_at"]
    )


def downgrade() -> None:
    _set_lock_timeout()
    op.drop_table("market_events")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
