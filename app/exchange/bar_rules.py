"""What no market can have produced, judged on columns: one rule list for every source.

Pages of the exchange and files of its archive are judged alike, so that a bar is not
refused by one door and let in by the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.moments import EARLIEST_MS, LATEST_MS, claimed_moment, milliseconds_of
from app.exchange.rejected import RejectedItem, reject

Bools = npt.NDArray[np.bool_]
_FIRST_MONDAY_MS = 4 * 86_400_000
_NAMES = ("open_ms", "open", "high", "low", "close", "volume")


def broken_rules(
    table: npt.NDArray[np.float64], timeframe: Timeframe, server_now: datetime
) -> list[tuple[RejectionRule, Bools]]:
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
            (RejectionRule.NOT_A_CANDLE, _each(np.isnan(table))),
            (RejectionRule.TIME_NOT_MILLISECONDS, ~in_range),
            (RejectionRule.TIME_IN_FUTURE, opens > horizon),
            (RejectionRule.TIME_OFF_GRID, ~_aligned(opens, timeframe)),
            (RejectionRule.PRICE_NOT_FINITE, ~_each(np.isfinite(prices))),
            (RejectionRule.PRICE_NOT_POSITIVE, ~_each(~(prices <= 0))),
            (RejectionRule.VOLUME_NOT_FINITE, ~np.isfinite(volume)),
            (RejectionRule.VOLUME_NEGATIVE, volume < 0),
            (RejectionRule.HIGH_BELOW_LOW, spread < 0),
        ]


def find_duplicates(bars: npt.NDArray[np.float64]) -> tuple[Bools, Bools]:
    """Of sorted bars: which are the last of their open time, which contradict it."""
    is_last = np.ones(len(bars), dtype=bool)
    contradicts = np.zeros(len(bars), dtype=bool)
    if len(bars) > 1:
        is_last[:-1] = bars[1:, 0] != bars[:-1, 0]
        if is_last.all():
            return is_last, contradicts
        # Against the row that stays, not merely against the next one.
        kept = np.flatnonzero(is_last)[np.cumsum(is_last) - is_last]
        contradicts = ~is_last & (bars[kept, 1:] != bars[:, 1:]).any(axis=1)
    return is_last, contradicts


def rejected_bar(
    symbol: str,
    timeframe: Timeframe,
    rule: RejectionRule,
    raw: object,
    cells: Sequence[float],
    server_now: datetime,
) -> RejectedItem:
    """The refused row with its figures; `cells` is its row of the judged table."""
    figures: dict[str, object] = dict(zip(_NAMES, cells, strict=True))
    figures["server_now"] = server_now
    moment, unit = claimed_moment(cells[0])
    if unit is not None:
        figures["open_time_reads_as"] = unit
    return reject(
        symbol,
        "candle",
        rule,
        raw,
        figures=figures,
        occurred_at=moment,
        timeframe=timeframe,
    )


def _each(cells: Bools) -> Bools:
    """Whether all cells of a row are true."""
    return np.asarray(cells.all(axis=1))


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
