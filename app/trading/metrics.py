"""Performance of the simulated account over its closed trades."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from decimal import Decimal

# Fewer returns say nothing about their spread.
_FEWEST_RETURNS = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """A closed trade: profit or loss after all fees, those fees, and initial risk."""

    pnl: Decimal
    fees: Decimal
    risk_amount: Decimal


@dataclass(frozen=True, slots=True)
class PerformanceFigures:
    """Figures after a number of closed trades; money in the quote currency.

    `expectancy` is the mean result in initial risks (R). `sharpe` is the mean of
    the trades' returns on equity over their sample standard deviation, a trade at a
    time, not annualised (Sharpe 1994 without a risk-free rate). `profit_factor` is
    gross profit over gross loss. Drawdown is peak equity less equity.
    """

    trades: int
    wins: int
    losses: int
    gross_profit: Decimal
    gross_loss: Decimal
    fees: Decimal
    equity: Decimal
    initial_equity: Decimal
    peak_equity: Decimal
    max_drawdown: Decimal
    sum_r: float
    sum_return: float
    sum_return_squared: float

    @classmethod
    def start(cls, initial_equity: Decimal) -> PerformanceFigures:
        """Figures before the first trade."""
        zero = Decimal(0)
        return cls(
            trades=0,
            wins=0,
            losses=0,
            gross_profit=zero,
            gross_loss=zero,
            fees=zero,
            equity=initial_equity,
            initial_equity=initial_equity,
            peak_equity=initial_equity,
            max_drawdown=zero,
            sum_r=0.0,
            sum_return=0.0,
            sum_return_squared=0.0,
        )

    def after(self, outcome: Outcome) -> PerformanceFigures:
        """Figures with one more closed trade."""
        equity = self.equity + outcome.pnl
        peak = max(self.peak_equity, equity)
        gain = float(outcome.pnl / self.equity) if self.equity > 0 else 0.0
        risk = outcome.risk_amount
        return replace(
            self,
            trades=self.trades + 1,
            wins=self.wins + (outcome.pnl > 0),
            losses=self.losses + (outcome.pnl < 0),
            gross_profit=self.gross_profit + max(outcome.pnl, Decimal(0)),
            gross_loss=self.gross_loss + max(-outcome.pnl, Decimal(0)),
            fees=self.fees + outcome.fees,
            equity=equity,
            peak_equity=peak,
            max_drawdown=max(self.max_drawdown, peak - equity),
            sum_r=self.sum_r + (float(outcome.pnl / risk) if risk > 0 else 0.0),
            sum_return=self.sum_return + gain,
            sum_return_squared=self.sum_return_squared + gain * gain,
        )

    @property
    def realised_pnl(self) -> Decimal:
        """Profit or loss of all closed trades, after fees."""
        return self.gross_profit - self.gross_loss

    @property
    def drawdown(self) -> Decimal:
        """How far equity is below its peak."""
        return self.peak_equity - self.equity

    @property
    def win_rate(self) -> float:
        """Wins over trades; 0 before the first."""
        return self.wins / self.trades if self.trades else 0.0

    @property
    def profit_factor(self) -> float | None:
        """Gross profit over gross loss; None without a loss."""
        return float(self.gross_profit / self.gross_loss) if self.gross_loss else None

    @property
    def expectancy(self) -> float:
        """Mean result of a trade in R; 0 before the first."""
        return self.sum_r / self.trades if self.trades else 0.0

    @property
    def sharpe(self) -> float | None:
        """Mean over standard deviation of returns; None where it is undefined."""
        if self.trades < _FEWEST_RETURNS:
            return None
        mean = self.sum_return / self.trades
        spread = self.sum_return_squared - self.trades * mean * mean
        if spread <= 1e-18:
            return None
        return mean / math.sqrt(spread / (self.trades - 1))
