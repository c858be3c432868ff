"""Takes over the replay market's virtual time."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from datetime import datetime, timezone
from typing import Any

from app.core.clock import ScaledClock, SystemClock
from app.core.exceptions import ConfigurationError, ExchangeUnavailable

_ATTEMPTS = 40
_PAUSE_SECONDS = 0.25
_TIMEOUT_SECONDS = 5.0


def read_replay_clock(url: str) -> ScaledClock:
    """A clock that runs with the replay market at `url`.

    Waits up to 10 seconds for the market to come up, since both may be starting.

    Raises:
        ExchangeUnavailable: nothing answers there.
        ConfigurationError: what answers is not a replay market.
    """
    if not url.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"exchange.replay_url: {url!r} is not a URL that starts with http://"
        )
    document = _read_with_patience(f"{url.rstrip('/')}/replay/clock")
    try:
        virtual_ms = int(document["virtual_ms"])
        real_ms = int(document["real_ms"])
        speed = float(document["speed"])
        ends_ms = document.get("ends_ms")
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigurationError(f"no replay market answers at {url}") from error
    return ScaledClock(
        _from_ms(virtual_ms),
        _from_ms(real_ms),
        speed,
        None if ends_ms is None else _from_ms(int(ends_ms)),
    )


def _read_with_patience(url: str) -> dict[str, Any]:
    clock, never = SystemClock(), threading.Event()
    for attempt in range(_ATTEMPTS):
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as reply:
                document = json.loads(reply.read(65536))
        except urllib.error.HTTPError as error:
            raise ConfigurationError(
                f"no replay market answers at {url}: status {error.code}"
            ) from error
        except (OSError, ValueError) as error:
            last: Exception = error
        else:
            if isinstance(document, dict):
                return document
            raise ConfigurationError(f"no replay market answers at {url}")
        if attempt + 1 < _ATTEMPTS:
            clock.wait(never, _PAUSE_SECONDS)
    reason = getattr(last, "reason", last)
    raise ExchangeUnavailable(f"the replay market at {url} does not answer: {reason}")


def _from_ms(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
