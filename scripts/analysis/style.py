"""Colours and names that both charts share."""

from __future__ import annotations

from collections.abc import Sequence

from app.domain.direction import Direction
from app.domain.regime import Regime

UP, DOWN = "#1a9c86", "#dd4b4b"
INK, GRID, PAPER = "#22313f", "#e8edf1", "#ffffff"
LEVEL = "#6a5acd"
VOLUME_UP, VOLUME_DOWN = "#a3d9cf", "#f1b3b3"
LINES = ("#2f6fde", "#f08c00", "#8e44ad", "#00838f", "#b5651d", "#5d6d7e", "#c2185b")

DIRECTION_COLOURS = {
    Direction.BULLISH: UP,
    Direction.BEARISH: DOWN,
    Direction.NEUTRAL: INK,
}
REGIME_COLOURS = {
    Regime.TRENDING_UP: "#2ca58d",
    Regime.TRENDING_DOWN: "#e45757",
    Regime.VOLATILE: "#f5a623",
    Regime.RANGING: "#9aa7b4",
}
REGIME_OPACITY = {
    Regime.TRENDING_UP: 0.10,
    Regime.TRENDING_DOWN: 0.10,
    Regime.VOLATILE: 0.14,
    Regime.RANGING: 0.07,
}
REGIME_NAMES = {
    Regime.TRENDING_UP: "trending up",
    Regime.TRENDING_DOWN: "trending down",
    Regime.VOLATILE: "volatile",
    Regime.RANGING: "ranging",
}


def price_text(price: float) -> str:
    """A price with as many digits as tell it from its neighbours."""
    if abs(price) >= 1_000:
        return f"{price:,.1f}"
    return f"{price:.6g}"


_BANDS = {"bb": "bollinger", "keltner": "keltner", "donchian": "donchian"}


def is_band(name: str) -> bool:
    """Whether an output is a line of a band around the price."""
    return name.partition("_")[0] in _BANDS


def legend_name(name: str) -> str:
    """What the legend calls an output: the lines of a band have one name."""
    return _BANDS.get(name.partition("_")[0], name)


def line_colours(names: Sequence[str]) -> dict[str, str]:
    """A colour each; bands are grey."""
    lines = [name for name in names if not is_band(name)]
    colours = {name: LINES[at % len(LINES)] for at, name in enumerate(lines)}
    return {name: colours.get(name, "#8796a5") for name in names}


def spread_out(prices: Sequence[float], room: float) -> list[float]:
    """Places for labels of ascending prices, at least `room` apart."""
    places: list[float] = []
    for price in prices:
        places.append(max(price, places[-1] + room) if places else price)
    return places
