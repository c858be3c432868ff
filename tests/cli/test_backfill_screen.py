"""The screen shows what sources sent as it is."""

from __future__ import annotations

import pytest

from app.cli.backfill_screen import Screen
from app.domain.timeframe import Timeframe
from app.services.backfill.report import SeriesReport


def test_foreign_text_is_no_mark_up(capsys: pytest.CaptureFixture[str]) -> None:
    report = SeriesReport("[/b]/USDT", Timeframe.H1, error="got '[/html]'")
    report.refused_files.append("a.zip holds [red]nothing[/]")
    with Screen(is_json=False) as screen:
        with screen.series(report.symbol, report.timeframe, 5):
            pass
        screen.show([report])
    told = capsys.readouterr()
    assert "[/b]/USDT 1h: 0 new" in told.out
    assert "got '[/html]'" in told.err and "holds [red]nothing[/]" in told.err
