"""Which of our errors a ccxt error becomes, and what its message leaves out."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime

import aiohttp
import ccxt
import pytest

from app.core.exceptions import (
    BadData,
    CorruptReply,
    ExchangeRefused,
    ExchangeUnavailable,
    RateLimited,
    UnknownSymbol,
)
from app.exchange.errors import describe, retry_after_seconds, translate
from tests.exchange.fake_exchange import START


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (ccxt.DDoSProtection("x"), RateLimited),
        (ccxt.RateLimitExceeded("x"), RateLimited),
        (ccxt.BadSymbol("x"), UnknownSymbol),
        (ccxt.BadRequest("x"), BadData),
        (ccxt.NotSupported("x"), ExchangeRefused),
        (ccxt.AuthenticationError("x"), ExchangeRefused),
        (ccxt.RequestTimeout("x"), ExchangeUnavailable),
        (ccxt.OnMaintenance("x"), ExchangeUnavailable),
        (ccxt.ExchangeError("x"), ExchangeUnavailable),
        (ccxt.BadResponse("x"), CorruptReply),
        (aiohttp.ClientError("x"), ExchangeUnavailable),
        (ConnectionResetError("x"), ExchangeUnavailable),
        (ValueError("x"), CorruptReply),
        (AttributeError("x"), CorruptReply),
        (KeyError("x"), CorruptReply),
        (TypeError("x"), CorruptReply),
        (RecursionError("x"), CorruptReply),
    ],
)
def test_each_error_has_its_class(error: Exception, ours: type[Exception]) -> None:
    assert type(translate(error, "candles BTC/USDT")) is ours


def test_a_message_is_one_short_line_without_query_or_user() -> None:
    text = describe("GET https://me:pw@host/x?signature=abc&k=1\n\x1b[31m" + "y" * 5000)
    assert "abc" not in text and "pw" not in text
    assert len(text) <= 240 and text.isprintable()


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.2", 1.0),
        ("-5", 1.0),
        ("1e12", 7 * 86_400.0),
        ("inf", 7 * 86_400.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        (format_datetime(START + timedelta(seconds=90)), 90.0),
        (format_datetime(START.replace(tzinfo=None)), None),
    ],
)
def test_retry_after_is_read_or_taken_as_absent(
    value: str, seconds: float | None
) -> None:
    assert retry_after_seconds({"retry-AFTER": value}, START) == seconds
