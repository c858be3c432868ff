"""Say what the depth of a book covers, and which bars correlations are of.

The depth is that of the levels asked for, of which those far from the mid are left
out: a book that is deeper than the levels read has more within 50 basis points.

Revision ID: 0019
Revises: 0018
"""

from __future__ import annotations

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

NEW_COMMENTS = {
    "bid_depth": "Value of those bids read (snapshot.order_book_depth levels) that lie "
    "within 50 basis points of the mid, quote currency.",
    "ask_depth": "Value of those asks read (snapshot.order_book_depth levels) that lie "
    "within 50 basis points of the mid, quote currency.",
    "book_imbalance": "(bid_depth - ask_depth) / (bid_depth + ask_depth) of the levels "
    "read, -1 to 1.",
    "btc_correlation": "Correlation of returns with Bitcoin's, -1 to 1; NULL: too few "
    "bars, or either lacks the bar that closed at the boundary.",
    "btc_beta": "Beta of returns to Bitcoin's; NULL as btc_correlation.",
}
OLD_COMMENTS = {
    "bid_depth": "Value of the bids within 50 basis points of the mid, quote currency.",
    "ask_depth": "Value of the asks within 50 basis points of the mid, quote currency.",
    "book_imbalance": "(bid_depth - ask_depth) / (bid_depth + ask_depth), -1 to 1.",
    "btc_correlation": "Correlation of returns with Bitcoin's, -1 to 1.",
    "btc_beta": "Beta of returns to Bitcoin's.",
}


def upgrade() -> None:
    _comment(NEW_COMMENTS)


def downgrade() -> None:
    _comment(OLD_COMMENTS)


def _comment(comments: dict[str, str]) -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, comment in comments.items():
        text = comment.replace("'", "''")
        op.execute(f"COMMENT ON COLUMN market_snapshots.{name} IS '{text}'")
