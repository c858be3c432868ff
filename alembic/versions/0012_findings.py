"""What checks of stored bars found, and what became of quarantined items.

Nothing is mended silently: a finding keeps both values, the bar stays as it was served.
The downgrade drops the table and the columns with what they hold.

Revision ID: 0012
Revises: 0011
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TIMEFRAME = postgresql.ENUM(name="timeframe", create_type=False)
QUARANTINE_COLUMNS = ("retried_at", "resolved_at", "resolution")


def upgrade() -> None:
    _set_lock_timeout()
    op.create_table(
        "market_data_findings",
        sa.Column(
            "id",
            sa.Uuid(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Key made by the database.",
        ),
        sa.Column(
            "cryptocurrency_id", sa.Integer(), nullable=False, comment="The market."
        ),
        sa.Column("timeframe", TIMEFRAME, nullable=False, comment="Length of the bar."),
        sa.Column(
            "timestamp", INSTANT, nullable=False, comment="Open time of the bar, UTC."
        ),
        sa.Column(
            "rule", sa.Text(), nullable=False, comment="The check that found it."
        ),
        sa.Column(
            "stored",
            postgresql.JSONB(),
            nullable=False,
            comment="The bar's values that the finding is about, by name.",
        ),
        sa.Column(
            "expected",
            postgresql.JSONB(),
            nullable=False,
            comment="What the check compared them with, by name.",
        ),
        sa.Column(
            "known_at", INSTANT, nullable=False, comment="When it was first found."
        ),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="SHA-256 (hex) of series, bar, rule and both values.",
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
            name=op.f("fk_market_data_findings_cryptocurrency_id_cryptocurrencies"),
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_market_data_findings_run_id_configuration_history"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_market_data_findings")),
        sa.UniqueConstraint(
            "fingerprint", name=op.f("uq_market_data_findings_fingerprint")
        ),
        comment="Bars that a check disagrees with, both values kept.",
    )
    op.create_index(
        "ix_market_data_findings_bar",
        "market_data_findings",
        ["cryptocurrency_id", "timeframe", "timestamp"],
    )
    for column in (
        sa.Column(
            "retried_at",
            INSTANT,
            nullable=True,
            comment="When it was last judged again.",
        ),
        sa.Column(
            "resolved_at",
            INSTANT,
            nullable=True,
            comment="When it was settled; NULL: still refused.",
        ),
        sa.Column(
            "resolution",
            sa.Text(),
            nullable=True,
            comment="How it was settled, for example stored or replaced.",
        ),
    ):
        op.add_column("quarantine", column)
    op.create_check_constraint(
        op.f("ck_quarantine_resolved_with_resolution"),
        "quarantine",
        "(resolved_at IS NULL) = (resolution IS NULL)",
    )


def downgrade() -> None:
    _set_lock_timeout()
    for column in reversed(QUARANTINE_COLUMNS):
        op.drop_column("quarantine", column)
    op.drop_table("market_data_findings")


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
