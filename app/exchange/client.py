"""Building the ccxt client behind the service."""

from __future__ import annotations

import difflib
import logging
import random
from typing import Any

from app.config.redaction import mask_urls
from app.config.settings import ExchangeSettings
from app.core.clock import Clock
from app.core.exceptions import ConfigurationError, ExchangeRefused
from app.exchange.budget import Budget
from app.exchange.rate_limiter import RateLimiter
from app.exchange.strict_replies import StrictReplies

REPLAY = "replay"
_REPLAYED_VENUE = "binance"
# Of the budget, for one that counts by itself: there may be others beside it.
_SHARE_ALONE = 0.25


def require_known_exchange(exchange_id: str) -> None:
    """Raise ConfigurationError, with the nearest ids, for one that ccxt has not."""
    if exchange_id == REPLAY:
        return
    import ccxt

    if exchange_id not in ccxt.exchanges:
        nearest = difflib.get_close_matches(exchange_id, [REPLAY, *ccxt.exchanges], n=3)
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        raise ConfigurationError(
            f"exchange.id: {exchange_id!r} is neither `{REPLAY}` nor known to ccxt"
            f"{hint}"
        )


def build_client(
    settings: ExchangeSettings,
    clock: Clock,
    replay_url: str,
    session: Any,
    randomness: random.Random,
    budget: Budget | None = None,
    reserve_share: float = 0.0,
) -> Any:
    """The ccxt class of `settings.id` under `StrictReplies`, with our rate limiter.

    `replay` is ccxt's own binance class, its addresses turned to the replay market.
    Raises ConfigurationError for an id that ccxt does not know.
    """
    # Imported here: it takes a second, which a command that needs no exchange should
    # not pay.
    import ccxt.async_support as ccxt

    require_known_exchange(settings.id)
    name = _REPLAYED_VENUE if settings.id == REPLAY else settings.id
    strict = type(f"Strict{name}", (StrictReplies, getattr(ccxt, name)), {})
    client = strict(
        {
            "session": session,
            "enableRateLimit": True,
            "timeout": round(settings.request_timeout_seconds * 1000),
        }
    )
    client.clock = clock
    share = settings.budget_share * (1.0 if budget is not None else _SHARE_ALONE)
    client.limiter = RateLimiter(
        clock,
        # ccxt's rateLimit is the milliseconds that one unit of cost takes.
        share * 60_000 / max(float(client.rateLimit), 1.0),
        budget=budget,
        reserve_share=reserve_share,
        max_attempts=settings.max_attempts,
        deadline_seconds=settings.call_deadline_seconds,
        randomness=randomness,
        host=settings.id,
    )
    # Copies of every reply that nobody reads, and a wait for websockets we never open.
    client.enableLastHttpResponse = False
    client.enableLastJsonResponse = False
    client.enableLastResponseHeaders = False
    client.timeout_on_exit = 0
    # At DEBUG it would format every body into the log.
    client.logger.setLevel(logging.WARNING)
    if settings.id == REPLAY:
        client.urls["api"] = redirect(client.urls["api"], replay_url)
        client.options["fetchMarkets"] = {"types": ["spot"]}
    return client


def redirect(urls: Any, base_url: str) -> Any:
    """`urls` (a text or nested dicts of them) below `base_url`, host kept as a folder.

    ccxt tells venues of one house apart by the host in the address, so the replay
    market is given it as the first path segment.
    """
    if isinstance(urls, dict):
        return {key: redirect(url, base_url) for key, url in urls.items()}
    return f"{base_url.rstrip('/')}/{str(urls).partition('://')[2]}"


def require_url(settings: ExchangeSettings, replay_url: str | None) -> str:
    """The replay market's address; empty for a real exchange.

    Raises ConfigurationError where `replay` is asked for and no address is known.
    """
    if settings.id != REPLAY:
        return ""
    url = replay_url or settings.replay_url
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"exchange.replay_url: {mask_urls(url)!r} is no http:// or https:// "
            "address, which `exchange.id: replay` needs"
        )
    return url


def page_limit(client: Any, symbol: str) -> int:
    """Most bars a page of this venue holds, as far as ccxt knows."""
    limit = client.feature_value(symbol, "fetchOHLCV", "limit")
    return limit if isinstance(limit, int) and limit > 0 else 1000


def require_feature(client: Any, exchange: str, feature: str, name: str) -> None:
    """Raise ExchangeRefused where the venue lacks a `feature` of ccxt's `has`."""
    if not client.has.get(feature):
        raise ExchangeRefused(f"{exchange} does not offer {name}")
