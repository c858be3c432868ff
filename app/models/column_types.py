"""Column types the models share: UTC instants, money, enums stored as values."""

from __future__ import annotations

from datetime import datetime, timezone
from enum import Enum
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect

EnumT = TypeVar("EnumT", bound=Enum)

# 20 digits before the point and 18 after: any quote currency, down to one wei.
MONEY = sa.Numeric(38, 18)
# A missing value is SQL NULL, never the JSON document `null`.
JSON = postgresql.JSONB(none_as_null=True)


class UtcDateTime(sa.types.TypeDecorator[datetime]):
    """`timestamptz` that refuses naive datetimes and always answers in UTC."""

    impl = sa.TIMESTAMP(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no time zone; use aware times")
        return value.astimezone(timezone.utc)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        return None if value is None else value.astimezone(timezone.utc)


class EnumText(sa.types.TypeDecorator[EnumT], Generic[EnumT]):
    """Values of an enum in a `text` column.

    For lists of codes that grow with every strategy: a new member needs no migration.
    """

    impl = sa.Text
    cache_ok = True

    def __init__(self, enum_class: type[EnumT]) -> None:
        super().__init__()
        self.enum_class = enum_class

    def process_bind_param(
        self, value: EnumT | str | None, dialect: Dialect
    ) -> str | None:
        return None if value is None else str(self.enum_class(value).value)

    def process_result_value(self, value: Any, dialect: Dialect) -> EnumT | None:
        return None if value is None else self.enum_class(value)


def native_enum(enum_class: type[Enum], name: str) -> sa.Enum:
    """A PostgreSQL enum that holds the members' values, not their names."""
    return sa.Enum(
        enum_class,
        name=name,
        values_callable=lambda members: [member.value for member in members],
        validate_strings=True,
    )
