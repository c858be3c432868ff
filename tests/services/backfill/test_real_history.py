"""The recorded hourly history of BTC, back-filled, against what its README states."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from app.core.database import Database
from app.domain.gap import GapReason, GapStatus
from app.domain.timeframe import Timeframe
from tests.exchange.archives.packing import pack_klines, recorded_rows
from tests.services.backfill.filling import Filling

H1 = Timeframe.H1
SINCE = datetime(2017, 8, 1, tzinfo=timezone.utc)
UNTIL = datetime(2024, 4, 1, tzinfo=timezone.utc)
OUTAGES, HOURS_MISSING = 28, 128


@pytest.fixture(scope="module")
def archive(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded hours in the archive's layout, months that are whole only."""
    root = tmp_path_factory.mktemp("archive")
    rows = recorded_rows(shared_data / "candles/binance/BTCUSDT-1h.csv.gz")
    pack_klines(root, "BTCUSDT", H1, (row for row in rows if row[0] < UNTIL))
    return root


def test_its_outages_are_in_the_ledger_and_every_slot_is_accounted_for(
    database: Database, archive: Path
) -> None:
    filling = Filling(database)
    report = filling.fill(filling.job(H1, SINCE, UNTIL), archive)
    assert report.error is None and report.quarantined == 0
    gaps = filling.gaps(H1)
    assert len(gaps) == OUTAGES
    assert sum(gap.slots for gap in gaps) == HOURS_MISSING == report.slots_missing
    cursor = filling.cursor(H1)
    assert cursor.history_from == datetime(2017, 8, 17, 4, tzinfo=timezone.utc)
    assert cursor.watermark_at == UNTIL
    assert filling.is_covered(H1)


def test_a_second_run_changes_nothing(database: Database, archive: Path) -> None:
    filling = Filling(database)
    job = filling.job(H1, SINCE, UNTIL)
    filling.fill(job, archive)
    before = filling.contents()
    filling.clock.advance(60)
    again = filling.fill(job, archive)
    everything = filling.fill(filling.job(H1, SINCE, UNTIL, True), archive)
    assert again.changed == everything.changed == 0
    assert everything.unchanged == len(filling.opens(H1))
    assert filling.contents() == before


def test_three_answers_an_hour_apart_confirm_the_outages(
    database: Database, archive: Path
) -> None:
    filling = Filling(database)
    job = filling.job(H1, SINCE, UNTIL)
    statuses = []
    for _ in range(3):
        filling.fill(job, archive)
        statuses.append({gap.status for gap in filling.gaps(H1)})
        filling.clock.advance(3600)
    assert statuses == [
        {GapStatus.OPEN},
        {GapStatus.OPEN},
        {GapStatus.CONFIRMED_ABSENT},
    ]
    # One market alone cannot tell an outage from a market without trades.
    assert {gap.reason for gap in filling.gaps(H1)} == {GapReason.UNKNOWN}
    assert filling.is_covered(H1)
    # Only the month that may reach further back than the first bar is read again.
    assert filling.fill(job, archive).files_read == 1


def test_the_recorded_file_itself_gives_the_same_bars_and_gaps(
    database: Database, archive: Path, shared_data: Path
) -> None:
    filling = Filling(database)
    path = shared_data / "candles/binance/BTCUSDT-1h.csv.gz"
    report = filling.fill_from_file(filling.job(H1, SINCE), path)
    assert (report.bars, report.inserted) == (58_419, 58_419)
    assert len(filling.gaps(H1)) == OUTAGES
    before = filling.contents()
    archived = filling.fill(filling.job(H1, SINCE, UNTIL, True), archive)
    assert archived.revised == archived.inserted == 0
    assert filling.contents() == before


@pytest.mark.parametrize(
    ("name", "timeframe", "most_gaps"),
    [
        ("coinbase/BTCUSD-4h", Timeframe.H4, 9),
        ("coinbase/ETHUSD-4h", Timeframe.H4, 9),
        ("coinbase/ETHUSD-1d", Timeframe.D1, 1),
        ("bitstamp/BTCUSD-1m", Timeframe.M1, 0),
    ],
)
def test_other_recordings_have_the_gaps_their_rows_show(
    database: Database,
    shared_data: Path,
    name: str,
    timeframe: Timeframe,
    most_gaps: int,
) -> None:
    filling = Filling(database, name)
    path = shared_data / f"candles/{name}.csv.gz"
    opens = [row[0] for row in recorded_rows(path)]
    filling.fill_from_file(filling.job(timeframe, SINCE.replace(year=2015)), path)
    assert filling.opens(timeframe) == opens
    holes = [
        (before + timeframe.duration, after)
        for before, after in pairwise(opens)
        if after - before > timeframe.duration
    ]
    gaps = filling.gaps(timeframe)
    assert [(gap.starts_at, gap.ends_at) for gap in gaps] == holes
    assert len(holes) <= most_gaps and filling.is_covered(timeframe)
