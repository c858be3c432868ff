"""Whether a market, usually BTC, is moving violently right now.

When BTC jumps, everything follows for a while, and a signal of a smaller market says
little: the gate that strategies put before their entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from app.analysis.indicators.volatility import Atr
from app.analysis.window import CandleWindow

_ATR = Atr(14)


class ImpulseDirection(str, Enum):
    """Where an impulse goes."""

    UP = "up"
    DOWN = "down"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class ImpulseReading:
    """The move of the last bars.

    `size_atr` is the change of the close in ATRs, signed, the ATR measured before the
    move so that it does not shrink itself; None where there was no range at all before
    a move. `direction` is NONE unless the move is an impulse; None while warming up.
    """

    direction: ImpulseDirection | None
    size_atr: float | None

    @property
    def is_active(self) -> bool:
        """Whether there is an impulse; False while warming up."""
        return self.direction not in (None, ImpulseDirection.NONE)


def impulse_bars_needed(bars: int = 3) -> int:
    """Bars after which an impulse can be judged."""
    return _ATR.bars_needed + bars


def read_impulse(
    window: CandleWindow, bars: int = 3, threshold_atr: float = 3.0
) -> ImpulseReading:
    """The move over the last `bars` bars; an impulse from `threshold_atr` ATRs on."""
    needed = impulse_bars_needed(bars)
    if len(window) < needed:
        return ImpulseReading(None, None)
    recent = window.last(needed)
    atr = float(_ATR.series(recent)[0][-1 - bars])
    move = float(recent.close[-1]) - float(recent.close[-1 - bars])
    if atr > 0:
        size: float | None = move / atr
    else:
        size = None if move else 0.0
    is_impulse = abs(size) >= threshold_atr if size is not None else True
    if not is_impulse:
        return ImpulseReading(ImpulseDirection.NONE, size)
    return ImpulseReading(
        ImpulseDirection.UP if move > 0 else ImpulseDirection.DOWN, size
    )
