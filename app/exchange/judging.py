"""Judges a refused item again, in the form in which the venue sent it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.core.exceptions import AppError, BadData
from app.exchange.call_record import recording
from app.exchange.errors import translate
from app.exchange.normalise import market_from, ticker_from, trade_from


def find_objection(
    client: Any, exchange: str, what: str, raw: Any, symbol: str, now: datetime
) -> str | None:
    """Why today's rules refuse a raw ticker, trade or market; None: they take it.

    Raises BadData for a kind of item that is not judged alone.
    """
    market = client.markets.get(symbol) if client.markets else None
    with recording() as record:
        try:
            match what:
                case "ticker":
                    ticker_from(client.parse_ticker(raw, market), now)
                case "trade":
                    for trade in client.parse_trades([raw], market):
                        trade_from(trade, now)
                case "market":
                    parsed = client.parse_market(raw)
                    if parsed is not None:
                        market_from(parsed, exchange, client.precisionMode)
                case _:
                    raise BadData(f"a {what} is not judged alone")
        except AppError as error:
            return str(error)
        except Exception as error:
            return str(translate(error, what))
    return record.rejected[0].reason if record.rejected else None
