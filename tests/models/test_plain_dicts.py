"""Rows as plain dictionaries and back."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from decimal import Decimal

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from app.core.database import Database
from app.core.exceptions import BadData
from app.domain.decision import ReasonCode
from app.domain.timeframe import Timeframe
from app.domain.universe import RejectionReason
from app.models import BaseModel, Signal, SimulatedTrade, UniverseMembership
from tests.models.every_table import fill_every_table
from tests.models.factories import T0


def test_every_row_survives_json(database: Database) -> None:
    with database.session_scope() as session:
        fill_every_table(session)
        for mapper in BaseModel.registry.mappers:
            row = session.scalars(sa.select(mapper.class_)).first()
            data = json.loads(json.dumps(row.to_dict(), allow_nan=False))
            again = type(row).from_dict(data)
            for column in mapper.column_attrs:
                value = getattr(row, column.key)
                assert getattr(again, column.key) == value, column
                assert type(getattr(again, column.key)) is type(value), column


def test_a_rebuilt_row_can_be_stored_under_new_defaults(database: Database) -> None:
    with database.session_scope() as session:
        fill_every_table(session)
        data = session.scalars(sa.select(Signal)).one().to_dict()
        del data["id"], data["created_at"], data["updated_at"]
        signal = Signal.from_dict(data | {"bar_at": "2025-01-06T00:05:00+01:00"})
        session.add(signal)
        session.flush()
        assert signal.id is not None and signal.created_at.tzinfo is not None
        assert signal.bar_at == T0.replace(minute=5) - timedelta(hours=1)
        assert signal.bar_at.tzinfo is timezone.utc


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadData, match="no column 'confidense'.*'confidence'"):
        Signal.from_dict({"confidense": 0.5})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timeframe", "7m"),
        ("bar_at", "2025-01-06T00:00:00"),
        ("bar_at", "yesterday"),
        ("id", "not-a-uuid"),
        ("confidence", "0.5"),
        ("entry_price", "a lot"),
        ("cryptocurrency_id", 1.5),
        ("cryptocurrency_id", True),
        ("reason", "because"),
    ],
)
def test_a_value_the_column_cannot_hold_is_refused(key: str, value: object) -> None:
    with pytest.raises(BadData, match=f"Signal.{key}"):
        Signal.from_dict({key: value})


def test_enums_are_written_as_values() -> None:
    row = UniverseMembership(reasons=[RejectionReason.NO_TICKER], admitted=False)
    assert row.to_dict()["reasons"] == ["no_ticker"]
    signal = Signal(timeframe=Timeframe.MN1, reason=ReasonCode.TREND_DOWN)
    assert signal.to_dict()["timeframe"] == "1M"
    assert signal.to_dict()["reason"] == "trend_down"


@given(st.decimals(min_value=-(10**19), max_value=10**19, places=18, allow_nan=False))
def test_money_is_never_rounded(amount: Decimal) -> None:
    data = json.loads(json.dumps(SimulatedTrade(realised_pnl=amount).to_dict()))
    assert SimulatedTrade.from_dict(data).realised_pnl == amount
