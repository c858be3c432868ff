"""Indicators of whole frames, by configuration, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import talib

from app.analysis.divergence import detect_divergence
from app.analysis.indicators.registry import indicator_classes
from app.analysis.indicators.trend import Ema
from app.analysis.levels.support_resistance import support_resistance
from app.analysis.levels.volume_profile import volume_profile
from app.analysis.pandas_ta_indicator import PandasTaIndicator
from app.analysis.service import DEFAULT_INDICATORS, IndicatorService
from app.core.exceptions import BadData, ConfigurationError
from app.domain.timeframe import Timeframe
from tests.analysis.windows import every_indicator, random_walk

SERVICE = IndicatorService()
WALK = random_walk(700, seed=21)
OHLCV = ("open", "high", "low", "close", "volume")


def frame_of(bars: int = 700, **changes: Any) -> pd.DataFrame:
    columns = {name: getattr(WALK, name)[:bars].copy() for name in OHLCV} | changes
    return pd.DataFrame(columns, index=pd.DatetimeIndex(WALK.open_at[:bars]))


def test_columns_are_talibs_once_warm_and_null_before() -> None:
    config = {"rsi": {"period": 14}, "ema": [{"period": 20}, {"period": 50}]}

    table = SERVICE.batch_calculate(frame_of(), config)

    assert list(table) == ["rsi_14", "ema_20", "ema_50"]
    needed = Ema(50).bars_needed
    assert table["ema_50"].isna().tolist() == [n < needed - 1 for n in range(700)]
    expected = talib.EMA(WALK.close, 50)[needed - 1 :]
    np.testing.assert_allclose(table["ema_50"][needed - 1 :], expected, rtol=1e-9)
    assert table.index.equals(frame_of().index)
    assert table.attrs["requirements"]["ema_50"]["bars_needed"] == needed


def as_mapping() -> dict[str, Any]:
    times = [stamp.isoformat() for stamp in frame_of().index]
    return {"timestamp": times} | {n: getattr(WALK, n).tolist() for n in OHLCV}


def as_rows() -> list[list[float]]:
    milliseconds = WALK.open_at.astype("datetime64[ms]").astype(np.int64)
    columns = [milliseconds, *(getattr(WALK, name) for name in OHLCV)]
    return [list(row) for row in zip(*columns, strict=True)]


def as_arrays() -> dict[str, np.ndarray]:
    return {"timestamp": WALK.open_at} | {n: getattr(WALK, n) for n in OHLCV}


@pytest.mark.parametrize(
    "data", [lambda: WALK, as_mapping, as_rows, as_arrays], ids=range(4)
)
def test_bars_in_any_form_give_the_same_columns(data: Callable[[], Any]) -> None:
    config = {"atr": {}, "vwap": None}

    table = SERVICE.batch_calculate(data(), config)

    expected = SERVICE.batch_calculate(frame_of(), config)
    assert table.index.tz is not None and len(table) == 700
    np.testing.assert_array_equal(table.to_numpy(), expected.to_numpy())


def test_last_row_is_what_latest_says() -> None:
    frame = frame_of()

    row = SERVICE.batch_calculate(frame).iloc[-1]

    latest = SERVICE.latest(WALK)
    assert list(row.index) == list(latest)
    for name, value in latest.items():
        assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-9), name


def test_each_time_frame_is_computed_on_its_own_bars() -> None:
    hourly = random_walk(300, seed=5, timeframe=Timeframe.H1)
    frames = {Timeframe.M5: frame_of(), Timeframe.H1: hourly}

    tables = SERVICE.calculate_multi_timeframe(frames, {"sma": {"period": 20}})

    assert {frame: len(table) for frame, table in tables.items()} == {
        Timeframe.M5: 700,
        Timeframe.H1: 300,
    }
    last = hourly.close[-20:].mean()
    assert tables[Timeframe.H1]["sma_20"].iloc[-1] == pytest.approx(last)
    with pytest.raises(BadData, match="on the 1h grid"):
        SERVICE.calculate_multi_timeframe({Timeframe.H1: frame_of()}, {"sma": {}})


def swapped() -> pd.DataFrame:
    return frame_of().iloc[[1, 0, *range(2, 700)]]


def doubled() -> pd.DataFrame:
    return frame_of().iloc[[0, 1, 1, *range(2, 700)]]


def with_close(value: Any) -> pd.DataFrame:
    close = WALK.close.astype(object)
    close[7] = value
    return frame_of(close=close)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: frame_of().drop(columns=["high", "volume"]), r"\['high', 'volume'\]"),
        (swapped, "open time at .* must be after that of the bar before"),
        (doubled, "open time at .* must be that of one bar"),
        (lambda: with_close(float("nan")), "close at 2025-01-06T00:35.* is nan"),
        (lambda: with_close("dear"), "close of row 7 is 'dear', must be a number"),
        (lambda: with_close(-1.0), "close at .* is -1.0, must be"),
        (lambda: frame_of().reset_index(drop=True), "open times are missing"),
        (lambda: frame_of(250), r"rsi_14 needs 264 bars, the frame has 250"),
    ],
    ids=range(8),
)
def test_bars_that_cannot_be_used_are_refused(
    make: Callable[[], pd.DataFrame], message: str
) -> None:
    with pytest.raises(BadData, match=message):
        SERVICE.batch_calculate(make(), {"rsi": {"period": 14}})


def test_short_history_is_null_where_that_is_allowed() -> None:
    config = {"rsi": {"period": 14}, "sma": {"period": 20}}

    table = SERVICE.batch_calculate(frame_of(250), config, allow_warming_up=True)

    assert table["rsi_14"].isna().all()
    assert table["sma_20"].notna().sum() == 231


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"rssi": {}}, "no indicator is called 'rssi'; nearest: rsi"),
        ({"rsi": {"perod": 14}}, "no parameter 'perod', nearest is 'period'"),
        ({"rsi": {"period": 1}}, "rsi: period must be a whole number from 2 to"),
        ({"rsi": {"period": 14.0}}, "got 14.0"),
        ({"rsi": {"period": True}}, "got True"),
        ({"bbands": {"deviations": 0}}, "deviations must be a finite number above 0"),
        ({"vwap": {"session": "tokyo"}}, "session must be one of .*'utc_day'"),
        ({"rsi": 14}, "parameters of indicator 'rsi' must map names"),
        (["rsi"], "must map names to parameters"),
        ({"ema": [{}, {"period": 20}]}, r"columns \['ema_20'\] twice"),
        ({"fisher": {"lenght": 9}}, "fisher has no parameter 'lenght', nearest .*len"),
        ({"dpo": {}}, "dpo looks ahead: DPO_20 at"),
        ({"ichimoku": {}}, "ichimoku looks ahead"),
    ],
    ids=str,
)
def test_configurations_that_cannot_be_meant_are_refused(
    config: Any, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SERVICE.batch_calculate(frame_of(), config)


def test_any_name_of_pandas_ta_classic_is_computed_by_it() -> None:
    config = {"fisher": {"length": 9}, "kama": None, "dpo": {"centered": False}}

    table = SERVICE.batch_calculate(frame_of(), config)

    expected = talib.KAMA(WALK.close, 10)
    assert list(table) == ["FISHERT_9_1", "FISHERTs_9_1", "KAMA_10_2_30", "DPO_20"]
    assert table.iloc[-1].notna().all()
    requirement = table.attrs["requirements"]["KAMA_10_2_30"]
    assert requirement["indicator"] == "pandas_ta.kama"
    # Another seed than TA-Lib's, forgotten within the measured need.
    needed = requirement["bars_needed"]
    assert table["KAMA_10_2_30"].isna().sum() == needed - 1
    np.testing.assert_allclose(
        table["KAMA_10_2_30"][needed:], expected[needed:], rtol=1e-6
    )


def test_a_sum_of_pandas_ta_classic_without_an_end_says_where_it_starts() -> None:
    table = SERVICE.batch_calculate(frame_of(), {"pvt": {}})

    (requirement,) = table.attrs["requirements"].values()
    assert requirement["bars_needed"] is None
    assert requirement["anchor"] == "first bar of the frame"
    assert PandasTaIndicator("atr", {}).bars_needed == 200


def test_every_class_of_the_room_has_a_name_of_its_own() -> None:
    by_name = {type(indicator) for indicator in every_indicator()}

    assert set(indicator_classes().values()) == by_name
    assert {type(item) for item in DEFAULT_INDICATORS} <= by_name
    assert len(indicator_classes()) >= 24


def test_a_service_is_made_from_a_configuration() -> None:
    service = IndicatorService.from_config({"EMA": {"period": 9}, "willr": None})

    assert [name for i in service.indicators for name in i.outputs] == [
        "ema_9",
        "williams_r_14",
    ]
    with pytest.raises(ConfigurationError, match="nearest: .*ema"):
        IndicatorService.from_config({"emma": None})


def test_divergences_levels_and_profiles_take_frames_too() -> None:
    frame = frame_of()

    assert SERVICE.detect_divergence(frame) == detect_divergence(WALK)
    assert SERVICE.support_resistance(frame) == support_resistance(WALK)
    assert SERVICE.volume_profile(frame, bars=200) == volume_profile(WALK, bars=200)
