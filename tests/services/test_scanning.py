"""Each close is judged once, when everything it depends on is in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.analysis.window import CandleWindow
from app.config.settings import Settings
from app.core.database import Database
from app.domain.decision import DecisionKind, ReasonCode, Refusal
from app.domain.timeframe import Timeframe
from app.domain.trade import ExitReason, TradeStatus
from app.models import Cryptocurrency, ScanCursor, SimulatedTrade
from app.models import Signal as SignalRow
from app.services.scanning import OpportunityScanner, ScanResult
from app.strategies.base import BaseStrategy
from app.trading.money import money
from app.trading.risk_manager import RiskManager
from tests.models.factories import add_market, add_run
from tests.services.world import RisingStrategy, admit, at, flat, settings, store_prices

M5 = Timeframe.M5
UP, DOWN = (100.0, 102.0, 99.0, 101.0), (101.0, 102.0, 99.0, 100.0)


@dataclass
class Scan:
    """A scanner over markets named by single letters, in one session."""

    session: Session
    scanner: OpportunityScanner
    markets: dict[str, Cryptocurrency]

    def bars(self, name: str, *bars: Any, volume: float = 8, since: int = -5) -> None:
        store_prices(self.session, self.markets[name], M5, at(since), bars, volume)

    def next(self, minute: float) -> ScanResult:
        result = self.scanner.scan_next(self.session, at(minute))
        self.session.flush()
        return result

    def decisions(self) -> dict[str, tuple[str, str]]:
        """Kind and reason by market."""
        names = {market.id: name for name, market in self.markets.items()}
        rows = self.session.scalars(select(SignalRow))
        return {
            names[row.cryptocurrency_id]: (row.kind.value, row.reason.value)
            for row in rows
        }

    def trades(self) -> list[SimulatedTrade]:
        return list(self.session.scalars(select(SimulatedTrade)))


@contextmanager
def scanning(
    database: Database, names: str = "A", config: Settings | None = None
) -> Iterator[Scan]:
    with database.session_scope() as session:
        run = add_run(session)
        markets = {name: add_market(session, run, f"{name}/USDT") for name in names}
        for market in markets.values():
            admit(session, market)
        strategy = RisingStrategy()
        scanner = OpportunityScanner("replay", strategy, config or settings(), run)
        yield Scan(session, scanner, markets)


def test_without_a_universe_nothing_is_judged(database: Database) -> None:
    with scanning(database, "") as scan:
        assert scan.next(20) == ScanResult(is_waiting=True)


def test_the_first_close_is_the_one_after_the_first_admission(
    database: Database,
) -> None:
    with scanning(database) as scan:
        scan.bars("A", DOWN, UP)

        assert scan.next(4.9) == ScanResult(), "its close is still to come"
        assert scan.next(5).judged_at == at(5)


def test_a_close_waits_for_every_members_bars(database: Database) -> None:
    with scanning(database, "AB") as scan:
        scan.bars("A", DOWN, UP)
        assert scan.next(6).is_waiting

        scan.bars("B", DOWN)
        assert scan.next(6).is_waiting, "B is known up to minute 0 only"

        scan.bars("B", DOWN, DOWN)
        assert scan.next(6) == ScanResult(at(5), signals=1, refusals=1)


def test_a_close_waits_until_open_trades_were_stepped_to_it(
    database: Database,
) -> None:
    with scanning(database) as scan:
        scan.bars("A", DOWN, UP, DOWN)
        scan.next(5)
        (trade,) = scan.trades()

        assert scan.next(10).is_waiting
        trade.stepped_through = at(10)
        assert scan.next(10).judged_at == at(10)


def test_after_the_patience_a_close_is_judged_with_what_there_is(
    database: Database,
) -> None:
    with scanning(database, "AB") as scan:
        scan.bars("A", DOWN, UP)
        assert scan.next(5 + 15).is_waiting

        scan.next(5 + 15.01)

        assert scan.decisions() == {
            "A": ("signal", "momentum_long"),
            "B": ("refusal", "short_history"),
        }


@pytest.mark.parametrize(
    ("bars", "missing", "reason"),
    [
        (6, None, "flat_market"),
        (6, 3, "gap_in_window"),
        # The oldest slot needed: what is before it tells that it is a hole.
        (6, 1, "gap_in_window"),
        (6, 0, "flat_market"),
        (4, None, "short_history"),
    ],
)
def test_a_hole_is_told_from_a_history_that_is_short(
    database: Database, bars: int, missing: int | None, reason: str
) -> None:
    with scanning(database) as scan:
        scan.scanner.strategy = FiveBars()
        holes = () if missing is None else (missing,)
        store_prices(
            scan.session,
            scan.markets["A"],
            M5,
            at(5 - 5 * bars),
            flat(100, bars),
            without=holes,
        )
        scan.next(5)

        assert scan.decisions() == {"A": ("refusal", reason)}
        row = scan.session.scalars(select(SignalRow)).one()
        there = {"flat_market": 5.0}.get(reason, 4.0)
        assert row.evidence["bars"] == there


class FiveBars(BaseStrategy):
    """Refuses any market, with the number of bars it was shown."""

    name: ClassVar[str] = "five_bars"
    timeframe = M5
    bars_needed = 5

    def decide(self, window: CandleWindow) -> Refusal:
        evidence = {"bars": float(len(window))}
        return self.refuse(window, ReasonCode.FLAT_MARKET, evidence)


def test_each_close_is_judged_once_and_in_order(database: Database) -> None:
    with scanning(database) as scan:
        scan.bars("A", *[DOWN] * 4)
        judged = [scan.next(15).judged_at for _ in range(5)]

        assert judged == [at(5), at(10), at(15), None, None]
        rows = scan.session.scalars(select(SignalRow).order_by(SignalRow.bar_at))
        assert [row.bar_at for row in rows] == [at(0), at(5), at(10)]


def test_a_signal_opens_its_trade_at_the_close(database: Database) -> None:
    with scanning(database) as scan:
        scan.bars("A", DOWN, UP)
        scan.next(6)

        row = scan.session.scalars(select(SignalRow)).one()
        (trade,) = scan.trades()
        assert row.kind is DecisionKind.SIGNAL and row.decided_at == at(6)
        assert trade.signal_id == row.id and trade.entry_at == at(5)
        # Close 101, stop 5 % below at 95.95; 100 / 5.05 = 19.80198019 units of 1e-8.
        assert trade.entry_price == 101 and trade.stop_price == money(row.stop_price)
        assert str(trade.quantity.normalize()) == "19.80198019"
        assert trade.realised_pnl == -trade.entry_fee == -trade.fees_total


def test_signal_and_trade_are_stored_together_or_not_at_all(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise RuntimeError("killed before the trade")

    with scanning(database) as scan:
        scan.bars("A", DOWN, UP)
        broken = scan.scanner
    monkeypatch.setattr(broken, "_trade", die)
    with pytest.raises(RuntimeError), database.session_scope() as session:
        broken.scan_next(session, at(6))
    monkeypatch.undo()

    with database.session_scope() as session:
        assert session.scalar(select(SignalRow.id)) is None
        assert session.scalar(select(ScanCursor.strategy)) is None
        assert broken.scan_next(session, at(6)).signals == 1


def test_a_refusal_carries_its_reason_and_its_evidence(database: Database) -> None:
    with scanning(database) as scan:
        scan.bars("A", DOWN, DOWN, volume=3)
        scan.next(6)

        row = scan.session.scalars(select(SignalRow)).one()
        assert (row.kind, row.reason) == (DecisionKind.REFUSAL, ReasonCode.TREND_DOWN)
        assert row.evidence == {"close": 100.0, "volume": 3.0}
        assert row.side is None and not scan.trades()


def test_a_signal_refused_by_risk_keeps_what_the_strategy_saw(
    database: Database,
) -> None:
    with scanning(database, config=settings(min_notional=1e6)) as scan:
        scan.bars("A", DOWN, UP)
        assert scan.next(6) == ScanResult(at(5), signals=0, refusals=1)

        row = scan.session.scalars(select(SignalRow)).one()
        assert row.reason is ReasonCode.SIZE_TOO_SMALL and row.confidence == 0.8
        assert row.entry_price == 101 and row.evidence["close"] == 101.0
        assert not scan.trades()


def test_the_positions_limit_keeps_the_most_confident(database: Database) -> None:
    with scanning(database, "ABCD", settings(max_open_positions=2)) as scan:
        for name, volume in zip("ABCD", (5, 8, 5, 9), strict=True):
            scan.bars(name, DOWN, UP, volume=volume)
        scan.next(6)

        taken = {n for n, (kind, _) in scan.decisions().items() if kind == "signal"}
        assert taken == {"B", "D"}
        assert scan.decisions()["A"] == ("refusal", "positions_limit")


def test_equal_confidence_is_decided_by_symbol(database: Database) -> None:
    with scanning(database, "CBA", settings(max_open_positions=1)) as scan:
        for name in "CBA":
            scan.bars(name, DOWN, UP)
        scan.next(6)

        assert scan.decisions()["A"][0] == "signal" and len(scan.trades()) == 1


def test_a_market_that_is_held_is_not_taken_again(database: Database) -> None:
    with scanning(database) as scan:
        scan.bars("A", DOWN, UP, UP)
        scan.next(5)
        scan.trades()[0].stepped_through = at(10)
        scan.next(10)

        rows = scan.session.scalars(select(SignalRow).order_by(SignalRow.bar_at)).all()
        assert [row.reason.value for row in rows] == ["momentum_long", "position_open"]


def test_a_market_admitted_later_is_not_judged_before(database: Database) -> None:
    with scanning(database) as scan:
        late = add_market(scan.session, scan.markets["A"].run_id, "L/USDT")
        scan.markets["L"] = late
        admit(scan.session, late, since=at(7))
        scan.bars("A", *[DOWN] * 3)
        scan.bars("L", *[DOWN] * 3)

        assert [scan.next(10).refusals for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("extra", [(), (UP, DOWN, UP, UP)])
def test_what_came_later_does_not_change_a_decision(
    database: Database, extra: tuple[Any, ...]
) -> None:
    with scanning(database, "AB") as scan:
        scan.bars("A", DOWN, UP, *extra, volume=6)
        scan.bars("B", DOWN, DOWN, *extra)
        scan.next(5 + 14)

        row = scan.session.scalars(
            select(SignalRow).where(SignalRow.kind == DecisionKind.SIGNAL)
        ).one()
        assert (row.confidence, row.bar_at) == (0.6, at(0))
        assert row.evidence == {"close": 101.0, "volume": 6.0}
        assert scan.decisions()["B"] == ("refusal", "trend_down")


def test_exits_after_the_close_do_not_free_a_position(database: Database) -> None:
    with scanning(database, "AB", settings(max_open_positions=1)) as scan:
        scan.bars("A", DOWN, UP, DOWN)
        scan.bars("B", DOWN, DOWN, UP)
        scan.next(5)
        (trade,) = scan.trades()
        _close(trade, 10.5)
        scan.next(10)

        rows = scan.session.scalars(select(SignalRow).where(SignalRow.bar_at == at(5)))
        reasons = {row.cryptocurrency_id: row.reason.value for row in rows}
        assert reasons[scan.markets["B"].id] == "positions_limit"


def _close(trade: SimulatedTrade, minute: float) -> None:
    trade.status, trade.exit_reason = TradeStatus.CLOSED, ExitReason.STOP_LOSS
    trade.remaining_quantity, trade.exit_price = Decimal(0), Decimal(95)
    trade.exit_at = trade.stepped_through = at(minute)


def test_two_scanners_do_not_judge_one_close_twice(database: Database) -> None:
    with scanning(database) as scan:
        scan.bars("A", DOWN, UP)
        scanner = scan.scanner
    results = []
    for _ in range(2):
        with database.session_scope() as session:
            results.append(scanner.scan_next(session, at(6)).judged_at)

    assert results == [at(5), None]


def test_rules_of_exit_come_from_the_settings() -> None:
    config = settings({"trailing_after_r": 0.7, "max_holding_bars": 9})

    rules = RiskManager(config.risk, config.simulation).exit_rules

    assert str(rules.trailing_after_r) == "0.7" and rules.max_holding_bars == 9
