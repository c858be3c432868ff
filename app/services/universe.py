"""Keeps the list of markets and the history of which were admitted, and why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.exceptions import CorruptReply
from app.domain.market import Market, MarketStatus
from app.domain.universe import RejectionReason
from app.exchange.replies import TickerBatch
from app.models import Cryptocurrency, QuarantinedRow, UniverseMembership
from app.trading.market_filter import MarketFilter, Verdict

# A refresh that loses more of the known markets than this is not believed.
LARGEST_SHRINK = 0.20


@dataclass(frozen=True, slots=True)
class UniverseChange:
    """What one refresh of the universe changed."""

    listed: int
    delisted: int
    admitted: int
    rejected: int
    changed: int


def refresh_universe(
    session: Session,
    exchange: str,
    markets: Mapping[str, Market],
    batch: TickerBatch,
    market_filter: MarketFilter,
    now: datetime,
    run_id: UUID,
) -> UniverseChange:
    """Store the markets, judge each, and extend the membership history."""
    rows, listed, delisted = save_markets(session, exchange, markets, now, run_id)
    caps = known_market_caps(session, exchange)
    verdicts = with_delisted(market_filter.judge(markets, batch.tickers, caps), rows)
    changed = save_verdicts(session, rows, verdicts, now, run_id)
    QuarantinedRow.store(
        session,
        [
            QuarantinedRow(
                exchange=exchange,
                symbol=item.symbol,
                what=item.what,
                rule=item.rule,
                raw=item.raw,
                known_at=now,
                run_id=run_id,
            )
            for item in batch.rejected
        ],
    )
    admitted = sum(verdict.admitted for verdict in verdicts)
    return UniverseChange(listed, delisted, admitted, len(verdicts) - admitted, changed)


def known_market_caps(session: Session, exchange: str) -> dict[str, float]:
    """Market capitalisation by symbol, where it is stored."""
    rows = session.execute(
        select(Cryptocurrency.symbol, Cryptocurrency.market_cap).where(
            Cryptocurrency.exchange == exchange,
            Cryptocurrency.market_cap.is_not(None),
        )
    )
    return {symbol: cap for symbol, cap in rows if cap is not None}


def current_verdicts(session: Session, exchange: str) -> list[Verdict]:
    """The standing verdict on every market of `exchange`, by symbol."""
    return [
        Verdict(
            market.symbol,
            membership.admitted,
            tuple(membership.reasons),
            membership.figures,
        )
        for market, membership in UniverseMembership.get_current(session, exchange)
    ]


def save_markets(
    session: Session,
    exchange: str,
    markets: Mapping[str, Market],
    now: datetime,
    run_id: UUID,
) -> tuple[dict[str, Cryptocurrency], int, int]:
    """Store listings, changes and delistings; all rows by symbol, new, gone.

    Raises:
        CorruptReply: all or more than a fifth of the known markets vanished at once,
            which a truncated reply explains better than a delisting.
    """
    rows = {
        row.symbol: row
        for row in session.scalars(
            select(Cryptocurrency).where(Cryptocurrency.exchange == exchange)
        )
    }
    known = {s for s, row in rows.items() if row.status is not MarketStatus.DELISTED}
    gone = known - set(markets)
    # One market of a few may go; all of them at once never do.
    is_too_many = len(gone) > max(1, LARGEST_SHRINK * len(known))
    if is_too_many or (known and not markets):
        raise CorruptReply(
            f"{exchange} lists {len(markets)} markets and {len(gone)} of {len(known)} "
            f"known ones vanished at once; at most {LARGEST_SHRINK:.0%} is believed"
        )
    listed = 0
    for symbol, market in sorted(markets.items()):
        row = rows.get(symbol)
        if row is None:
            row = Cryptocurrency(
                exchange=exchange, symbol=symbol, first_seen_at=now, run_id=run_id
            )
            session.add(row)
            rows[symbol] = row
            listed += 1
        copy_market(row, market, now)
    for symbol in gone:
        rows[symbol].status = MarketStatus.DELISTED
        rows[symbol].delisted_at = now
    session.flush()
    return rows, listed, len(gone)


def copy_market(row: Cryptocurrency, market: Market, now: datetime) -> None:
    """Give `row` what the exchange says of `market` at `now`."""
    row.exchange_symbol = market.exchange_symbol
    row.base = market.base
    row.quote = market.quote
    row.status = market.status
    row.price_tick = market.price_tick
    row.amount_step = market.amount_step
    row.min_notional = market.min_notional
    row.last_seen_at = now
    row.delisted_at = None


def save_verdicts(
    session: Session,
    rows: Mapping[str, Cryptocurrency],
    verdicts: Sequence[Verdict],
    now: datetime,
    run_id: UUID,
) -> int:
    """Extend the membership history where a verdict differs; how many did."""
    ids = [row.id for row in rows.values()]
    current = {
        membership.cryptocurrency_id: membership
        for membership in session.scalars(
            select(UniverseMembership).where(
                UniverseMembership.cryptocurrency_id.in_(ids),
                UniverseMembership.valid_to.is_(None),
            )
        )
    }
    changed = 0
    for verdict in verdicts:
        row = rows[verdict.symbol]
        before = current.get(row.id)
        reasons = list(verdict.reasons)
        if before is not None:
            is_same = before.admitted == verdict.admitted and before.reasons == reasons
            if is_same or now <= before.valid_from:
                continue
            before.valid_to = now
            # The partial unique index allows one open row per market at a time.
            session.flush()
        session.add(
            UniverseMembership(
                cryptocurrency_id=row.id,
                admitted=verdict.admitted,
                reasons=reasons,
                figures=dict(verdict.figures),
                valid_from=now,
                run_id=run_id,
            )
        )
        changed += 1
    return changed


def with_delisted(
    verdicts: Sequence[Verdict], rows: Mapping[str, Cryptocurrency]
) -> list[Verdict]:
    """Add a rejection for every known market that the exchange lists no more."""
    judged = {verdict.symbol for verdict in verdicts}
    gone = [
        Verdict(symbol, False, (RejectionReason.DELISTED,), {})
        for symbol, row in sorted(rows.items())
        if symbol not in judged and row.status is MarketStatus.DELISTED
    ]
    return [*verdicts, *gone]
