"""Charts hold exactly what was found in the bars, and need no network."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.image import imread

from app.analysis.service import IndicatorService
from app.analysis.structure.breaks import BreakKind, find_structure_breaks
from app.analysis.window import CandleWindow
from app.domain.direction import Direction
from scripts.analysis.findings import MarketPicture, block_end, picture_of
from scripts.analysis.html_chart import html_figure, write_html
from scripts.analysis.png_chart import png_figure, write_png
from tests.analysis.windows import random_walk

BARS = 200
SERVICE = IndicatorService.from_config(
    {"ema": None, "bollinger_bands": None, "rsi": None, "macd": None}
)


@pytest.fixture(scope="module")
def window() -> CandleWindow:
    return random_walk(1_200, seed=4, deviation=0.01)


@pytest.fixture(scope="module")
def picture(window: CandleWindow) -> MarketPicture:
    return picture_of(window, SERVICE, BARS)


@pytest.fixture(scope="module")
def figure(picture: MarketPicture) -> Any:
    return html_figure(picture)


@pytest.fixture(scope="module")
def traces(figure: Any) -> dict[str, Any]:
    return {trace.name: trace for trace in figure.data}


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


def test_the_candles_are_the_bars(traces: dict[str, Any], window: CandleWindow) -> None:
    candles = next(t for t in traces.values() if t.type == "candlestick")
    shown = window.last(BARS)
    assert list(candles.x) == shown.open_at.tolist()
    for name in ("open", "high", "low", "close"):
        assert np.array_equal(getattr(candles, name), getattr(shown, name))
    assert np.array_equal(traces["volume"].y, shown.volume)


def test_indicators_are_drawn_as_computed(
    traces: dict[str, Any], window: CandleWindow
) -> None:
    series, found = SERVICE.series(window), traces
    for name in ("ema_20", "rsi_14", "macd_12_26_9", "macd_histogram_12_26_9"):
        np.testing.assert_array_equal(found[name].y, series[name][-BARS:])
    # On the price, in a panel each, and the histogram as bars.
    assert found["ema_20"].yaxis == "y" and found["rsi_14"].yaxis == "y3"
    assert found["macd_histogram_12_26_9"].type == "bar"


def test_every_break_is_a_line_from_its_swing_to_its_bar(
    traces: dict[str, Any], window: CandleWindow
) -> None:
    first = window.last(BARS).open_at[0].item()
    for direction, word in ((Direction.BULLISH, "up"), (Direction.BEARISH, "down")):
        expected = [
            (naive(item.swing_at), naive(item.confirmed_at), item.level)
            for item in find_structure_breaks(window)
            if item.kind is BreakKind.BOS
            and item.direction is direction
            and naive(item.happened_at) >= first
        ]
        line = traces[f"BOS {word}"]
        drawn = zip(line.x[::3], line.x[1::3], line.y[::3], strict=True)
        assert list(drawn) == expected and expected


def test_zones_end_where_their_life_ends(
    picture: MarketPicture, traces: dict[str, Any]
) -> None:
    box = traces["bullish order blocks"]
    blocks = [b for b in picture.order_blocks if b.direction is Direction.BULLISH]
    ends = [naive(block_end(b) or picture.window.last_close_at) for b in blocks]
    assert list(box.x[1::6]) == ends
    assert list(box.y[::6]) == [b.bottom for b in blocks]
    assert all("mitigated" in text for text in box.text)
    filled = traces["bullish gaps, filled"]
    assert filled.visible == "legendonly"
    assert all(gap.filled_at is None or gap.size_atr for gap in picture.gaps)


def test_regimes_cover_every_bar_once(picture: MarketPicture, figure: Any) -> None:
    covered = [n for run in picture.regimes for n in range(run.first, run.last + 1)]
    assert covered == list(range(BARS))
    shapes = [s for s in figure.layout.shapes if s.fillcolor]
    assert len(shapes) == sum(run.regime is not None for run in picture.regimes)


def test_levels_and_patterns_are_all_there(picture: MarketPicture, figure: Any) -> None:
    lines = [t for t in figure.data if t.name == "support and resistance"]
    assert [line.y[0] for line in lines] == [level.price for level in picture.levels]
    markers = [t for t in figure.data if (t.name or "").endswith("patterns")]
    assert sum(len(trace.x) for trace in markers) == len(picture.patterns) > 0


def test_the_page_needs_no_network(picture: MarketPicture, tmp_path: Path) -> None:
    path = tmp_path / "chart.html"
    write_html(picture, path)
    page = path.read_text(encoding="utf-8")
    assert "Plotly.newPlot" in page and len(page) > 1_000_000
    assert not re.search(r"<(script|link)[^>]+(src|href)=", page)


def test_the_picture_has_the_size_and_the_candles(
    picture: MarketPicture, tmp_path: Path
) -> None:
    path = tmp_path / "chart.png"
    write_png(picture, path)
    assert imread(path).shape[:2] == (1000, 1600)
    price = png_figure(picture).axes[0]
    bodies = [c for c in price.collections if type(c) is PolyCollection]
    wicks = [c for c in price.collections if type(c) is LineCollection]
    assert sum(len(c.get_paths()) for c in bodies if len(c.get_paths()) > 1) == BARS
    highs = {point[1] for c in wicks for line in c.get_segments() for point in line}
    window = picture.window
    assert highs == {*window.high.tolist(), *window.low.tolist()}


@pytest.mark.parametrize("bars", [1, 2, 30])
def test_short_and_still_markets_are_drawn_too(bars: int, tmp_path: Path) -> None:
    still = random_walk(bars, seed=1, deviation=0.0)
    picture = picture_of(still, SERVICE, BARS)
    write_png(picture, tmp_path / "still.png")
    assert len(html_figure(picture).data) > 2
