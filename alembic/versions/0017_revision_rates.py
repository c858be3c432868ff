"""How often each exchange corrects its bars, as a view.

The downgrade drops the view.

Revision ID: 0017
Revises: 0016
"""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

VIEW = """
CREATE VIEW revision_rates AS
SELECT market.exchange, cursor.timeframe,
       sum(cursor.bars)::bigint AS bars,
       coalesce(sum(kept.revised_bars), 0)::bigint AS revised_bars,
       coalesce(sum(kept.revisions), 0)::bigint AS revisions,
       (coalesce(sum(kept.revised_bars), 0) / nullif(sum(cursor.bars), 0))
           ::double precision AS revision_rate
FROM series_cursors AS cursor
JOIN cryptocurrencies AS market ON market.id = cursor.cryptocurrency_id
LEFT JOIN (
    SELECT cryptocurrency_id, timeframe,
           count(DISTINCT timestamp) AS revised_bars, count(*) AS revisions
    FROM market_data_revisions
    GROUP BY cryptocurrency_id, timeframe
) AS kept USING (cryptocurrency_id, timeframe)
GROUP BY market.exchange, cursor.timeframe
"""
COMMENT = """
COMMENT ON VIEW revision_rates IS
'Bars, how many of them were corrected, how often, and their share, by exchange.'
"""


def upgrade() -> None:
    _set_lock_timeout()
    op.execute(VIEW)
    op.execute(COMMENT)


def downgrade() -> None:
    _set_lock_timeout()
    op.execute("DROP VIEW revision_rates")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
