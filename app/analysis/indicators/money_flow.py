"""Money flow volume, which several indicators sum."""

from __future__ import annotations

import numpy as np

from app.analysis.window import CandleWindow, FloatArray


def money_flow_volume(window: CandleWindow) -> FloatArray:
    """Volume of each bar times where its close lies, from -1 (low) to 1 (high).

    Source: Chaikin; 0 for a bar whose high is its low. Some exchanges report a close
    outside of the range of the trades: it counts as one at the end of the range.
    """
    high, low, close = window.high, window.low, window.close
    height = high - low
    place = (close - low) - (high - close)
    share = np.divide(place, height, out=np.zeros_like(height), where=height > 0)
    flow: FloatArray = np.clip(share, -1.0, 1.0) * window.volume
    return flow
