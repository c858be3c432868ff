"""Snapshots that hold more and take less: figures packed, their names once.

Names made up most of a snapshot as JSONB. Figures become one array of reals, named by
a row of `snapshot_layouts` that thousands of snapshots share; the same row tells which
figures still warm up, so that the index on it finds the snapshots that hold one.
Levels of the book become arrays, regimes are kept per time frame, and what all markets
share goes to `market_context`. A run keeps the requirements of its figures.
The downgrade puts indicators, books and bars back as JSONB; sentiment's parts,
patterns, beta, regimes by time frame and the market's context are lost. Figures are
reals from here on: seven digits of the old doubles stay.

Revision ID: 0016
Revises: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

INSTANT = sa.TIMESTAMP(timezone=True)
TIMEFRAME = postgresql.ENUM(name="timeframe", create_type=False)
TEXTS = postgresql.ARRAY(sa.Text())
REALS = postgresql.ARRAY(sa.REAL())
REGIME = postgresql.ENUM(
    "trending_up",
    "trending_down",
    "ranging",
    "volatile",
    name="market_regime",
    create_type=False,
)
REGIMES = postgresql.ARRAY(REGIME)
DOUBLES = postgresql.ARRAY(sa.Double())

# Names, order and gaps of what each old snapshot holds.
SHAPES = """
CREATE TABLE snapshot_shapes AS
SELECT cryptocurrency_id, timestamp,
    ARRAY(SELECT key FROM jsonb_each(indicators) ORDER BY key) AS timeframes,
    ARRAY(SELECT frame.key || '.' || item.key
          FROM jsonb_each(indicators) AS frame, jsonb_each(frame.value) AS item
          ORDER BY 1) AS names,
    ARRAY(SELECT frame.key || '.' || item.key
          FROM jsonb_each(indicators) AS frame, jsonb_each(frame.value) AS item
          WHERE item.value = 'null' ORDER BY 1) AS warming_up
FROM market_snapshots
"""
LAYOUTS = """
INSERT INTO snapshot_layouts (digest, timeframes, names, warming_up)
SELECT DISTINCT encode(sha256(convert_to(
        concat_ws('|', timeframes::text, names::text, warming_up::text), 'UTF8')),
        'hex'), timeframes, names, warming_up
FROM snapshot_shapes
"""
PACK = """
UPDATE market_snapshots AS snapshot SET
    layout_id = layout.id,
    bar_at = ARRAY(SELECT (bars ->> frame)::timestamptz
                   FROM unnest(layout.timeframes) AS frame),
    regimes = ARRAY(SELECT NULL::market_regime FROM unnest(layout.timeframes)),
    figures = ARRAY(
        SELECT ({value})::real
        FROM unnest(layout.names) WITH ORDINALITY AS item (name, number),
            LATERAL (SELECT (indicators -> split_part(name, '.', 1)
                ->> substr(name, strpos(name, '.') + 1))::double precision AS value)
                AS held
        ORDER BY number),
    bid_levels = jsonb_array_length(order_book -> 'bids'),
    book_prices = {prices}, book_amounts = {amounts}
FROM snapshot_layouts AS layout, snapshot_shapes AS shape
WHERE shape.cryptocurrency_id = snapshot.cryptocurrency_id
  AND shape.timestamp = snapshot.timestamp
  AND layout.names = shape.names AND layout.timeframes = shape.timeframes
  AND layout.warming_up = shape.warming_up
"""
UNPACK = """
UPDATE market_snapshots AS snapshot SET
    bars = (SELECT coalesce(jsonb_object_agg(frame, snapshot.bar_at[number]), '{}')
            FROM unnest(layout.timeframes) WITH ORDINALITY AS item (frame, number)
            WHERE snapshot.bar_at[number] IS NOT NULL),
    indicators = (
        SELECT coalesce(jsonb_object_agg(frame, found), '{}') FROM (
            SELECT split_part(name, '.', 1) AS frame,
                jsonb_object_agg(substr(name, strpos(name, '.') + 1),
                                 snapshot.figures[number]) AS found
            FROM unnest(layout.names) WITH ORDINALITY AS item (name, number)
            WHERE split_part(name, '.', 1) = ANY (layout.timeframes)
            GROUP BY 1) AS frames),
    order_book = CASE WHEN book_prices IS NOT NULL THEN (
        SELECT jsonb_build_object(
            'bids', coalesce(jsonb_agg(pair) FILTER (WHERE place <= bid_levels), '[]'),
            'asks', coalesce(jsonb_agg(pair) FILTER (WHERE place > bid_levels), '[]'))
        FROM unnest(book_prices, book_amounts)
                WITH ORDINALITY AS level (price, amount, place),
            LATERAL jsonb_build_array(price, amount) AS pair) END
