"""The analysis of one market's last bar, for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from rich.console import Console
from rich.table import Table

from app.analysis.divergence import Divergence, detect_divergence
from app.analysis.indicator_value import IndicatorValue
from app.analysis.levels.support_resistance import PriceLevel, support_resistance
from app.analysis.market_analyzer import MarketAnalyzer
from app.analysis.market_context import MarketContext
from app.analysis.market_sentiment import MarketSentiment, SentimentReading
from app.analysis.patterns.pattern import LastBarPatterns
from app.analysis.patterns.recognition import patterns_at_last_bar
from app.analysis.preparation.grid import divides
from app.analysis.preparation.resample import resample_ohlcv
from app.analysis.service import IndicatorService
from app.analysis.structure.state import structure_state
from app.analysis.structure.state_parts import SideState, StructureState
from app.analysis.window import CandleWindow
from app.domain.timeframe import Timeframe
from scripts.analysis.style import price_text

_HIGHER = (Timeframe.M15, Timeframe.H1, Timeframe.H4, Timeframe.D1, Timeframe.W1)
_MOST_FRAMES = 3
_RECENT_BARS = 50


@dataclass(frozen=True, slots=True)
class MarketReport:
    """Everything known of a market at the close of the window's last bar."""

    window: CandleWindow
    context: MarketContext
    structure: StructureState
    levels: tuple[PriceLevel, ...]
    patterns: LastBarPatterns
    divergences: tuple[Divergence, ...]
    sentiment: SentimentReading
    indicators: tuple[IndicatorValue, ...]


def analyse(window: CandleWindow) -> MarketReport:
    """All readings of the last bar, and of the time frames that it makes up."""
    recent = window.last(_RECENT_BARS).open_at[0].item()
    return MarketReport(
        window=window,
        context=MarketAnalyzer().get_market_context(_time_frames(window)),
        structure=structure_state(window),
        levels=support_resistance(window) or (),
        patterns=patterns_at_last_bar(window),
        divergences=tuple(
            item
            for item in detect_divergence(window.last(2_000))
            if item.confirmed_at.replace(tzinfo=None) >= recent
        ),
        sentiment=MarketSentiment().score(window),
        indicators=IndicatorService().readings(window),
    )


def _time_frames(window: CandleWindow) -> Mapping[Timeframe, CandleWindow]:
    """The window, and its complete bars on up to three larger time frames."""
    found = {window.timeframe: window}
    for timeframe in _HIGHER:
        if len(found) > _MOST_FRAMES or not divides(window.timeframe, timeframe):
            continue
        larger = resample_ohlcv(window, timeframe).complete()
        if len(larger):
            found[timeframe] = larger
    return found


