"""Judges refused items again and asks the exchange for the bars they stood for.

Three steps, since no transaction may be open across a network call: `plan_retries`
reads, `ask_again` asks, `record_retries` stores. Nothing is ever deleted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.exceptions import AppError, UnknownSymbol
from app.domain.candle import Candle
from app.domain.rejection import RejectionRule, Resolution
from app.domain.timeframe import Timeframe
from app.exchange.rejected import RAW_LIMIT
from app.exchange.replies import CandlePage
from app.models import Cryptocurrency, QuarantinedRow, SeriesCursor
from app.models.bars import SeriesBars
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice
from app.services.cross_checks.implausible import check_plausibility
from app.services.quarantine.keeping import OVERFLOW

CANDLE = "candle"
MOST_ITEMS_A_RUN = 1_000

# Alone and later such a bar is possible; that another row of its reply said else, or
# that it was sent before its slot began, remains.
_NEVER_AS_SENT = frozenset(
    rule.value
    for rule in (RejectionRule.CONTRADICTS_LATER_ROW, RejectionRule.TIME_IN_FUTURE)
)


class RetryOutcome(str, Enum):
    """What judging an item again came to."""

    STORED = "stored"
    REPLACED = "replaced"
    ACCEPTABLE = "acceptable"
    STILL_REFUSED = "still_refused"
    EXCHANGE_FAILED = "exchange_failed"
    OUTSIDE_HISTORY = "outside_history"

    @property
    def resolution(self) -> Resolution | None:
        """What is recorded where this settles the item."""
        settled = {member.value: member for member in Resolution}
        return settled.get(self.value)


@dataclass(frozen=True, slots=True)
class RetryCase:
    """A refused item to be judged again."""

    id: UUID
    exchange: str
    symbol: str
    timeframe: Timeframe | None
    what: str
    rule: str
    raw: str
    occurred_at: datetime | None

    @property
    def slot(self) -> datetime | None:
        """Open time of the bar the item stands for, where it is known."""
        if self.what != CANDLE or self.timeframe is None or self.occurred_at is None:
            return None
        return self.timeframe.floor(self.occurred_at)

    @property
    def document(self) -> Any:
        """The item as the venue sent it; None where that is no JSON or was cut."""
        if len(self.raw) > RAW_LIMIT:
            return None
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class RetryVerdict:
    """The outcome before storing, the bar to store, and a sentence for people."""

    case: RetryCase
    outcome: RetryOutcome
    explanation: str
    candle: Candle | None = None
    resolution: Resolution | None = None


class RetrySource(Protocol):
    """The part of the exchange that a retry uses."""

    async def fetch_candles(
        self, symbol: str, timeframe: Timeframe, since: datetime, limit: int
    ) -> CandlePage:
        """Closed bars that open at or after `since`."""

    async def judge_candles(
        self, symbol: str, timeframe: Timeframe, rows: list[Any]
    ) -> CandlePage:
        """Rows judged by today's rules."""

    async def find_objection(self, symbol: str, what: str, raw: Any) -> str | None:
        """Why today's rules refuse another kind of item."""


def plan_retries(
    session: Session, exchange: str, ids: Sequence[UUID] | None
) -> list[RetryCase]:
    """The unresolved items of `exchange` among `ids` (all, if None).

    At most `MOST_ITEMS_A_RUN`, those first that were not judged for longest.
    """
    query = select(QuarantinedRow).where(
        QuarantinedRow.exchange == exchange,
        QuarantinedRow.resolved_at.is_(None),
        QuarantinedRow.what != OVERFLOW,
    )
    if ids is not None:
        query = query.where(QuarantinedRow.id.in_(ids))
    query = query.order_by(
        QuarantinedRow.retried_at.asc().nulls_first(),
        QuarantinedRow.known_at,
        QuarantinedRow.id,
    ).limit(MOST_ITEMS_A_RUN)
    return [
        RetryCase(
            row.id,
            row.exchange,
            row.symbol,
            row.timeframe,
            row.what,
            row.rule,
            row.raw,
            row.occurred_at,
        )
        for row in session.scalars(query)
    ]


async def ask_again(source: RetrySource, case: RetryCase) -> RetryVerdict:
    """Judge `case` by today's rules; for a bar, ask the exchange for its slot."""
    try:
        if case.slot is not None and case.timeframe is not None:
            return await _ask_for_bar(source, case, case.timeframe, case.slot)
        return await _judge(source, case)
    except UnknownSymbol as error:
        return RetryVerdict(case, RetryOutcome.STILL_REFUSED, str(error))
    except AppError as error:
        return RetryVerdict(case, RetryOutcome.EXCHANGE_FAILED, str(error))