FROM snapshot_layouts AS layout WHERE layout.id = snapshot.layout_id
"""
FUNCTION = """
CREATE FUNCTION snapshot_indicator
    (snapshot market_snapshots, timeframe text, name text)
RETURNS real LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (snapshot).figures[array_position(layout.names, timeframe || '.' || name)]
    FROM snapshot_layouts AS layout WHERE layout.id = (snapshot).layout_id
$$
"""
FUNCTION_COMMENT = """
COMMENT ON FUNCTION snapshot_indicator IS
'A figure of a snapshot by time frame and name; NULL where it has none.'
"""
VIEW = """
CREATE VIEW market_snapshot_figures AS
SELECT snapshot.cryptocurrency_id, snapshot.timestamp,
    CASE WHEN split_part(item.path, '.', 1) = ANY (layout.timeframes)
         THEN split_part(item.path, '.', 1) END AS timeframe,
    CASE WHEN split_part(item.path, '.', 1) = ANY (layout.timeframes)
         THEN substr(item.path, strpos(item.path, '.') + 1)
         ELSE item.path END AS name,
    snapshot.figures[item.number] AS value,
    CASE WHEN snapshot.figures[item.number] IS NOT NULL THEN 'ok'
         WHEN item.path = ANY (layout.warming_up) THEN 'warming_up'
         ELSE 'undefined' END AS status
FROM market_snapshots AS snapshot
JOIN snapshot_layouts AS layout ON layout.id = snapshot.layout_id,
LATERAL unnest(layout.names) WITH ORDINALITY AS item (path, number)
"""
BOOK_VIEW = """
CREATE VIEW market_snapshot_book AS
SELECT snapshot.cryptocurrency_id, snapshot.timestamp,
    CASE WHEN item.number <= snapshot.bid_levels THEN 'bid' ELSE 'ask' END AS side,
    CASE WHEN item.number <= snapshot.bid_levels THEN item.number
         ELSE item.number - snapshot.bid_levels END AS level,
    item.price, item.amount
FROM market_snapshots AS snapshot,
LATERAL unnest(snapshot.book_prices, snapshot.book_amounts)
    WITH ORDINALITY AS item (price, amount, number)
