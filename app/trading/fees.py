"""What a fill costs: the taker fee, and slippage against the trader."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from app.domain.decision import Side
from app.trading.money import money, value_of

_BASIS_POINTS = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class FillCosts:
    """Fee as a fraction of the value filled, slippage in basis points of price."""

    fee_rate: Decimal
    slippage_bps: Decimal

    def fee(self, quantity: Decimal, price: Decimal) -> Decimal:
        """Fee of a fill, in the quote currency."""
        return money(value_of(quantity, price) * self.fee_rate)

    def entry_price(self, price: Decimal, side: Side) -> Decimal:
        """Price paid when entering at `price`: worse than asked."""
        return self._slipped(price, 1 if side is Side.LONG else -1)

    def exit_price(self, price: Decimal, side: Side) -> Decimal:
        """Price got when leaving at `price`: worse than asked."""
        return self._slipped(price, -1 if side is Side.LONG else 1)

    def _slipped(self, price: Decimal, sign: int) -> Decimal:
        return money(price * (1 + sign * self.slippage_bps / _BASIS_POINTS))
