"""Structured logs to standard error: for people, or one JSON object a line."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from app.core.clock import SystemClock

# user:password@ in any URL that an error message may quote.
_CREDENTIALS = re.compile(r"(?<=://)([^/\s:@]+):([^@\s/]+)@")


def configure_logging(level: str, form: Literal["console", "json"]) -> None:
    """Send structlog and the standard library's loggers to standard error."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    numeric_level = getattr(logging, level)
    logging.basicConfig(stream=sys.stderr, level=numeric_level, format="%(message)s")
    for noisy in ("alembic", "ccxt", "aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(numeric_level, logging.WARNING))
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _stamp,
            structlog.processors.format_exc_info if form == "json" else _pass,
            hide_credentials,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(numeric_level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def hide_credentials(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace the password of any URL in the event's texts."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
    return event


def redact(text: str) -> str:
    """`text` with the password of every URL replaced."""
    return _CREDENTIALS.sub(r"\1:***@", text)


def _stamp(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event["timestamp"] = SystemClock().now().isoformat(timespec="milliseconds")
    return event


def _pass(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return event
