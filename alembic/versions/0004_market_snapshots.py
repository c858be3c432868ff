"""What each market looked like at each snapshot boundary.

A snapshot holds bars by reference and indicators as JSONB; the GIN index finds
snapshots by a rare indicator, the one on time the newest.
The downgrade drops the tables with their rows.

Revision ID: 0004
Revises: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TABLES = ("market_snapshots",)


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "market_snapshots",
        sa.Column(
            "cryptocurrency_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The market.",
        ),
        sa.Column(
            "timestamp",
            INSTANT,
            nullable=False,
            comment="The snapshot boundary it describes, UTC.",
        ),
        sa.Column("known_at", INSTANT, nullable=False, comment="When it was taken."),
        sa.Column(
            "last_price",
            sa.Double(),
            nullable=True,
            comment="Last price, quote currency.",
        ),
        sa.Column(
            "bid", sa.Double(), nullable=True, comment="Best bid, quote currency."
        ),
        sa.Column(
            "ask", sa.Double(), nullable=True, comment="Best ask, quote currency."
        ),
        sa.Column(
            "spread_bps",
            sa.Double(),
            nullable=True,
            comment="Spread in basis points of the mid price.",
        ),
        sa.Column(
            "quote_volume_24h",
            sa.Double(),
            nullable=True,
            comment="Volume of the last 24 hours, quote currency.",
        ),
        sa.Column(
            "bid_depth",
            sa.Double(),
            nullable=True,
            comment="Value of the stored bid levels, quote currency.",
        ),
        sa.Column(
            "ask_depth",
            sa.Double(),
            nullable=True,
            comment="Value of the stored ask levels, quote currency.",
        ),
        sa.Column(
            "book_imbalance",
            sa.Double(),
            nullable=True,
            comment="(bid_depth - ask_depth) / (bid_depth + ask_depth), -1 to 1.",
        ),
        sa.Column(
            "order_book",
            postgresql.JSONB(),
            nullable=True,
            comment='Order book: {"bids": [[price, amount], ...], "asks": [...]}.',
        ),
        sa.Column(
            "bars",
            postgresql.JSONB(),
            nullable=False,
            comment="Open time of the newest closed bar, by time frame.",
        ),
        sa.Column(
            "indicators",
            postgresql.JSONB(),
            nullable=False,
            comment="Indicator values by time frame and name; null: still warming up.",
        ),
        sa.Column("regime", sa.Text(), nullable=True, comment="Market regime."),
        sa.Column(
            "sentiment", sa.Double(), nullable=True, comment="Sentiment, -1 to 1."
        ),
        sa.Column(
            "btc_correlation",
            sa.Double(),
            nullable=True,
            comment="Correlation of returns with Bitcoin's, -1 to 1.",
        ),
        sa.Column(
            "run_id",
            sa.Uuid(),
            nullable=False,
            comment="Run that wrote this row (configuration_history.run_id).",
        ),
        sa.CheckConstraint(
            "last_price > 0 AND last_price < 'Infinity'",
            name=op.f("ck_market_snapshots_last_price_positive"),
        ),
        sa.CheckConstraint(
            "ask >= bid", name=op.f("ck_market_snapshots_book_not_crossed")
        ),
        sa.ForeignKeyConstraint(
            ["cryptocurrency_id"],
            ["cryptocurrencies.id"],
            name=op.f("fk_market_snapshots_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_market_snapshots_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint(
            "cryptocurrency_id", "timestamp", name=op.f("pk_market_snapshots")
        ),
        comment="What each market looked like, at each snapshot boundary; "
        "monthly partitions.",
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_index(
        "ix_market_snapshots_indicators",
        "market_snapshots",
        ["indicators"],
        unique=False,
        postgresql_using="gin",
    )
    op.create_index(
        "ix_market_snapshots_timestamp", "market_snapshots", ["timestamp"], unique=False
    )


def downgrade() -> None:
    _set_lock_timeout()
    for table in reversed(TABLES):
        op.drop_table(table)


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
