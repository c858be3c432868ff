"""The exchange's market list: normalised, cached, guarded against collapse."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from app.core.exceptions import BadData, CorruptReply, UnknownSymbol
from app.domain.market import Market, MarketStatus
from app.domain.universe import LARGEST_SHRINK, is_collapse
from app.exchange.normalise import market_from
from app.exchange.refused_markets import find_unclear
from app.exchange.rejected import RejectedItem, impossible

_log = structlog.get_logger(__name__)


class MarketList:
    """The markets of one exchange, as it lists them and as far as that is believed.

    A changed reply format makes ccxt drop markets, or call them inactive, without an
    error. Where over a fifth of the trading markets are lost at once, they are kept
    as they were: looking a market up goes on working. So is a market whose entry may be
    one that cannot be read. Whether they really are gone is decided with the stored
    universe, see `app.services.universe`.
    """

    def __init__(self, exchange: str) -> None:
        self._exchange = exchange
        self.markets: Mapping[str, Market] = {}
        self.listed: Mapping[str, Market] = {}
        self.doubted: frozenset[str] = frozenset()
        self.unclear: frozenset[str] = frozenset()
        self.rejected: tuple[RejectedItem, ...] = ()

    def offer(
        self,
        unified: list[Any],
        precision: int,
        unreadable: Sequence[RejectedItem] = (),
    ) -> None:
        """Take a fresh list, with the entries of it that ccxt could not read.

        `listed` is what it says, `doubted` what it lost, `unclear` what it may have in
        the entries that were refused. Raises CorruptReply if no entry is a market.
        """
        markets: dict[str, Market] = {}
        rejected = list(unreadable)
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
                f"{self._exchange}: none of {len(unified) + len(unreadable)} listed "
                "markets can be read"
            )
        missing = self.markets.keys() - markets.keys()
        names = {symbol: self.markets[symbol].exchange_symbol for symbol in missing}
        self.unclear = find_unclear(names, rejected)
        trading = {
            symbol
            for symbol, market in self.markets.items()
            if _is_trading(market) and symbol not in self.unclear
        }
        lost = {symbol for symbol in trading if not _is_trading(markets.get(symbol))}
        if not is_collapse(len(trading), len(lost)):
            lost = set()
        elif not self.doubted:
            _log.error(
                "market_list_shrank",
                exchange=self._exchange,
                trading_before=len(trading),
                lost=len(lost),
                largest_shrink=LARGEST_SHRINK,
            )
        self.doubted = frozenset(lost)
        self.listed, self.rejected = markets, tuple(rejected)
        self.markets = markets | {symbol: self.markets[symbol] for symbol in self.kept}
        if rejected:
            _log.warning(
                "markets_rejected", exchange=self._exchange, count=len(rejected)
            )

    @property
    def kept(self) -> frozenset[str]:
        """Markets that are as they were before the last list."""
        return self.doubted | self.unclear

    def believe(self) -> None:
        """Take the last list as it is: the lost markets really are gone."""
        unclear = {symbol: self.markets[symbol] for symbol in self.unclear}
        self.markets, self.doubted = {**self.listed, **unclear}, frozenset()

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


def _is_trading(market: Market | None) -> bool:
    return market is not None and market.status is MarketStatus.TRADING
