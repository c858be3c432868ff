"""Which bars are flagged as hardly true, and which are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.analysis.plausibility.columns import BarColumns
from app.analysis.plausibility.neighbours import NeighbourRules, odd_neighbours
from app.analysis.plausibility.shape import odd_shapes

MINUTE = 60_000_000


def market(count: int = 300, seed: int = 7, volatility: float = 0.001) -> BarColumns:
    """A quiet random walk around 100."""
    draws = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(draws.normal(0, volatility, count)))
    open_ = np.concatenate([[100.0], close[:-1]])
    reach = np.abs(draws.normal(0, volatility / 2, (2, count)))
    return BarColumns(
        np.arange(count) * MINUTE,
        open_,
        np.maximum(open_, close) * (1 + reach[0]),
        np.minimum(open_, close) * (1 - reach[1]),
        close,
        draws.uniform(1, 5, count),
    )


def rules_at(bars: BarColumns, first: int = 0) -> list[tuple[int, str]]:
    found = odd_shapes(bars) + odd_neighbours(bars, first)
    return sorted((item.open_at // MINUTE, item.rule.value) for item in found)


def test_an_ordinary_market_has_no_findings() -> None:
    for seed in range(5):
        assert rules_at(market(seed=seed)) == []


@pytest.mark.parametrize("factor", [100.0, 1.5, 0.5, 0.01])
def test_a_bar_that_alone_stands_out_is_a_spike(factor: float) -> None:
    bars = market()
    for column in (bars.open, bars.high, bars.low, bars.close):
        column[200] *= factor
    assert (200, "price_spike") in rules_at(bars)


def test_a_wick_is_a_spike_and_says_its_bound() -> None:
    bars = market()
    bars.high[200] = 150.0
    (item,) = odd_neighbours(bars)
    bound = item.expected["at_most"]
    ceiling = max(bars.high[199], bars.high[201])
    assert isinstance(bound, float) and 1.01 < bound / ceiling < 1.03
    assert item.stored["high"] == 150.0


def test_a_move_that_stays_is_no_spike() -> None:
    bars = market()
    for column in (bars.open, bars.high, bars.low, bars.close):
        column[200:] *= 1.3
    bars.open[200] = bars.close[199]
    bars.low[200] = bars.close[199]
    assert rules_at(bars) == []


def test_the_newest_bar_waits_for_its_successor() -> None:
    bars = market(202)
    bars.high[201] = 150.0
    assert rules_at(bars) == []
    bars = market(203)
    bars.high[201] = 150.0
    assert rules_at(bars) == [(201, "price_spike")]


def test_ticks_of_a_still_market_are_no_spikes() -> None:
    bars = market(volatility=0.0)
    bars.high[200] *= 1.005
    assert rules_at(bars) == []


def test_a_change_of_unit_is_told_at_once() -> None:
    bars = market()
    for column in (bars.open, bars.high, bars.low, bars.close):
        column[299:] *= 100
    assert rules_at(bars) == [(299, "price_jump")]


def test_too_little_history_judges_no_spike() -> None:
    bars = market(21)
    bars.high[10] = 150.0
    assert rules_at(bars) == []


def test_odd_shapes_are_told_with_their_bounds() -> None:
    bars = market()
    bars.open[50] = bars.high[50] * 1.001
    bars.close[60] = bars.low[60] * 0.999
    bars.volume[70] = 0.0
    found = {item.rule.value: item for item in odd_shapes(bars)}
    assert set(found) == {
        "open_outside_range",
        "close_outside_range",
        "range_without_volume",
    }
    item = found["open_outside_range"]
    assert item.stored == {"open": bars.open[50]}
    assert item.expected == {"at_least": bars.low[50], "at_most": bars.high[50]}


def test_much_volume_at_one_price_is_flagged() -> None:
    bars = market()
    bars.high[150] = bars.low[150] = bars.open[150] = bars.close[150]
    bars.volume[150] = 3.0
    assert rules_at(bars) == []
    bars.volume[150] = 10_000.0
    assert rules_at(bars) == [(150, "volume_without_range")]


def test_judging_in_pieces_gives_the_same_findings() -> None:
    bars = market(1_000)
    for row in (150, 401, 402, 799):
        bars.high[row] = 150.0
    whole = odd_neighbours(bars)
    pieces = []
    rules = NeighbourRules()
    for start in range(0, 1_000, 50):
        base, stop = max(0, start - rules.bars_before - 1), min(1_000, start + 51)
        part = BarColumns(
            *(
                getattr(bars, name)[base:stop]
                for name in ("open_at", "open", "high", "low", "close", "volume")
            )
        )
        found = odd_neighbours(part, start - base)
        pieces += [item for item in found if item.open_at < (start + 50) * MINUTE]
    assert pieces == whole and len(whole) == 2


@pytest.mark.parametrize(
    ("name", "spikes"),
    [
        ("binance/BTCUSDT-1m", 0),
        ("binance/ETHUSDT-1m", 0),
        ("binance/BTCUSDT-1h", 4),
        ("coinbase/BTCUSD-4h", 10),
        ("coinbase/ETHUSD-4h", 3),
        ("bitstamp/BTCUSD-1m", 0),
    ],
)
def test_recorded_markets_have_few_spikes(
    shared_data: Path, name: str, spikes: int
) -> None:
    table = pd.read_csv(shared_data / "candles" / f"{name}.csv.gz")
    times = pd.to_datetime(table["open_time"]).dt.tz_localize(None)
    columns = (
        table[c].to_numpy(float) for c in ("open", "high", "low", "close", "volume")
    )
    bars = BarColumns(times.to_numpy().astype("datetime64[us]").astype("i8"), *columns)
    found = odd_shapes(bars) + odd_neighbours(bars)
    assert [item.rule.value for item in found] == ["price_spike"] * spikes
    assert len({item.open_at for item in found}) == spikes
    # The same rule written another way.
    scale = np.log(table.close).diff().abs().shift(1).rolling(100, 20).median()
    bound = np.exp(np.maximum(15 * 1.4826 * scale, 0.01))
    ceiling = np.maximum(table.high.shift(1), table.high.shift(-1))
    floor = np.minimum(table.low.shift(1), table.low.shift(-1))
    odd = (table.high > ceiling * bound) | (table.low < floor / bound)
    assert (odd & scale.notna()).sum() == spikes