def as_json(report: MarketReport) -> dict[str, Any]:
    """The report as plain data; times are ISO 8601 text, None means no value."""
    window = report.window
    return {
        "symbol": window.symbol,
        "timeframe": window.timeframe.value,
        "bar_at": window.last_open_at.isoformat(),
        "close": float(window.close[-1]),
        "context": _plain(asdict(report.context)),
        "structure": report.structure.to_json(),
        "levels": [_plain(asdict(level)) for level in report.levels],
        "patterns": report.patterns.to_json(),
        "divergences": [_plain(asdict(item)) for item in report.divergences],
        "sentiment": {"score": report.sentiment.score, **report.sentiment.parts},
        "indicators": {
            reading.output: {"value": reading.value, "status": reading.status.value}
            for reading in report.indicators
        },
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_plain(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def print_report(report: MarketReport, console: Console) -> None:
    """Tables for a reader at a terminal."""
    window = report.window
    console.print(
        f"[bold]{window.symbol} {window.timeframe}[/] at the bar of "
        f"{window.last_open_at:%Y-%m-%d %H:%M} UTC, close "
        f"[bold]{price_text(float(window.close[-1]))}[/]",
        highlight=False,
    )
    console.print(_context_table(report.context))
    console.print(_structure_table(report.structure))
    console.print(_level_table(report.levels))
    console.print(_mood_table(report))
    seen = [
        f"{reading.name.replace('_', ' ')} ({reading.direction.value}"
        + (f", {reading.confidence:.2f})" if reading.confidence is not None else ")")
        for reading in report.patterns.readings
    ]
    console.print(f"Patterns at this bar: {', '.join(seen) or 'none'}", highlight=False)
    for item in report.divergences:
        console.print(
            f"Divergence: {item.kind.value.replace('_', ' ')} of {item.indicator}, "
            f"known at {item.confirmed_at:%Y-%m-%d %H:%M}",
            highlight=False,
        )


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", no_wrap=True)
    return table


def _context_table(context: MarketContext) -> Table:
    table = _table(
        "Time frames",
        *("", "bars", "gaps", "regime", "trend", "vol/year", "ATR rank", "volume"),
    )
    for timeframe, found in context.timeframes.items():
        regime = found.regime.regime
        table.add_row(
            timeframe.value,
            str(found.bars),
            str(found.missing_bars or ""),
            regime.value.replace("_", " ") if regime else "warming up",
            _number(found.trend.strength, "+.2f"),
            _number(found.volatility.annualized, ".0%"),
            _number(found.volatility.atr_percentile, ".0%"),
            _number(found.volume.ratio, ".2f"),
        )
    return table


def _structure_table(state: StructureState) -> Table:
    table = _table("Structure", "", "bullish", "bearish")
    trend = state.trend.value if state.trend else "none yet"
    table.add_row("trend", trend, "")
    for name, part in (("last BOS", state.last_bos), ("last CHoCH", state.last_choch)):
        if part is not None:
            text = f"{price_text(part.level)}, {part.bars_ago} bars ago"
            is_up = part.direction.sign > 0
            table.add_row(name, text if is_up else "", "" if is_up else text)
    for name, describe in _SIDES.items():
        table.add_row(name, describe(state.bullish), describe(state.bearish))
    if (found := state.dealing_range) is not None:
        ends = f"{price_text(found.bottom)} to {price_text(found.top)}"
        table.add_row("dealing range", ends, f"at {found.position:.0%} of it")
    return table


def _swing(side: SideState) -> str:
    if side.swing is None:
        return "-"
    label = f"{side.swing.label.value} " if side.swing.label else ""
    return f"{label}{price_text(side.swing.price)}"


def _block(side: SideState) -> str:
    if side.order_block is None:
        return "-"
    block = side.order_block
    fresh = "fresh" if block.is_fresh else "touched"
    zone = f"{price_text(block.bottom)} to {price_text(block.top)}"
    return f"{zone}, {fresh}"


def _gap(side: SideState) -> str:
    if side.gap is None:
        return "-"
    zone = f"{price_text(side.gap.bottom)} to {price_text(side.gap.top)}"
    return f"{zone}, {side.gap.filled:.0%}"


def _pool(side: SideState) -> str:
    if side.pool is None:
        return "-"
    return f"{price_text(side.pool.level)} ({side.pool.swings} swings)"


_SIDES = {
    "last swing": _swing,
    "order block": _block,
    "open gap (filled)": _gap,
    "liquidity": _pool,
}


def _level_table(levels: tuple[PriceLevel, ...]) -> Table:
    table = _table(
        "Support and resistance",
        *("", "price", "distance", "touches", "strength", "last touched (UTC)"),
    )
    for level in sorted(levels, key=lambda item: -item.price):
        table.add_row(
            level.kind.value,
            price_text(level.price),
            f"{level.distance:+.2%}",
            str(level.touches),
            f"{level.strength:.2f}",
            f"{level.last_touched_at:%Y-%m-%d %H:%M}",
        )
    return table


def _mood_table(report: MarketReport) -> Table:
    mood = report.sentiment
    known = {name: part for name, part in mood.parts.items() if part is not None}
    table = _table("Sentiment, -1 to 1", "score", *(n.replace("_", " ") for n in known))
    values = [_number(part, "+.2f") for part in known.values()]
    table.add_row(_number(mood.score, "+.2f"), *values)
    return table


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
