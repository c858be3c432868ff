"""Indicators of whole frames, as columns: what users call through IndicatorService."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from app.analysis.indicator_config import (
    IndicatorsConfig,
    each_entry,
    unknown_indicator,
)
from app.analysis.indicators.base import Indicator
from app.analysis.indicators.registry import (
    find_indicator_class,
    known_names,
    make_indicator,
)
from app.analysis.pandas_ta_indicator import PandasTaIndicator, pandas_ta_names
from app.analysis.preparation.frames import OhlcvInput, ohlcv_to_dataframe
from app.analysis.preparation.validation import require_valid_ohlcv
from app.analysis.preparation.windows import infer_timeframe
from app.analysis.window import CandleWindow
from app.core.exceptions import BadData, ConfigurationError
from app.domain.timeframe import Timeframe

AnyIndicator = Indicator | PandasTaIndicator
_COLUMNS = ("open", "high", "low", "close", "volume")


def window_from(
    data: OhlcvInput, timeframe: Timeframe | None = None, *, symbol: str = ""
) -> CandleWindow:
    """Bars in any usual form as a window, mended in nothing.

    Unlike `prepare_for_indicators`, bars out of order or doubled are refused: answers
    must line up with what was given, a row a bar. The time frame is read off the
    distances of the bars where it is not given. Raises BadData with the first problem.
    """
    if isinstance(data, CandleWindow):
        if timeframe not in (None, data.timeframe):
            raise BadData(f"window holds {data.timeframe} bars, {timeframe} was asked")
        return data
    frame = ohlcv_to_dataframe(data)
    require_valid_ohlcv(frame)
    index = pd.DatetimeIndex(frame.index)
    if timeframe is None:
        timeframe = infer_timeframe(index)
    require_valid_ohlcv(frame, timeframe)
    times = index.tz_localize(None).to_numpy().astype("datetime64[us]")
    columns = (frame[name].to_numpy() for name in _COLUMNS)
    return CandleWindow(symbol, timeframe, times, *columns)


def calculate_columns(
    window: CandleWindow, config: IndicatorsConfig | Sequence[Indicator]
) -> pd.DataFrame:
    """A column an output, a row a bar, indexed by open time in UTC.

    NaN where an output is warming up (fewer bars than it needs, so far) or undefined.
    `attrs["requirements"]` gives, by column: indicator, parameters, `bars_needed` (None
    for a sum of pandas-ta-classic that never ends), `anchor`, and `missing_bars` in the
    window of the last value. Raises ConfigurationError for the configuration.
    """
    found = _from_config(config)
    index = pd.DatetimeIndex(window.open_at, tz="UTC", name="open_at")
    columns: dict[str, Any] = {}
    requirements: dict[str, Any] = {}
    frame: pd.DataFrame | None = None
    for indicator in found:
        if isinstance(indicator, PandasTaIndicator):
            if frame is None:
                frame = pd.DataFrame(
                    {name: getattr(window, name) for name in _COLUMNS}, index=index
                )
            table = indicator.calculate(frame)
            own = {str(name): table[name].to_numpy() for name in table.columns}
        else:
            own = _warm_columns(indicator, window)
        doubled = sorted(columns.keys() & own.keys())
        if doubled:
            raise ConfigurationError(f"indicators give columns {doubled} twice")
        columns |= own
        requirements |= dict.fromkeys(own, _requirement(indicator, window))
    table = pd.DataFrame(columns, index=index)
    table.attrs["requirements"] = requirements
    return table


def require_history(bars: int, table: pd.DataFrame) -> None:
    """Raises BadData where a column of `calculate_columns` needs more than `bars`."""
    for name, requirement in table.attrs["requirements"].items():
        needed = requirement["bars_needed"]
        if needed is not None and bars < needed:
            raise BadData(f"{name} needs {needed} bars, the frame has {bars}")


def _from_config(
    config: IndicatorsConfig | Sequence[Indicator],
) -> Sequence[AnyIndicator]:
    """Ours by name, else pandas-ta-classic's."""
    if not isinstance(config, Mapping) and all(
        isinstance(item, Indicator) for item in config
    ):
        return config
    found: list[AnyIndicator] = []
    for name, parameters in each_entry(config):  # refuses what is no mapping
        kind = find_indicator_class(name)
        if kind is not None:
            found.append(make_indicator(kind, parameters))
        elif name.lower() in pandas_ta_names():
            found.append(PandasTaIndicator(name.lower(), dict(parameters)))
        else:
            raise unknown_indicator(name, {*known_names(), *pandas_ta_names()})
    return found


def _warm_columns(indicator: Indicator, window: CandleWindow) -> dict[str, Any]:
    cold = indicator.bars_needed_on(window.timeframe) - 1
    columns = {}
    for name, array in zip(indicator.outputs, indicator.series(window), strict=True):
        values = np.where(np.isfinite(array), array, np.nan)
        values[:cold] = np.nan
        columns[name] = values
    return columns


def _requirement(indicator: AnyIndicator, window: CandleWindow) -> dict[str, Any]:
    anchor: str | None
    if isinstance(indicator, PandasTaIndicator):
        needed = indicator.bars_needed
        anchor = None if needed is not None else "first bar of the frame"
        name, parameters = f"pandas_ta.{indicator.name}", dict(indicator.parameters)
    else:
        needed = indicator.bars_needed_on(window.timeframe)
        anchor, name = indicator.anchor, indicator.name
        parameters = asdict(indicator)  # type: ignore[call-overload]
    return {
        "indicator": name,
        "parameters": parameters,
        "bars_needed": needed,
        "anchor": anchor,
        "missing_bars": window.last(needed or len(window)).missing_bars,
    }
