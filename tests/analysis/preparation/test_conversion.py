"""Bars in every usual form become the same frame and the same window."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.preparation.frames import OHLCV_COLUMNS, ohlcv_to_dataframe
from app.analysis.preparation.windows import infer_timeframe, prepare_for_indicators
from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.candle import Candle
from app.domain.timeframe import Timeframe
from tests.analysis.windows import contents, random_walk

START = datetime(2025, 1, 6, tzinfo=timezone.utc)
ROWS = [
    [1736121600000, 100.0, 110.0, 90.0, 105.0, 7.0],
    [1736121900000, 105.0, 106.0, 104.0, 104.5, 0.0],
    [1736122200000, 104.5, 120.0, 104.5, 119.0, 3.5],
]
NAMED: dict[str, Any] = {
    name: [row[at] for row in ROWS]
    for at, name in enumerate(("timestamp", *OHLCV_COLUMNS))
}
CANDLES = [
    Candle(START + timedelta(minutes=5 * number), *row[1:])
    for number, row in enumerate(ROWS)
]
IN_NEW_YORK = pd.DatetimeIndex([c.open_at for c in CANDLES]).tz_convert(
    "America/New_York"
)
FORMS: dict[str, Any] = {
    "ccxt rows": ROWS,
    "ccxt array": np.array(ROWS),
    "tuples with a seventh field": [(*row, "x") for row in ROWS],
    "candles": CANDLES,
    "window": CandleWindow.from_candles("A", Timeframe.M5, CANDLES),
    "columns": NAMED,
    "capital columns": {name.title(): values for name, values in NAMED.items()},
    "texts, as Binance sends numbers": {
        name: values if name == "timestamp" else [str(value) for value in values]
        for name, values in NAMED.items()
    },
    "frame with a time column": pd.DataFrame(NAMED),
    "frame with ISO texts": pd.DataFrame(NAMED).assign(
        timestamp=["2025-01-06T00:00:00Z", "2025-01-06 00:05", "2025-01-05T19:10-05:00"]
    ),
    "frame indexed by New York time": pd.DataFrame(NAMED)
    .drop(columns="timestamp")
    .set_index(IN_NEW_YORK),
    "frame indexed by times without a zone": pd.DataFrame(NAMED)
    .drop(columns="timestamp")
    .set_index(pd.date_range("2025-01-06", periods=3, freq="5min")),
    "structured array": pd.DataFrame(NAMED).to_records(index=False),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_becomes_the_same_frame(form: str) -> None:
    frame = ohlcv_to_dataframe(FORMS[form])

    assert list(frame.columns) == list(OHLCV_COLUMNS)
    assert set(frame.dtypes) == {np.dtype(np.float64)}
    assert list(frame.index) == [candle.open_at for candle in CANDLES]
    assert str(frame.index.dtype) == "datetime64[us, UTC]"
    assert frame.index.name == "open_at"
    np.testing.assert_array_equal(frame.to_numpy(), [row[1:] for row in ROWS])


@pytest.mark.parametrize("form", FORMS)
def test_every_form_becomes_the_same_window(form: str) -> None:
    window = prepare_for_indicators(FORMS[form])

    assert window.timeframe is Timeframe.M5
    assert contents(window) == contents(FORMS["window"])


def test_values_are_taken_as_they_are() -> None:
    rows = [ROWS[1], ROWS[0], [*ROWS[0][:4], None, -1], ROWS[2]]

    frame = ohlcv_to_dataframe(rows)

    assert frame.index[1] == frame.index[2] == START, "order and doubles are kept"
    assert np.isnan(frame["close"].iloc[2]) and frame["volume"].iloc[2] == -1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({**NAMED, "close": [1.0]}, r"'close': 1.*open times 3"),
        ({"timestamp": [], "open": []}, r"\['high', 'low', 'close', 'volume'\]"),
        ({name: NAMED[name] for name in OHLCV_COLUMNS}, "open times are missing"),
        ({**NAMED, "low": [1, "x", 2]}, "low of row 1 is 'x', must be a number"),
        ({**NAMED, "Low": [1, 2, 3]}, "'low' is given twice"),
        ([ROWS[0], [1, 2]], r"row 1 is \[1, 2\]"),
        ([[1736121600, *ROWS[0][1:]]], "row 0 is 1736121600, must be milliseconds"),
        ([[1736121600000000, *ROWS[0][1:]]], "must be milliseconds"),
        ([[None, *ROWS[0][1:]], ROWS[1]], "row 0 is nan, must be milliseconds"),
        ({**NAMED, "timestamp": ["soon", None, ""]}, "cannot be read"),
        ({**NAMED, "timestamp": [START, None, START]}, "row 1 is missing"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(data: Any, message: str) -> None:
    with pytest.raises(BadData, match=message):
        ohlcv_to_dataframe(data)


def test_no_bars_are_an_empty_frame() -> None:
    for nothing in ([], np.empty((0, 6)), {name: [] for name in NAMED}):
        assert ohlcv_to_dataframe(nothing).shape == (0, 5)


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32 - 1), bars=st.integers(2, 60), data=st.data())
def test_shuffled_and_overlapping_pages_become_the_window(
    seed: int, bars: int, data: st.DataObject
) -> None:
    window = random_walk(bars, seed)
    frame = ohlcv_to_dataframe(window)
    again = data.draw(st.lists(st.integers(0, bars - 1), max_size=20))
    order = data.draw(st.permutations([*range(bars), *again]))

    prepared = prepare_for_indicators(frame.iloc[order], Timeframe.M5)

    assert contents(prepared) == contents(window)


def test_two_values_of_one_bar_are_refused() -> None:
    with pytest.raises(BadData, match="2025-01-06T00:00:00.*that of one bar"):
        prepare_for_indicators([ROWS[0], [*ROWS[0][:5], 8.0], ROWS[1]], Timeframe.M5)


def test_the_running_bar_is_dropped() -> None:
    closed_by = START + timedelta(minutes=14, seconds=59)

    window = prepare_for_indicators(ROWS, Timeframe.M5, closed_by=closed_by)
    later = prepare_for_indicators(
        FORMS["window"], closed_by=closed_by + timedelta(seconds=1)
    )

    assert len(window) == 2 and len(later) == 3
    with pytest.raises(ValueError, match="no time zone"):
        prepare_for_indicators(ROWS, closed_by=datetime(2025, 1, 6))


def test_too_short_a_history_is_refused() -> None:
    for data in (ROWS, FORMS["window"]):
        with pytest.raises(BadData, match="bars is 3, must be at least 4"):
            prepare_for_indicators(data, Timeframe.M5, min_bars=4)


def test_a_window_of_another_time_frame_is_refused() -> None:
    with pytest.raises(BadData, match="5m bars, 1h was asked"):
        prepare_for_indicators(FORMS["window"], Timeframe.H1)


@pytest.mark.parametrize("timeframe", Timeframe)
def test_the_time_frame_is_read_off_the_nearest_bars(timeframe: Timeframe) -> None:
    first = timeframe.floor(START)
    opens = [timeframe.shift(first, bars) for bars in (0, 3, 4, 9)]

    assert infer_timeframe(pd.DatetimeIndex(opens)) is timeframe


def test_distances_of_no_time_frame_are_refused() -> None:
    with pytest.raises(BadData, match="7 minutes apart"):
        infer_timeframe(pd.date_range(START, periods=3, freq="7min"))
    with pytest.raises(BadData, match="from 1 bars"):
        prepare_for_indicators(ROWS[:1])
