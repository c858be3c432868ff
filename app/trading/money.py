"""Exact money: every amount is a Decimal on a fixed step that the database keeps."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal, localcontext

# Twelve places hold the product of any price and quantity met in practice to far
# below a cent, and fit NUMERIC(38, 18) with room for sums.
MONEY_STEP = Decimal("1e-12")
# Finest quantity where the exchange names no step of its own.
QUANTITY_STEP = Decimal("1e-8")
_PRECISION = 50


def money(amount: Decimal) -> Decimal:
    """`amount` rounded half to even onto the money step."""
    with localcontext() as context:
        context.prec = _PRECISION
        return amount.quantize(MONEY_STEP, rounding=ROUND_HALF_EVEN)


def value_of(quantity: Decimal, price: Decimal) -> Decimal:
    """What `quantity` costs at `price`, in the quote currency."""
    with localcontext() as context:
        context.prec = _PRECISION
        return money(quantity * price)


def round_down(quantity: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is at most `quantity`."""
    with localcontext() as context:
        context.prec = _PRECISION
        return (quantity / step).to_integral_value(rounding=ROUND_DOWN) * step
