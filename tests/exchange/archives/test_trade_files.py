"""What a file of trades gives, whatever is in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.exceptions import BadData
from app.exchange.archives.trades import read_trades
from tests.exchange.archives.packing import write_zip

MS = 1_735_700_000_000


def trade(number: int, time: int, price: str = "42.5", quantity: str = "0.25") -> str:
    return f"{number},{price},{quantity},10.625,{time},True,True"


def aggregated(number: int, time: int, maker: str = "true") -> str:
    return f"{number},42.5,0.25,{number},{number},{time},{maker},True"


def test_single_and_aggregated_trades_in_either_unit_are_the_same(
    tmp_path: Path,
) -> None:
    found = []
    for name, line in (("trades", trade), ("aggTrades", aggregated)):
        for unit in (1, 1000):
            path = tmp_path / str(unit) / f"BTCUSDT-{name}-2025-01.zip"
            write_zip(path, [line(n, (MS + n) * unit) for n in range(5)])
            (chunk,) = read_trades(path, "BTC/USDT")
            assert not chunk.refused
            found.append(chunk.trades.tolist())
    assert found[0] == [(n, 42.5, 0.25, (MS + n) * 1000, True) for n in range(5)]
    assert all(rows == found[0] for rows in found)


def test_impossible_trades_are_refused_alone(tmp_path: Path) -> None:
    rows = [
        trade(0, MS),
        trade(1, MS, price="nan"),
        trade(2, MS, price="0"),
        trade(3, MS, quantity="-1"),
        trade(3, MS, quantity="1\x1f"),
        trade(4, MS // 1000),
        "5,what,is,this",
        trade(6, MS).replace("True", "perhaps"),
        trade(7, MS),
    ]
    path = write_zip(tmp_path / "BTCUSDT-trades-2025-01-01.zip", rows)
    (chunk,) = read_trades(path, "BTC/USDT")
    assert chunk.trades["id"].tolist() == [0, 7]
    assert [item.raw.strip('"') for item in chunk.refused] == rows[1:8]


def test_chunks_are_the_file(tmp_path: Path) -> None:
    rows = [trade(n, MS + n, quantity=str(n + 1)) for n in range(2_000)]
    path = write_zip(tmp_path / "BTCUSDT-trades-2025-01.zip", ["id,price", *rows])
    chunks = list(read_trades(path, "BTC/USDT", block_bytes=1_000))
    assert len(chunks) > 20
    whole = np.concatenate([chunk.trades for chunk in chunks])
    assert whole["quantity"].tolist() == [float(n + 1) for n in range(2_000)]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.integers(0, 6), st.binary(max_size=5)),
        max_size=8,
    )
)
def test_whatever_the_bytes_only_possible_trades_come_out(
    tmp_path: Path, cuts: list[tuple[int, int, bytes]]
) -> None:
    data = "".join(f"{trade(n, MS + n)}\n" for n in range(20)).encode()
    for at, length, put in cuts:
        data = data[:at] + put + data[at + length :]
    path = tmp_path / "BTCUSDT-trades-2025-01.csv"
    path.write_bytes(data)
    try:
        chunks = list(read_trades(path, "BTC/USDT", block_bytes=200))
    except BadData as error:
        assert path.name in str(error)
        return
    for chunk in chunks:
        for key, price, quantity, time_us, _ in chunk.trades.tolist():
            assert key >= 0 and 0 < price < float("inf") and 0 < quantity < 1e300
            assert 1.2e15 < time_us < 4.2e15


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    rows = ["1;2;3"] * 1_500
    path = write_zip(tmp_path / "BTCUSDT-trades-2025-01.zip", rows)
    with pytest.raises(BadData, match="over 1000 rows are impossible"):
        list(read_trades(path, "BTC/USDT"))
