"""Structured logs to standard error: for people, or one JSON object a line."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

from app.config.redaction import mask_texts
from app.core.clock import SystemClock


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
            # Before the passwords are hidden: an error's text may quote a URL.
            structlog.processors.format_exc_info,
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
    """Replace the passwords of URLs in the event's texts."""
    masked: MutableMapping[str, Any] = mask_texts(dict(event))
    return masked


def _stamp(
    logger: Any, method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    event["timestamp"] = SystemClock().now().isoformat(timespec="milliseconds")
    return event
