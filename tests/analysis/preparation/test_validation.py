"""Each fault that bars can have is named with its thing, value and bound."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.analysis.preparation.frames import ohlcv_to_dataframe
from app.analysis.preparation.report import ProblemKind
from app.analysis.preparation.validation import (
    require_valid_ohlcv,
    validate_ohlcv_data,
)
from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.timeframe import Timeframe
from tests.analysis.recorded import recorded_bars
from tests.analysis.windows import random_walk

GOOD = ohlcv_to_dataframe(random_walk(10, seed=1))


def changed(column: str, row: int, value: float) -> pd.DataFrame:
    """The good bars with one other value."""
    frame = GOOD.copy()
    frame.iloc[row, frame.columns.get_loc(column)] = value
    return frame


def reordered(*order: int) -> pd.DataFrame:
    """Rows of the good bars in this order."""
    return GOOD.iloc[list(order)]


def test_good_bars_have_no_problem() -> None:
    report = validate_ohlcv_data(GOOD, Timeframe.M5, min_bars=10)

    assert report.is_valid and report.bars == 10
    assert report.problems == () and report.counts == {}


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("frame", "kind", "text"),
    [
        (changed("open", 2, NAN), "not_finite", "open at .*00:10.* is nan, must be fi"),
        (changed("volume", 2, INF), "not_finite", "volume at .* is inf, must be finit"),
        (changed("low", 3, 0.0), "not_positive", "low at .*00:15.* is 0.0, .* above 0"),
        (changed("low", 3, -5.0), "not_positive", "low .* is -5.0, must be above 0"),
        (changed("volume", 0, -1), "negative_volume", "is -1.0, must be at least 0"),
        (changed("high", 4, 1.0), "high_below_low", "high .* is 1.0, .* at least the"),
        (changed("close", 4, 500.0), "outside_range", "is 500.0, .*from low to high"),
        (reordered(0, 2, 1, 3), "out_of_order", "is 2025-01-06T00:05.* after that"),
        (reordered(0, 1, 1, 2), "duplicate", "is 2025-01-06T00:05.* that of one bar"),
        (reordered(0, 3, 4), "gap", r"before 2025-01-06T00:15.* missing \(2 bars\)"),
        (GOOD.shift(freq="1min"), "off_grid", "is 2025-01-06T00:01.* on the 5m grid"),
    ],
)
def test_a_fault_is_told(frame: pd.DataFrame, kind: str, text: str) -> None:
    report = validate_ohlcv_data(frame, Timeframe.M5)

    assert set(report.counts) == {ProblemKind(kind)}
    assert pd.Series([str(report.problems[0])]).str.contains(text).all()
    assert report.is_valid is (kind in ("gap", "outside_range"))


def test_only_the_late_bar_is_out_of_order() -> None:
    report = validate_ohlcv_data(reordered(0, 5, 6, 1, 7, 8), Timeframe.M5)

    assert report.counts[ProblemKind.OUT_OF_ORDER] == 1


def test_all_kinds_are_told_at_once_and_the_first_is_raised() -> None:
    frame = changed("volume", 1, -1.0)
    frame.iloc[3, 0] = NAN

    report = validate_ohlcv_data(frame.drop(frame.index[5]), Timeframe.M5, min_bars=99)

    assert [problem.kind.value for problem in report.problems] == [
        "too_few_bars",
        "gap",
        "not_finite",
        "negative_volume",
    ]
    assert len(report.errors) == 3 and len(report.warnings) == 1
    with pytest.raises(BadData, match="number of bars is 9, .* 99 .and 2 more errors"):
        report.raise_if_invalid()


def test_without_a_time_frame_the_grid_is_not_judged() -> None:
    assert validate_ohlcv_data(reordered(0, 3, 4)).problems == ()


def test_a_flood_of_faults_is_counted_and_its_start_listed() -> None:
    frame = ohlcv_to_dataframe(random_walk(1000, seed=1)) * -1

    report = validate_ohlcv_data(frame, Timeframe.M5)

    assert report.counts[ProblemKind.NOT_POSITIVE] == 4000
    assert len(report.errors) == 300, "a hundred of each of three kinds"


def test_unreadable_data_is_a_problem_of_its_own() -> None:
    report = validate_ohlcv_data([[1, 2]], Timeframe.M5)

    assert list(report.counts) == [ProblemKind.UNREADABLE] and not report.is_valid
    with pytest.raises(BadData, match="OHLCV row 0"):
        require_valid_ohlcv([[1, 2]])


def test_recorded_outages_are_gaps_and_nothing_else(shared_data: Path) -> None:
    report = require_valid_ohlcv(recorded_bars(shared_data, "BTCUSDT-1h"), Timeframe.H1)

    missing = sum(int(p.value.split("(")[1].split()[0]) for p in report.warnings)
    assert report.bars == 58_419
    assert report.counts == {ProblemKind.GAP: 28} and missing == 128


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(range(1736121600000, 1736121600000 + 3_000_000, 150_000)),
            *[st.sampled_from([1.0, 1.5, 2.0, 0.0, -1.0, NAN, INF, 1e300])] * 4,
            st.sampled_from([0.0, 5.0, -0.1, NAN]),
        ),
        max_size=6,
    )
)
def test_what_is_called_valid_makes_a_window(rows: list[tuple[float, ...]]) -> None:
    report = validate_ohlcv_data(rows, Timeframe.M5, min_bars=0)
    frame = ohlcv_to_dataframe(rows)
    columns = (frame[name].to_numpy() for name in frame)
    times = frame.index.tz_localize(None).to_numpy()

    try:
        CandleWindow("A", Timeframe.M5, times, *columns)
    except BadData:
        assert not report.is_valid
    else:
        assert report.is_valid, report.errors
