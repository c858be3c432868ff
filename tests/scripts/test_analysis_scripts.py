"""The analysis scripts, run as a user runs them: on a file, and on a database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from app.analysis.service import IndicatorService
from app.analysis.window import CandleWindow
from app.core.database import Database
from app.domain.timeframe import Timeframe
from app.models.ingest import store_bars
from app.models.series_lock import lock_cursors
from scripts.calculate_indicators import main as calculate
from tests.analysis.windows import random_walk
from tests.cli.commands import Commands, assert_refused
from tests.models.factories import add_market, add_run, make_bars

CALCULATE, ANALYZE = "calculate_indicators", "analyze_market"


@pytest.fixture
def commands(tmp_path: Path) -> Commands:
    return Commands(tmp_path)


@pytest.fixture(scope="module")
def window() -> CandleWindow:
    return random_walk(900, seed=6)


@pytest.fixture
def file(tmp_path: Path, window: CandleWindow) -> Path:
    rows = zip(
        window.open_at.tolist(),
        *(getattr(window, n).tolist() for n in ("open", "high", "low", "close")),
        window.volume.tolist(),
        strict=True,
    )
    lines = [f"{at.isoformat()}Z,{','.join(map(repr, row))}" for at, *row in rows]
    path = tmp_path / f"TEST-{window.timeframe.value}.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *lines]))
    return path


def test_indicators_of_a_file(
    commands: Commands, file: Path, window: CandleWindow
) -> None:
    outcome = commands.script(CALCULATE, "--csv", str(file), "--json")
    assert outcome.code == 0, outcome.err
    (answer,) = json.loads(outcome.out)
    assert answer["symbol"] == "TEST"
    assert answer["bar_at"] == window.last_open_at.isoformat()
    values = {n: item["value"] for n, item in answer["indicators"].items()}
    assert values == IndicatorService().latest(window)
    table = commands.script(CALCULATE, "--csv", str(file), "--indicators", "rsi,obv")
    assert "rsi_14" in table.out and "first of the last 200" in table.out
    assert "ema_20" not in table.out


def test_the_past_is_shown_as_it_was(
    commands: Commands, file: Path, window: CandleWindow
) -> None:
    until = window.open_at[-10].item().replace(tzinfo=timezone.utc)
    words = ("--csv", str(file), "--until", until.isoformat(), "--json", "--bars", "3")
    answers = json.loads(commands.script(CALCULATE, *words).out)
    assert [a["bar_at"] for a in answers][-1] == until.isoformat()
    values = {n: item["value"] for n, item in answers[-1]["indicators"].items()}
    assert values == IndicatorService().latest(window.until(until))


def test_warming_up_is_told_apart(commands: Commands, file: Path) -> None:
    first = "\n".join(file.read_text().splitlines()[:31])
    file.write_text(first)
    outcome = commands.script(CALCULATE, "--csv", str(file))
    assert outcome.code == 0, outcome.err
    assert "warming up: 30 of 396 bars" in outcome.out


def test_an_analysis_with_charts(commands: Commands, file: Path) -> None:
    words = ("--csv", str(file), "--html", "a.html", "--png", "a.png", "--bars", "120")
    outcome = commands.script(ANALYZE, *words)
    assert outcome.code == 0, outcome.err
    for word in ("Structure", "Support and resistance", "Sentiment", "regime"):
        assert word in outcome.out
    assert (commands.folder / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "Plotly.newPlot" in (commands.folder / "a.html").read_text("utf-8")


def test_an_analysis_as_json(commands: Commands, file: Path) -> None:
    outcome = commands.script(ANALYZE, "--csv", str(file), "--json")
    assert outcome.code == 0, outcome.err
    found = json.loads(outcome.out)
    assert set(found["context"]["timeframes"]) >= {found["timeframe"]}
    assert -1 <= found["sentiment"]["score"] <= 1
    assert found["structure"]["bars"] == 500
    assert found["levels"] and "strength" in found["levels"][0]


def test_bars_of_the_database(
    commands: Commands, database: Database, database_url: str
) -> None:
    start = datetime(2025, 1, 1, tzinfo=timezone.utc)
    with database.session_scope() as session:
        run_id = add_run(session)
        market = add_market(session, run_id)
        bars = make_bars(market.id, 300, start, timeframe=Timeframe.H1)
        store_bars(session, [bars], start)
        key = (market.id, Timeframe.H1)
        (cursor,) = lock_cursors(session, {key: start}, run_id).values()
        cursor.watermark_at = start + timedelta(hours=300)
    words = ("BTC/USDT", "--json", "--indicators", "{sma: {period: 5}}")
    outcome = commands.script(CALCULATE, *words, DATABASE_URL=database_url)
    assert outcome.code == 0, outcome.err
    (answer,) = json.loads(outcome.out)
    assert answer["bar_at"] == (start + timedelta(hours=299)).isoformat()
    expected = float(bars.bars["close"][-5:].mean())
    assert answer["indicators"]["sma_5"]["value"] == pytest.approx(expected, rel=1e-12)
    none = commands.script(
        ANALYZE, "BTC/USDT", "--timeframe", "4h", DATABASE_URL=database_url
    )
    assert_refused(none, 1, "no 4h bars of BTC/USDT", "fetch_market_data")


def test_refusals_name_what_is_wrong(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> tuple[int, str]:
        return calculate(list(words)), capsys.readouterr().err

    code, said = refused("--csv", str(file), "--indicators", "rsj")
    assert code == 78 and "'rsj'; nearest: rsi" in said
    code, said = refused("--csv", "nowhere.csv")
    assert code == 1 and "nowhere.csv" in said
    file.write_text("time,open\n2025-01-01,1\n")
    code, said = refused("--csv", str(file))
    assert code == 1 and "are missing" in said and file.name in said
    with pytest.raises(SystemExit) as end:
        calculate(["--bars", "0"])
    assert end.value.code == 2 and "'0' is not a number" in capsys.readouterr().err


def test_a_symbol_or_a_file_must_be_named(commands: Commands) -> None:
    assert_refused(commands.script(ANALYZE), 78, "name a symbol")
