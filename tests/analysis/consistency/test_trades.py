"""Bars against the trades of their time."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from app.analysis.consistency.trades import (
    TradeColumns,
    bars_of_trades,
    check_trades,
)
from app.analysis.plausibility.columns import BarColumns
from app.domain.timeframe import Timeframe

MINUTE = 60_000_000
NAMES = ("open", "high", "low", "close", "volume")


def trades(rows: list[tuple[float, float, float]], minutes: int = 3) -> TradeColumns:
    """Trades as (minute, price, amount)."""
    at, price, amount = (np.array(column) for column in zip(*rows, strict=True))
    return TradeColumns(
        (at * MINUTE).astype(np.int64),
        price.astype(float),
        amount.astype(float),
        0,
        minutes * MINUTE,
    )


def bars(rows: list[tuple[int, float, float, float, float, float]]) -> BarColumns:
    table = np.array(rows, dtype=float)
    opens = (table[:, 0] * MINUTE).astype(np.int64)
    return BarColumns(opens, *(table[:, 1:].T))


TOLD = trades([(0.0, 10, 1), (0.5, 12, 2), (0.9, 11, 3), (2.1, 9, 4)])


def test_bars_that_the_trades_make_have_no_findings() -> None:
    stored = bars([(0, 10, 12, 10, 11, 6), (1, 11, 11, 11, 11, 0), (2, 9, 9, 9, 9, 4)])
    check = check_trades(TOLD, stored, Timeframe.M1)
    assert check.compared == 3 and check.findings == ()


def test_each_field_that_differs_is_told_with_both_values() -> None:
    stored = bars([(0, 10, 13, 10, 11, 7)])
    check = check_trades(TOLD, stored, Timeframe.M1)
    told = {item.rule.value: item for item in check.findings}
    assert set(told) == {"trades_high", "trades_volume"}
    assert told["trades_high"].stored == {"high": 13.0}
    assert told["trades_high"].expected == {"high": 12.0, "trades": 3}


def test_volume_without_a_trade_is_told() -> None:
    check = check_trades(TOLD, bars([(1, 11, 11, 11, 11, 0.5)]), Timeframe.M1)
    (item,) = check.findings
    assert item.rule.value == "trades_volume"
    assert item.expected == {"volume": 0.0, "trades": 0}


def test_bars_that_the_list_covers_in_part_are_not_compared() -> None:
    part = TradeColumns(TOLD.at, TOLD.price, TOLD.amount, MINUTE // 2, 3 * MINUTE - 1)
    stored = bars([(0, 1, 1, 1, 1, 1), (2, 1, 1, 1, 1, 1)])
    assert check_trades(part, stored, Timeframe.M1).compared == 0


@pytest.mark.parametrize("symbol", ["btcusdt", "ethusdt"])
def test_a_recorded_capture_makes_the_bars_that_pandas_makes(
    shared_data: Path, symbol: str
) -> None:
    folder = shared_data / "books" / "binance_spot"
    rows = []
    for file in sorted(folder.glob(f"spot_{symbol}_*.gz")):
        with gzip.open(file, "rt") as lines:
            for line in lines:
                message = json.loads(line.partition(" ")[2])
                if str(message.get("stream", "")).endswith("@trade"):
                    data = message["data"]
                    rows.append((data["t"], data["T"], data["p"], data["q"]))
    frame = pd.DataFrame(rows, columns=["id", "ms", "price", "amount"])
    frame = frame.astype({"price": float, "amount": float})
    # Nothing was lost or told twice: ids are consecutive.
    assert (frame["id"].diff().dropna() == 1).all() and frame[
        "ms"
    ].is_monotonic_increasing
    told = TradeColumns(
        frame["ms"].to_numpy() * 1_000,
        frame["price"].to_numpy(),
        frame["amount"].to_numpy(),
        int(frame["ms"].iloc[0]) * 1_000,
        int(frame["ms"].iloc[-1]) * 1_000,
    )
    minutes, counts = bars_of_trades(told, Timeframe.M1)
    grouped = frame.set_index(pd.to_datetime(frame["ms"], unit="ms")).resample("min")
    expected = (
        grouped["price"].ohlc().assign(volume=grouped["amount"].sum(), n=grouped.size())
    )
    expected = expected.iloc[1:-1]  # the first and last minute are cut
    assert len(minutes) == len(expected) >= 8
    assert counts.tolist() == expected["n"].tolist()
    for name in NAMES:
        np.testing.assert_allclose(
            getattr(minutes, name), expected[name], rtol=1e-12, atol=0
        )
    # Larger bars of the same trades agree as well.
    fives, _ = bars_of_trades(told, Timeframe.M5)
    assert len(fives) >= 1
    assert check_trades(told, fives, Timeframe.M5).findings == ()
