"""The bars that a script works on: of the database, or of a CSV file."""

from __future__ import annotations

import argparse
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pandas as pd
import yaml

from app.analysis.indicator_config import IndicatorsConfig
from app.analysis.preparation.windows import prepare_for_indicators
from app.analysis.service import IndicatorService
from app.analysis.window import CandleWindow
from app.bootstrap import load_settings, open_database
from app.core.exceptions import BadData, ConfigurationError
from app.domain.timeframe import Timeframe
from app.models import Cryptocurrency, SeriesCursor
from app.services.windows import read_candle_windows


def add_bar_options(parser: argparse.ArgumentParser, bars: int) -> None:
    """Which market, which bars, from where."""
    parser.add_argument("symbol", nargs="?", help="for example BTC/USDT")
    parser.add_argument(
        "--timeframe",
        type=_timeframe,
        help=f"one of {', '.join(Timeframe)} (default 1h; with --csv: as in the file)",
    )
    parser.add_argument(
        "--bars", type=_count, default=bars, help=f"newest bars shown (default {bars})"
    )
    parser.add_argument(
        "--until", type=_moment, help="look at no bar that opens after this, UTC"
    )
    parser.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="bars of a CSV file (plain or .gz: open time, open, high, low, close, "
        "volume) instead of the database",
    )
    parser.add_argument(
        "--indicators",
        type=_indicators,
        metavar="MAP",
        help="names, or names with parameters: `rsi,macd` or "
        "`{rsi: {period: 9}, ema: [{period: 20}, {period: 100}]}`",
    )
    parser.add_argument("--json", action="store_true", help="print JSON, no table")
    parser.add_argument("--config", type=Path, help="configuration file")


def read_bars(arguments: argparse.Namespace, history: int) -> CandleWindow:
    """The newest `--bars` bars, and up to `history` before them to warm up on.

    Raises BadData for a file or a series without bars, and what reading raises.
    """
    count = arguments.bars + history
    if arguments.csv is not None:
        window = _from_csv(arguments)
    else:
        window = _from_database(arguments, count)
    if arguments.until is not None:
        window = window.until(arguments.until)
    if not len(window):
        raise BadData(
            f"there is no bar of {window.symbol} {window.timeframe} to look at"
        )
    return window.last(count)


def indicator_service(arguments: argparse.Namespace) -> IndicatorService:
    """The indicators asked for; the default set without `--indicators`."""
    config: IndicatorsConfig | None = arguments.indicators
    return (
        IndicatorService() if config is None else IndicatorService.from_config(config)
    )


def _from_csv(arguments: argparse.Namespace) -> CandleWindow:
    try:
        frame = pd.read_csv(arguments.csv)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise BadData(f"{arguments.csv} cannot be read as CSV: {error}") from error
    try:
        window = prepare_for_indicators(frame, arguments.timeframe)
    except BadData as error:
        raise BadData(f"{arguments.csv}: {error}") from error
    name = arguments.csv.name.partition(".")[0]
    symbol = arguments.symbol or name.removesuffix(f"-{window.timeframe.value}")
    return replace(window, symbol=symbol)


def _from_database(arguments: argparse.Namespace, count: int) -> CandleWindow:
    settings = load_settings(arguments.config, is_quiet=True)
    timeframe = arguments.timeframe or Timeframe.H1
    if arguments.symbol is None:
        raise ConfigurationError("name a symbol, for example BTC/USDT, or give --csv")
    with open_database(settings, "analysis script") as database:
        with database.session_scope() as session:
            market = Cryptocurrency.get_by_symbol(
                session, settings.exchange.id, arguments.symbol
            )
            cursor = SeriesCursor.get_for_markets(session, [market.id]).get(
                (market.id, timeframe)
            )
            last = cursor.watermark_at if cursor is not None else None
            if last is None:
                raise BadData(
                    f"the database holds no {timeframe} bars of {market.symbol}; "
                    "fetch some with scripts/fetch_market_data.py --store"
                )
            until = timeframe.shift(last, -1)
            if arguments.until is not None:
                until = min(until, timeframe.floor(arguments.until))
            found = read_candle_windows(session, [market], timeframe, until, count)
            window = found.get(market.id)
    return window or CandleWindow.from_candles(arguments.symbol, timeframe, ())


def _timeframe(text: str) -> Timeframe:
    try:
        return Timeframe(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not one of {', '.join(Timeframe)}"
        ) from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 100,000")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a date such as 2025-01-01 or 2025-01-01T12:00+00:00"
        ) from None
    is_naive = moment.tzinfo is None
    return moment.replace(tzinfo=timezone.utc) if is_naive else moment


def _indicators(text: str) -> IndicatorsConfig:
    if "{" not in text:
        return {name.strip(): None for name in text.split(",") if name.strip()}
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no map of names to parameters")
    return value
