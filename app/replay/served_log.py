"""Every bar value that was sent, so that a stored value can be traced to a reply."""

from __future__ import annotations

from typing import NamedTuple

from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows
from app.replay.render import decimal_text
from app.replay.source import Listing


class Answer(NamedTuple):
    """One page of bars: when it was sent, from where it was asked, what it held."""

    sent_ms: int
    asked_from_ms: int | None
    first_ms: int
    last_ms: int


# Ticks and lots of open, high, low, close and volume; whether the bar was closed.
Value = tuple[int, int, int, int, int, bool]


class ServedLog:
    """Distinct values by symbol, time frame and open time, in the order first sent."""

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], dict[int, list[Value]]] = {}
        self._answers: dict[tuple[str, str], list[Answer]] = {}
        self._decimals: dict[str, tuple[int, int]] = {}

    def record(
        self,
        listing: Listing,
        timeframe: Timeframe,
        rows: Rows,
        now_ms: int,
        asked_from_ms: int | None = None,
    ) -> None:
        """Note `rows`, sent at the exchange's time `now_ms`."""
        symbol = listing.symbol
        if not len(rows):
            return
        opens = rows[:, OPEN_MS]
        self._answers.setdefault((symbol, timeframe.value), []).append(
            Answer(now_ms, asked_from_ms, int(opens.min()), int(opens.max()))
        )
        self._decimals[symbol] = (listing.price_decimals, listing.lot_decimals)
        values = self._values.setdefault((symbol, timeframe.value), {})
        closed = (grid.close_all(rows[:, OPEN_MS], timeframe) <= now_ms).tolist()
        for row, is_closed in zip(rows[:, :6].tolist(), closed, strict=True):
            value: Value = (*row[1:], is_closed)
            known = values.setdefault(row[OPEN_MS], [])
            if value not in known:
                known.append(value)

    def values(
        self, symbol: str, interval: str
    ) -> dict[int, list[tuple[float, float, float, float, float, bool]]]:
        """Values as a client reads them, by open time in milliseconds."""
        found: dict[int, list[tuple[float, float, float, float, float, bool]]] = {}
        for opened, *texts, closed in self.report(symbol, interval):
            assert isinstance(opened, int)
            o, h, low, c, v = (float(str(text)) for text in texts)
            found.setdefault(opened, []).append((o, h, low, c, v, bool(closed)))
        return found

    def answers(self, symbol: str, interval: str) -> list[Answer]:
        """The pages sent that held bars, oldest first."""
        return list(self._answers.get((symbol, interval), ()))

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
