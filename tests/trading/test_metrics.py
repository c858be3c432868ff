"""Figures agree with those that numpy and pandas compute from all trades at once."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate

import numpy as np
import pandas as pd
import pytest

from app.trading.metrics import Outcome, PerformanceFigures

START = Decimal(1000)


def outcomes(*pnl: str, risk: str = "50") -> list[Outcome]:
    return [Outcome(Decimal(part), Decimal("0.5"), Decimal(risk)) for part in pnl]


def performance(
    outcomes: Sequence[Outcome], initial_equity: Decimal
) -> list[PerformanceFigures]:
    """Figures after each trade, in the order given."""
    start = PerformanceFigures.start(initial_equity)
    return list(accumulate(outcomes, PerformanceFigures.after, initial=start))[1:]


def test_four_trades_worked_out_by_hand() -> None:
    # Equity: 1,000 -> 1,100 -> 1,050 -> 1,050 -> 1,020.
    last = performance(outcomes("100", "-50", "0", "-30"), START)[-1]

    assert (last.trades, last.wins, last.losses) == (4, 1, 2)
    assert (last.gross_profit, last.gross_loss, last.realised_pnl) == (100, 80, 20)
    assert (last.equity, last.peak_equity) == (1020, 1100)
    assert (last.drawdown, last.max_drawdown) == (80, 80)
    assert last.fees == 2 and last.win_rate == 0.25
    assert last.profit_factor == 1.25
    assert last.expectancy == pytest.approx((2 - 1 + 0 - 0.6) / 4)
    # Returns 0.1, -0.0454545, 0, -0.0285714; mean 0.0064935, deviation 0.0650995.
    assert last.sharpe == pytest.approx(0.099747, rel=1e-5)


def test_every_figure_after_every_trade_agrees_with_pandas() -> None:
    random = np.random.default_rng(7)
    pnl = pd.Series(random.normal(2, 15, 300).round(2))
    equity = float(START) + pnl.cumsum()
    returns = pnl / equity.shift(fill_value=float(START))
    peak = equity.cummax().clip(lower=float(START))
    drawdown = peak - equity

    figures = performance(outcomes(*map(str, pnl)), START)

    def of(name: str) -> list[float]:
        return [float(getattr(f, name)) for f in figures]

    np.testing.assert_allclose(of("equity"), equity, atol=1e-7)
    np.testing.assert_allclose(of("drawdown"), drawdown, atol=1e-7)
    np.testing.assert_allclose(of("max_drawdown"), drawdown.cummax(), atol=1e-7)
    np.testing.assert_allclose(of("win_rate"), (pnl > 0).expanding().mean())
    np.testing.assert_allclose(of("expectancy"), (pnl / 50).expanding().mean())
    sharpe = returns.expanding().mean() / returns.expanding().std(ddof=1)
    assert figures[0].sharpe is None
    np.testing.assert_allclose(
        [float(f.sharpe or 0) for f in figures[1:]], sharpe[1:], rtol=1e-9
    )


def test_nothing_is_claimed_before_the_first_trade() -> None:
    none = PerformanceFigures.start(START)

    assert (none.win_rate, none.expectancy, none.realised_pnl) == (0, 0, 0)
    assert none.profit_factor is None and none.sharpe is None


def test_profit_factor_needs_a_loss_and_sharpe_a_spread() -> None:
    win, same = performance(outcomes("10", "10.1"), START)

    assert win.profit_factor is None and same.profit_factor is None
    assert win.sharpe is None
    assert same.sharpe is None, "10 of 1000 and 10.1 of 1010 are the same return"


def test_an_account_that_lost_everything_still_counts() -> None:
    ruined = performance(outcomes("-1200", "-1"), START)[-1]

    assert ruined.equity == -201 and ruined.max_drawdown == 1201
    assert ruined.losses == 2


def test_the_sums_are_exact() -> None:
    last = performance(outcomes(*["0.000000000001"] * 1000), START)[-1]

    assert last.realised_pnl == Decimal("0.000000001000")
    assert last.equity == START + last.realised_pnl
