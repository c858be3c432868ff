"""Market lists that lost too many markets: refused, told, confirmed by hand."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from app.domain.market_event import MarketEventKind
from app.domain.universe import LARGEST_SHRINK
from app.models import MarketEvent


@dataclass(frozen=True, slots=True)
class Shrink:
    """A list that lost `lost` of the trading markets, and was not believed."""

    exchange: str
    trading: int
    lost: tuple[str, ...]
    is_new: bool

    def __str__(self) -> str:
        some = ", ".join(self.lost[:3])
        return (
            f"{self.exchange}: the market list lost {len(self.lost)} of {self.trading} "
            f"trading markets at once ({some}, ...), at most {LARGEST_SHRINK:.0%} is "
            "believed; `crypto-bot universe accept` confirms that they are gone"
        )


def is_accepted(session: Session, exchange: str, lost: Collection[str]) -> bool:
    """Whether an operator confirmed that all of these markets are gone."""
    event = MarketEvent.find_open_refusal(session, exchange)
    if event is None or "accepted_at" not in event.detail:
        return False
    return set(lost) <= set(event.detail["lost"])


def note_refusal(
    session: Session,
    exchange: str,
    trading: int,
    lost: Collection[str],
    now: datetime,
    run_id: UUID,
) -> Shrink:
    """Record the refusal: one event for as long as the list stays so short."""
    symbols = sorted(lost)
    event = MarketEvent.find_open_refusal(session, exchange)
    is_new = event is None
    if event is None:
        event = MarketEvent(
            exchange=exchange,
            kind=MarketEventKind.SHRINK_REFUSED,
            known_at=now,
            run_id=run_id,
        )
        session.add(event)
    # What an operator accepts is what was lost last; more of it asks again.
    event.detail = {
        "trading": trading,
        "lost": symbols,
        "refused_at": now.isoformat(),
    }
    session.flush()
    return Shrink(exchange, trading, tuple(symbols), is_new)


def end_refusal(session: Session, exchange: str, now: datetime) -> None:
    """Close the episode, if there is one: the list was believed."""
    event = MarketEvent.find_open_refusal(session, exchange)
    if event is not None:
        how = "accepted" if "accepted_at" in event.detail else "grew_back"
        event.detail = event.detail | {"ended_at": now.isoformat(), "ended": how}


def accept_refused(session: Session, exchange: str, now: datetime) -> Shrink | None:
    """Confirm that the lost markets are gone; None where no list is refused."""
    event = MarketEvent.find_open_refusal(session, exchange)
    if event is None:
        return None
    if "accepted_at" not in event.detail:
        event.detail = event.detail | {"accepted_at": now.isoformat()}
    lost = tuple(event.detail["lost"])
    return Shrink(exchange, int(event.detail["trading"]), lost, is_new=False)
