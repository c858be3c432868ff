"""The errors this project raises, by what the catcher can do about them.

A message gives the thing, the value and the bound. None carries a secret.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Documented exit codes of every command (README lists them)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    DATABASE_UNAVAILABLE = 69  # EX_UNAVAILABLE
    STALLED = 70  # the watchdog saw no progress
    EXCHANGE_UNAVAILABLE = 75  # EX_TEMPFAIL
    CONFIGURATION = 78  # EX_CONFIG; also a missing migration


class AppError(Exception):
    """Base of every error that is ours; `exit_code` is what a command ends with."""

    exit_code = ExitCode.FAILED


class ConfigurationError(AppError):
    """The configuration cannot be used; names the key, the value and the bound."""

    exit_code = ExitCode.CONFIGURATION


class FatalError(AppError):
    """Nothing this process can do will help; it stops and says why."""


class RetryableError(AppError):
    """The same call may succeed later."""


class DatabaseUnavailable(RetryableError):
    """PostgreSQL cannot be reached or dropped the connection."""

    exit_code = ExitCode.DATABASE_UNAVAILABLE


class DeadlineExceeded(DatabaseUnavailable):
    """A statement did not answer within its client-side deadline."""


class WriteConflict(RetryableError):
    """Serialization failure, deadlock or lock time-out: run the transaction again."""


class StorageFull(RetryableError):
    """The database has no space left (SQLSTATE class 53)."""


class SchemaMismatch(ConfigurationError):
    """The database is at another revision than the code."""


class ExchangeError(RetryableError):
    """An exchange call failed in a way that may pass."""

    exit_code = ExitCode.EXCHANGE_UNAVAILABLE


class ExchangeUnavailable(ExchangeError):
    """The exchange did not answer, or answered with a server error."""


class CorruptReply(ExchangeError):
    """A reply with a success status that is not the document asked for."""


class RateLimited(ExchangeError):
    """The exchange asked us to wait (429) or banned this address (418)."""

    def __init__(self, message: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ExchangeRefused(FatalError):
    """The exchange refuses this client for good (403, 451, unsupported call)."""

    exit_code = ExitCode.EXCHANGE_UNAVAILABLE


class BadData(AppError):
    """One item cannot be used; quarantine it with its raw text and go on."""

    def __init__(self, message: str, raw: str = "") -> None:
        super().__init__(message)
        self.raw = raw


class UnknownSymbol(BadData):
    """The exchange does not list this symbol."""

    exit_code = ExitCode.USAGE
