"""Numbers of a parsed reply, checked before they become ours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.core.exceptions import BadData


def from_text(text: Any) -> float:
    """The number a venue wrote as JSON number or text; ValueError for anything else.

    `float` alone takes `47_66` for 4766, Arabic digits and `true`, and overlooks
    control characters: one damaged character would turn a price into another one.
    """
    if isinstance(text, str):
        if not text.isascii() or not text.isprintable() or "_" in text:
            raise ValueError(f"{text!r:.40} is no number")
    elif isinstance(text, bool) or not isinstance(text, int | float):
        raise ValueError(f"{text!r:.40} is no number")
    return float(text)


def required(document: Mapping[str, Any], key: str) -> float:
    """A finite number above 0; BadData otherwise."""
    number = _finite(document.get(key), key)
    if number is None or number <= 0:
        raise BadData(f"{key} must be above 0, got {document.get(key)!r:.40}")
    return number


def optional(document: Mapping[str, Any], key: str) -> float | None:
    """A finite number above 0, or None where it is absent or 0 (nothing there)."""
    number = _finite(document.get(key), key)
    if number is not None and number < 0:
        raise BadData(f"{key} must not be below 0, got {number}")
    return number or None


def amount(document: Mapping[str, Any], key: str) -> float | None:
    """A finite number of at least 0, or None where it is absent."""
    number = _finite(document.get(key), key)
    if number is not None and number < 0:
        raise BadData(f"{key} must not be below 0, got {number}")
    return number


def finite(document: Mapping[str, Any], key: str) -> float:
    """A finite number of any sign; BadData otherwise."""
    number = _finite(document.get(key), key)
    if number is None:
        raise BadData(f"{key} is missing")
    return number


def _finite(value: Any, key: str) -> float | None:
    if value is None:
        return None
    try:
        number = from_text(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise BadData(f"{key} must be a number, got {value!r:.40}") from error
    if not math.isfinite(number):
        raise BadData(f"{key} must be finite, got {number}")
    return number
