"""A market whose symbols are halted, delisted or renamed on request."""

from __future__ import annotations

from dataclasses import replace

from app.domain.timeframe import Timeframe
from app.replay import grid
from app.replay.bars import Rows
from app.replay.faults import FaultBook
from app.replay.source import BarWindow, Listing, ListingStatus, MarketSource


class ChangedListings:
    """A `MarketSource` that lays the faults about listings over another one.

    A renamed symbol keeps its bars, under the new name from its first bar on, as an
    exchange does; the old name is unknown from then on.
    """

    def __init__(self, source: MarketSource, faults: FaultBook) -> None:
        self._source, self._faults = source, faults

    @property
    def seed(self) -> int:
        """Seed of what is drawn rather than recorded."""
        return self._source.seed

    @property
    def first_start_ms(self) -> int:
        """Virtual time of a first start."""
        return self._source.first_start_ms

    @property
    def ends_ms(self) -> int | None:
        """Virtual time at which the data ends; None: never."""
        return self._source.ends_ms

    def listings(self, now_ms: int) -> tuple[Listing, ...]:
        """Every symbol listed at `now_ms`, under its name of that time."""
        names = self._names(now_ms)
        renamed = {old: new for new, old in names.items()}
        found = (
            self.find_listing(renamed.get(each.symbol, each.symbol), now_ms)
            for each in self._source.listings(now_ms)
        )
        return tuple(listing for listing in found if listing is not None)

    def find_listing(self, symbol: str, now_ms: int) -> Listing | None:
        """The symbol's listing at `now_ms`, if it has one."""
        names = self._names(now_ms)
        if symbol in names.values():
            return None
        original = names.get(symbol, symbol)
        listing = self._source.find_listing(original, now_ms)
        if listing is None:
            return None
        for change in self._faults.listing_changes(now_ms):
            if change.symbol != original:
                continue
            if change.kind == "delist":
                return None
            if change.kind == "halt" and change.start is not None:
                halted_ms = grid.to_ms(change.start)
                if listing.halted_ms is not None:
                    halted_ms = min(halted_ms, listing.halted_ms)
                listing = replace(
                    listing, status=ListingStatus.BREAK, halted_ms=halted_ms
                )
        if symbol == original:
            return listing
        base = symbol.removesuffix(listing.quote)
        return replace(listing, symbol=symbol, base=base)

    def bars(
        self, listing: Listing, timeframe: Timeframe, window: BarWindow, now_ms: int
    ) -> Rows:
        """Ascending bars as served at `now_ms`, the unfinished one included."""
        known = self._known(listing, now_ms)
        return self._source.bars(known, timeframe, window, now_ms)

    def true_bars(self, listing: Listing, start_ms: int, end_ms: int) -> Rows:
        """Finest bars that open in [start_ms, end_ms), as they will have ended."""
        return self._source.true_bars(self._known(listing, end_ms), start_ms, end_ms)

    def _known(self, listing: Listing, now_ms: int) -> Listing:
        """The listing under the name the underlying market knows it by."""
        original = self._names(now_ms).get(listing.symbol, listing.symbol)
        if original == listing.symbol:
            return listing
        return replace(listing, symbol=original)

    def _names(self, now_ms: int) -> dict[str, str]:
        """Original name by the new one."""
        changes = self._faults.listing_changes(now_ms)
        return {c.rename_to: c.symbol for c in changes if c.kind == "rename"}
