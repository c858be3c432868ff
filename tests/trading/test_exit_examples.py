"""Trades worked out by hand: what each candle sells, at what price."""

from __future__ import annotations

from decimal import Decimal

import pytest

from app.domain.candle import Candle
from app.domain.decision import Side
from app.domain.trade import ExitReason
from app.trading.exits import close_at_price, step
from tests.trading.examples import MINUTE, START, d, rules, trade, walk


def test_a_touched_stop_sells_all_at_the_stop() -> None:
    state, (sold,) = walk(trade(), [(100, 101, 95, 96)], rules())

    assert (sold.price, sold.quantity, sold.reason) == (95, 10, ExitReason.STOP_LOSS)
    assert state.is_closed and state.realised_pnl == -50
    assert sold.at == START + MINUTE


def test_a_low_above_the_stop_sells_nothing() -> None:
    state, exits = walk(trade(), [(100, 101, 95.01, 96)], rules())

    assert not exits and state.remaining == 10


def test_a_candle_that_opens_below_the_stop_fills_at_its_open() -> None:
    state, (sold,) = walk(trade(), [(90, 94, 80, 93)], rules())

    assert sold.price == 90 and state.realised_pnl == -100
    assert state.adverse_excursion == 10, "the low came after the fill"


def test_a_short_that_opens_above_its_stop_fills_at_its_open() -> None:
    short = trade(Side.SHORT, stop="105")

    state, (sold,) = walk(short, [(111, 120, 101, 102)], rules())

    assert sold.price == 111 and state.realised_pnl == -110


def test_fees_and_slippage_are_paid_on_both_sides() -> None:
    # 10 at 100, fee 0.1 % = 1; stop 95 less 10 bps = 94.905, fee 0.94905.
    by = rules(fee="0.001", slippage="10")

    state, (sold,) = walk(trade(entry_fee="1"), [(100, 100, 94, 95)], by)

    assert sold.price == d("94.905") and sold.fee == d("0.94905")
    assert sold.pnl == d("-51.89905")
    assert state.realised_pnl == d("-52.89905") and state.fees == d("1.94905")


def test_staged_targets_sell_their_parts_each_at_its_own_price() -> None:
    staged = trade(targets=(("105", "4"), ("110", "3"), ("115", "3")))

    state, exits = walk(
        staged, [(100, 104, 99, 103), (103, 111, 102, 110), (112, 115, 111, 114)],
        rules(),
    )  # fmt: skip

    assert [(e.price, e.quantity) for e in exits] == [(105, 4), (110, 3), (115, 3)]
    assert [e.sequence for e in exits] == [1, 2, 3]
    assert [e.at for e in exits] == [START + n * MINUTE for n in (2, 2, 3)]
    assert state.realised_pnl == 4 * 5 + 3 * 10 + 3 * 15
    assert {e.reason for e in exits} == {ExitReason.TAKE_PROFIT}


def test_a_short_takes_profit_below_its_entry() -> None:
    short = trade(Side.SHORT, stop="105", targets=(("95", "4"),))

    state, (sold,) = walk(short, [(100, 101, 94, 95)], rules())

    assert (sold.price, sold.quantity, sold.pnl) == (95, 4, 20)
    assert state.remaining == 6


def test_a_candle_that_touches_stop_and_target_is_stopped() -> None:
    state, (sold,) = walk(
        trade(targets=(("105", "4"),)), [(100, 106, 95, 105)], rules()
    )

    assert sold.reason is ExitReason.STOP_LOSS and sold.quantity == 10
    assert state.favourable_excursion == 0, "the high may have come after the stop"


def test_the_stop_trails_from_the_next_candle_on() -> None:
    # R = 5. The first candle's high of 110 lifts the stop to 105; its own low of 101
    # is below that but must not be stopped by it.
    by = rules(after="1", distance="1")

    state, exits = walk(trade(), [(101, 110, 101, 109)], by)
    assert not exits and state.stop == 105 and state.is_trailing

    state, (sold,) = walk(state, [(109, 109, 104, 106)], by)
    assert sold.price == 105 and sold.reason is ExitReason.TRAILING_STOP
    assert state.realised_pnl == 50


def test_the_stop_stays_before_the_trailing_distance_is_reached() -> None:
    state, _ = walk(trade(), [(100, 104.99, 99, 104)], rules(after="1"))

    assert state.stop == 95 and not state.is_trailing


def test_a_shorts_stop_trails_down() -> None:
    short = trade(Side.SHORT, stop="105")

    state, _ = walk(short, [(100, 101, 92, 93)], rules(after="1", distance="0.5"))

    assert state.stop == d("94.5")


def test_the_time_limit_sells_the_rest_at_the_close() -> None:
    quiet = (100.0, 101.0, 99.0, 100.5)

    state, (sold,) = walk(trade(), [quiet] * 5, rules(bars=3))

    assert sold.at == START + 3 * MINUTE and sold.price == d("100.5")
    assert sold.reason is ExitReason.TIME_LIMIT and state.bars_held == 3


def test_a_target_met_in_the_last_candle_goes_before_the_time_limit() -> None:
    state, exits = walk(
        trade(targets=(("105", "4"),)), [(100, 106, 99, 101)], rules(bars=1)
    )

    assert [(e.price, e.quantity) for e in exits] == [(105, 4), (101, 6)]
    assert state.is_closed


def test_excursions_are_the_furthest_prices_while_it_was_held() -> None:
    state, _ = walk(trade(), [(100, 103, 97, 99), (99, 101, 96, 100)], rules())

    assert (state.favourable_excursion, state.adverse_excursion) == (3, 4)


def test_a_sale_for_another_reason_takes_the_rest_at_the_price_given() -> None:
    state, sold = close_at_price(
        trade(), Decimal(98), START, ExitReason.DELISTED, rules()
    )

    assert state.is_closed and sold.pnl == -20 and sold.reason is ExitReason.DELISTED


def test_a_closed_trade_is_not_stepped() -> None:
    closed, _ = walk(trade(), [(100, 101, 95, 96)], rules())

    with pytest.raises(ValueError, match="closed trade"):
        step(closed, Candle(START, 1, 1, 1, 1, 1), START + MINUTE, rules())
