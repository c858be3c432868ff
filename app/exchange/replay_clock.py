"""Takes over the replay market's virtual time, after asking which market it is."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from datetime import datetime, timezone
from typing import Any

from app.config.redaction import mask_urls
from app.core.clock import ScaledClock, SystemClock
from app.core.exceptions import ConfigurationError, ExchangeUnavailable

_ATTEMPTS = 40
_PAUSE_SECONDS = 0.25
_TIMEOUT_SECONDS = 5.0
_PROBE_SECONDS = 2.0
# No proxy: the exchange's own client asks the market directly too, and a proxy
# elsewhere would take 127.0.0.1 for itself.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def read_replay_clock(url: str, market: str) -> ScaledClock:
    """A clock that runs with the replay market at `url`, which must be `market`.

    Waits up to 10 seconds for the market to come up, since both may be starting.

    Raises:
        ExchangeUnavailable: nothing answers there.
        ConfigurationError: what answers is not a replay market, or another one.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"exchange.replay_url: {mask_urls(url)!r} is not a URL that starts with "
            "http://"
        )
    document = _read_with_patience(_address(url))
    try:
        virtual_ms = int(document["virtual_ms"])
        real_ms = int(document["real_ms"])
        speed = float(document["speed"])
        ends_ms = document.get("ends_ms")
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(
            f"no replay market answers at {mask_urls(url)}"
        ) from error
    _require(market, document, url)
    return ScaledClock(
        _from_ms(virtual_ms),
        _from_ms(real_ms),
        speed,
        None if ends_ms is None else _from_ms(int(ends_ms)),
    )


def is_answering(url: str, market: str) -> bool:
    """Whether the replay market `market` tells its time at `url` just now.

    Raises ConfigurationError where another market does.
    """
    try:
        document = _read(_address(url), _PROBE_SECONDS)
    except (OSError, ValueError):
        return False
    if not isinstance(document, dict):
        return False
    _require(market, document, url)
    return True


def _require(market: str, document: dict[str, Any], url: str) -> None:
    """Refuse a market of other settings: its bars would be stored as those of ours."""
    found = document.get("market")
    if found != market:
        raise ConfigurationError(
            f"the replay market at {mask_urls(url)} is "
            f"{found or 'one that tells no name'}, the configuration asks for "
            f"{market}: stop that one (another `crypto-bot up`?), give the same "
            "--recording or replay settings, or another "
            "replay.port"
        )


def _address(url: str) -> str:
    return f"{url.rstrip('/')}/replay/clock"


def _read(url: str, timeout_seconds: float) -> Any:
    with _DIRECT.open(url, timeout=timeout_seconds) as reply:
        return json.loads(reply.read(65536))


def _read_with_patience(url: str) -> dict[str, Any]:
    clock, never = SystemClock(), threading.Event()
    for attempt in range(_ATTEMPTS):
        try:
            document = _read(url, _TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            raise ConfigurationError(
                f"no replay market answers at {mask_urls(url)}: status {error.code}"
            ) from error
        except (OSError, ValueError) as error:
            last: Exception = error
        else:
            if isinstance(document, dict):
                return document
            raise ConfigurationError(f"no replay market answers at {mask_urls(url)}")
        if attempt + 1 < _ATTEMPTS:
            clock.wait(never, _PAUSE_SECONDS)
    reason = getattr(last, "reason", last)
    raise ExchangeUnavailable(
        f"the replay market at {mask_urls(url)} does not answer: {reason}"
    )


def _from_ms(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
