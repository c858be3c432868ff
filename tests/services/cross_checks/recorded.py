"""Recorded candles as pandas frames and as stored series."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy.orm import Session

from app.domain.timeframe import Timeframe
from app.models.bars import BAR_DTYPE, VALUES, from_microseconds
from app.services.collection.ledger import Ledger
from app.services.collection.slices import SeriesSlice


def read_candles(folder: Path, name: str) -> pd.DataFrame:
    """`candles/NAME.csv.gz`, indexed by open time."""
    frame = pd.read_csv(folder / "candles" / f"{name}.csv.gz")
    frame.index = pd.DatetimeIndex(pd.to_datetime(frame.pop("open_time")))
    return frame[list(VALUES)].astype(float)


def store_frame(
    session: Session,
    key: int,
    timeframe: Timeframe,
    frame: pd.DataFrame,
    run_id: uuid.UUID,
) -> None:
    """Store the bars of `frame` as one answer about all of its time."""
    bars = np.empty(len(frame), BAR_DTYPE)
    index = pd.DatetimeIndex(frame.index).tz_localize(None).to_numpy()
    bars["open_at"] = index.astype("datetime64[us]").astype("i8")
    for name in VALUES:
        bars[name] = frame[name].to_numpy()
    first, last = (from_microseconds(bars["open_at"][at]) for at in (0, -1))
    end = timeframe.shift(last, 1)
    answer = SeriesSlice(key, timeframe, bars, first, end, counts_as_answer=True)
    Ledger(run_id).store(session, [answer], end)