async def _ask_for_bar(
    source: RetrySource, case: RetryCase, timeframe: Timeframe, slot: datetime
) -> RetryVerdict:
    mine, objection = await _as_sent(source, case, timeframe, slot)
    page = await source.fetch_candles(case.symbol, timeframe, slot, 2)
    served = next((bar for bar in page.candles if bar.open_at == slot), None)
    if served is not None:
        same = served == mine
        return RetryVerdict(
            case,
            RetryOutcome.STORED if same else RetryOutcome.REPLACED,
            (
                "the exchange serves the same bar"
                if same
                else "the exchange serves a possible bar for this slot"
            ),
            served,
            Resolution.STORED if same else Resolution.REPLACED,
        )
    if timeframe.close_of(slot) > page.server_now:
        return RetryVerdict(
            case, RetryOutcome.STILL_REFUSED, "the bar of this slot is not closed yet"
        )
    if mine is not None:
        return RetryVerdict(
            case,
            RetryOutcome.STORED,
            "today's rules take it; the exchange no longer serves this slot",
            mine,
            Resolution.STORED,
        )
    return RetryVerdict(
        case,
        RetryOutcome.STILL_REFUSED,
        f"{objection}; the exchange serves no bar for this slot",
    )


async def _as_sent(
    source: RetrySource, case: RetryCase, timeframe: Timeframe, slot: datetime
) -> tuple[Candle | None, str]:
    """The bar in the raw text if today's rules take it, else why they do not."""
    if case.rule in _NEVER_AS_SENT:
        return None, RejectionRule(case.rule).sentence
    document = case.document
    if document is None:
        return None, "its raw text was cut or is no JSON"
    judged = await source.judge_candles(case.symbol, timeframe, [document])
    mine = next((bar for bar in judged.candles if bar.open_at == slot), None)
    reasons = [item.reason for item in judged.rejected]
    return mine, reasons[0] if reasons else "it is of another slot"


async def _judge(source: RetrySource, case: RetryCase) -> RetryVerdict:
    document = case.document
    if case.what in ("ticker", "trade", "market") and document is not None:
        objection = await source.find_objection(case.symbol, case.what, document)
        if objection is None:
            return RetryVerdict(
                case,
                RetryOutcome.ACCEPTABLE,
                "today's rules take it; its moment has passed, nothing is stored",
                resolution=Resolution.ACCEPTABLE,
            )
        return RetryVerdict(case, RetryOutcome.STILL_REFUSED, objection)
    reason = "no time can be read in it" if case.what == CANDLE else "it is as it was"
    return RetryVerdict(case, RetryOutcome.STILL_REFUSED, reason)


def record_retries(
    session: Session,
    verdicts: Sequence[RetryVerdict],
    ledger: Ledger,
    now: datetime,
    run_id: UUID,
) -> list[RetryVerdict]:
    """Store the bars and note the outcomes in the caller's transaction.

    What is stored is judged for plausibility with its neighbours.

    A bar outside the history of its series is not stored: the slots between would
    have to be accounted for first, which a back-fill does.
    """
    final = [_placed(session, verdict) for verdict in verdicts]
    slices = [piece for verdict, piece in final if piece is not None]
    if slices:
        now = ledger.store(session, slices, now).known_at
    for piece in slices:
        # The bar after it has another neighbour now.
        frame, start = piece.timeframe, piece.answered_from
        end = frame.shift(start, 2)
        key = piece.cryptocurrency_id
        check_plausibility(session, [key], frame, start, end, now, run_id)
    for verdict, _ in final:
        row = session.get(QuarantinedRow, verdict.case.id, with_for_update=True)
        if row is None or row.resolved_at is not None:
            continue
        row.retried_at = now
        if verdict.resolution is not None:
            row.resolved_at, row.resolution = now, verdict.resolution.value
    return [verdict for verdict, _ in final]


def _placed(
    session: Session, verdict: RetryVerdict
) -> tuple[RetryVerdict, SeriesSlice | None]:
    case, candle = verdict.case, verdict.candle
    if candle is None or case.timeframe is None:
        return verdict, None
    market = Cryptocurrency.find_by_symbol(session, case.exchange, case.symbol)
    cursor = SeriesCursor.find(session, market.id, case.timeframe) if market else None
    inside = (
        cursor is not None
        and cursor.history_from <= candle.open_at < cursor.watermark_at
    )
    if market is None or not inside:
        outcome = RetryOutcome.OUTSIDE_HISTORY
        note = "its slot lies outside the stored history; back-fill it"
        return RetryVerdict(case, outcome, note), None
    bars = SeriesBars.from_candles(market.id, case.timeframe, [candle])
    end = case.timeframe.next_open(candle.open_at)
    piece = SeriesSlice(
        market.id, case.timeframe, bars.bars, candle.open_at, end, False
    )
    return verdict, piece
