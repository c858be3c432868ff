"""The check of future-blindness finds those who look ahead, and only those."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any

import numpy as np
import pytest

from app.analysis.finding import Finding
from app.analysis.window import CandleWindow, FloatArray
from tests.analysis.blindness import check_blind
from tests.analysis.discovery import Stranger, make_probe
from tests.analysis.feeds import Feed
from tests.analysis.windows import random_walk


@dataclass(frozen=True, kw_only=True)
class Peak(Finding):
    level: float
    broken_at: datetime | None = None


def at(window: CandleWindow, bar: int) -> datetime:
    moment: datetime = window.open_at[bar].item()
    return moment.replace(tzinfo=timezone.utc)


def peaks(window: CandleWindow, *, wait: int, forget_broken: bool) -> tuple[Peak, ...]:
    high, found = window.high, []
    for bar in range(3, len(high) - 3):
        if high[bar] < high[bar - 3 : bar + 4].max():
            continue
        later = np.flatnonzero(window.close[bar + 4 :] > high[bar])
        if len(later) and forget_broken:
            continue
        found.append(
            Peak(
                happened_at=at(window, bar),
                confirmed_at=at(window, bar + wait),
                level=float(high[bar]),
                broken_at=at(window, bar + 4 + int(later[0])) if len(later) else None,
            )
        )
    return tuple(found)


def trailing_average(window: CandleWindow) -> FloatArray:
    average = np.full(len(window), np.nan)
    for bar in range(4, len(window)):
        average[bar] = window.close[bar - 4 : bar + 1].mean()
    return average


def centred_average(window: CandleWindow) -> FloatArray:
    return np.roll(trailing_average(window), -2)


def normalised_by_the_whole(window: CandleWindow) -> FloatArray:
    return (window.close - window.close.mean()) / (window.close.std() + 1e-9)


def filled_backwards(window: CandleWindow) -> dict[str, FloatArray]:
    average = trailing_average(window)
    return {"average": np.where(np.isnan(average), np.nanmean(average), average)}


def peaks_known_in_time(window: CandleWindow) -> tuple[Peak, ...]:
    return peaks(window, wait=3, forget_broken=False)


def peaks_dated_at_their_bar(window: CandleWindow) -> tuple[Peak, ...]:
    return peaks(window, wait=0, forget_broken=False)


def peaks_dated_a_bar_early(window: CandleWindow) -> tuple[Peak, ...]:
    return peaks(window, wait=2, forget_broken=False)


def peaks_deleted_when_broken(window: CandleWindow) -> tuple[Peak, ...]:
    return peaks(window, wait=3, forget_broken=True)


def peeks_behind_the_view(window: CandleWindow) -> float:
    memory = window.close.base if window.close.base is not None else window.close
    return float(np.asarray(memory).ravel()[-1])


_highest: list[float] = [0.0]


def resampled_by_halves(window: CandleWindow) -> CandleWindow:
    """Bars that show the later half of the window from the start."""
    part = window._slice(0, len(window) // 2)
    return replace(part, volume=window.volume[-len(part) :])


def remembers_what_it_saw(window: CandleWindow) -> float:
    _highest[0] = max(_highest[0], float(window.high.max()))
    return _highest[0]


def moves_of_higher_bars(window: CandleWindow, higher: CandleWindow) -> FloatArray:
    return np.interp(
        window.open_at.astype(float), higher.open_at.astype(float), higher.close
    )


def check(function: Callable[..., Any]) -> None:
    feed = Feed.of(random_walk(130, seed=4, deviation=0.02))
    for kept in (40, 77, 100, 125):
        check_blind(make_probe(function.__name__, function), feed, kept)


@pytest.mark.parametrize("honest", [trailing_average, peaks_known_in_time])
def test_the_honest_pass(honest: Callable[..., Any]) -> None:
    check(honest)


@pytest.mark.parametrize(
    "cheat",
    [
        centred_average,
        normalised_by_the_whole,
        filled_backwards,
        peaks_dated_at_their_bar,
        peaks_dated_a_bar_early,
        peaks_deleted_when_broken,
        peeks_behind_the_view,
        remembers_what_it_saw,
        resampled_by_halves,
        moves_of_higher_bars,
    ],
)
def test_the_cheat_is_caught(cheat: Callable[..., Any]) -> None:
    with pytest.raises(AssertionError, match=f"{cheat.__name__} sees later bars"):
        check(cheat)


def a_series_as_a_state(window: CandleWindow) -> tuple[float, FloatArray]:
    return 0.0, window.close


def an_unnamed_need(window: CandleWindow, weight: float) -> FloatArray:
    return window.close


def a_riddle(window: CandleWindow) -> Any:
    return window.close


@pytest.mark.parametrize("odd", [a_series_as_a_state, an_unnamed_need, a_riddle])
def test_what_cannot_be_checked_is_refused(odd: Callable[..., Any]) -> None:
    with pytest.raises(Stranger):
        make_probe(odd.__name__, odd)


@dataclass(frozen=True)
class Report:
    last: float
    all_closes: FloatArray


def a_series_inside_a_state(window: CandleWindow) -> Report:
    return Report(float(window.close[-1]), window.close)


def test_a_value_a_bar_inside_a_state_is_refused() -> None:
    with pytest.raises(AssertionError, match="one a bar, in a state"):
        check(a_series_inside_a_state)
