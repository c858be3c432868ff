"""Bars that an exchange sent, as windows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe


@lru_cache(maxsize=None)
def recorded_bars(data: Path, name: str) -> CandleWindow:
    """A file of `candles/binance`, such as "BTCUSDT-1h"; outages are gaps."""
    frame = pd.read_csv(data / "candles" / "binance" / f"{name}.csv.gz")
    symbol, timeframe = name.split("-")
    open_at = pd.to_datetime(frame["open_time"], utc=True).dt.tz_localize(None)
    columns = ("open", "high", "low", "close", "volume")
    return CandleWindow(
        symbol,
        Timeframe(timeframe),
        open_at.to_numpy().astype("datetime64[us]"),
        *(frame[column].to_numpy(np.float64) for column in columns),
    )
