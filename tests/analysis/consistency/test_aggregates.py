"""Larger bars against the smaller ones they are made of."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import pandas as pd
import pytest

from app.analysis.consistency.aggregates import check_aggregates
from app.analysis.plausibility.columns import BarColumns
from app.domain.timeframe import Timeframe

NAMES = ("open", "high", "low", "close", "volume")
RULES = {Timeframe.W1: "W-MON", Timeframe.MN1: "MS", Timeframe.D1: "D"}


def hours(start: str, count: int) -> pd.DataFrame:
    draws = np.random.default_rng(11)
    close = 100 + np.cumsum(draws.normal(0, 1, count))
    open_ = np.concatenate([[100.0], close[:-1]])
    return pd.DataFrame(
        {
            "open": open_,
            "high": np.maximum(open_, close) + 1,
            "low": np.minimum(open_, close) - 1,
            "close": close,
            "volume": draws.uniform(0.1, 9, count),
        },
        index=pd.date_range(start, periods=count, freq="h", tz="UTC"),
    )


def aggregate(frame: pd.DataFrame, timeframe: Timeframe) -> pd.DataFrame:
    how = dict(zip(NAMES, ("first", "max", "min", "last", "sum"), strict=True))
    return frame.resample(RULES[timeframe], label="left", closed="left").agg(how)


def columns(frame: pd.DataFrame) -> BarColumns:
    index = pd.DatetimeIndex(frame.index).tz_localize(None).to_numpy()
    times = index.astype("datetime64[us]").astype("i8")
    return BarColumns(times, *(frame[name].to_numpy(copy=True) for name in NAMES))


@pytest.mark.parametrize("timeframe", RULES)
def test_what_is_made_of_its_parts_has_no_findings(timeframe: Timeframe) -> None:
    lower = hours("2024-01-01", 24 * 121)
    higher = aggregate(lower, timeframe)
    check = check_aggregates(columns(lower), columns(higher), Timeframe.H1, timeframe)
    assert check.findings == ()
    # The last bucket is only compared where it is whole.
    assert check.compared == {"1w": 17, "1M": 4, "1d": 121}[timeframe.value]


@pytest.mark.parametrize("name", NAMES)
def test_one_field_that_differs_is_one_finding_with_both_values(name: str) -> None:
    lower = hours("2024-01-01", 72)
    higher = columns(aggregate(lower, Timeframe.D1))
    right = float(getattr(higher, name)[1])
    getattr(higher, name)[1] = right * 1.0001
    check = check_aggregates(columns(lower), higher, Timeframe.H1, Timeframe.D1)
    (item,) = check.findings
    assert item.rule.value == f"aggregate_{name}"
    assert item.open_at == 1_000_000 * int(
        datetime(2024, 1, 2, tzinfo=timezone.utc).timestamp()
    )
    assert item.stored == {name: right * 1.0001}
    assert item.expected[name] == pytest.approx(right, rel=1e-12)
    assert (item.expected["timeframe"], item.expected["bars"]) == ("1h", 24)


def test_a_day_that_lacks_an_hour_is_not_compared() -> None:
    lower = hours("2024-01-01", 72)
    higher = columns(aggregate(lower, Timeframe.D1))
    higher.close[1] = 1.0
    part = columns(lower.drop(lower.index[30]))
    check = check_aggregates(part, higher, Timeframe.H1, Timeframe.D1)
    assert check.compared == 2 and check.findings == ()


def test_floating_sums_in_another_order_agree() -> None:
    lower = hours("2024-01-01", 24 * 100)
    higher = columns(aggregate(lower, Timeframe.D1))
    higher.volume[:] = [
        sum(reversed(day["volume"].tolist())) for _, day in lower.resample("D")
    ]
    check = check_aggregates(columns(lower), higher, Timeframe.H1, Timeframe.D1)
    assert check.findings == ()


def test_smaller_bars_without_volume_may_be_left_out_by_the_venue() -> None:
    lower = hours("2024-01-01", 24)
    lower.iloc[0] = [500.0, 500.0, 500.0, 500.0, 0.0]
    check = check_aggregates(
        columns(lower),
        columns(aggregate(lower.iloc[1:], Timeframe.D1)),
        Timeframe.H1,
        Timeframe.D1,
    )
    assert check.compared == 1 and check.findings == ()


def test_weeks_do_not_make_months() -> None:
    bars = columns(hours("2024-01-01", 1))
    with pytest.raises(ValueError, match="1M bars are not made of whole 1w bars"):
        check_aggregates(bars, bars, Timeframe.W1, Timeframe.MN1)