"""
BOOK_VIEW_COMMENT = """
COMMENT ON VIEW market_snapshot_book IS
'Levels of the order book of every snapshot, counted from 1 on each side.'
"""
VIEW_COMMENT = """
COMMENT ON VIEW market_snapshot_figures IS
'Every figure of every snapshot by name, and why it has no value.'
"""


def upgrade() -> None:
    _set_lock_timeout()
    REGIME.create(op.get_bind())
    _create_tables()
    _add_columns()
    _set_types("real", "market_regime")
    op.execute(SHAPES)
    op.execute(LAYOUTS)
    op.execute(
        PACK.format(
            prices=_levels(0, "double precision"),
            amounts=_levels(1, "real"),
            value=_within_reals("value"),
        )
    )
    op.execute("DROP TABLE snapshot_shapes")
    for column in ("layout_id", "bar_at", "regimes", "figures"):
        op.alter_column("market_snapshots", column, nullable=False)
    op.alter_column("market_snapshots", "patterns", server_default=None)
    op.create_foreign_key(
        op.f("fk_market_snapshots_layout_id_snapshot_layouts"),
        "market_snapshots",
        "snapshot_layouts",
        ["layout_id"],
        ["id"],
    )
    op.drop_index("ix_market_snapshots_indicators", "market_snapshots")
    for column in ("order_book", "bars", "indicators"):
        op.drop_column("market_snapshots", column)
    op.create_index(
        "ix_market_snapshots_layout_id_timestamp",
        "market_snapshots",
        ["layout_id", "timestamp"],
    )
    _comment_columns(NEW_COMMENTS)
    for statement in (FUNCTION, FUNCTION_COMMENT, VIEW, VIEW_COMMENT):
        op.execute(statement)
    op.execute(BOOK_VIEW)
    op.execute(BOOK_VIEW_COMMENT)


def downgrade() -> None:
    _set_lock_timeout()
    op.execute("DROP VIEW market_snapshot_book, market_snapshot_figures")
    op.execute("DROP FUNCTION snapshot_indicator")
    for column in (
        _column("order_book", postgresql.JSONB(), BOOK, nullable=True),
        _column("bars", postgresql.JSONB(), BARS, nullable=True),
        _column("indicators", postgresql.JSONB(), INDICATORS, nullable=True),
    ):
        op.add_column("market_snapshots", column)
    op.execute(UNPACK)
    for name in ("bars", "indicators"):
        op.alter_column("market_snapshots", name, nullable=False)
    op.drop_index("ix_market_snapshots_layout_id_timestamp", "market_snapshots")
    for added in _new_columns():
        op.drop_column("market_snapshots", added.name)
    op.create_index(
        "ix_market_snapshots_indicators",
        "market_snapshots",
        ["indicators"],
        postgresql_using="gin",
    )
    _set_types("double precision", "text")
    op.execute("DROP TYPE market_regime")
    _comment_columns(OLD_COMMENTS)
    op.drop_column("configuration_history", "requirements")
    op.drop_table("market_context")
    op.drop_table("snapshot_layouts")


BOOK = 'Order book: {"bids": [[price, amount], ...], "asks": [...]}.'
BARS = "Open time of the newest closed bar, by time frame."
INDICATORS = "Indicator values by time frame and name; null: still warming up."
NEW_COMMENTS = {
    "bid_depth": "Value of the bids within 50 basis points of the mid, quote currency.",
    "ask_depth": "Value of the asks within 50 basis points of the mid, quote currency.",
    "regime": "Market regime on the middle time frame.",
    "sentiment": "Sentiment, -1 to 1; its parts are figures named sentiment.*.",
}
NUMBERS = (
    "spread_bps",
    "quote_volume_24h",
    "bid_depth",
    "ask_depth",
    "book_imbalance",
    "sentiment",
    "btc_correlation",
)
OLD_COMMENTS = {
    "bid_depth": "Value of the stored bid levels, quote currency.",
    "ask_depth": "Value of the stored ask levels, quote currency.",
    "regime": "Market regime.",
    "sentiment": "Sentiment, -1 to 1.",
}


def _set_types(number: str, regime: str) -> None:
    changes = [
        f"ALTER COLUMN {name} TYPE {number} USING {_within_reals(name)}::{number}"
        for name in NUMBERS
    ]
    changes.append(f"ALTER COLUMN regime TYPE {regime} USING regime::text::{regime}")
    op.execute(f"ALTER TABLE market_snapshots {', '.join(changes)}")


def _within_reals(value: str) -> str:
    # A double that a real cannot hold has no value; one that is too small is 0.
    return (
        f"CASE WHEN abs({value}) > 3.4e38 THEN NULL"
        f" WHEN abs({value}) < 1.2e-38 THEN 0 ELSE {value} END"
    )


def _comment_columns(comments: dict[str, str]) -> None:
    for name, comment in comments.items():
        op.execute(f"COMMENT ON COLUMN market_snapshots.{name} IS '{comment}'")


def _column(
    name: str, kind: sa.types.TypeEngine, comment: str, nullable: bool = False
) -> sa.Column:
    return sa.Column(name, kind, nullable=nullable, comment=comment)


def _create_tables() -> None:
    op.create_table(
        "snapshot_layouts",
        sa.Column(
            "id",
            sa.Integer(),
            sa.Identity(always=False),
            nullable=False,
            comment="Key made by the database.",
        ),
        _column(
            "digest",
            sa.Text(),
            "SHA-256 (hex) of the other columns, which finds them again.",
        ),
        _column(
            "timeframes",
            TEXTS,
            "Time frames, shortest first: the order of bar_at and regimes.",
        ),
        _column(
            "names",
            TEXTS,
            "Names of the figures, in order: `5m.rsi_14`, `sentiment.momentum`.",
        ),
        _column(
            "warming_up",
            TEXTS,
            "Figures and columns whose declared bars were not all there yet.",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_snapshot_layouts")),
        sa.UniqueConstraint("digest", name=op.f("uq_snapshot_layouts_digest")),
        comment="Names of the packed figures of market_snapshots.",
    )
    counts = {
        "markets": "Markets that have that bar.",
        "stale": "Markets whose bars end earlier; they count nowhere else.",
        "advancing": "Closed above the bar before.",
        "declining": "Closed below the bar before.",
        "unchanged": "Closed where the bar before did.",
        "judged_by_ema": "Markets with an EMA of 50.",
        "above_ema": "Of these, those above it.",
        "judged_by_range": "Markets with 100 bars before the newest.",
        "new_highs": "Of these, closes above them all.",
        "new_lows": "Of these, closes below them all.",
    }
    op.create_table(
        "market_context",
        _column("exchange", sa.Text(), "ccxt exchange id."),
        _column("timestamp", INSTANT, "The snapshot boundary, UTC."),
        _column("timeframe", TIMEFRAME, "Time frame of the bars it was read from."),
        _column("known_at", INSTANT, "When it was taken."),
        _column(
            "bar_at",
            INSTANT,
            "Open time of the newest bar of all markets; NULL: no bar.",
            nullable=True,
        ),
        *(_column(name, sa.Integer(), text) for name, text in counts.items()),
        _column(
            "breadth",
            sa.Double(),
            "Lean of the breadth, -1 to 1; NULL: no market to judge.",
            nullable=True,
        ),
        _column(
            "btc_impulse",
            sa.Text(),
            "up, down or none; NULL: no BTC bars, or too few.",
            nullable=True,
        ),
        _column(
            "btc_impulse_atr",
            sa.Double(),
            "BTC's move over the last 3 bars in ATRs, signed.",
            nullable=True,
        ),
        _column(
            "run_id",
            sa.Uuid(),
            "Run that wrote this row (configuration_history.run_id).",
        ),
        sa.PrimaryKeyConstraint(
            "exchange", "timestamp", "timeframe", name=op.f("pk_market_context")
        ),
        sa.ForeignKeyConstraint(
            ["run_id"],
            ["configuration_history.run_id"],
            name=op.f("fk_market_context_run_id_configuration_history"),
        ),
        comment="Breadth and BTC's impulse at each snapshot boundary.",
    )


def _new_columns() -> list[sa.Column]:
    flags = {
        "is_asia": "Whether Tokyo is open (0 to 9 UTC).",
        "is_london": "Whether London is open (8 to 17 UTC).",
        "is_new_york": "Whether New York is open (13 to 22 UTC).",
        "is_weekend": "Whether it is Saturday or Sunday, UTC.",
    }
    columns = [
        sa.Column(
            name,
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment=text,
        )
        for name, text in flags.items()
    ]
    patterns = _column(
        "patterns",
        postgresql.JSONB(),
        "By time frame, confidence of each pattern that the last bar completed or "
        "confirmed; negative: bearish.",
    )
    patterns.server_default = sa.DefaultClause("{}")
    texts = {
        "btc_beta": (sa.REAL(), "Beta of returns to Bitcoin's."),
        "layout_id": (
            sa.Integer(),
            "What the arrays hold, and which figures warm up.",
        ),
        "bar_at": (
            postgresql.ARRAY(INSTANT),
            "Open time of the newest closed bar of each time frame; NULL: none.",
        ),
        "regimes": (REGIMES, "Regime of each time frame; NULL: warming up."),
        "figures": (
            REALS,
            "Indicators, structure, readings and parts, named by the layout.",
        ),
        "bid_levels": (
            sa.SmallInteger(),
            "How many levels of the book are bids; NULL: no book.",
        ),
        "book_prices": (
            DOUBLES,
            "Prices of the bids, then of the asks, best first each.",
        ),
        "book_amounts": (REALS, "Their amounts, base currency."),
    }
    # Filled below, and then those that must be are made NOT NULL.
    columns += [
        _column(name, kind, text, nullable=True) for name, (kind, text) in texts.items()
    ]
    return [*columns, patterns]


def _add_columns() -> None:
    for column in _new_columns():
        op.add_column("market_snapshots", column)
    op.add_column(
        "configuration_history",
        _column(
            "requirements",
            postgresql.JSONB(),
            "By time frame and figure of this run's snapshots: what it is, the bars "
            "it needs, where an endless sum starts; NULL: the run took none.",
            nullable=True,
        ),
    )


def _levels(place: int, kind: str) -> str:
    return f"""CASE WHEN order_book IS NOT NULL THEN ARRAY(
        SELECT (level ->> {place})::{kind}
        FROM (VALUES ('bids'), ('asks')) AS sides (side),
            jsonb_array_elements(order_book -> side)
                WITH ORDINALITY AS item (level, number)
        ORDER BY side DESC, number) END"""


def _set_lock_timeout() -> None:
    # Rather fail and be run again than queue readers and writers behind this lock.
    op.execute("SET LOCAL lock_timeout = '5s'")
