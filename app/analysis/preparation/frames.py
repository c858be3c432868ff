"""Bars in any usual form as one kind of DataFrame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from app.analysis.preparation.times import to_utc_index
from app.analysis.window import CandleWindow
from app.core.exceptions import BadData
from app.domain.candle import Candle

OHLCV_COLUMNS = ("open", "high", "low", "close", "volume")
_TIME_COLUMNS = ("open_at", "open_time", "timestamp", "datetime", "time", "date")

OhlcvInput = (
    pd.DataFrame
    | CandleWindow
    | Mapping[str, Any]
    | Sequence[Candle]
    | Sequence[Sequence[Any]]
    | npt.NDArray[Any]
)


def ohlcv_to_dataframe(data: OhlcvInput) -> pd.DataFrame:
    """The bars with a UTC index `open_at` and float64 open, high, low, close, volume.

    Takes ccxt's rows (`[milliseconds, open, high, low, close, volume]`, as lists or a
    (bars, 6) array), Candles, a CandleWindow, columns by name, a structured array, or
    a DataFrame whose times are its index or a column (`timestamp`, `time`, `date`,
    `datetime`, `open_time`, `open_at`). Names match in any case; other columns are
    left out. Values are taken as they are, order and duplicates included (None becomes
    NaN): `validate_ohlcv_data` judges them.

    Raises BadData for a missing column, unequal lengths, and texts that are no number.
    """
    columns = _by_name(_columns_of(data))
    missing = [name for name in OHLCV_COLUMNS if name not in columns]
    if missing:
        raise BadData(f"OHLCV columns {missing} are missing, got {sorted(columns)}")
    name = next((name for name in _TIME_COLUMNS if name in columns), None)
    if name is None:
        raise BadData(
            f"OHLCV open times are missing: no DatetimeIndex, none of {_TIME_COLUMNS}"
        )
    index = to_utc_index(columns[name])
    lengths = {name: len(columns[name]) for name in OHLCV_COLUMNS}
    if set(lengths.values()) - {len(index)}:
        raise BadData(f"OHLCV columns have lengths {lengths}, open times {len(index)}")
    return pd.DataFrame(
        {name: _to_float(columns[name], name) for name in OHLCV_COLUMNS}, index=index
    )


def _columns_of(data: OhlcvInput) -> Mapping[str, Any]:
    if isinstance(data, pd.DataFrame):
        columns: dict[str, Any] = {str(name): data[name] for name in data.columns}
        if isinstance(data.index, pd.DatetimeIndex):
            columns["open_at"] = data.index
        return columns
    if isinstance(data, CandleWindow):
        return {name: getattr(data, name) for name in ("open_at", *OHLCV_COLUMNS)}
    if isinstance(data, Mapping):
        return data
    if isinstance(data, np.ndarray) and data.dtype.names:
        return {name: data[name] for name in data.dtype.names}
    return _from_rows(data)


def _from_rows(rows: Sequence[Any] | npt.NDArray[Any]) -> Mapping[str, Any]:
    names = ("open_at", *OHLCV_COLUMNS)
    if len(rows) and isinstance(rows[0], Candle):
        return {name: [getattr(bar, name) for bar in rows] for name in names}
    for number, row in enumerate(rows):
        if not isinstance(row, (Sequence, np.ndarray)) or len(row) < len(names):
            raise BadData(
                f"OHLCV row {number} is {row!r:.80}, must be "
                "[milliseconds, open, high, low, close, volume]"
            )
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _by_name(columns: Mapping[str, Any]) -> Mapping[str, Any]:
    named: dict[str, Any] = {}
    for name, values in columns.items():
        if name.lower() in named:
            raise BadData(f"OHLCV column {name.lower()!r} is given twice")
        named[name.lower()] = values
    return named


def _to_float(values: Any, name: str) -> npt.NDArray[np.float64]:
    try:
        array: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = pd.to_numeric(pd.Series(list(values), dtype=object), errors="coerce")
        array = numbers.to_numpy(dtype=np.float64)
        for row, (value, number) in enumerate(zip(values, array, strict=True)):
            if np.isnan(number) and not pd.isna(value):
                raise BadData(
                    f"OHLCV {name} of row {row} is {value!r:.80}, must be a number"
                ) from None
    return array
