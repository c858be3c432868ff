"""Column values to JSON's types and back, without loss."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from app.models.column_types import EnumText, UtcDateTime


def to_plain(value: Any) -> Any:
    """`value` in JSON's types; text where a JSON number would round it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat()
    if isinstance(value, Decimal | uuid.UUID):
        return str(value)
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(value: Any, column_type: TypeEngine[Any]) -> Any:
    """The Python value a column of `column_type` holds for `value`.

    Raises ValueError, TypeError or ArithmeticError where it cannot hold it.
    """
    if value is None:
        return None
    if isinstance(column_type, sa.ARRAY):
        return [from_plain(item, column_type.item_type) for item in value]
    if isinstance(column_type, EnumText):
        return column_type.enum_class(value)
    if isinstance(column_type, sa.Enum) and column_type.enum_class is not None:
        return column_type.enum_class(value)
    if isinstance(column_type, UtcDateTime):
        return _instant(value)
    if isinstance(column_type, sa.Uuid):
        return value if isinstance(value, uuid.UUID) else uuid.UUID(value)
    if isinstance(column_type, sa.Float):
        return _number(value, float)
    if isinstance(column_type, sa.Numeric):
        return Decimal(value) if isinstance(value, str) else _number(value, Decimal)
    if isinstance(column_type, sa.Integer):
        return _number(value, int)
    return value


def _instant(value: Any) -> datetime:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError(f"{moment.isoformat()} has no time zone")
    return moment.astimezone(timezone.utc)


def _number(value: Any, number_type: type[float] | type[int] | type[Decimal]) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise TypeError(f"expected a number, got {value!r}")
    number = number_type(value)
    if number != value:
        raise ValueError(f"{value!r} does not fit {number_type.__name__}")
    return number
