"""The root of this project's errors, and the exit codes commands end with.

The configuration room lies below `core` and refuses input too, so these few live
here; everything else is in `app.core.exceptions`, which re-exports them.
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
