"""Time frames follow the calendar in UTC."""

from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.timeframe import Timeframe

UTC = timezone.utc
MOMENTS = st.datetimes(
    datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)
)


@pytest.mark.parametrize(
    ("timeframe", "alias"),
    [
        (Timeframe.M1, "1min"),
        (Timeframe.M5, "5min"),
        (Timeframe.M15, "15min"),
        (Timeframe.H1, "1h"),
        (Timeframe.H4, "4h"),
        (Timeframe.H12, "12h"),
        (Timeframe.D1, "1D"),
    ],
)
@given(moment=MOMENTS)
def test_fixed_lengths_floor_as_pandas_does(
    timeframe: Timeframe, alias: str, moment: datetime
) -> None:
    assert timeframe.floor(moment) == pd.Timestamp(moment).floor(alias)


@given(moment=MOMENTS)
def test_weeks_open_on_monday_midnight(moment: datetime) -> None:
    opened = Timeframe.W1.floor(moment)
    assert opened.weekday() == 0
    assert (opened.hour, opened.minute, opened.second) == (0, 0, 0)
    assert opened <= moment < opened + timedelta(days=7)


def test_months_differ_in_length() -> None:
    january = datetime(2024, 1, 1, tzinfo=UTC)
    assert Timeframe.MN1.next_open(january) == datetime(2024, 2, 1, tzinfo=UTC)
    assert Timeframe.MN1.shift(january, 2) == datetime(2024, 3, 1, tzinfo=UTC)
    assert Timeframe.MN1.shift(january, -1) == datetime(2023, 12, 1, tzinfo=UTC)


@given(
    timeframe=st.sampled_from(list(Timeframe)),
    moment=MOMENTS,
    bars=st.integers(-50, 50),
)
def test_shift_count_and_opens_agree(
    timeframe: Timeframe, moment: datetime, bars: int
) -> None:
    start = timeframe.floor(moment)
    end = timeframe.shift(start, bars)
    assert timeframe.shift(end, -bars) == start
    assert timeframe.count_bars(start, end) == max(0, bars)
    assert len(list(timeframe.opens(start, end))) == max(0, bars)


@given(timeframe=st.sampled_from(list(Timeframe)), moment=MOMENTS)
def test_last_closed_bar_is_complete_and_the_next_one_is_not(
    timeframe: Timeframe, moment: datetime
) -> None:
    last = timeframe.last_closed(moment)
    assert timeframe.close_of(last) <= moment
    assert timeframe.close_of(timeframe.next_open(last)) > moment


def test_times_without_a_zone_are_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        Timeframe.M1.floor(datetime(2024, 1, 1))


def test_shifting_off_the_grid_is_refused() -> None:
    off_grid = datetime(2024, 1, 1, 0, 0, 30, tzinfo=UTC)
    with pytest.raises(ValueError, match="not on the 1m grid"):
        Timeframe.M1.shift(off_grid, 1)
