"""Archives first, the exchange for the rest, and no slot unaccounted for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from app.core.database import Database
from app.core.exceptions import ExchangeUnavailable
from app.domain.gap import GapReason, GapStatus
from app.domain.timeframe import Timeframe
from app.exchange.archives.download import UrlArchives
from app.exchange.archives.layout import ArchivePeriod, month_file
from app.models import MarketDataFinding, QuarantinedRow
from app.services.backfill import exchange_walk, recorded, series_run
from app.services.backfill.report import SeriesReport
from app.services.backfill.service import BackfillService
from tests.exchange.archives.archive_server import serving
from tests.exchange.archives.packing import (
    Row,
    kline,
    pack_klines,
    write_checksum,
    write_zip,
)
from tests.services.backfill.filling import NOW, Filling
from tests.services.backfill.history import CELLS, PlayedHistory

H1 = Timeframe.H1
LISTED = datetime(2025, 9, 10, 7, tzinfo=timezone.utc)
SINCE = datetime(2025, 8, 1, tzinfo=timezone.utc)
END = NOW - timedelta(hours=1)


def month(number: int) -> datetime:
    return datetime(2025, number, 1, tzinfo=timezone.utc)


def rows(start: datetime, end: datetime, missing: Iterable[datetime] = ()) -> list[Row]:
    absent = set(missing)
    return [(at, CELLS) for at in H1.opens(start, end) if at not in absent]


def hours(day: datetime, *numbers: int) -> list[datetime]:
    return [day + timedelta(hours=number) for number in numbers]


def played(missing: Iterable[datetime] = ()) -> PlayedHistory:
    return PlayedHistory(LISTED, NOW, list(missing))


def test_archives_give_what_they_have_and_the_exchange_the_rest(
    database: Database, tmp_path: Path
) -> None:
    missing = hours(month(10).replace(day=7), 3, 4, 5)
    pack_klines(tmp_path, "BTCUSDT", H1, rows(LISTED, month(11), missing))
    exchange, filling = played(missing), Filling(database)
    slots: list[int] = []
    job = filling.job(H1, month(6))
    report = filling.fill(job, tmp_path, exchange, slots.append)
    assert report.error is None and report.files_read == 2
    # No file of June to August; weeks tell that the exchange has nothing either.
    assert {request.timeframe for request in exchange.asked} == {H1, Timeframe.W1}
    fetched = [r.since for r in exchange.asked if r.timeframe is H1]
    assert min(fetched) == month(11)
    assert filling.opens(H1) == [at for at, _ in rows(LISTED, NOW, missing)]
    assert [(g.starts_at, g.slots) for g in filling.gaps(H1)] == [(missing[0], 3)]
    assert filling.cursor(H1).history_from == LISTED and filling.is_covered(H1)
    assert sum(slots) == H1.count_bars(month(6), NOW)


def test_without_an_exchange_a_missing_month_is_a_gap(
    database: Database, tmp_path: Path
) -> None:
    pack_klines(tmp_path, "BTCUSDT", H1, rows(LISTED, month(10)))
    pack_klines(tmp_path, "BTCUSDT", H1, rows(month(11), month(12)))
    filling = Filling(database)
    filling.fill(filling.job(H1, SINCE), tmp_path)
    (gap,) = filling.gaps(H1)
    assert (gap.starts_at, gap.ends_at) == (month(10), month(11))
    assert gap.status is GapStatus.OPEN and filling.is_covered(H1)
    # Later the month is there after all.
    pack_klines(tmp_path, "BTCUSDT", H1, rows(month(10), month(11)))
    report = filling.fill(filling.job(H1, SINCE), tmp_path)
    assert not filling.gaps(H1) and report.filled_slots == gap.slots
    assert filling.is_covered(H1)


def test_daily_files_stand_in_for_a_month(database: Database, tmp_path: Path) -> None:
    recent = rows(month(12), NOW)
    pack_klines(tmp_path, "BTCUSDT", H1, recent, ArchivePeriod.DAILY)
    filling = Filling(database)
    report = filling.fill(filling.job(H1, month(12)), tmp_path)
    assert report.files_read == 31
    assert filling.opens(H1) == [at for at, _ in recent] and filling.is_covered(H1)


def test_a_refused_file_is_told_and_asked_of_the_exchange(
    database: Database, tmp_path: Path
) -> None:
    pack_klines(tmp_path, "BTCUSDT", H1, rows(LISTED, month(12)))
    bad = tmp_path / month_file("BTCUSDT", month(10), H1).path
    write_checksum(bad, "0" * 64)
    filling = Filling(database)
    report = filling.fill(filling.job(H1, SINCE, month(12)), tmp_path, played())
    assert len(report.refused_files) == 1 and "2025-10.zip" in report.refused_files[0]
    assert report.files_read == 2
    assert len(filling.opens(H1)) == H1.count_bars(LISTED, month(12))
    assert not filling.gaps(H1) and filling.is_covered(H1)


def test_an_archive_behind_a_faulty_server_gives_the_same_bars(
    database: Database, tmp_path: Path
) -> None:
    published, filling = tmp_path / "published", Filling(database)
    files = pack_klines(published, "BTCUSDT", H1, rows(LISTED, NOW))
    (published / files[1].path).unlink()  # a month that is not there
    (published / f"{files[1].path}.CHECKSUM").unlink()
    write_checksum(published / files[2].path, "0" * 64)

    async def fill() -> SeriesReport:
        async with serving(published) as server:
            server.faults[files[0].name].extend([500, "reset", "reset"])
            cache = tmp_path / "cache"
            async with UrlArchives(server.url, cache, filling.clock) as archives:
                job = filling.job(H1, LISTED)
                return await filling.filling(job, archives, played())

    report = asyncio.run(fill())
    assert (report.files_read, len(report.refused_files)) == (2, 1)
    assert filling.opens(H1) == [at for at, _ in rows(LISTED, NOW)]
    assert not filling.gaps(H1) and filling.is_covered(H1)


def test_impossible_rows_go_to_quarantine_and_their_slots_to_the_ledger(
    database: Database, tmp_path: Path
) -> None:
    given = rows(LISTED, month(11))
    bad_at = given[100][0]
    given[100] = (bad_at, ("10.5", "0", "9.75", "11.0", "3.5"))
    given[200] = (given[200][0], ("10.5", "70", "9.75", "65", "3.5"))
    pack_klines(tmp_path, "BTCUSDT", H1, given)
    filling = Filling(database)
    report = filling.fill(filling.job(H1, SINCE, month(11)), tmp_path)
    (gap,) = filling.gaps(H1)
    assert report.quarantined == 1
    with database.session_scope() as session:
        (kept,) = session.scalars(select(QuarantinedRow))
        assert kept.figures is not None
        assert kept.figures["reason"] == "prices must be above 0"
        # What is merely implausible is stored and flagged.
        flagged = session.scalars(select(MarketDataFinding)).all()
        told = {(row.timestamp, row.rule) for row in flagged}
        assert told == {(given[at][0], "price_jump") for at in (200, 201)}
    assert (gap.starts_at, gap.slots, gap.reason.value) == (bad_at, 1, "quarantined")
    assert filling.is_covered(H1)


def test_older_history_grows_backwards_without_a_hole(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_walk, "WINDOW_SLOTS", 300)
    exchange, filling = played(), Filling(database)
    filling.fill(filling.job(H1, month(12)), None, exchange)
    pack_klines(tmp_path, "BTCUSDT", H1, rows(month(11), month(12)))
    exchange.fails_at = len(exchange.asked) + 3
    report = filling.fill(filling.job(H1, SINCE), tmp_path, exchange)
    assert report.error == "the exchange is down"
    assert report.exit_code == ExchangeUnavailable.exit_code
    # What was had before the failure is kept, and joins on.
    half = filling.cursor(H1)
    assert LISTED < half.history_from < month(11)
    assert not filling.gaps(H1) and filling.is_covered(H1)
    exchange.fails_at = None
    filling.fill(filling.job(H1, SINCE), tmp_path, exchange)
    assert filling.cursor(H1).history_from == LISTED
    assert len(filling.opens(H1)) == H1.count_bars(LISTED, NOW)
    assert not filling.gaps(H1) and filling.is_covered(H1)


def test_short_pages_leave_nothing_out(database: Database) -> None:
    exchange, filling = played(hours(month(11), *range(20))), Filling(database)
    exchange.most = 37
    filling.fill(filling.job(H1, SINCE), None, exchange)
    assert len(filling.opens(H1)) == H1.count_bars(LISTED, NOW) - 20
    assert len(filling.gaps(H1)) == 1 and filling.is_covered(H1)


def test_an_empty_answer_proves_nothing(database: Database) -> None:
    filling, exchange = Filling(database), played()
    exchange.missing = set(H1.opens(month(11), month(11) + timedelta(hours=50)))
    # Whoever asks for these slots, or for the one before them, is answered by `[]`.
    exchange.silent = {at - timedelta(hours=1) for at in exchange.missing}
    exchange.silent |= exchange.missing
    for _ in range(4):
        filling.fill(filling.job(H1, month(10)), None, exchange)
        filling.clock.advance(3600)
    (gap,) = filling.gaps(H1)
    # Only the first page, which began far before, reached across.
    assert (gap.status, gap.confirmations) == (GapStatus.OPEN, 1)
    exchange.silent.clear()
    for _ in range(2):
        filling.fill(filling.job(H1, month(10)), None, exchange)
        filling.clock.advance(3600)
    assert {gap.status for gap in filling.gaps(H1)} == {GapStatus.CONFIRMED_ABSENT}
    assert filling.is_covered(H1)


def test_a_bar_whose_time_cannot_be_read_is_no_evidence_of_absence(
    database: Database, tmp_path: Path
) -> None:
    archived, served = month(10) + timedelta(hours=5), month(12) + timedelta(hours=5)
    lines = [kline(row, H1) for row in rows(month(10), month(11))]
    lines[5] = f"?{lines[5]}"
    write_zip(tmp_path / month_file("BTCUSDT", month(10), H1).path, lines)
    filling, exchange = Filling(database), played([archived])
    exchange.garbled = {served}
    for _ in range(4):
        filling.fill(filling.job(H1, month(10), is_recheck=True), tmp_path, exchange)
        filling.clock.advance(3600)
    first, last = filling.gaps(H1)
    assert (first.starts_at, last.starts_at) == (archived, served)
    assert {gap.status for gap in (first, last)} == {GapStatus.OPEN}
    assert {gap.reason.value for gap in (first, last)} == {"quarantined"}
    assert (first.confirmations, last.confirmations) == (0, 0)


def test_one_row_without_a_time_does_not_explain_many_missing_bars(
    database: Database, tmp_path: Path
) -> None:
    lines = [kline(row, H1) for row in rows(month(10), month(11))]
    del lines[20:60]
    lines[5] = f"?{lines[5]}"
    write_zip(tmp_path / month_file("BTCUSDT", month(10), H1).path, lines)
    filling = Filling(database)
    filling.fill(filling.job(H1, month(10)), tmp_path)
    gaps = filling.gaps(H1)
    assert [gap.slots for gap in gaps] == [1, 40]
    assert {(gap.status, gap.reason) for gap in gaps} == {
        (GapStatus.OPEN, GapReason.UNKNOWN)
    }


def test_bars_that_closed_just_now_may_still_come(database: Database) -> None:
    filling, exchange = Filling(database), played([END])
    filling.fill(filling.job(H1, month(12)), None, exchange)
    assert filling.cursor(H1).watermark_at == END and not filling.gaps(H1)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    absent=st.sets(st.integers(0, 2_600), max_size=30),
    archived=st.sets(st.sampled_from([9, 10, 11, 12])),
    first=st.sampled_from([9, 11, 12]),
    uses_exchange=st.booleans(),
)
def test_whatever_is_missing_where_every_slot_is_accounted_for(
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    absent: set[int],
    archived: set[int],
    first: int,
    uses_exchange: bool,
) -> None:
    monkeypatch.setattr(exchange_walk, "WINDOW_SLOTS", 500)
    monkeypatch.setattr(series_run, "BARS_PER_TRANSACTION", 900)
    missing = [LISTED + timedelta(hours=number) for number in absent]
    folder = tmp_path_factory.mktemp("archive")
    served = rows(LISTED, NOW, missing)
    pack_klines(folder, "BTCUSDT", H1, (r for r in served if r[0].month in archived))
    filling = Filling(database, f"A{len(str(folder))}{folder.name[-6:]}/USDT")
    job_symbol = filling.symbol.replace("/", "")
    pack_klines(folder, job_symbol, H1, (r for r in served if r[0].month in archived))
    exchange = played(missing) if uses_exchange else None
    filling.fill(filling.job(H1, month(first)), folder, exchange)
    filling.fill(filling.job(H1, SINCE), folder, exchange)
    if not filling.opens(H1):
        return
    assert filling.is_covered(H1)
    stored = set(filling.opens(H1))
    assert stored <= {row[0] for row in served}
    had = served if uses_exchange else [r for r in served if r[0].month in archived]
    assert stored == {row[0] for row in had}


def test_a_recording_from_the_future_is_refused_by_name_and_kept_in_quarantine(
    database: Database, tmp_path: Path
) -> None:
    filling = Filling(database)
    opens = [NOW + timedelta(minutes=number) for number in range(-5, 1100)]
    lines = [f"{at.isoformat()},10.5,12.25,9.75,11.0,3.5" for at in opens]
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join(["open_time,open,high,low,close,volume", *lines]) + "\n")
    job = filling.job(Timeframe.M1, NOW - timedelta(days=1))
    service = BackfillService(filling.store, None, None)
    report = asyncio.run(service.fill_from_file(job, path, NOW, lambda slots: None))
    assert report.error is not None and report.inserted == 0
    for words in (
        f"of {(NOW + timedelta(minutes=1002)).isoformat()}: open time lies in the fut",
        f"the replay market's clock says {NOW.isoformat()}",
    ):
        assert words in report.error
    with database.session_scope() as session:
        count = session.scalar(select(func.count()).select_from(QuarantinedRow))
    assert count == report.quarantined == 1000


@pytest.mark.parametrize("impossible", [1, 1_001])
def test_a_recording_refused_as_a_whole_leaves_no_bar(
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    impossible: int,
) -> None:
    monkeypatch.setattr(recorded, "BARS_PER_TRANSACTION", 100)
    filling = Filling(database)
    start = NOW - timedelta(days=2)
    opens = [start + timedelta(minutes=number) for number in range(2_000)]
    lines = [f"{at.isoformat()},10.5,12.25,9.75,11.0,3.5" for at in opens]
    for number in range(impossible):
        lines[-1 - number] = lines[-1 - number].replace("12.25", "0")
    path = tmp_path / "BTCUSDT-1m.csv"
    path.write_text("\n".join(["open_time,open,high,low,close,volume", *lines]) + "\n")
    report = filling.fill_from_file(filling.job(Timeframe.M1, start), path)
    is_refused = impossible > 1_000
    assert (report.inserted, report.files_read) == ((0, 0) if is_refused else (1999, 1))
    assert bool(report.error) is is_refused
    assert report.quarantined == min(impossible, 1_000)
