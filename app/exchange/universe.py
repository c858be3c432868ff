"""The exchange's market list: normalised, cached, guarded against collapse."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import structlog

from app.core.exceptions import BadData, CorruptReply, UnknownSymbol
from app.domain.market import Market, MarketStatus
from app.exchange.normalise import market_from
from app.exchange.rejected import RejectedItem, impossible

_SHRINK_LIMIT = 0.2
_SMALLEST_GUARDED = 10
_CONFIRMATIONS = 3

_log = structlog.get_logger(__name__)


class MarketList:
    """The last good market list of one exchange.

    A changed reply format makes ccxt drop markets, or call them inactive, without an
    error. A refresh in which over a fifth of the trading markets vanish is therefore
    not believed until three refreshes in a row agree that it is so.
    """

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self._doubted = 0
        self.markets: Mapping[str, Market] = {}
        self.rejected: tuple[RejectedItem, ...] = ()

    def offer(self, unified: list[Any], precision: int) -> bool:
        """Take a fresh list; False if the old one is kept.

        Raises CorruptReply if no entry of it is a market.
        """
        markets: dict[str, Market] = {}
        rejected: list[RejectedItem] = []
        for entry in unified:
            if not isinstance(entry, dict):
                continue
            try:
                market = market_from(entry, self._exchange, precision)
            except BadData as error:
                name = str(entry.get("symbol") or entry.get("id"))
                rejected.append(impossible(name, "market", error, entry))
            else:
                markets[market.symbol] = market
        if not markets:
            raise CorruptReply(
                f"{self._exchange}: none of {len(unified)} listed markets can be read"
            )
        if self._is_collapse(markets) and self._doubted + 1 < _CONFIRMATIONS:
            self._doubted += 1
            _log.error(
                "market_list_shrank",
                exchange=self._exchange,
                trading_before=_count_trading(self.markets),
                trading_now=_count_trading(markets),
                largest_shrink=_SHRINK_LIMIT,
                refusals=self._doubted,
            )
            return False
        self._doubted = 0
        self.markets, self.rejected = markets, tuple(rejected)
        if rejected:
            _log.warning(
                "markets_rejected", exchange=self._exchange, count=len(rejected)
            )
        return True

    def get(self, symbol: str) -> Market:
        """The market; UnknownSymbol names the nearest ones."""
        market = self.markets.get(symbol)
        if market is None:
            near = difflib.get_close_matches(symbol.upper(), self.markets, 3, 0.5)
            hint = f"; nearest: {', '.join(near)}" if near else ""
            raise UnknownSymbol(
                f"{self._exchange} does not list {symbol!r:.80} among its "
                f"{len(self.markets)} markets{hint}"
            )
        return market

    def _is_collapse(self, markets: Mapping[str, Market]) -> bool:
        before, now = _count_trading(self.markets), _count_trading(markets)
        return before >= _SMALLEST_GUARDED and now < before * (1 - _SHRINK_LIMIT)


def _count_trading(markets: Mapping[str, Market]) -> int:
    return sum(m.status is MarketStatus.TRADING for m in markets.values())
