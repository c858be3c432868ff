"""What pandas-ta-classic computes from later bars is refused, by every name it has."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from app.analysis.pandas_ta_indicator import PandasTaIndicator, pandas_ta_names
from app.core.exceptions import ConfigurationError
from tests.analysis.windows import COLUMNS, random_walk

CUTS = (70, 101, 133, 148)


def frame(bars: int) -> pd.DataFrame:
    window = random_walk(bars, seed=17, deviation=0.02)
    columns = {name: getattr(window, name).copy() for name in COLUMNS[1:]}
    return pd.DataFrame(columns, index=pd.DatetimeIndex(window.open_at, tz="UTC"))


def sees_later_bars(indicator: PandasTaIndicator, bars: pd.DataFrame) -> bool:
    whole = indicator._compute(bars)
    for cut in CUTS:
        alone = indicator._compute(bars.iloc[:cut])
        if whole is None or alone is None:
            continue
        for column in whole.columns.intersection(alone.columns):
            then, now = alone[column].to_numpy(), whole[column].to_numpy()[:cut]
            if not np.isclose(then, now, rtol=1e-9, atol=0.0, equal_nan=True).all():
                return True
    return False


def test_every_name_is_blind_or_refused() -> None:
    bars = frame(150)
    refused = []
    for name in pandas_ta_names():
        indicator = PandasTaIndicator(name, {})
        try:
            looks_ahead = sees_later_bars(indicator, bars)
        except ConfigurationError:  # it refuses its own defaults for these bars
            continue
        if looks_ahead:
            refused.append(name)
            with pytest.raises(ConfigurationError, match="looks ahead"):
                indicator.calculate(bars)

    # A centred oscillator, a lagging span drawn back, and a line through all bars.
    assert {"dpo", "ichimoku", "tos_stdevall"} <= set(refused)
