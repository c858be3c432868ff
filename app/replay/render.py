"""Integer rows as Binance's text: eight decimals, exactly."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import OPEN_MS, Rows
from app.replay.source import Listing

_PLACES = 8


def decimal_text(value: int, decimals: int) -> str:
    """`value` / 10^`decimals` with at least eight decimals: 12345, 2 -> 123.45000000.

    Exact for every integer; a quote volume may have more decimals than eight.
    """
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), 10**decimals)
    digits = f"{part:0{decimals}d}" if decimals else ""
    return f"{sign}{whole}.{digits.ljust(_PLACES, '0')}"


@lru_cache(maxsize=256)
def _template(price: int, lot: int, quote: int) -> str:
    """One kline with a whole and a fractional slot for each decimal field."""

    def slot(decimals: int) -> str:
        if decimals == 0:
            return '"%d.%.0s' + "0" * _PLACES + '"'
        return f'"%d.%0{decimals}d' + "0" * max(0, _PLACES - decimals) + '"'

    fields = ["%d", *[slot(price)] * 4, slot(lot), "%d", slot(quote), "%d"]
    return "[" + ",".join([*fields, slot(lot), slot(quote), '"0"']) + "]"


def klines_text(rows: Rows, timeframe: Timeframe, listing: Listing) -> str:
    """The body of a `klines` reply."""
    if not len(rows):
        return "[]"
    price, lot = 10**listing.price_decimals, 10**listing.lot_decimals
    quote = 10**listing.quote_decimals
    cells = np.empty((len(rows), 19), dtype=np.int64)
    cells[:, 0] = rows[:, OPEN_MS]
    cells[:, 1:9:2], cells[:, 2:9:2] = np.divmod(rows[:, 1:5], price)
    cells[:, 9], cells[:, 10] = np.divmod(rows[:, 5], lot)
    cells[:, 11] = grid.close_all(rows[:, OPEN_MS], timeframe) - 1
    cells[:, 12], cells[:, 13] = np.divmod(rows[:, 6], quote)
    cells[:, 14] = rows[:, 7]
    cells[:, 15], cells[:, 16] = np.divmod(rows[:, 8], lot)
    cells[:, 17], cells[:, 18] = np.divmod(rows[:, 9], quote)
    line = _template(
        listing.price_decimals, listing.lot_decimals, listing.quote_decimals
    )
    # One format operation for the whole page is several times faster than one a row.
    page = ",".join([line] * len(rows)) % tuple(cells.ravel().tolist())
    return "[" + page + "]"
