"""A process that asks as much as it may, for tests that run several of them.

Arguments: database URL, address of the replay market, a seed. Says `answered` after
its first good answer and `refused` after its first cooldown, one a line.
"""

from __future__ import annotations

import asyncio
import logging
import random
import sys
from datetime import timedelta

import structlog

from app.bootstrap import open_exchange
from app.config.settings import (
    DatabaseSettings,
    ExchangeSettings,
    ReplaySettings,
    Settings,
)
from app.core.clock import ScaledClock
from app.core.database import Database
from app.core.exceptions import AppError, RateLimited
from app.core.market_identity import market_identity
from app.domain.timeframe import Timeframe
from app.exchange.replay_clock import read_replay_clock
from app.exchange.service import ExchangeService

HISTORY_DAYS = 3
"""Of the market that is asked."""

_said: set[str] = set()


async def ask_for_ever(
    exchange: ExchangeService, clock: ScaledClock, dice: random.Random
) -> None:
    """One request after another; what they weigh is 80, 50 or 2."""
    while True:
        try:
            match dice.choices(("tickers", "book", "bars"), (1, 2, 3))[0]:
                case "tickers":
                    await exchange.fetch_tickers()
                case "book":
                    await exchange.fetch_order_book("BTC/USDT", 1000)
                case _:
                    since = clock.now() - timedelta(minutes=3)
                    await exchange.fetch_candles("BTC/USDT", Timeframe.M1, since, 3)
            say("answered")
        except RateLimited:
            say("refused")
            await clock.sleep(1.0)
        except AppError:
            await clock.sleep(1.0)


def say(word: str) -> None:
    """Print `word` the first time."""
    if word not in _said:
        _said.add(word)
        print(word, flush=True)


async def main(database_url: str, market_url: str, seed: str) -> None:
    """Four requests at a time until killed."""
    # Only what is said stands on standard output.
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL)
    )
    settings = Settings(
        exchange=ExchangeSettings(
            replay_url=market_url, tickers_ttl_seconds=0, call_deadline_seconds=5
        ),
        replay=ReplaySettings(history_days=HISTORY_DAYS),
    )
    clock = read_replay_clock(market_url, market_identity(settings))
    database = Database(DatabaseSettings(), database_url)
    async with open_exchange(settings, clock, database) as exchange:
        await asyncio.gather(
            *(
                ask_for_ever(exchange, clock, random.Random(f"{seed}/{number}"))
                for number in range(4)
            )
        )


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
