"""Bars against the trades of their time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.analysis.consistency.compare import FIELDS, differing_fields, field_findings
from app.analysis.plausibility.columns import BarColumns, BarFinding
from app.analysis.preparation.grid import close_times, floor_times
from app.domain.finding_rule import FindingRule
from app.domain.timeframe import Timeframe

_RULES = {
    "open": FindingRule.TRADES_OPEN,
    "high": FindingRule.TRADES_HIGH,
    "low": FindingRule.TRADES_LOW,
    "close": FindingRule.TRADES_CLOSE,
    "volume": FindingRule.TRADES_VOLUME,
}


@dataclass(frozen=True, slots=True, eq=False)
class TradeColumns:
    """All trades of a market in [covers_from, covers_until), in the order traded.

    Arrays of shape (trades,): `at` int64, and the bounds, in microseconds since
    1970-01-01 UTC; price in the quote, amount in the base currency.
    """

    at: npt.NDArray[np.int64]
    price: npt.NDArray[np.float64]
    amount: npt.NDArray[np.float64]
    covers_from: int
    covers_until: int


@dataclass(frozen=True, slots=True)
class TradeCheck:
    """How many bars could be compared with trades, and what they disagree in."""

    compared: int
    findings: tuple[BarFinding, ...]


def bars_of_trades(
    trades: TradeColumns, timeframe: Timeframe
) -> tuple[BarColumns, npt.NDArray[np.int64]]:
    """The bars that the trades make, and how many trades each holds.

    Only bars that lie wholly in the covered time, and in which something was traded.
    """
    order = np.argsort(trades.at, kind="stable")
    at, price, amount = trades.at[order], trades.price[order], trades.amount[order]
    opens = floor_times(at.view("datetime64[us]"), timeframe)
    ends = close_times(opens, timeframe).astype(np.int64)
    whole = (opens.astype(np.int64) >= trades.covers_from) & (
        ends <= trades.covers_until
    )
    opens, price, amount = opens[whole], price[whole], amount[whole]
    if not len(opens):
        none = np.empty(0)
        empty = BarColumns(np.empty(0, np.int64), none, none, none, none, none)
        return empty, np.empty(0, np.int64)
    slots, starts, counts = np.unique(opens, return_index=True, return_counts=True)
    return (
        BarColumns(
            slots.astype(np.int64),
            price[starts],
            np.maximum.reduceat(price, starts),
            np.minimum.reduceat(price, starts),
            price[starts + counts - 1],
            np.add.reduceat(amount, starts),
        ),
        counts.astype(np.int64),
    )


def check_trades(
    trades: TradeColumns, bars: BarColumns, timeframe: Timeframe
) -> TradeCheck:
    """Compare stored `bars` with the trades of their time.

    A bar without volume agrees with a time without trades. A bar that is not stored is
    the gap ledger's matter, not this check's.
    """
    made, counts = bars_of_trades(trades, timeframe)
    ends = close_times(bars.open_at.view("datetime64[us]"), timeframe).astype(np.int64)
    covered = (bars.open_at >= trades.covers_from) & (ends <= trades.covers_until)
    positions = {at: row for row, at in enumerate(made.open_at.tolist())}
    findings: list[BarFinding] = []
    for row in np.flatnonzero(covered).tolist():
        open_at = int(bars.open_at[row])
        stored = {name: float(getattr(bars, name)[row]) for name in FIELDS}
        at = positions.get(open_at)
        if at is None:
            expected, fields, count = {"volume": 0.0}, ["volume"], 0
            if stored["volume"] == 0:
                continue
        else:
            expected = {name: float(getattr(made, name)[at]) for name in FIELDS}
            fields, count = differing_fields(stored, expected), int(counts[at])
        findings += field_findings(
            open_at, _RULES, stored, expected, fields, {"trades": count}
        )
    return TradeCheck(int(covered.sum()), tuple(findings))
