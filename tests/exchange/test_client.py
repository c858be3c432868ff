"""Which exchange is built, and what building it costs."""

from __future__ import annotations

import subprocess
import sys

import ccxt.async_support
import pytest

from app.config.settings import ExchangeSettings
from app.core.clock import ManualClock
from app.core.exceptions import ConfigurationError
from app.exchange.client import redirect
from app.exchange.service import ExchangeService
from tests.exchange.fake_exchange import START, opened


async def test_an_unknown_exchange_names_the_nearest() -> None:
    settings = ExchangeSettings(id="binanse")
    with pytest.raises(ConfigurationError, match="did you mean binance"):
        async with ExchangeService(settings, ManualClock(START)):
            pass


@pytest.mark.parametrize("url", ["", "localhost:18080", "ftp://u:s3cret@x"])
def test_the_replay_market_needs_an_address(url: str) -> None:
    with pytest.raises(ConfigurationError, match="replay_url") as refused:
        ExchangeService(ExchangeSettings(replay_url=url), ManualClock(START))
    assert "s3cret" not in str(refused.value)


def test_a_redirected_address_keeps_its_host_as_a_folder() -> None:
    urls = {"public": "https://api.binance.com/api/v3", "v2": {"x": "https://a.b"}}
    assert redirect(urls, "http://127.0.0.1:1/") == {
        "public": "http://127.0.0.1:1/api.binance.com/api/v3",
        "v2": {"x": "http://127.0.0.1:1/a.b"},
    }


async def test_the_replayed_client_is_ccxts_own_binance() -> None:
    async with opened() as (fake, exchange):
        client = exchange._client
        assert isinstance(client, ccxt.async_support.binance)
        assert exchange.exchange_id == "replay"
        urls = client.urls["api"].values()
        assert all(url.startswith(fake.url) for url in urls)


@pytest.mark.parametrize("name", ["binance", "kraken", "okx", "coinbase", "bybit"])
async def test_real_exchanges_are_built_without_credentials(name: str) -> None:
    settings = ExchangeSettings(id=name)
    async with ExchangeService(settings, ManualClock(START)) as exchange:
        assert exchange.exchange_id == name


def test_importing_the_service_does_not_import_ccxt() -> None:
    code = "import sys, app.exchange.service; sys.exit('ccxt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
