"""Items of a reply that cannot be true, with what is needed to judge them again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.core.exceptions import BadData
from app.domain.rejection import RejectionRule
from app.domain.timeframe import Timeframe
from app.exchange.moments import claimed_moment

RAW_LIMIT = 2_000
_NAME_LIMIT = 200


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """One item of a reply that cannot be true.

    `rule` is a stable id (`RejectionRule`), `reason` the same in words, `raw` the item
    as the venue sent it (JSON), `figures` what the rule looked at, in JSON's types,
    `occurred_at` the time the item claims, where it can be read. `texts` are its short
    texts, one of which is likely its own name.
    """

    symbol: str
    what: str
    rule: str
    raw: str
    reason: str = ""
    figures: Mapping[str, Any] = field(default_factory=dict)
    occurred_at: datetime | None = None
    timeframe: Timeframe | None = None
    texts: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


def reject(
    symbol: str,
    what: str,
    rule: RejectionRule,
    raw: object,
    *,
    reason: str = "",
    figures: Mapping[str, Any] | None = None,
    occurred_at: datetime | None = None,
    timeframe: Timeframe | None = None,
) -> RejectedItem:
    """A rejected item that PostgreSQL can store, whatever the venue sent."""
    return RejectedItem(
        symbol=storable(symbol)[:_NAME_LIMIT],
        what=what,
        rule=rule.value,
        raw=raw_text(raw),
        reason=storable(reason or rule.sentence),
        figures={name: plain(value) for name, value in (figures or {}).items()},
        occurred_at=occurred_at,
        timeframe=timeframe,
        texts=_short_texts(raw),
    )


def impossible(
    symbol: str, what: str, error: BadData, entry: Mapping[str, Any]
) -> RejectedItem:
    """The rejected item of an `error` in one of ccxt's unified entries."""
    moment, unit = claimed_moment(entry.get("timestamp"))
    return reject(
        symbol,
        what,
        RejectionRule.ITEM_IMPOSSIBLE,
        entry.get("info", entry),
        reason=str(error),
        figures={} if unit is None else {"time_reads_as": unit},
        occurred_at=moment,
    )


def _short_texts(raw: object) -> frozenset[str]:
    values = raw.values() if isinstance(raw, Mapping) else raw
    if not isinstance(values, Iterable) or isinstance(values, str):
        return frozenset()
    texts = (value for value in values if isinstance(value, str))
    return frozenset(text for text in texts if 0 < len(text) <= _NAME_LIMIT)


def raw_text(raw: object) -> str:
    """The item as JSON (a text as it is), cut to 2,000 characters.

    What is cut off is told by its length and hash, so that two long items which begin
    alike are still told apart.
    """
    if isinstance(raw, str):
        text = raw
    else:
        try:
            text = json.dumps(raw, ensure_ascii=False, default=repr)
        except (ValueError, TypeError, RecursionError):
            # Endless, too deep, or a number of more digits than Python writes out.
            text = f"unprintable {type(raw).__name__}"
    text = storable(text)
    if len(text) <= RAW_LIMIT:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text[:RAW_LIMIT]} [cut: {len(text)} characters, sha256 {digest}]"


def storable(text: str) -> str:
    """`text` without what a PostgreSQL text column refuses."""
    # NUL is no character of a PostgreSQL text, a lone surrogate none of UTF-8.
    text = text.replace("\x00", "\\u0000")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def plain(value: Any) -> Any:
    """`value` in JSON's types; JSON has no NaN and no Infinity, so they are texts."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            return {math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else f"{value.bit_length()} bits"
    if isinstance(value, datetime):
        return value.isoformat()
    return storable(str(value))[:_NAME_LIMIT]
