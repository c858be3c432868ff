"""Bars and the values that corrections replaced.

Bars are the bulk of the database: natural keys, doubles, monthly partitions (made by
`app.models.partitions`, not here) and no foreign keys, whose triggers would fire for
each row of a COPY. What a correction replaces moves to the revision table, and one
view and one function answer what was known at an instant.
The downgrade drops the tables with their rows.

Revision ID: 0002
Revises: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TIMEFRAME = postgresql.ENUM(name="timeframe", create_type=False)

# Made here, so dropped by the downgrade: dropping a table leaves its types behind.
TYPES = {
    "timeframe": (
        "1m",
        "3m",
        "5m",
        "15m",
        "30m",
        "1h",
        "2h",
        "4h",
        "6h",
        "8h",
        "12h",
        "1d",
        "1w",
        "1M",
    ),
}

HISTORY_VIEW = """
CREATE VIEW market_data_history AS
SELECT cryptocurrency_id, timeframe, timestamp, open, high, low, close, volume,
       known_at AS known_from, NULL::timestamptz AS known_to
FROM market_data
UNION ALL
SELECT cryptocurrency_id, timeframe, timestamp, open, high, low, close, volume,
       known_from, known_to
FROM market_data_revisions
"""

# Plain SQL and STABLE, so that the planner inlines it: conditions on its result
# prune partitions and use the primary keys.
AS_OF_FUNCTION = """
CREATE FUNCTION market_data_as_of(at timestamptz)
RETURNS TABLE (
    cryptocurrency_id integer, timeframe timeframe, "timestamp" timestamptz,
    open double precision, high double precision, low double precision,
    close double precision, volume double precision, known_from timestamptz
)
LANGUAGE sql STABLE AS $$
    SELECT h.cryptocurrency_id, h.timeframe, h.timestamp,
           h.open, h.high, h.low, h.close, h.volume, h.known_from
    FROM market_data_history AS h
    WHERE h.known_from <= market_data_as_of.at
      AND (h.known_to IS NULL OR h.known_to > market_data_as_of.at)
$$
"""
TABLES = (
    "market_data",
    "market_data_revisions",
)


def upgrade() -> None:
    _set_lock_timeout()
    for name, values in TYPES.items():
        labels = ", ".join(f"'{value}'" for value in values)
        op.execute(f"CREATE TYPE {name} AS ENUM ({labels})")
    op.create_table(
        "market_data",
        sa.Column(
            "cryptocurrency_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The market (cryptocurrencies.id; no foreign key, for bulk speed).",
        ),
        sa.Column("timeframe", TIMEFRAME, nullable=False, comment="Length of the bar."),
        sa.Column(
            "timestamp", INSTANT, nullable=False, comment="Open time of the bar, UTC."
        ),
        sa.Column(
            "open", sa.Double(), nullable=False, comment="First price, quote currency."
        ),
        sa.Column(
            "high",
            sa.Double(),
            nullable=False,
            comment="Highest price, quote currency.",
        ),
        sa.Column(
            "low", sa.Double(), nullable=False, comment="Lowest price, quote currency."
        ),
        sa.Column(
            "close", sa.Double(), nullable=False, comment="Last price, quote currency."
        ),
        sa.Column(
            "volume",
            sa.Double(),
            nullable=False,
            comment="Amount traded, base currency.",
        ),
        sa.Column(
            "known_at",
            INSTANT,
            nullable=False,
            comment="When we first had this value; also tells the collector's run.",
        ),
        sa.Column(
            "indicators",
            postgresql.JSONB(),
            nullable=True,
            comment="Indicator values; NULL unless configuration asks for them.",
        ),
        sa.CheckConstraint(
            "close > 0 AND close < 'Infinity'",
            name=op.f("ck_market_data_close_positive"),
        ),
        sa.CheckConstraint(
            "high > 0 AND high < 'Infinity'", name=op.f("ck_market_data_high_positive")
        ),
        sa.CheckConstraint(
            "low > 0 AND low < 'Infinity'", name=op.f("ck_market_data_low_positive")
        ),
        sa.CheckConstraint(
            "open > 0 AND open < 'Infinity'", name=op.f("ck_market_data_open_positive")
        ),
        sa.CheckConstraint(
            "volume >= 0 AND volume < 'Infinity'",
            name=op.f("ck_market_data_volume_not_negative"),
        ),
        sa.CheckConstraint(
            "high >= low", name=op.f("ck_market_data_high_not_below_low")
        ),
        sa.PrimaryKeyConstraint(
            "cryptocurrency_id", "timeframe", "timestamp", name=op.f("pk_market_data")
        ),
        comment="Closed bars, newest value of each; monthly partitions.",
        postgresql_partition_by="RANGE (timestamp)",
    )
    op.create_table(
        "market_data_revisions",
        sa.Column(
            "cryptocurrency_id",
            sa.Integer(),
            autoincrement=False,
            nullable=False,
            comment="The market (cryptocurrencies.id; no foreign key, as market_data).",
        ),
        sa.Column("timeframe", TIMEFRAME, nullable=False, comment="Length of the bar."),
        sa.Column(
            "timestamp", INSTANT, nullable=False, comment="Open time of the bar, UTC."
        ),
        sa.Column(
            "known_from",
            INSTANT,
            nullable=False,
            comment="When we first had this value.",
        ),
        sa.Column(
            "known_to",
            INSTANT,
            nullable=False,
            comment="When a later value replaced it (exclusive).",
        ),
        sa.Column(
            "open", sa.Double(), nullable=False, comment="First price, quote currency."
        ),
        sa.Column(
            "high",
            sa.Double(),
            nullable=False,
            comment="Highest price, quote currency.",
        ),
        sa.Column(
            "low", sa.Double(), nullable=False, comment="Lowest price, quote currency."
        ),
        sa.Column(
            "close", sa.Double(), nullable=False, comment="Last price, quote currency."
        ),
        sa.Column(
            "volume",
            sa.Double(),
            nullable=False,
            comment="Amount traded, base currency.",
        ),
        sa.CheckConstraint(
            "known_to > known_from",
            name=op.f("ck_market_data_revisions_interval_not_empty"),
        ),
        sa.PrimaryKeyConstraint(
            "cryptocurrency_id",
            "timeframe",
            "timestamp",
            "known_from",
            name=op.f("pk_market_data_revisions"),
        ),
        comment="Superseded bars; read through market_data_as_of(instant).",
    )
    op.execute(HISTORY_VIEW)
    op.execute(
        "COMMENT ON VIEW market_data_history IS"
        " 'Every value of every bar, with the interval in which we knew it.'"
    )
    op.execute(AS_OF_FUNCTION)
    op.execute(
        "COMMENT ON FUNCTION market_data_as_of IS"
        " 'The bars as we knew them at an instant.'"
    )


def downgrade() -> None:
    _set_lock_timeout()
    op.execute("DROP FUNCTION market_data_as_of")
    op.execute("DROP VIEW market_data_history")
    for table in reversed(TABLES):
        op.drop_table(table)
    for name in TYPES:
        op.execute(f"DROP TYPE {name}")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
