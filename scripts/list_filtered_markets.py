#!/usr/bin/env python
"""List every market with the market filter's verdict, its reasons and its figures.

From the database: the standing verdicts of the market filter. With `--live` the
exchange is asked and judged now and nothing is stored; market capitalisation, which
exchanges do not tell, is then unknown. Exit codes: 0 done; 2 wrong argument; 69
database unavailable; 75 exchange unavailable; 78 configuration or missing migration.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from app.bootstrap import (  # noqa: E402
    build_clock,
    load_settings,
    open_database,
    replay_url,
)
from app.cli.replay import market_for_script  # noqa: E402
from app.config.settings import Settings  # noqa: E402
from app.core.exceptions import AppError, ExitCode  # noqa: E402
from app.exchange.service import ExchangeService  # noqa: E402
from app.services.universe import current_verdicts  # noqa: E402
from app.trading.market_filter import MarketFilter, Verdict  # noqa: E402


def main(argv: list[str] | None = None) -> int:
    """Read or judge, and print; the exit code."""
    arguments = _parser().parse_args(argv)
    try:
        settings = load_settings(arguments.config)
        if arguments.live:
            with market_for_script(settings, arguments.config):
                verdicts = asyncio.run(_judge_now(settings))
        else:
            with open_database(settings, "list_filtered_markets") as database:
                with database.session_scope() as session:
                    verdicts = current_verdicts(session, settings.exchange.id)
    except AppError as error:
        print(f"list_filtered_markets: {error}", file=sys.stderr)
        return int(error.exit_code)
    if not verdicts:
        print(
            f"list_filtered_markets: no verdict on a market of {settings.exchange.id} "
            "is stored yet: run `crypto-bot up`, or judge now with --live",
            file=sys.stderr,
        )
    chosen = [
        verdict
        for verdict in verdicts
        if arguments.admitted is None or verdict.admitted is arguments.admitted
    ]
    if arguments.json:
        print(json.dumps([_plain(verdict) for verdict in chosen], indent=2))
    elif verdicts:
        Console().print(_table(settings.exchange.id, verdicts, chosen))
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--live", action="store_true", help="judge the exchange now, store nothing"
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--admitted",
        dest="admitted",
        action="store_const",
        const=True,
        help="only markets that are collected",
    )
    which.add_argument(
        "--rejected",
        dest="admitted",
        action="store_const",
        const=False,
        help="only markets that are not",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, no table")
    parser.add_argument("--config", type=Path, help="configuration file")
    return parser


async def _judge_now(settings: Settings) -> list[Verdict]:
    clock = build_clock(settings)
    service = ExchangeService(settings.exchange, clock, replay_url(settings))
    async with service as exchange:
        markets = await exchange.fetch_markets()
        batch = await exchange.fetch_tickers()
    return MarketFilter(settings.filter).judge(markets, batch.tickers, {})


def _plain(verdict: Verdict) -> dict[str, object]:
    return {
        "symbol": verdict.symbol,
        "admitted": verdict.admitted,
        "reasons": [reason.value for reason in verdict.reasons],
        "figures": dict(verdict.figures),
    }


def _table(
    exchange: str, verdicts: Sequence[Verdict], chosen: Sequence[Verdict]
) -> Table:
    admitted = sum(verdict.admitted for verdict in verdicts)
    table = Table(
        title=f"{exchange}: {admitted} of {len(verdicts)} markets admitted",
        title_justify="left",
    )
    caps = any(verdict.figures.get("market_cap") for verdict in chosen)
    table.add_column("market", no_wrap=True)
    table.add_column("verdict")
    for heading in ("24h volume", "spread", "24h range", *(["cap"] if caps else [])):
        table.add_column(heading, justify="right", no_wrap=True)
    for verdict in chosen:
        figures = verdict.figures
        table.add_row(
            verdict.symbol,
            _verdict_text(verdict),
            _number(figures.get("quote_volume_24h"), ",.1f", " M", 1e6),
            _number(figures.get("spread_bps"), ".1f", " bp"),
            _number(figures.get("volatility_24h"), ".2%"),
            *([_number(figures.get("market_cap"), ",.0f", " M", 1e6)] if caps else []),
            style="green" if verdict.admitted else "dim",
        )
    return table


def _verdict_text(verdict: Verdict) -> str:
    reasons = ", ".join(reason.value for reason in verdict.reasons)
    return "admitted" if verdict.admitted else f"rejected: {reasons}"


def _number(value: object, form: str, unit: str = "", scale: float = 1.0) -> str:
    return f"{value / scale:{form}}{unit}" if isinstance(value, (int, float)) else "-"


if __name__ == "__main__":
    sys.exit(main())
