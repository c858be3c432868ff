"""What a file of bars gives, whatever is in it."""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.exceptions import BadData
from app.domain.candle import Candle
from app.domain.timeframe import Timeframe
from app.exchange.archives.bar_file import BarChunk, BarFile, read_bars
from tests.exchange.archives.packing import HEADER, kline, write_zip

H1 = Timeframe.H1
START = datetime(2024, 1, 1, tzinfo=timezone.utc)
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)
CELLS = ("10.5", "12.25", "9.75", "11.0", "3.5")


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


def lines(count: int = 5, per_second: int = 1000) -> list[str]:
    return [kline((hour(n), CELLS), H1, per_second) for n in range(count)]


def read(
    path: Path, block_bytes: int = 1 << 20, now: datetime = NOW, month: bool = True
) -> list[BarChunk]:
    end = Timeframe.MN1.next_open(START)
    file = BarFile(path, "BTC/USDT", H1, *((START, end) if month else ()))
    return list(read_bars(file, now, block_bytes))


def opens(chunks: Iterable[BarChunk]) -> list[datetime]:
    return [
        datetime.fromtimestamp(ms / 1000, timezone.utc)
        for chunk in chunks
        for ms in chunk.open_ms.tolist()
    ]


def rules(chunks: Iterable[BarChunk]) -> list[str]:
    return [item.rule for chunk in chunks for item in chunk.refused]


def test_milliseconds_and_microseconds_give_the_same_bars(tmp_path: Path) -> None:
    found = []
    for per_second in (1000, 1_000_000):
        path = write_zip(tmp_path / f"{per_second}.zip", lines(5, per_second))
        (chunk,) = read(path)
        assert not chunk.refused
        found.append((opens([chunk]), chunk.values.tolist()))
    assert found[0] == found[1]
    assert found[0] == ([hour(n) for n in range(5)], [[float(c) for c in CELLS]] * 5)


def test_a_header_line_and_other_columns_are_understood(tmp_path: Path) -> None:
    headed = write_zip(tmp_path / "a.zip", [HEADER, *lines()])
    plain = tmp_path / "BTCUSDT-1h.csv"
    mixed = [f"9,3.5,{hour(n).isoformat()},12.25,9.75,10.5,11" for n in range(5)]
    plain.write_text(
        "trades,volume,open_time,high,low,open,close\n" + "\n".join(mixed) + "\n"
    )
    zipped = tmp_path / "BTCUSDT-1h.csv.gz"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    expected = read(headed)[0]
    for path in (plain, zipped):
        (chunk,) = read(path)
        assert chunk.open_ms.tolist() == expected.open_ms.tolist()
        assert chunk.values.tolist() == expected.values.tolist()


def test_a_table_written_with_its_row_numbers_is_understood(tmp_path: Path) -> None:
    plain = tmp_path / "BTCUSDT-1h.csv"
    numbered = [f"{n},{line}" for n, line in enumerate(lines())]
    plain.write_text("\n".join([f",{HEADER}", *numbered]) + "\n")
    (chunk,) = read(plain)
    assert not chunk.refused
    assert chunk.values.tolist() == [[float(cell) for cell in CELLS]] * 5


def test_a_file_without_a_needed_column_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", ["open_time,open,high,low,close", *lines()])
    with pytest.raises(BadData, match="a.zip: column volume is missing"):
        read(path)


@pytest.mark.parametrize(
    ("column", "text", "rule"),
    [
        (0, "1704070800", "time_not_milliseconds"),
        (0, "1704070800001", "time_off_grid"),
        (0, "1893456000000", "time_in_future"),
        (0, "1706745600000", "outside_file_period"),
        (1, "NaN", "price_not_finite"),
        (1, "inf", "price_not_finite"),
        (1, "1_0", "price_not_finite"),
        (1, "10\x1f", "price_not_finite"),
        (2, "", "price_not_finite"),
        (3, "0", "price_not_positive"),
        (4, "-1", "price_not_positive"),
        (5, "-1", "volume_negative"),
        (5, "abc", "volume_not_finite"),
        (2, "9.5", "high_below_low"),
    ],
)
def test_an_impossible_row_is_refused_alone_with_its_text(
    tmp_path: Path, column: int, text: str, rule: str
) -> None:
    rows = lines()
    cells = rows[1].split(",")
    cells[column] = text
    rows[1] = ",".join(cells)
    (chunk,) = read(write_zip(tmp_path / "a.zip", rows))
    assert rules([chunk]) == [rule]
    assert chunk.refused[0].raw.strip('"') == rows[1]
    assert opens([chunk]) == [hour(n) for n in (0, 2, 3, 4)]


