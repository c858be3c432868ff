"""A condition that begins at one bound and ends at another."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

BoolArray = npt.NDArray[np.bool_]
StateArray = npt.NDArray[np.int8]


def hold_state(rises: BoolArray, falls: BoolArray, memory_bars: int) -> StateArray:
    """+1 where the newest decisive bar rises, -1 where it falls, 0 without one.

    Of the `memory_bars` bars that end at each bar, the newest at which either is True
    decides; all arrays have shape (bars,). Unlike a state machine that is run from
    some first bar on, the state does not depend on where the series begins. A bar at
    which both are True rises.
    """
    bars = np.arange(len(rises))
    newest = np.maximum.accumulate(np.where(rises | falls, bars, -1))
    state = np.where(rises[newest], 1, -1).astype(np.int8)
    state[(newest < 0) | (bars - newest >= memory_bars)] = 0
    return state


def held_now(rises: BoolArray, falls: BoolArray, memory_bars: int) -> int:
    """The last element of `hold_state`, without the others; 0 without bars."""
    first = max(0, len(rises) - memory_bars)
    decisive = (rises | falls)[first:][::-1]
    back = int(decisive.argmax()) if len(decisive) else 0
    if not len(decisive) or not decisive[back]:
        return 0
    return 1 if rises[len(rises) - 1 - back] else -1
