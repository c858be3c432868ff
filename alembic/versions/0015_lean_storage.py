"""What a bar takes on disk: 122 bytes with its index, no longer 133.

A NULL in a row of more than eight columns costs eight bytes of header, and every bar
had one: `indicators`, which nothing fills. It gets a table of its own, with one row
where there are some. Index pages of bars are filled to the brim, since keys only ever
ascend within a series. Cursors get room to be updated in place, minute after minute.
Dropping a column leaves its NULL in every row to come, so bars move to new tables: this
writes each stored bar once and keeps readers out for as long (10 million: a minute).
The downgrade puts indicators back beside their bars; those of values since corrected
are lost.

Revision ID: 0015
Revises: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TIMEFRAME = postgresql.ENUM(name="timeframe", create_type=False)

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
VIEW_COMMENT = """
COMMENT ON VIEW market_data_history IS
'Every value of every bar, with the interval in which we knew it.'
"""
TAKE_INDICATORS = """
INSERT INTO market_data_indicators
    (cryptocurrency_id, timeframe, timestamp, known_at, indicators)
SELECT cryptocurrency_id, timeframe, timestamp, known_at, indicators
FROM market_data WHERE indicators IS NOT NULL
"""
GIVE_INDICATORS = """
UPDATE market_data AS bar SET indicators = kept.indicators
FROM market_data_indicators AS kept
WHERE bar.cryptocurrency_id = kept.cryptocurrency_id
  AND bar.timeframe = kept.timeframe AND bar.timestamp = kept.timestamp
  AND bar.known_at = kept.known_at
"""
# The new parent, as 0002 made it but for the column.
NEW_PARENT = (
    "ALTER TABLE market_data DROP COLUMN indicators",
    "ALTER TABLE market_data RENAME TO market_data_before",
    "ALTER INDEX pk_market_data RENAME TO pk_market_data_before",
    """
    CREATE TABLE market_data
    (LIKE market_data_before INCLUDING ALL EXCLUDING INDEXES)
    PARTITION BY RANGE (timestamp)
    """,
    """
    ALTER TABLE market_data ADD CONSTRAINT pk_market_data
    PRIMARY KEY (cryptocurrency_id, timeframe, timestamp)
    """,
    """
    COMMENT ON TABLE market_data IS
    'Closed bars, newest value of each; monthly partitions.'
    """,
)
MOVE_PARTITIONS = """
DO $$
DECLARE
    part record;
    key text;
BEGIN
    FOR part IN
        SELECT relname, pg_get_expr(relpartbound, child.oid) AS bounds
        FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = 'market_data_before'::regclass
        ORDER BY relname
    LOOP
        EXECUTE 'ALTER TABLE market_data_before DETACH PARTITION '
            || quote_ident(part.relname);
        EXECUTE 'ALTER TABLE ' || quote_ident(part.relname)
            || ' RENAME TO market_data_moving';
        key := (SELECT conname FROM pg_constraint
                WHERE conrelid = 'market_data_moving'::regclass AND contype = 'p');
        EXECUTE 'ALTER TABLE market_data_moving DROP CONSTRAINT ' || quote_ident(key);
        EXECUTE 'CREATE TABLE ' || quote_ident(part.relname)
            || ' (LIKE market_data INCLUDING ALL EXCLUDING INDEXES)';
        -- As they lie: bars of one time lie together, which reads rely on.
        EXECUTE 'INSERT INTO ' || quote_ident(part.relname)
            || ' SELECT cryptocurrency_id, timeframe, timestamp,'
            || ' open, high, low, close, volume, known_at FROM market_data_moving';
        DROP TABLE market_data_moving;
        EXECUTE 'ALTER TABLE ' || quote_ident(part.relname)
            || ' ADD CONSTRAINT ' || quote_ident(key)
            || ' PRIMARY KEY (cryptocurrency_id, timeframe, timestamp)'
            || ' WITH (fillfactor = 100)';
        EXECUTE 'ALTER TABLE market_data ATTACH PARTITION '
            || quote_ident(part.relname) || ' ' || part.bounds;
    END LOOP;
END
$$
"""
RESET_FILLFACTORS = """
DO $$
DECLARE
    leaf regclass;
BEGIN
    FOR leaf IN
        SELECT inhrelid FROM pg_inherits WHERE inhparent = 'pk_market_data'::regclass
    LOOP
        EXECUTE 'ALTER INDEX ' || leaf || ' RESET (fillfactor)';
    END LOOP;
END
$$
"""


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "market_data_indicators",
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
            "known_at",
            INSTANT,
            nullable=False,
            comment="Of which value of the bar they are: its market_data.known_at.",
        ),
        sa.Column(
            "indicators",
            postgresql.JSONB(),
            nullable=False,
            comment="Indicator values by name.",
        ),
        sa.PrimaryKeyConstraint(
            "cryptocurrency_id",
            "timeframe",
            "timestamp",
            "known_at",
            name=op.f("pk_market_data_indicators"),
        ),
        comment="Indicators of single bars; empty unless configuration asks for them.",
    )
    op.execute(TAKE_INDICATORS)
    op.execute("DROP VIEW market_data_history")
    for statement in NEW_PARENT:
        op.execute(statement)
    op.execute(MOVE_PARTITIONS)
    op.execute("DROP TABLE market_data_before")
    op.execute(HISTORY_VIEW)
    op.execute(VIEW_COMMENT)
    op.execute("ALTER TABLE series_cursors SET (fillfactor = 50)")


def downgrade() -> None:
    _set_lock_timeout()
    op.execute("ALTER TABLE series_cursors RESET (fillfactor)")
    op.execute(RESET_FILLFACTORS)
    op.add_column(
        "market_data",
        sa.Column(
            "indicators",
            postgresql.JSONB(),
            nullable=True,
            comment="Indicator values; NULL unless configuration asks for them.",
        ),
    )
    op.execute(GIVE_INDICATORS)
    op.drop_table("market_data_indicators")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
