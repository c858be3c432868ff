"""The declarative base of every table: types, names and plain-dict conversion."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase

from app.core.exceptions import BadData
from app.domain.decision import DecisionKind, ReasonCode, Side
from app.domain.gap import GapReason, GapStatus
from app.domain.market import MarketStatus
from app.domain.process import ProcessState
from app.domain.regime import Regime
from app.domain.timeframe import Timeframe
from app.domain.trade import ExitReason, TradeStatus
from app.models.column_types import JSON, MONEY, EnumText, UtcDateTime, native_enum
from app.models.plain_values import from_plain, to_plain

# Every constraint has a name of ours, so that a migration or an error can tell it.
NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class BaseModel(DeclarativeBase):
    """Base of the models: what a Python annotation becomes in PostgreSQL."""

    metadata = sa.MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {
        str: sa.Text(),
        int: sa.Integer(),
        float: sa.Double(),
        bool: sa.Boolean(),
        Decimal: MONEY,
        datetime: UtcDateTime(),
        uuid.UUID: sa.Uuid(),
        dict[str, Any]: JSON,
        list[dict[str, Any]]: JSON,
        MarketStatus: native_enum(MarketStatus, "market_status"),
        Timeframe: native_enum(Timeframe, "timeframe"),
        GapStatus: native_enum(GapStatus, "gap_status"),
        GapReason: native_enum(GapReason, "gap_reason"),
        DecisionKind: native_enum(DecisionKind, "decision_kind"),
        Side: native_enum(Side, "side"),
        TradeStatus: native_enum(TradeStatus, "trade_status"),
        ExitReason: native_enum(ExitReason, "exit_reason"),
        ProcessState: native_enum(ProcessState, "process_state"),
        Regime: native_enum(Regime, "market_regime"),
        ReasonCode: EnumText(ReasonCode),
    }

    def to_dict(self) -> dict[str, Any]:
        """Every column by name, in JSON's types.

        Decimals, times (ISO 8601, UTC), UUIDs and enum values become text, so that
        nothing is rounded; `from_dict` turns them back.
        """
        return {
            column.key: to_plain(getattr(self, column.key))
            for column in sa.inspect(type(self)).column_attrs
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """A new instance from `to_dict`'s output; columns left out keep defaults.

        Raises BadData for a key that is no column (naming the nearest one) and for
        a value that its column cannot hold.
        """
        columns = {
            attribute.key: attribute.columns[0].type
            for attribute in sa.inspect(cls).column_attrs
        }
        values: dict[str, Any] = {}
        for key, value in data.items():
            if key not in columns:
                raise BadData(
                    f"{cls.__name__} has no column {key!r}{_hint(key, columns)}"
                )
            try:
                values[key] = from_plain(value, columns[key])
            except (ValueError, TypeError, ArithmeticError) as error:
                raise BadData(f"{cls.__name__}.{key}: {error}", repr(value)) from error
        return cls(**values)

    def __repr__(self) -> str:
        identity = sa.inspect(self).identity
        return f"<{type(self).__name__} {identity if identity else 'unsaved'}>"


def _hint(key: str, columns: Mapping[str, object]) -> str:
    nearest = get_close_matches(key, columns, n=1)
    return f"; did you mean {nearest[0]!r}?" if nearest else ""
