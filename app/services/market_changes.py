"""What a market list changed: listings, delistings, renames and halts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from app.domain.market import Market, MarketStatus
from app.domain.market_event import MarketEventKind
from app.models import Cryptocurrency


@dataclass(frozen=True, slots=True)
class MarketChange:
    """One event of one market; `successor` is its new name after a rename."""

    kind: MarketEventKind
    symbol: str
    successor: str | None = None
    detail: Mapping[str, str] = field(default_factory=dict)


def find_changes(
    rows: Mapping[str, Cryptocurrency],
    markets: Mapping[str, Market],
    unclear: Collection[str] = (),
) -> list[MarketChange]:
    """Changes from the stored `rows` to the listed `markets`, by symbol.

    `rows` that are `unclear` are neither listed nor gone, unless they were renamed.
    A market is taken for renamed only where that is certain: a symbol went, another
    never seen before came, and both are the same market by the exchange's own name,
    which no other has. Anything else is a delisting and a listing.
    """
    gone = {
        symbol: row
        for symbol, row in rows.items()
        if row.status is not MarketStatus.DELISTED and symbol not in markets
    }
    renames = _find_renames(gone, rows, markets)
    gone = {s: row for s, row in gone.items() if s in renames or s not in unclear}
    changes = []
    for symbol in sorted(rows.keys() | markets.keys()):
        before, market = rows.get(symbol), markets.get(symbol)
        if symbol in gone:
            changes.append(_departure(gone[symbol], renames.get(symbol)))
        elif market is not None and symbol not in renames.values():
            changes += _arrivals(before, market)
    return changes


def _departure(row: Cryptocurrency, successor: str | None) -> MarketChange:
    if successor is None:
        return MarketChange(MarketEventKind.DELISTED, row.symbol)
    detail = {"exchange_symbol": row.exchange_symbol, "successor": successor}
    return MarketChange(MarketEventKind.RENAMED, row.symbol, successor, detail)


def _arrivals(before: Cryptocurrency | None, market: Market) -> list[MarketChange]:
    kinds = []
    was_trading = True
    if before is None:
        kinds.append(MarketEventKind.LISTED)
    elif before.status is MarketStatus.DELISTED:
        kinds.append(MarketEventKind.RELISTED)
    else:
        was_trading = before.status is MarketStatus.TRADING
    is_trading = market.status is MarketStatus.TRADING
    if was_trading and not is_trading:
        kinds.append(MarketEventKind.HALTED)
    if is_trading and not was_trading:
        kinds.append(MarketEventKind.RESUMED)
    return [MarketChange(kind, market.symbol) for kind in kinds]


def _find_renames(
    gone: Mapping[str, Cryptocurrency],
    rows: Mapping[str, Cryptocurrency],
    markets: Mapping[str, Market],
) -> dict[str, str]:
    """New symbol by the old one."""
    old_names: dict[str, list[str]] = {}
    for symbol, row in gone.items():
        old_names.setdefault(row.exchange_symbol, []).append(symbol)
    new_names: dict[str, list[str]] = {}
    for symbol, market in markets.items():
        new_names.setdefault(market.exchange_symbol, []).append(symbol)
    renames = {}
    for name, old in old_names.items():
        new = new_names.get(name, [])
        if len(old) == len(new) == 1 and new[0] not in rows:
            renames[old[0]] = new[0]
    return renames
