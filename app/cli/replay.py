"""The replay market as a child of a command that needs one."""

from __future__ import annotations

import errno
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.bootstrap import replay_url
from app.cli.children import child_environment, child_spec, gave_up
from app.config.settings import ReplaySettings, Settings
from app.core.clock import SystemClock
from app.core.exceptions import ConfigurationError, ExchangeUnavailable
from app.core.market_identity import REPLAY, market_identity
from app.exchange.replay_clock import is_answering
from app.processes.supervisor import Supervisor

_START_SECONDS = 60.0
_POLL_SECONDS = 0.1


def needs_market(settings: Settings) -> bool:
    """Whether the replay market is the exchange, and ours to start."""
    return settings.exchange.id == REPLAY and not settings.exchange.replay_url


def require_free_port(replay: ReplaySettings) -> None:
    """Raise ConfigurationError unless the replay market could listen now.

    Asked before anything is started. Otherwise the market of somebody else, found
    at this address, would be taken for ours.
    """
    if replay.port == 0:
        raise ConfigurationError(
            "replay.port is 0 (any free one), but the processes must be told where "
            "the market listens: set a port from 1 to 65535"
        )
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((replay.host, replay.port))
        except OSError as error:
            reason = (
                "is in use by another process (another `crypto-bot up`?); stop it or "
                "set replay.port"
                if error.errno == errno.EADDRINUSE
                else f"cannot be had: {error.strerror or error}"
            )
            raise ConfigurationError(
                f"the replay market's address {replay.host}:{replay.port} {reason}"
            ) from error


@contextmanager
def running_market(
    settings: Settings, environment: Mapping[str, str]
) -> Iterator[Supervisor]:
    """Run the replay market as a child for as long as the block lasts."""
    market = Supervisor(
        [child_spec(settings, "replay-market", ["replay-market"], environment)]
    )
    market.start()
    try:
        _wait_until_ready(settings, market)
        yield market
    finally:
        market.stop()


@contextmanager
def market_for_script(settings: Settings, config: Path | None) -> Iterator[None]:
    """See to it that the replay market answers; starts it if nothing does.

    Raises ConfigurationError where a market of other settings answers.
    """
    if not needs_market(settings) or _answers(settings):
        yield
        return
    require_free_port(settings.replay)
    with running_market(settings, child_environment(config)):
        yield


def _wait_until_ready(settings: Settings, market: Supervisor) -> None:
    clock, never = SystemClock(), threading.Event()
    give_up_at = clock.monotonic() + _START_SECONDS
    while not _answers(settings):
        failed = market.failed_for_good()
        if failed is not None:
            raise gave_up(settings, failed)
        if clock.monotonic() >= give_up_at:
            raise ExchangeUnavailable(
                f"the replay market did not answer at {replay_url(settings)} within "
                f"{_START_SECONDS:g} s of its start"
            )
        clock.wait(never, _POLL_SECONDS)


def _answers(settings: Settings) -> bool:
    """Whether our replay market answers; raises ConfigurationError for another."""
    return is_answering(replay_url(settings), market_identity(settings))
