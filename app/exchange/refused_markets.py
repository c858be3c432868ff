"""Which markets a list may have after all, in entries of it that cannot be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from app.exchange.rejected import RejectedItem


def match_refused(
    missing: Mapping[str, str], refused: Iterable[RejectedItem]
) -> tuple[frozenset[str], list[RejectedItem]]:
    """Symbols of `missing` whose name a refused entry bears; the entries without one.

    `missing` gives the exchange's own name of each symbol that the list lacks.
    """
    by_name: dict[str, set[str]] = defaultdict(set)
    for symbol, name in missing.items():
        by_name[symbol].add(symbol)
        by_name[name].add(symbol)
    matched: set[str] = set()
    unmatched = []
    for item in refused:
        names = {item.symbol, *item.texts} & by_name.keys()
        matched.update(*(by_name[name] for name in names))
        if not names:
            unmatched.append(item)
    return frozenset(matched), unmatched


def find_unclear(
    missing: Mapping[str, str], refused: Iterable[RejectedItem]
) -> frozenset[str]:
    """The markets among `missing` that one of the `refused` entries may be.

    An entry that bears the name of none may be any of them.
    """
    matched, unmatched = match_refused(missing, refused)
    return frozenset(missing) if unmatched else matched
