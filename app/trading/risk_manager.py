"""How much of a signal is taken, or why none of it is."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.config.settings import RiskSettings, SimulationSettings
from app.domain.decision import ReasonCode, Side, Signal
from app.trading.exits import ExitRules, Target, TradeState
from app.trading.fees import FillCosts
from app.trading.money import QUANTITY_STEP, money, round_down, value_of
from app.trading.portfolio_manager import PortfolioView


@dataclass(frozen=True, slots=True)
class PositionPlan:
    """A position to open: what is bought, and how it will be left.

    `risk_amount` is what is lost if the stop is hit at its price, fees left out.
    """

    side: Side
    entry_price: Decimal
    quantity: Decimal
    stop_price: Decimal
    risk_amount: Decimal
    targets: tuple[Target, ...]
    entry_fee: Decimal

    def open(self) -> TradeState:
        """The trade right after its entry."""
        return TradeState(
            side=self.side,
            entry_price=self.entry_price,
            quantity=self.quantity,
            remaining=self.quantity,
            initial_stop=self.stop_price,
            stop=self.stop_price,
            targets=self.targets,
            next_target=0,
            is_trailing=False,
            best_price=self.entry_price,
            worst_price=self.entry_price,
            bars_held=0,
            realised_pnl=-self.entry_fee,
            fees=self.entry_fee,
            exits=0,
        )


class RiskManager:
    """Sizes positions so that a stop costs a fixed part of equity."""

    def __init__(self, risk: RiskSettings, simulation: SimulationSettings) -> None:
        self._risk = risk
        self._simulation = simulation
        self._costs = FillCosts(simulation.fee_rate, simulation.slippage_bps)

    @property
    def exit_rules(self) -> ExitRules:
        """Rules that the trades opened here are stepped by."""
        return ExitRules(
            trailing_after_r=_exact(self._simulation.trailing_after_r),
            trailing_distance_r=_exact(self._simulation.trailing_distance_r),
            max_holding_bars=self._simulation.max_holding_bars,
            costs=self._costs,
        )

    def size(
        self,
        signal: Signal,
        portfolio: PortfolioView,
        amount_step: float | None = None,
        min_notional: float | None = None,
    ) -> PositionPlan | ReasonCode:
        """The position for `signal`, or the reason why there is none.

        Quantity is equity x risk per trade over the distance from fill to stop,
        capped by the largest position fraction, rounded down to the market's step.
        """
        if signal.symbol in portfolio.symbols:
            return ReasonCode.POSITION_OPEN
        if portfolio.open_positions >= self._risk.max_open_positions:
            return ReasonCode.POSITIONS_LIMIT
        if portfolio.equity <= 0:
            return ReasonCode.NO_EQUITY
        entry = self._costs.entry_price(signal.entry_price, signal.side)
        stop = money(signal.stop_price)
        distance = entry - stop if signal.side is Side.LONG else stop - entry
        if distance <= 0 or stop <= 0:
            return ReasonCode.STOP_UNUSABLE
        wanted = money(portfolio.equity * _exact(self._risk.risk_per_trade)) / distance
        most = portfolio.equity * _exact(self._risk.max_position_fraction) / entry
        step = _exact(amount_step) if amount_step else QUANTITY_STEP
        quantity = round_down(min(wanted, most), step)
        least = max(_exact(self._risk.min_notional), _exact(min_notional or 0.0))
        if quantity <= 0 or value_of(quantity, entry) < least:
            return ReasonCode.SIZE_TOO_SMALL
        return PositionPlan(
            side=signal.side,
            entry_price=entry,
            quantity=quantity,
            stop_price=stop,
            risk_amount=value_of(quantity, distance),
            targets=self._targets(signal, entry, distance, quantity, step),
            entry_fee=self._costs.fee(quantity, entry),
        )

    def _targets(
        self,
        signal: Signal,
        entry: Decimal,
        distance: Decimal,
        quantity: Decimal,
        step: Decimal,
    ) -> tuple[Target, ...]:
        sign = 1 if signal.side is Side.LONG else -1
        stages = self._simulation.take_profits
        is_all_sold = sum(_exact(stage.fraction) for stage in stages) == 1
        targets: list[Target] = []
        left = quantity
        for number, stage in enumerate(stages, start=1):
            price = money(entry + sign * _exact(stage.r_multiple) * distance)
            part = round_down(quantity * _exact(stage.fraction), step)
            if is_all_sold and number == len(stages):
                part = left  # rounding must not leave a crumb behind
            if part > 0 and price > 0:
                targets.append(Target(price, part))
                left -= part
        return tuple(targets)


def _exact(number: float) -> Decimal:
    """The decimal a person wrote, not the binary fraction nearest to it."""
    return Decimal(repr(number))
