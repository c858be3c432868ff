"""Which of our errors a failed call becomes.

Status codes are judged before ccxt sees them, because ccxt calls 403 and 451
`ExchangeNotAvailable` (a retryable class) and drops the `Retry-After` header.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from app.config.redaction import mask_urls
from app.core.exceptions import (
    AppError,
    BadData,
    CorruptReply,
    ExchangeRefused,
    ExchangeUnavailable,
    RateLimited,
    UnknownSymbol,
)

MAX_RETRY_AFTER_SECONDS = 7 * 86_400.0
_MESSAGE_LIMIT = 240
_QUERY = re.compile(r"\?[^\s'\"]*")
_USER_INFO = re.compile(r"//[^/@\s]*@")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")


def describe(error: BaseException | str) -> str:
    """The text of an error on one short line, without URL queries or user names."""
    text = mask_urls(str(error)[: 8 * _MESSAGE_LIMIT])
    text = _USER_INFO.sub("//", _QUERY.sub("", text))
    text = _BLANKS.sub(" ", text).strip()
    if len(text) > _MESSAGE_LIMIT:
        text = text[: _MESSAGE_LIMIT - 3] + "..."
    return text or type(error).__name__


def error_for_status(
    status: int, headers: Mapping[str, str], what: str, body: str, now: datetime
) -> AppError | None:
    """The error of a status code that leaves no doubt, or None.

    Codes of the 400 family other than these carry the venue's own error document,
    which ccxt knows how to read.
    """
    if status < 400:
        return None
    detail = f"{what}: status {status}, {describe(body)}"
    if status in (418, 429):
        wait = retry_after_seconds(headers, now)
        return RateLimited(detail, wait, banned=status == 418)
    if status in (403, 451):
        return ExchangeRefused(f"{detail}; this client or its country is not served")
    if status >= 500 or status == 408:
        return ExchangeUnavailable(detail)
    return None


def retry_after_seconds(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that `Retry-After` asks for (number or HTTP date), None if it is absent.

    A value that cannot be read counts as absent; others are kept within 1 second and
    7 days.
    """
    values = [v for name, v in headers.items() if name.lower() == "retry-after"]
    if not values:
        return None
    text = values[0].strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    if seconds != seconds:
        return None
    return min(max(seconds, 1.0), MAX_RETRY_AFTER_SECONDS)


def translate(error: Exception, what: str) -> AppError:
    """The error of ours that stands for `error`, raised while doing `what`."""
    import aiohttp
    import ccxt

    if isinstance(error, AppError):
        return error
    text = f"{what}: {describe(error)}"
    match error:
        case ccxt.DDoSProtection() | ccxt.RateLimitExceeded():
            return RateLimited(text)
        case ccxt.BadSymbol():
            return UnknownSymbol(text)
        case (
            ccxt.AuthenticationError()
            | ccxt.NotSupported()
            | ccxt.PermissionDenied()
            | ccxt.AccountSuspended()
        ):
            return ExchangeRefused(text)
        case ccxt.BadResponse() | ccxt.NullResponse():
            return CorruptReply(text)
        case ccxt.BadRequest() | ccxt.ArgumentsRequired():
            return BadData(text)
        case ccxt.NetworkError() | TimeoutError() | OSError():
            return ExchangeUnavailable(text)
        case ccxt.ExchangeError() if isinstance(
            error.__cause__, (aiohttp.ClientPayloadError, aiohttp.ClientResponseError)
        ):
            return CorruptReply(f"{text}: {describe(error.__cause__)}")
        case ccxt.BaseError() | aiohttp.ClientError():
            return ExchangeUnavailable(text)
        case _:
            # ValueError, AttributeError, TypeError, KeyError, ...: ccxt's parsers
            # meet a document of another shape than they were written for.
            return CorruptReply(
                f"{what}: the reply cannot be read "
                f"({type(error).__name__}: {describe(error)})"
            )
