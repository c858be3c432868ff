"""The simulated market's bars: exact, consistent, repeatable, lifelike."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.config.settings import FilterSettings, ReplaySettings
from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import CLOSE, HIGH, LOW, OPEN, OPEN_MS, VOLUME, Rows, aggregate
from app.replay.quotes import last_price, quote_of
from app.replay.render import klines_text
from app.replay.simulated import SimulatedMarket
from app.replay.source import BarWindow, seen_bars

SETTINGS = ReplaySettings(seed=7, history_days=120)
MARKET = SimulatedMarket(SETTINGS)
START = MARKET.first_start_ms
NEWEST = BarWindow(None, None, 1)
moments = st.integers(START - 60 * grid.DAY_MS, START + 3 * grid.HOUR_MS)
symbols = st.sampled_from(["BTCUSDT", "NULSUSDT", "USDCUSDT", "WAVESUSDT"])


def bars(symbol: str, timeframe: Timeframe, window: BarWindow, now: int) -> Rows:
    listing = MARKET.find_listing(symbol, now)
    assert listing is not None
    return MARKET.bars(listing, timeframe, window, now)


@settings(max_examples=60, deadline=None)
@given(symbols, st.sampled_from(list(Timeframe)[1:]), moments, st.integers(1, 9))
def test_a_higher_bar_is_the_aggregate_of_its_minutes(
    symbol: str, timeframe: Timeframe, now: int, count: int
) -> None:
    if timeframe.is_month:
        count = 1
    higher = bars(symbol, timeframe, BarWindow(None, None, count), now)
    lower_window = BarWindow(int(higher[0, OPEN_MS]), now, 100_000)
    minutes = bars(symbol, Timeframe.M1, lower_window, now)
    assert len(higher) == count
    # Written out again here, so that the two ways check each other.
    for row in higher:
        close_ms = grid.shift(int(row[OPEN_MS]), timeframe, 1)
        opens = minutes[:, OPEN_MS]
        inside = minutes[(opens >= row[OPEN_MS]) & (opens < close_ms)].tolist()
        assert row[OPEN] == inside[0][OPEN] and row[CLOSE] == inside[-1][CLOSE]
        assert row[HIGH] == max(minute[HIGH] for minute in inside)
        assert row[LOW] == min(minute[LOW] for minute in inside)
        for column in range(VOLUME, 10):
            assert row[column] == sum(minute[column] for minute in inside)


@settings(max_examples=150, deadline=None)
@given(symbols, moments, st.lists(st.integers(0, 59_999), min_size=2, max_size=2))
def test_the_unfinished_bar_grows_into_the_final_one(
    symbol: str, moment: int, elapsed: list[int]
) -> None:
    opened = min(grid.floor(moment, Timeframe.M1), START)
    final = bars(symbol, Timeframe.M1, NEWEST, opened + grid.MINUTE_MS - 1)[0]
    at_close = bars(
        symbol, Timeframe.M1, BarWindow(opened, opened, 1), opened + grid.DAY_MS // 8
    )[0]
    early, late = (
        bars(symbol, Timeframe.M1, NEWEST, opened + after)[0]
        for after in sorted(elapsed)
    )
    for row in (early, late, final):
        assert row[OPEN_MS] == opened and row[OPEN] == at_close[OPEN]
        assert at_close[LOW] <= row[LOW] <= row[CLOSE] <= row[HIGH] <= at_close[HIGH]
        assert all(row[VOLUME:] <= at_close[VOLUME:])
    assert early[HIGH] <= late[HIGH] and early[LOW] >= late[LOW]
    assert all(early[VOLUME:] <= late[VOLUME:])


@given(
    st.sampled_from(list(Timeframe)),
    st.integers(0, 4_000_000_000_000),
    st.integers(-500, 500),
)
def test_millisecond_grid_agrees_with_the_calendar(
    timeframe: Timeframe, at: int, bars_away: int
) -> None:
    opened = timeframe.floor(grid.to_datetime(at))
    assert grid.floor(at, timeframe) == grid.to_ms(opened)
    assert grid.ceil(at, timeframe) == grid.to_ms(timeframe.ceil(grid.to_datetime(at)))
    away = timeframe.shift(opened, bars_away)
    assert grid.shift(grid.to_ms(opened), timeframe, bars_away) == grid.to_ms(away)
    closes = grid.close_all(np.array([grid.to_ms(opened)]), timeframe)
    assert closes[0] == grid.to_ms(timeframe.close_of(opened))


def test_prices_join_and_contain_their_ends() -> None:
    for listing in MARKET.listings(START):
        rows = MARKET.true_bars(listing, START - 3 * grid.DAY_MS, START)
        assert (rows[1:, OPEN] == rows[:-1, CLOSE]).all()
        assert (np.diff(rows[:, OPEN_MS]) == grid.MINUTE_MS).all()
        assert (rows[:, LOW] <= rows[:, [OPEN, CLOSE]].min(axis=1)).all()
        assert (rows[:, HIGH] >= rows[:, [OPEN, CLOSE]].max(axis=1)).all()
        assert (rows[:, LOW] >= 1).all() and (rows[:, VOLUME:] >= 0).all()


def test_an_illiquid_symbol_has_flat_minutes_without_volume() -> None:
    rows = seen("NULSUSDT")
    quiet = rows[rows[:, VOLUME] == 0]
    assert 0.4 < len(quiet) / len(rows) < 0.8
    assert (quiet[:, OPEN : CLOSE + 1] == quiet[:, [OPEN]]).all()
    assert not quiet[:, VOLUME:].any()


def test_any_day_can_be_had_first() -> None:
    fresh = SimulatedMarket(SETTINGS)
    listing = fresh.find_listing("ETHUSDT", START)
    assert listing is not None
    window = BarWindow(START - 100 * grid.DAY_MS, None, 50)
    expected = bars("ETHUSDT", Timeframe.M5, window, START)
    assert (fresh.bars(listing, Timeframe.M5, window, START) == expected).all()


def test_a_symbol_does_not_depend_on_how_many_there_are() -> None:
    small = SimulatedMarket(SETTINGS.model_copy(update={"markets": 4}))
    large = SimulatedMarket(SETTINGS.model_copy(update={"markets": 40}))
    assert len(large.listings(START)) == 40
    for listing in small.listings(START):
        window = BarWindow(None, None, 10)
        rows = [m.bars(listing, Timeframe.H1, window, START) for m in (small, large)]
        assert (rows[0] == rows[1]).all()


DIGEST = """
from tests.replay.test_simulated_bars import digest
print(digest())
"""


def digest() -> str:
    """Text of a few pages on fixed series, hashed."""
    market, text = SimulatedMarket(SETTINGS), hashlib.sha256()
    for symbol in ("BTCUSDT", "NULSUSDT", "BOMEUSDT"):
        listing = market.find_listing(symbol, START)
        assert listing is not None
        for timeframe in (Timeframe.M1, Timeframe.H4, Timeframe.W1):
            window = BarWindow(None, None, 12)
            rows = market.bars(listing, timeframe, window, START + 41_000)
            text.update(klines_text(rows, timeframe, listing).encode())
    return text.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_every_process() -> None:
    # A change of this value changes every simulated market there is.
    golden = "fe834135ac656a3022f80a56b5e87924c506a6247d7f1f1ea7c083ddcfd71ea1"
    run = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == digest() == golden


def test_another_seed_gives_another_market() -> None:
    other = SimulatedMarket(SETTINGS.model_copy(update={"seed": 8}))
    listing = other.find_listing("BTCUSDT", START)
    assert listing is not None
    row = other.bars(listing, Timeframe.M1, NEWEST, START)[0]
    assert (row != bars("BTCUSDT", Timeframe.M1, NEWEST, START)[0]).any()


def seen(symbol: str, now: int = START) -> Rows:
    listing = MARKET.find_listing(symbol, now)
    assert listing is not None
    return seen_bars(MARKET, listing, now - grid.DAY_MS, now)


@pytest.mark.parametrize("days", [0, 1, 9, 40])
def test_exactly_the_peculiar_symbols_fail_their_filter_rule(days: int) -> None:
    now, rules = START - days * grid.DAY_MS, FilterSettings()
    failed: dict[str, set[str]] = {}
    for listing in MARKET.listings(now):
        rows = seen(listing.symbol, now)
        swing = rows[:, HIGH].max() / rows[:, LOW].min() - 1
        volume = rows[:, 6].sum() / 10.0**listing.quote_decimals
        quote = quote_of(listing, last_price(MARKET, listing, now), now, 7)
        spread = 20_000 * (quote.ask - quote.bid) / (quote.ask + quote.bid)
        checks = {
            "volume": volume < rules.min_quote_volume_24h,
            "spread": spread > rules.max_spread_bps,
            "calm": swing < rules.min_volatility_24h,
            "wild": swing > rules.max_volatility_24h,
            "quote": listing.quote not in rules.quote_currencies,
        }
        failing = {name for name, fails in checks.items() if fails}
        if failing:
            failed[listing.symbol] = failing
    assert failed == {
        "IDEXUSDT": {"volume"},
        "ARDRUSDT": {"spread"},
        "USDCUSDT": {"calm"},
        "BOMEUSDT": {"wild"},
        "BTCEUR": {"quote"},
    }


def hourly_returns(symbol: str) -> np.ndarray:
    window = BarWindow(None, None, 1000)
    rows = bars(symbol, Timeframe.H1, window, START)
    return np.diff(np.log(rows[:, CLOSE]))


def test_symbols_move_together_and_volatility_clusters() -> None:
    bitcoin, ether = hourly_returns("BTCUSDT"), hourly_returns("ETHUSDT")
    assert 0.4 < np.corrcoef(bitcoin, ether)[0, 1] < 0.98
    size = np.abs(bitcoin)
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.1
    deviations = (bitcoin - bitcoin.mean()) / bitcoin.std()
    assert np.mean(deviations**4) > 3.0


def test_volume_follows_volatility() -> None:
    rows = bars("SOLUSDT", Timeframe.H1, BarWindow(None, None, 1000), START)
    swing = np.log(rows[:, HIGH] / rows[:, LOW])
    assert np.corrcoef(swing, np.log(rows[:, VOLUME] + 1.0))[0, 1] > 0.5


def test_a_market_of_four_and_of_hundreds_start_at_once() -> None:
    for count in (4, 300):
        market = SimulatedMarket(SETTINGS.model_copy(update={"markets": count}))
        assert len({each.symbol for each in market.listings(START)}) == count


def test_aggregating_nothing_gives_nothing() -> None:
    window = BarWindow(START + grid.DAY_MS, None, 5)
    rows = bars("BTCUSDT", Timeframe.H1, window, START)
    assert not len(rows) and not len(aggregate(rows, Timeframe.D1))