def test_the_bar_that_is_not_closed_is_left_out(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", lines())
    chunks = read(path, now=hour(4) + timedelta(minutes=59))
    assert opens(chunks) == [hour(n) for n in range(4)] and not rules(chunks)


def test_of_two_rows_of_a_slot_the_later_counts(tmp_path: Path) -> None:
    other = kline((hour(1), ("1", "1", "1", "1", "1")), H1)
    rows = [lines()[0], other, lines()[1], lines()[1], lines()[2]]
    (chunk,) = read(write_zip(tmp_path / "a.zip", rows))
    assert opens([chunk]) == [hour(n) for n in range(3)]
    assert rules([chunk]) == ["contradicts_later_row"]
    assert chunk.values[1].tolist() == [float(cell) for cell in CELLS]


def test_an_impossible_duplicate_says_nothing_of_a_good_row(tmp_path: Path) -> None:
    good = kline((hour(1), CELLS), H1)
    bad = kline((hour(1), ("10.5", "0", "9.75", "11.0", "3.5")), H1)
    path = write_zip(tmp_path / "BTCUSDT-1h-2024-01.zip", [good, bad])
    chunks = read(path)
    assert opens(chunks) == [hour(1)] and rules(chunks) == ["price_not_positive"]


def test_a_file_that_does_not_ascend_is_refused(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "a.zip", lines(200)[::-1])
    with pytest.raises(BadData, match="a.zip: lines from [0-9]+ on open before"):
        read(path, block_bytes=1000)


def test_a_file_of_another_layout_does_not_flood_the_quarantine(
    tmp_path: Path,
) -> None:
    rows = [line.replace(",", ";") for line in lines(1500)]
    with pytest.raises(BadData, match="over 1000 rows are impossible"):
        read(write_zip(tmp_path / "a.zip", rows), month=False)


def test_a_last_line_that_may_be_cut_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "BTCUSDT-1h.csv"
    path.write_text("\n".join(lines())[:-20])
    *_, last = chunks = read(path, block_bytes=100)
    assert rules(chunks) == ["file_line_cut"]
    assert last.refused[0].occurred_at == hour(4)
    assert opens(chunks) == [hour(n) for n in range(4)]


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.95])
def test_a_truncated_archive_is_refused(tmp_path: Path, kept: float) -> None:
    whole = write_zip(tmp_path / "a.zip", lines(500)).read_bytes()
    gzipped = gzip.compress("\n".join(lines(500)).encode())
    for name, data in (("b.zip", whole), ("b.csv.gz", gzipped)):
        path = tmp_path / name
        path.write_bytes(data[: int(len(data) * kept)])
        if kept or name == "b.zip":
            with pytest.raises(BadData, match=name):
                read(path)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, 3_000), st.integers(0, 8), st.binary(max_size=6)),
        max_size=12,
    ),
    block_bytes=st.integers(50, 4_000),
)
def test_whatever_the_bytes_only_possible_ascending_bars_come_out(
    tmp_path: Path, cuts: list[tuple[int, int, bytes]], block_bytes: int
) -> None:
    data = ("\n".join(lines(40)) + "\n").encode()
    for at, length, put in cuts:
        data = data[:at] + put + data[at + length :]
    path = tmp_path / "BTCUSDT-1h.csv"
    path.write_bytes(data)
    try:
        chunks = read(path, block_bytes)
    except BadData as error:
        assert path.name in str(error)
        return
    found = opens(chunks)
    assert found == sorted(set(found))
    values = np.concatenate([chunk.values for chunk in chunks] or [np.empty((0, 5))])
    for open_at, row in zip(found, values.tolist(), strict=True):
        assert Candle(open_at, *row).impossibility() is None
        assert H1.is_aligned(open_at) and math.isfinite(row[4])
