"""ccxt's readers of numbers, without what Python's `float` takes beyond numbers.

ccxt calls `float` on whatever stands in a document: `"47_66"` is 4766 to it, `true` is
1, Arabic digits count. One damaged character made another price of a price.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.exchange import numbers

_NONE = (ValueError, TypeError, LookupError, OverflowError)


class StrictNumbers:
    """Overrides of static methods of the ccxt base class, by its own names."""

    @staticmethod
    def number(text: Any) -> float:
        """The number a text says; ValueError if it says none."""
        return numbers.from_text(text)

    @staticmethod
    def safe_float(document: Any, key: Any, default: Any = None) -> Any:
        """The number at `key`, or `default` where there is none."""
        try:
            return numbers.from_text(document[key])
        except _NONE:
            return default

    @staticmethod
    def safe_integer(document: Any, key: Any, default: Any = None) -> Any:
        """The number at `key` without its fraction, or `default`."""
        try:
            return int(numbers.from_text(document[key]))
        except _NONE:
            return default

    @classmethod
    def safe_integer_2(
        cls, document: Any, key: Any, other: Any, default: Any = None
    ) -> Any:
        """As `safe_integer`, at the first of two keys that has a number."""
        return cls.safe_integer_n(document, (key, other), default)

    @classmethod
    def safe_integer_n(
        cls, document: Any, keys: Iterable[Any], default: Any = None
    ) -> Any:
        """As `safe_integer`, at the first of `keys` that has a number."""
        for key in keys:
            number = cls.safe_integer(document, key)
            if number is not None:
                return number
        return default
