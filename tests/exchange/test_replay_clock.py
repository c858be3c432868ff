"""A command talks to the replay market it means, and to no other at that address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from app.config.settings import ReplaySettings
from app.core.exceptions import ConfigurationError
from app.core.market_identity import replay_identity
from app.exchange.replay_clock import is_answering, read_replay_clock
from tests.cli.commands import Commands, assert_refused
from tests.processes.stack import free_port
from tests.processes.still_market import still_market

SERVED = ReplaySettings(markets=4, history_days=1)
NOON = datetime(2025, 1, 5, 12, tzinfo=timezone.utc)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A market of `SERVED`."""
    with still_market(SERVED, NOON) as market:
        yield market.url


def test_the_market_that_is_meant_answers(url: str) -> None:
    assert is_answering(url, replay_identity(SERVED))
    assert read_replay_clock(url, replay_identity(SERVED)).speed == 1.0
    assert not is_answering(f"http://127.0.0.1:{free_port()}", replay_identity(SERVED))


def test_a_proxy_is_not_asked_for_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    # The library keeps the proxies that it saw first.
    monkeypatch.setattr("urllib.request._opener", None)

    assert is_answering(url, replay_identity(SERVED))
    assert read_replay_clock(url, replay_identity(SERVED)).speed == 1.0


def test_another_market_is_refused_and_both_are_named(url: str) -> None:
    asked = replay_identity(SERVED.model_copy(update={"seed": 6}))
    for ask in (read_replay_clock, is_answering):
        with pytest.raises(ConfigurationError) as refused:
            ask(url, asked)
        assert replay_identity(SERVED) in str(refused.value)
        assert asked in str(refused.value)


def test_a_command_takes_no_foreign_market_on_its_port(
    url: str, tmp_path: Path
) -> None:
    port = url.rpartition(":")[2]
    commands = Commands(tmp_path, CRYPTO_BOT__REPLAY__PORT=port)
    outcome = commands.script("fetch_market_data", "BTC/USDT")
    assert_refused(outcome, 78, replay_identity(SERVED), "seed=5,markets=20")
