"""Recorded markets yield exactly the findings that an independent computation has."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.models import MarketDataFinding, MarketDataGap
from app.services.cross_checks.findings import CheckCounts
from app.services.cross_checks.series import check_window, list_series, windows_of
from tests.models.factories import T0, add_market, add_run
from tests.services.cross_checks.recorded import read_candles, store_frame

HOW = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def stored_and_checked(
    session: Session, lower: pd.DataFrame, frame: Timeframe, higher: pd.DataFrame
) -> CheckCounts:
    run = add_run(session)
    key = add_market(session, run).id
    store_frame(session, key, frame, lower, run)
    store_frame(session, key, Timeframe.D1, higher, run)
    counts = check_everything(session)
    again = check_everything(session)
    assert again.new == 0 and again.found == counts.found
    assert counts.new == counts.found.total()
    return counts


def check_everything(session: Session) -> CheckCounts:
    run = add_run(session)
    counts = CheckCounts()
    for series in list_series(session):
        for start, end in windows_of(series):
            counts.add(check_window(session, [series], start, end, T0, run))
    return counts


def differences(lower: pd.DataFrame, higher: pd.DataFrame, parts: int) -> pd.DataFrame:
    """Day and field of each difference, as pandas sees it."""
    days = lower.resample("1D")
    made = days.agg(HOW)[days.size() == parts]
    both = made.index.intersection(higher.index)
    made, told = made.loc[both], higher.loc[both]
    differs = made != told
    differs["volume"] = ~np.isclose(made["volume"], told["volume"], rtol=1e-9, atol=0)
    return differs


def test_binance_hours_make_the_days_but_for_one_volume(
    database: Database, shared_data: Path
) -> None:
    hours = read_candles(shared_data, "binance/BTCUSDT-1h")
    days = read_candles(shared_data, "binance/BTCUSDT-1d")
    expected = differences(hours, days, 24)
    assert len(expected) == 358  # 366 days, 8 with an outage
    # All prices agree. The source of the days has a volume of 0 on 29 February 2020,
    # a day on which 36,748 BTC changed hands.
    assert expected.sum().to_dict() == {
        "open": 0, "high": 0, "low": 0, "close": 0, "volume": 1
    }  # fmt: skip
    with database.session_scope() as session:
        counts = stored_and_checked(session, hours, Timeframe.H1, days)
        rows = list(session.scalars(select(MarketDataFinding)))
    assert counts.judged == len(hours) + len(days) and counts.compared == 358
    of_days = {row.rule: row for row in rows if row.timeframe is Timeframe.D1}
    assert set(of_days) == {"aggregate_volume", "range_without_volume"}
    finding = of_days["aggregate_volume"]
    assert finding.timestamp == expected.index[expected["volume"]][0]
    assert finding.stored == {"volume": 0.0}
    assert round(finding.expected["volume"], 6) == 36748.183035
    # What is left are the four flash crashes and spikes of seven years of hours.
    assert Counter(row.rule for row in rows if row.timeframe is Timeframe.H1) == {
        "price_spike": 4
    }


def test_coinbase_days_differ_in_18_opens_and_17_closes(
    database: Database, shared_data: Path
) -> None:
    fours = read_candles(shared_data, "coinbase/ETHUSD-4h")
    days = read_candles(shared_data, "coinbase/ETHUSD-1d")
    expected = differences(fours, days, 6)
    assert expected.sum().to_dict() == {
        "open": 18, "high": 0, "low": 0, "close": 17, "volume": 144
    }  # fmt: skip
    with database.session_scope() as session:
        counts = stored_and_checked(session, fours, Timeframe.H4, days)
        rows = list(
            session.scalars(
                select(MarketDataFinding).where(
                    MarketDataFinding.rule.like("aggregate_%")
                )
            )
        )
        found = {(row.rule.removeprefix("aggregate_"), row.timestamp) for row in rows}
        values = {
            (row.timestamp, name): (row.stored[name], row.expected[name])
            for row in rows
            for name in [row.rule.removeprefix("aggregate_")]
        }
    assert counts.compared == len(expected) == 3_441
    assert found == {
        (name, at.to_pydatetime())
        for name in expected
        for at in expected.index[expected[name]]
    }
    stored, made = values[pd.Timestamp("2019-05-17", tz="UTC"), "open"]
    assert (stored, made) == (264.31, 264.37)


def test_the_ledger_has_the_gaps_of_the_coinbase_files(
    database: Database, shared_data: Path
) -> None:
    stated = {
        ("BTCUSD-4h", Timeframe.H4): (3, 5),
        ("ETHUSD-4h", Timeframe.H4): (9, 26),
        ("ETHUSD-1d", Timeframe.D1): (1, 2),
    }
    with database.session_scope() as session:
        run = add_run(session)
        for (name, timeframe), (gaps, slots) in stated.items():
            frame = read_candles(shared_data, f"coinbase/{name}")
            key = add_market(session, run, f"{name}/USD").id
            store_frame(session, key, timeframe, frame, run)
            kept = MarketDataGap.get_for_series(session, key, timeframe)
            assert (len(kept), sum(gap.slots for gap in kept)) == (gaps, slots)
            steps = frame.index.to_series().diff()
            wide = steps[steps > timeframe.duration]
            assert [gap.ends_at for gap in kept] == wide.index.to_pydatetime().tolist()
