"""A second reading of a body, written apart from the product's.

Standard library only: `json`, a strict form of numbers, calendar arithmetic.
"""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any

_STRICT = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
_LOOSE = re.compile(
    r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII
)
_LONG = re.compile(rb"[0-9.]{101,}")
_MOST_DIGITS = 100


class Unreadable(Exception):
    """The body is no JSON document."""


class Unsure(Exception):
    """It depends: on numerals nobody has to read, or on how deep one may nest."""


class Absurd(str):
    """A numeral of a size that may be refused."""


def read(body: bytes) -> Any:
    """The document; RFC 8259, so NaN and Infinity are not part of it."""
    try:
        return json.loads(
            body.decode("utf-8", "replace"),
            parse_constant=_refuse,
            parse_int=_whole,
            parse_float=_fraction,
        )
    except RecursionError as error:
        raise Unsure from error
    except ValueError as error:
        if _LONG.search(body):
            raise Unsure from error
        raise Unreadable from error


def _refuse(token: str) -> Any:
    raise ValueError(token)


def _whole(text: str) -> int | float | Absurd:
    if len(text) > _MOST_DIGITS:
        return Absurd(text)
    number = int(text)
    return number if -(2**63) <= number < 2**64 else float(text)


def _fraction(text: str) -> float | Absurd:
    exponent = text.lower().partition("e")[2].lstrip("+-")
    if len(text) > _MOST_DIGITS or len(exponent) > 3:
        return Absurd(text)
    return float(text)


def number(value: Any) -> tuple[float, bool]:
    """What a cell says, NaN if no number; and whether every reader must agree."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return math.nan, True
    if not isinstance(value, str):
        return float(value), math.isfinite(value)
    return _text(value)


@lru_cache(maxsize=1 << 14)
def _text(value: str) -> tuple[float, bool]:
    if len(value) <= _MOST_DIGITS and _STRICT.fullmatch(value):
        found = float(value)
        return found, math.isfinite(found)
    if _LOOSE.fullmatch(value):
        return float(value), False
    return math.nan, True


def says(raw: str, item: Any) -> bool:
    """Whether the raw text kept of a refused item is that item."""
    if "refused numeral" in raw or "[cut: " in raw or "unprintable" in raw:
        return True
    if isinstance(item, str):
        return raw == item.replace("\x00", "\\u0000")
    try:
        # Whole numbers beyond 64 bits, and -0, have two spellings.
        kept = json.loads(raw, parse_int=float)
        sent = json.loads(json.dumps(item), parse_int=float)
    except (ValueError, RecursionError):
        return False
    return bool(kept == sent)
