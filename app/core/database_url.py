"""Reads database URLs without ever repeating what they hold."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.exceptions import ConfigurationError


def parse_url(url: str, password: str = "") -> URL:
    """A SQLAlchemy URL for psycopg2; `password` counts where the URL has none.

    Takes `postgresql://`, `postgres://` and `postgresql+psycopg2://`. Raises
    ConfigurationError for anything else, without repeating the URL, which may hold
    a password.
    """
    example = "expected for example postgresql://user@host:5432/name"
    scheme, separator, rest = url.partition("://")
    if not separator:
        raise ConfigurationError(f"database.url is not a URL: {example}")
    if scheme not in ("postgresql", "postgres", "postgresql+psycopg2"):
        raise ConfigurationError(f"database.url: unknown scheme {scheme!r}: {example}")
    try:
        parsed = make_url(f"postgresql+psycopg2://{rest}")
    except (ArgumentError, ValueError):
        # Their messages quote the URL.
        raise ConfigurationError(f"database.url cannot be read: {example}") from None
    if not parsed.password and password:
        parsed = parsed.set(password=password)
    return parsed


def describe(url: URL) -> str:
    """Server and database for messages: no password."""
    host = url.host or "local socket"
    return f"PostgreSQL {host}:{url.port or 5432}/{url.database or ''}"
