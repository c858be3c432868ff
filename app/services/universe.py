"""Keeps the list of markets and the history of which were admitted, and why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.domain.market import Market, MarketStatus
from app.domain.market_event import MarketEventKind
from app.domain.universe import RejectionReason, is_collapse
from app.exchange.rejected import RejectedItem
from app.exchange.replies import TickerBatch
from app.models import Cryptocurrency, MarketEvent, UniverseMembership
from app.services.market_changes import MarketChange, find_changes
from app.services.quarantine.keeping import keep_rejected
from app.services.series_ends import close_series, reopen_series
from app.services.shrink_refusals import (
    Shrink,
    end_refusal,
    is_accepted,
    note_refusal,
)
from app.services.unclear_markets import find_unclear_markets
from app.trading.market_filter import MarketFilter, Verdict


@dataclass(frozen=True, slots=True)
class UniverseChange:
    """What one refresh of the universe changed; nothing where it was `refused`."""

    listed: int = 0
    delisted: int = 0
    admitted: int = 0
    rejected: int = 0
    changed: int = 0
    refused: Shrink | None = None


def refresh_universe(
    session: Session,
    exchange: str,
    markets: Mapping[str, Market],
    batch: TickerBatch,
    market_filter: MarketFilter,
    now: datetime,
    run_id: UUID,
    refused: Sequence[RejectedItem] = (),
) -> UniverseChange:
    """Store the markets, judge each, and extend the membership history.

    A list that lost too many markets changes nothing until it grows back or an
    operator accepts it, see `app.services.shrink_refusals`. Markets that may be among
    its `refused` entries stay as they are, see `app.services.unclear_markets`.
    """
    keep_rejected(session, exchange, [*batch.rejected, *refused], now, run_id)
    rows = stored_markets(session, exchange)
    once_listed = _once_listed(session, exchange, rows)
    unclear = find_unclear_markets(session, exchange, rows, markets.keys(), refused)
    shrink = _find_shrink(session, exchange, once_listed, markets, unclear, now, run_id)
    if shrink is not None:
        return UniverseChange(refused=shrink)
    changes = find_changes(once_listed, markets, unclear)
    save_markets(session, exchange, rows, markets, changes, now, run_id)
    caps = known_market_caps(session, exchange)
    verdicts = with_delisted(market_filter.judge(markets, batch.tickers, caps), rows)
    changed = save_verdicts(session, rows, verdicts, now, run_id)
    admitted = sum(verdict.admitted for verdict in verdicts)
    kinds = [change.kind for change in changes]
    return UniverseChange(
        listed=kinds.count(MarketEventKind.LISTED),
        delisted=kinds.count(MarketEventKind.DELISTED)
        + kinds.count(MarketEventKind.RENAMED),
        admitted=admitted,
        rejected=len(verdicts) - admitted,
        changed=changed,
    )


def stored_markets(session: Session, exchange: str) -> dict[str, Cryptocurrency]:
    """Every market of `exchange` ever seen, by symbol."""
    query = select(Cryptocurrency).where(Cryptocurrency.exchange == exchange)
    return {row.symbol: row for row in session.scalars(query)}


def _once_listed(
    session: Session, exchange: str, rows: Mapping[str, Cryptocurrency]
) -> dict[str, Cryptocurrency]:
    """Those of `rows` that a market list has had, by symbol.

    A back-fill from files registers markets of which nobody knows whether they are
    listed: they are neither trading nor gone.
    """
    listings = select(MarketEvent.cryptocurrency_id).where(
        MarketEvent.exchange == exchange, MarketEvent.kind == MarketEventKind.LISTED
    )
    # From before there were events.
    verdicts = select(UniverseMembership.cryptocurrency_id).where(
        UniverseMembership.valid_to.is_(None)
    )
    known = set(session.scalars(listings.union(verdicts)))
    return {symbol: row for symbol, row in rows.items() if row.id in known}


def _find_shrink(
    session: Session,
    exchange: str,
    rows: Mapping[str, Cryptocurrency],
    markets: Mapping[str, Market],
    unclear: Collection[str],
    now: datetime,
    run_id: UUID,
) -> Shrink | None:
    trading = {
        symbol
        for symbol, row in rows.items()
        if row.status is MarketStatus.TRADING and symbol not in unclear
    }
    lost = {
        symbol
        for symbol in trading
        if symbol not in markets or markets[symbol].status is not MarketStatus.TRADING
    }
    is_empty = bool(trading) and not markets
    if is_empty or is_collapse(len(trading), len(lost)):
        if is_empty or not is_accepted(session, exchange, lost):
            return note_refusal(session, exchange, len(trading), lost, now, run_id)
    end_refusal(session, exchange, now)
    return None


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
    rows: dict[str, Cryptocurrency],
    markets: Mapping[str, Market],
    changes: Sequence[MarketChange],
    now: datetime,
    run_id: UUID,
) -> None:
    """Store the listed `markets`, and `changes` with their events; adds new `rows`.

    A market that is gone keeps its data, and its series end; those of one that is back
    go on.
    """
    for symbol, market in sorted(markets.items()):
        row = rows.get(symbol)
        if row is None:
            row = Cryptocurrency(
                exchange=exchange, symbol=symbol, first_seen_at=now, run_id=run_id
            )
            session.add(row)
            rows[symbol] = row
        copy_market(row, market, now)
    session.flush()
    ended: dict[str, list[int]] = {}
    for change in changes:
        row = rows[change.symbol]
        if change.kind in (MarketEventKind.DELISTED, MarketEventKind.RENAMED):
            row.status, row.delisted_at = MarketStatus.DELISTED, now
            ended.setdefault(change.kind.value, []).append(row.id)
        successor = rows[change.successor].id if change.successor else None
        session.add(
            MarketEvent(
                exchange=exchange,
                cryptocurrency_id=row.id,
                kind=change.kind,
                successor_id=successor,
                known_at=now,
                detail=dict(change.detail),
                run_id=run_id,
            )
        )
    for reason, ids in ended.items():
        close_series(session, ids, reason, now, run_id)
    back = [rows[c.symbol].id for c in changes if c.kind is MarketEventKind.RELISTED]
    reopen_series(session, back, now, run_id)
    session.flush()


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
