"""ccxt's readers of numbers, without what Python's `float` takes beyond numbers.

ccxt calls `float` on whatever stands in a document: `"47_66"` is 4766 to it, `true` is
1, Arabic digits count. One damaged character made another price of a price.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.exchange import numbers

_NONE = (ValueError, TypeError, LookupError, OverflowError)


# Decimal places no venue has; a price of 1e-64 is none.
_MOST_PLACES = 64


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

    def parse_precision(self, precision: Any) -> Any:
        """As ccxt's, which writes that many zeros one by one, a billion if told so."""
        _require_places(precision)
        return super().parse_precision(precision)  # type: ignore[misc]

    def integer_precision_to_amount(self, precision: Any) -> Any:
        """As ccxt's, within the same bound."""
        _require_places(precision)
        return super().integer_precision_to_amount(precision)  # type: ignore[misc]


def _require_places(precision: Any) -> None:
    if precision is not None and abs(int(precision)) > _MOST_PLACES:
        raise ValueError(f"{precision!r:.40} decimal places are no precision")
