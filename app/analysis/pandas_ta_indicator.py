"""Indicators of pandas-ta-classic by name: for frames of users, not for the hot path.

That library declares no need of history, and a few of its indicators look ahead. So the
need is measured here, and what looks ahead is refused.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from app.core.exceptions import BadData, ConfigurationError

with warnings.catch_warnings():  # it uses names that pandas is about to drop
    warnings.simplefilter("ignore")
    import pandas_ta_classic as library

_SERIES = frozenset({"open_", "open", "high", "low", "close", "volume", "kwargs"})
_TOLERANCE = 1e-6
_TRIED_BARS = (25, 50, 100, 200, 400, 800, 1600)
_TRIED_ENDS = tuple(range(1650, 2401, 75))


@lru_cache(maxsize=1)
def pandas_ta_names() -> tuple[str, ...]:
    """Names that pandas-ta-classic has, sorted."""
    return tuple(sorted({name for kind in library.Category.values() for name in kind}))


@dataclass(frozen=True)
class PandasTaIndicator:
    """One indicator of pandas-ta-classic; columns keep the names it gives them.

    Raises ConfigurationError for a parameter that it does not have.
    """

    name: str
    parameters: Mapping[str, Any]

    def __post_init__(self) -> None:
        signature = inspect.signature(getattr(library, self.name))
        known = [name for name in signature.parameters if name not in _SERIES]
        for name in self.parameters:
            if name not in known:
                near = get_close_matches(str(name), known, 1, 0.0)
                raise ConfigurationError(
                    f"pandas-ta-classic's {self.name} has no parameter {name!r}, "
                    f"nearest is {near}; it has {known}"
                )

    def calculate(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Its columns for a frame of OHLCV with a UTC index; NaN while warming up.

        Raises BadData where it gives nothing for these bars, ConfigurationError where
        it looks ahead: where a value changes once later bars are there.
        """
        table = self._compute(frame)
        if table is None:
            raise BadData(
                f"pandas-ta-classic's {self.name} with {dict(self.parameters)} gives "
                f"nothing for {len(frame)} bars"
            )
        self._refuse_look_ahead(frame, table)
        needed = self.bars_needed
        if needed is not None:
            table.iloc[: needed - 1] = np.nan
        return table

    @property
    def bars_needed(self) -> int | None:
        """Bars on which the last values are those of all history to 1e-6 relative.

        Measured once on a walk of 2,400 bars; None where 1,600 are not enough, as for a
        sum without an end, which starts at the first bar of the frame.
        """
        parameters = tuple(sorted(self.parameters.items(), key=lambda item: item[0]))
        return _measure(self.name, repr(parameters), self)

    def __hash__(self) -> int:
        return hash((self.name, repr(sorted(self.parameters.items()))))

    def _compute(self, frame: pd.DataFrame) -> pd.DataFrame | None:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                found = getattr(frame.copy().ta, self.name)(**self.parameters)
            except (ArithmeticError, IndexError, TypeError, ValueError) as error:
                raise ConfigurationError(
                    f"pandas-ta-classic's {self.name} refuses "
                    f"{dict(self.parameters)}: {error}"
                ) from error
        if found is None:
            return None
        table = found.to_frame() if isinstance(found, pd.Series) else found
        if not isinstance(table, pd.DataFrame) or len(table) != len(frame):
            raise ConfigurationError(
                f"pandas-ta-classic's {self.name} does not give a value a bar"
            )
        numbers = table.apply(pd.to_numeric, errors="coerce").astype(np.float64)
        finite: pd.DataFrame = numbers.replace([np.inf, -np.inf], np.nan)
        return finite

    def _refuse_look_ahead(self, frame: pd.DataFrame, table: pd.DataFrame) -> None:
        for bars in (len(frame) - 1, len(frame) * 2 // 3):
            earlier = self._compute(frame.iloc[:bars]) if bars > 1 else None
            if earlier is None:
                continue
            for column in table.columns.intersection(earlier.columns):
                then, now = earlier[column].to_numpy(), table[column].to_numpy()[:bars]
                same = np.isclose(then, now, rtol=1e-9, atol=0.0, equal_nan=True)
                if not same.all():
                    at = frame.index[int(np.argmin(same))]
                    raise ConfigurationError(
                        f"pandas-ta-classic's {self.name} looks ahead: {column} at "
                        f"{at.isoformat()} changes once bars after "
                        f"{frame.index[bars - 1].isoformat()} are there"
                    )


@lru_cache(maxsize=256)
def _measure(name: str, parameters: str, indicator: PandasTaIndicator) -> int | None:
    walk = _walk()
    full = indicator._compute(walk)
    if full is None:
        return None
    for bars in _TRIED_BARS:
        if all(_agrees(indicator, walk, full, end, bars) for end in _TRIED_ENDS):
            return bars
    return None


def _agrees(
    indicator: PandasTaIndicator,
    walk: pd.DataFrame,
    full: pd.DataFrame,
    end: int,
    bars: int,
) -> bool:
    try:
        cut = indicator._compute(walk.iloc[end - bars : end])
    except ConfigurationError:  # some refuse to be given few bars
        return False
    if cut is None or list(cut.columns) != list(full.columns):
        return False
    last, expected = cut.iloc[-1].to_numpy(), full.iloc[end - 1].to_numpy()
    usual = full.abs().mean().to_numpy()
    missing = np.isnan(last) | np.isnan(expected)
    close = np.abs(last - expected) <= _TOLERANCE * np.maximum(np.abs(expected), usual)
    return bool(np.where(missing, np.isnan(last) == np.isnan(expected), close).all())


@lru_cache(maxsize=1)
def _walk() -> pd.DataFrame:
    """Bars of a seeded random walk, the same everywhere."""
    size, noise = max(_TRIED_ENDS), np.random.default_rng(20_240_101)
    close = 100.0 * np.exp(np.cumsum(noise.normal(0.0, 0.01, size)))
    first = np.concatenate(([100.0], close[:-1]))
    reach = noise.uniform(0.0, 0.01, (2, size))
    return pd.DataFrame(
        {
            "open": first,
            "high": np.maximum(first, close) * (1 + reach[0]),
            "low": np.minimum(first, close) * (1 - reach[1]),
            "close": close,
            "volume": noise.lognormal(4.0, 1.0, size),
        },
        index=pd.date_range("2024-01-01", periods=size, freq="h", tz="UTC"),
    )
