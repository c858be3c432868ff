"""The errors this project raises, by what the catcher can do about them.

A message gives the thing, the value and the bound. None carries a secret.
"""

from __future__ import annotations

from app.domain.errors import AppError as AppError
from app.domain.errors import ConfigurationError as ConfigurationError
from app.domain.errors import ExitCode as ExitCode


class FatalError(AppError):
    """Nothing this process can do will help; it stops and says why."""


class RetryableError(AppError):
    """The same call may succeed later."""


class DatabaseUnavailable(RetryableError):
    """PostgreSQL cannot be reached or dropped the connection."""

    exit_code = ExitCode.DATABASE_UNAVAILABLE


class DeadlineExceeded(DatabaseUnavailable):
    """A statement did not answer within its client-side deadline."""


class DatabaseReadOnly(DatabaseUnavailable):
    """The server refuses writes: a standby, or a failover under way."""


class StatementTimeout(RetryableError):
    """The server cancelled a statement that ran too long: try a smaller one."""


class WriteConflict(RetryableError):
    """Serialization failure, deadlock or lock time-out: run the transaction again."""


class LeaseLost(RetryableError):
    """Another process does this work now: stand by, and write nothing more."""


class StorageFull(RetryableError):
    """The database has no space left (SQLSTATE class 53)."""


class NotSettled(RetryableError):
    """What was known at an instant may still change: it lies beyond the horizon."""


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

    def __init__(
        self,
        message: str,
        retry_after_seconds: float | None = None,
        *,
        banned: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        self.banned = banned


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
