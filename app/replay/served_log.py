"""Every bar value that was sent, so that a stored value can be traced to a reply."""

from __future__ import annotations

from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows
from app.replay.render import decimal_text
from app.replay.source import Listing

# Ticks and lots of open, high, low, close and volume; whether the bar was closed.
Value = tuple[int, int, int, int, int, bool]


class ServedLog:
    """Distinct values by symbol, time frame and open time, in the order first sent."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[int, list[Value]]] = {}
        self._decimals: dict[str, tuple[int, int]] = {}

    def record(
        self, listing: Listing, timeframe: Timeframe, rows: Rows, now_ms: int
    ) -> None:
        """Note `rows`, sent at the exchange's time `now_ms`."""
        symbol = listing.symbol
        self._decimals[symbol] = (listing.price_decimals, listing.lot_decimals)
        values = self._values.setdefault((symbol, timeframe.value), {})
        closed = (grid.close_all(rows[:, OPEN_MS], timeframe) <= now_ms).tolist()
        for row, is_closed in zip(rows[:, :6].tolist(), closed, strict=True):
            value: Value = (*row[1:], is_closed)
            known = values.setdefault(row[OPEN_MS], [])
            if value not in known:
                known.append(value)

    def report(self, symbol: str, interval: str) -> list[list[object]]:
        """`[open_ms, open, high, low, close, volume, closed]` a value, as sent."""
        price, lot = self._decimals.get(symbol, (0, 0))
        return [
            [
                opened,
                *(decimal_text(ticks, price) for ticks in value[:4]),
                decimal_text(value[4], lot),
                value[5],
            ]
            for opened, values in sorted(
                self._values.get((symbol, interval), {}).items()
            )
            for value in values
        ]
