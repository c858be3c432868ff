"""Volume profile: how much was traded at which price."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.analysis.window import CandleWindow, FloatArray


@dataclass(frozen=True, slots=True)
class VolumeProfile:
    """Volume by price over the declared bars, as the last one closes.

    `volumes` are those of equal price bins from `low` to `high`, in the base currency.
    `poc`, the point of control, is the middle of the bin that traded most. The value
    area reaches from `value_area_low` to `value_area_high` and holds `value_area_share`
    of the volume, at least what was asked for.
    """

    low: float
    high: float
    poc: float
    value_area_low: float
    value_area_high: float
    value_area_share: float
    volumes: tuple[float, ...]


def volume_profile(
    window: CandleWindow, *, bars: int = 300, bins: int = 50, value_area: float = 0.7
) -> VolumeProfile | None:
    """Profile of the last `bars` bars.

    Each bar's volume is spread evenly from its low to its high. The value area grows
    from the point of control to the neighbour that traded more (the lower one of
    equals), as Steidlmayer's market profile does a price at a time. Of equal bins the
    lowest is the point of control. A price that stood still is one bin. None with fewer
    bars, or where they traded nothing.
    """
    if bars < 1 or bins < 1 or not 0 < value_area <= 1:
        raise ValueError(
            f"bars {bars} and bins {bins} must be at least 1, "
            f"value_area {value_area} in (0, 1]"
        )
    if len(window) < bars:
        return None
    window = window.last(bars)
    low, high = float(window.low.min()), float(window.high.max())
    # Shares of the largest volume: sums cannot overflow.
    largest = float(window.volume.max())
    if largest <= 0:
        return None
    edges = np.linspace(low, high, (bins if high > low else 1) + 1)
    traded = _spread(window, window.volume / largest, edges)
    first, last = _value_area(traded, value_area)
    peak = int(np.argmax(traded))
    return VolumeProfile(
        low=low,
        high=high,
        poc=float(edges[peak] + (edges[peak + 1] - edges[peak]) / 2),
        value_area_low=float(edges[first]),
        value_area_high=float(edges[last + 1]),
        value_area_share=float(traded[first : last + 1].sum() / traded.sum()),
        volumes=tuple((traded * largest).tolist()),
    )


def _spread(window: CandleWindow, volume: FloatArray, edges: FloatArray) -> FloatArray:
    """Volume in each bin, shape (bins,)."""
    bins = len(edges) - 1
    low, height = window.low[:, None], (window.high - window.low)[:, None]
    # Part of each bar that lies under each edge, (bars, edges).
    under = np.divide(
        edges - low, height, out=np.zeros_like(edges - low), where=height > 0
    )
    np.clip(under, 0.0, 1.0, out=under)
    under[:, -1] = height[:, 0] > 0
    # Sums of products, not `@`: BLAS adds up in another order on other processors.
    traded: FloatArray = (volume[:, None] * np.diff(under, axis=1)).sum(axis=0)
    flat = np.flatnonzero(height[:, 0] <= 0)
    if len(flat):
        place = np.searchsorted(edges, window.low[flat], "right") - 1
        np.add.at(traded, np.minimum(place, bins - 1), volume[flat])
    return traded


def _value_area(traded: FloatArray, share: float) -> tuple[int, int]:
    """First and last bin of the value area."""
    volumes = traded.tolist()
    first = last = int(np.argmax(traded))
    held, wanted = volumes[first], share * float(traded.sum())
    while held < wanted and (first > 0 or last < len(volumes) - 1):
        below = volumes[first - 1] if first > 0 else -1.0
        above = volumes[last + 1] if last < len(volumes) - 1 else -1.0
        if below >= above:
            first, held = first - 1, held + below
        else:
            last, held = last + 1, held + above
    return first, last
