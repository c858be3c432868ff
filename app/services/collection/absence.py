"""Why bars that the exchange does not have are absent."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.domain.gap import GapReason
from app.domain.slots import SlotRun
from app.models import Cryptocurrency, MarketData, MarketDataGap, SeriesCursor
from app.services.collection.halts import find_halts

_FEWEST_WITNESSES = 2


def reason_of_absence(session: Session, gap: MarketDataGap) -> GapReason:
    """The reason of a gap whose absence is confirmed, seen beside other markets.

    A market that was known to be halted has none for that reason. Else other markets
    of the exchange whose series reach across the gap are witnesses. Where at least two
    have bars before and after it and none has one inside, the exchange was out; where
    one has, this market had no trade. A reason that was known already stays, and with
    too few witnesses none is made up.
    """
    if gap.reason is not GapReason.UNKNOWN:
        return gap.reason
    run = SlotRun(gap.starts_at, gap.ends_at, is_filled=False)
    halts = find_halts(session, gap.cryptocurrency_id)
    if any(halt.covers(gap.timeframe, run) for halt in halts):
        return GapReason.MAINTENANCE
    mine = session.get_one(Cryptocurrency, gap.cryptocurrency_id)
    traded = sa.exists().where(
        MarketData.cryptocurrency_id == SeriesCursor.cryptocurrency_id,
        MarketData.timeframe == gap.timeframe,
        MarketData.timestamp >= gap.starts_at,
        MarketData.timestamp < gap.ends_at,
    )
    witnesses = session.scalars(
        sa.select(traded)
        .select_from(SeriesCursor)
        .join(Cryptocurrency, Cryptocurrency.id == SeriesCursor.cryptocurrency_id)
        .where(
            Cryptocurrency.exchange == mine.exchange,
            SeriesCursor.timeframe == gap.timeframe,
            SeriesCursor.cryptocurrency_id != gap.cryptocurrency_id,
            SeriesCursor.first_bar_at < gap.starts_at,
            SeriesCursor.last_bar_at >= gap.ends_at,
        )
    ).all()
    if any(witnesses):
        return GapReason.NO_TRADE
    if len(witnesses) >= _FEWEST_WITNESSES:
        return GapReason.EXCHANGE_OUTAGE
    return GapReason.UNKNOWN
