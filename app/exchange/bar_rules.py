"""What no market can have produced, judged on columns: one rule list for every source.

Pages of the exchange and files of its archive are judged alike, so that a bar is not
refused by one door and let in by the other.
"""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

from app.domain.timeframe import Timeframe
from app.exchange.moments import EARLIEST_MS, LATEST_MS, milliseconds_of

Bools = npt.NDArray[np.bool_]
_FIRST_MONDAY_MS = 4 * 86_400_000


def broken_rules(
    table: npt.NDArray[np.float64], timeframe: Timeframe, server_now: datetime
) -> list[tuple[str, Bools]]:
    """Each rule with the rows that break it, most telling first.

    `table` is (n, 6) float64: open time in epoch milliseconds, open, high, low,
    close, volume; what is no number is NaN. `server_now` is the exchange's time.
    """
    opens, prices, volume = table[:, 0], table[:, 1:5], table[:, 5]
    with np.errstate(invalid="ignore"):
        in_range = (opens >= EARLIEST_MS) & (opens < LATEST_MS)
        # Our estimate of the exchange's time is a lower bound, so the bar it has just
        # opened may look one bar ahead; nothing honest lies further.
        horizon = milliseconds_of(timeframe.shift(timeframe.floor(server_now), 1))
        spread = prices[:, 1] - prices[:, 2]
        return [
            ("open time is no epoch in milliseconds of 2009 to 2099", ~in_range),
            ("open time lies in the future", opens > horizon),
            (f"open time is not on the {timeframe} grid", ~_aligned(opens, timeframe)),
            (
                "prices must be finite and above 0",
                np.asarray(~(np.isfinite(prices) & (prices > 0)).all(axis=1)),
            ),
            (
                "volume must be finite and at least 0",
                ~(np.isfinite(volume) & (volume >= 0)),
            ),
            ("high is below low", spread < 0),
        ]


def _aligned(opens: npt.NDArray[np.float64], timeframe: Timeframe) -> Bools:
    if timeframe.is_month:
        return np.array([_is_month_start(ms) for ms in opens.tolist()], dtype=bool)
    origin = _FIRST_MONDAY_MS if timeframe is Timeframe.W1 else 0
    step = timeframe.duration.total_seconds() * 1000
    return np.asarray((opens - origin) % step == 0)


def _is_month_start(ms: float) -> bool:
    if not EARLIEST_MS <= ms < LATEST_MS:
        return False
    moment = datetime.fromtimestamp(ms / 1000, timezone.utc)
    return Timeframe.MN1.is_aligned(moment)
