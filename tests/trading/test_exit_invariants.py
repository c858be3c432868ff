"""Whatever the candles, a trade's ledger adds up to the last digit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from app.config.settings import RiskSettings, SimulationSettings
from app.domain.candle import Candle
from app.domain.decision import ReasonCode, Side, Signal
from app.domain.timeframe import Timeframe
from app.trading.exits import Exit, TradeState, step
from app.trading.portfolio_manager import PortfolioView
from app.trading.risk_manager import PositionPlan, RiskManager
from tests.trading.examples import MINUTE, START

EQUITY = Decimal(10_000)


@st.composite
def candles(draw: st.DrawFn) -> list[Candle]:
    """A walk around 1 unit of price with gaps between candles."""
    scale = draw(st.sampled_from([0.00001234, 1.0, 3.7, 61234.5]))
    moves = draw(
        st.lists(
            st.tuples(*[st.floats(-0.08, 0.08)] * 2, *[st.floats(0, 0.05)] * 2),
            min_size=1,
            max_size=40,
        )
    )
    price, series = scale, []
    for number, (gap, move, above, below) in enumerate(moves):
        open_ = round(price * (1 + gap), 10)
        price = round(open_ * (1 + move), 10)
        high = round(max(open_, price) * (1 + above), 10)
        low = round(min(open_, price) * (1 - below), 10)
        series.append(Candle(START + number * MINUTE, open_, high, low, price, 1.0))
    return series


@st.composite
def plans(draw: st.DrawFn, entry: float) -> tuple[RiskManager, PositionPlan]:
    """A sized position entered near `entry`, long or short."""
    fractions = draw(st.sampled_from([(1.0,), (0.4, 0.3, 0.3), (0.5, 0.25), (0.33,)]))
    simulation = SimulationSettings(
        fee_rate=draw(st.sampled_from(["0", "0.001", "0.00075"])),
        slippage_bps=draw(st.sampled_from(["0", "2", "37"])),
        take_profits=[
            {"r_multiple": float(number), "fraction": fraction}
            for number, fraction in enumerate(fractions, start=1)
        ],
        trailing_after_r=draw(st.sampled_from([0.0, 0.5, 1.0])),
        trailing_distance_r=draw(st.sampled_from([0.3, 1.0, 2.5])),
        max_holding_bars=draw(st.integers(1, 60)),
    )
    side = draw(st.sampled_from(list(Side)))
    away = draw(st.floats(0.002, 0.2))
    stop = entry * (1 - away if side is Side.LONG else 1 + away)
    signal = Signal(
        "X/USDT", "s", Timeframe.M1, START, side, 1.0, Decimal(repr(entry)),
        Decimal(repr(stop)), ReasonCode.MOMENTUM_LONG, {},
    )  # fmt: skip
    manager = RiskManager(RiskSettings(), simulation)
    step_size = draw(st.sampled_from([None, 1e-5, 0.001]))
    plan = manager.size(signal, PortfolioView(EQUITY, frozenset(), 0), step_size)
    if isinstance(plan, ReasonCode):  # dear and coarse: the finest step fits always
        plan = manager.size(signal, PortfolioView(EQUITY, frozenset(), 0))
    assert isinstance(plan, PositionPlan)
    return manager, plan


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_the_ledger_is_conserved_and_the_stop_never_loosens(
    data: st.DataObject,
) -> None:
    series = data.draw(candles())
    manager, plan = data.draw(plans(series[0].open))
    state = plan.open()
    long = state.side is Side.LONG
    sign = 1 if long else -1
    # A second ledger in exact fractions, from nothing but the fills.
    cash = Fraction(EQUITY) - Fraction(plan.entry_fee)
    assert sum(target.quantity for target in plan.targets) <= plan.quantity
    exits: list[Exit] = []
    for candle in series:
        before = state
        close_at = candle.open_at + MINUTE
        state, sold = step(state, candle, close_at, manager.exit_rules)
        exits += sold
        assert state.stop >= before.stop if long else state.stop <= before.stop
        for part in sold:
            assert part.quantity > 0 and part.fee >= 0 and part.at == close_at
            gain = Fraction(part.quantity) * (
                Fraction(part.price) - Fraction(plan.entry_price)
            )
            cash += sign * gain - Fraction(part.fee)
        _check(plan, state, exits, cash)
        if state.is_closed:
            break


def _check(
    plan: PositionPlan, state: TradeState, exits: list[Exit], cash: Fraction
) -> None:
    sold = sum((part.quantity for part in exits), Decimal(0))
    assert sold + state.remaining == plan.quantity and state.remaining >= 0
    assert state.is_closed == (sold == plan.quantity)
    # Parts sum to the whole exactly; each part is within half a money step.
    paid = sum((part.pnl for part in exits), -plan.entry_fee)
    assert state.realised_pnl == paid
    assert state.fees == sum((part.fee for part in exits), plan.entry_fee)
    steps = Fraction(2 * len(exits) + 1, 10**12)
    assert abs(cash - Fraction(EQUITY) - Fraction(state.realised_pnl)) <= steps
    assert [part.sequence for part in exits] == list(range(1, len(exits) + 1))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_cost_of_the_parts_is_the_cost_of_the_whole(data: st.DataObject) -> None:
    series = data.draw(candles())
    manager, plan = data.draw(plans(series[0].open))
    state, proceeds, fees = plan.open(), Decimal(0), Decimal(0)
    sign = 1 if plan.side is Side.LONG else -1
    calm = series[0]
    bars = [calm] * manager.exit_rules.max_holding_bars
    for candle in [*series, *bars]:
        state, sold = step(state, candle, START, manager.exit_rules)
        for part in sold:
            proceeds += round(part.quantity * part.price, 12)
            fees += part.fee
        if state.is_closed:
            break

    whole = round(plan.quantity * plan.entry_price, 12)
    expected = sign * (proceeds - whole) - fees - plan.entry_fee
    assert state.is_closed and state.realised_pnl == expected
