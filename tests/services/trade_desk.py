"""Simulated trades on a desk of few markets, stepped minute by minute."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.config.settings import Settings
from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.domain.trade import TradeStatus
from app.models import Cryptocurrency, PartialExit, ScanCursor, SimulatedTrade
from app.services.trade_management import StepResult, TradeManagementService
from tests.models.factories import add_market, add_run, make_signal
from tests.services.world import Prices, at, settings, store_prices

M1 = Timeframe.M1


@dataclass
class Desk:
    """Trades of ten units entered at 100 at minute 0, stop 95, R = 5."""

    session: Session
    config: Settings
    markets: dict[str, Cryptocurrency]

    def __post_init__(self) -> None:
        (self._run_id,) = {market.run_id for market in self.markets.values()}

    def bars(self, name: str, prices: Prices, without: Sequence[int] = ()) -> None:
        market = self.markets[name]
        store_prices(self.session, market, M1, at(0), prices, without=without)

    def step(self, minute: float) -> StepResult:
        """One pass of a service that was just started."""
        service = TradeManagementService(
            self.config.simulation, self.config.risk, self._run_id
        )
        result = service.step_open_trades(self.session, at(minute))
        self.session.flush()
        self.session.expire_all()  # the next pass reads what was stored
        return result

    def scanned(self, until: datetime) -> None:
        """Say that the five-minute scanner has judged closes up to `until`."""
        cursor = ScanCursor(
            strategy="rising",
            timeframe=Timeframe.M5,
            inception_at=at(0),
            evaluated_through=until,
            run_id=self._run_id,
        )
        self.session.merge(cursor)
        self.session.flush()

    def trade(self, name: str = "A") -> SimulatedTrade:
        key = self.markets[name].id
        query = select(SimulatedTrade).where(SimulatedTrade.cryptocurrency_id == key)
        return self.session.scalars(query).one()

    def exits(self, name: str = "A") -> list[PartialExit]:
        return PartialExit.get_for_trade(self.session, self.trade(name).id)


@contextmanager
def desk(
    database: Database, names: str = "A", stages: Any = ((1.0, 0.4),), **rules: Any
) -> Iterator[Desk]:
    simulation = {
        "fee_rate": "0.001",
        "slippage_bps": "0",
        "trailing_after_r": 100,
        "max_holding_bars": 1000,
        "take_profits": [{"r_multiple": r, "fraction": f} for r, f in stages],
    }
    with database.session_scope() as session:
        run = add_run(session)
        markets = {name: add_market(session, run, f"{name}/USDT") for name in names}
        for market in markets.values():
            signal = make_signal(market, at(-5))
            session.add(signal)
            session.flush()
            session.add(_trade(signal, stages))
        session.flush()
        yield Desk(session, settings(simulation | rules), markets)


def _trade(signal: Any, stages: Any) -> SimulatedTrade:
    entry, quantity = Decimal(100), Decimal(10)
    targets = [
        {"price": str(100 + 5 * r), "quantity": str(10 * f), "fraction": str(f)}
        for r, f in stages
    ]
    return SimulatedTrade(
        signal_id=signal.id,
        cryptocurrency_id=signal.cryptocurrency_id,
        run_id=signal.run_id,
        side=signal.side,
        status=TradeStatus.OPEN,
        entry_at=at(0),
        entry_price=entry,
        quantity=quantity,
        remaining_quantity=quantity,
        initial_stop_price=Decimal(95),
        stop_price=Decimal(95),
        risk_amount=Decimal(50),
        take_profits=targets,
        entry_fee=Decimal(1),
        fees_total=Decimal(1),
        realised_pnl=Decimal(-1),
        best_price=entry,
        worst_price=entry,
        stepped_through=at(0),
    )
