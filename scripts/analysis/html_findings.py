"""Zones, structure and patterns of the interactive chart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import plotly.graph_objects as go

from app.analysis.structure.breaks import BreakKind
from app.analysis.structure.swings import SwingKind
from app.domain.direction import Direction
from scripts.analysis import style
from scripts.analysis.findings import MarketPicture, block_end
from scripts.analysis.html_axis import edges, moment_text, naive, rgba, times

Box = tuple[Any, Any, float, float, str]


def add_boxes(figure: go.Figure, picture: MarketPicture) -> None:
    """Order blocks and fair value gaps; gaps that are filled start hidden."""
    ends = edges(picture)
    first, last = ends[0], ends[-1]

    def box(
        start: datetime, end: datetime | None, bottom: float, top: float, text: str
    ) -> Box:
        began = max(naive(start), first)
        return began, last if end is None else naive(end), bottom, top, text

    for direction, word in (
        (Direction.BULLISH, "bullish"),
        (Direction.BEARISH, "bearish"),
    ):
        blocks = [item for item in picture.order_blocks if item.direction is direction]
        gaps = [item for item in picture.gaps if item.direction is direction]
        colour = style.DIRECTION_COLOURS[direction]
        _add_box_trace(
            figure,
            f"{word} order blocks",
            colour,
            0.18,
            [
                box(
                    item.happened_at,
                    block_end(item),
                    item.bottom,
                    item.top,
                    f"{word} order block {style.price_text(item.bottom)} to "
                    f"{style.price_text(item.top)}"
                    f"<br>confirmed {moment_text(item.confirmed_at)}"
                    f"<br>touched {moment_text(item.touched_at)}"
                    f"<br>mitigated {moment_text(item.mitigated_at)}"
                    f"<br>invalidated {moment_text(item.invalidated_at)}",
                )
                for item in blocks
            ],
        )
        for is_open in (True, False):
            _add_box_trace(
                figure,
                f"{word} gaps, {'open' if is_open else 'filled'}",
                "#2f6fde" if direction is Direction.BULLISH else "#c2185b",
                0.22 if is_open else 0.10,
                [
                    box(
                        item.happened_at,
                        item.filled_at,
                        item.bottom,
                        item.top,
                        f"{word} fair value gap {style.price_text(item.bottom)} to "
                        f"{style.price_text(item.top)}"
                        f"<br>confirmed {moment_text(item.confirmed_at)}"
                        f"<br>touched {moment_text(item.touched_at)}"
                        f"<br>half filled {moment_text(item.half_filled_at)}"
                        f"<br>filled {moment_text(item.filled_at)}",
                    )
                    for item in gaps
                    if (item.filled_at is None) is is_open
                ],
                is_shown=is_open,
            )


def _add_box_trace(
    figure: go.Figure,
    name: str,
    colour: str,
    opacity: float,
    boxes: Sequence[Box],
    is_shown: bool = True,
) -> None:
    if not boxes:
        return
    x: list[Any] = []
    y: list[float | None] = []
    texts: list[str] = []
    for start, end, bottom, top, text in boxes:
        x += [start, end, end, start, start, None]
        y += [bottom, bottom, top, top, bottom, None]
        texts += [text] * 6
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            text=texts,
            name=name,
            mode="lines",
            fill="toself",
            fillcolor=rgba(colour, opacity),
            line={"color": rgba(colour, min(1.0, opacity + 0.25)), "width": 0.6},
            hovertemplate="%{text}<extra></extra>",
            visible=True if is_shown else "legendonly",
        ),
        row=1,
        col=1,
    )


def add_structure(figure: go.Figure, picture: MarketPicture) -> None:
    """Breaks from their swing to their bar, and the labels of swings."""
    for direction, word in ((Direction.BULLISH, "up"), (Direction.BEARISH, "down")):
        for kind, label in ((BreakKind.BOS, "BOS"), (BreakKind.CHOCH, "CHoCH")):
            found = [
                item
                for item in picture.breaks
                if item.direction is direction and item.kind is kind
            ]
            if not found:
                continue
            x: list[Any] = []
            y: list[float | None] = []
            texts: list[str] = []
            for item in found:
                x += [naive(item.swing_at), naive(item.confirmed_at), None]
                y += [item.level, item.level, None]
                texts += ["", label, ""]
            figure.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    text=texts,
                    name=f"{label} {word}",
                    mode="lines+text",
                    textposition="top left" if word == "up" else "bottom left",
                    textfont={
                        "size": 10,
                        "color": style.DIRECTION_COLOURS[direction],
                    },
                    line={
                        "color": style.DIRECTION_COLOURS[direction],
                        "width": 1.4,
                        "dash": "solid" if kind is BreakKind.BOS else "dash",
                    },
                    hovertemplate=f"{label} {word} %{{y:.6g}}<extra></extra>",
                ),
                row=1,
                col=1,
            )
    for side, place in (
        (SwingKind.HIGH, "top center"),
        (SwingKind.LOW, "bottom center"),
    ):
        swings = [item for item in picture.swings if item.kind is side]
        figure.add_trace(
            go.Scatter(
                x=[naive(item.happened_at) for item in swings],
                y=[item.price for item in swings],
                text=[item.label.value if item.label else "" for item in swings],
                customdata=[moment_text(item.confirmed_at) for item in swings],
                mode="text",
                textposition=place,
                textfont={"size": 9, "color": "#5d6d7e"},
                name=f"swing {side.value}s",
                hovertemplate="%{text} %{y:.6g}<br>known at %{customdata}"
                "<extra></extra>",
            ),
            row=1,
            col=1,
        )


def add_patterns(figure: go.Figure, picture: MarketPicture) -> None:
    """A triangle at the bar of each pattern."""
    window = picture.window
    places = {at: number for number, at in enumerate(times(picture))}
    room = 0.012 * float(window.high.max() - window.low.min())
    for direction, word in (
        (Direction.BULLISH, "bullish"),
        (Direction.BEARISH, "bearish"),
    ):
        found = [item for item in picture.patterns if item.direction is direction]
        if not found:
            continue
        at = [places[naive(item.happened_at)] for item in found]
        is_up = direction is Direction.BULLISH
        figure.add_trace(
            go.Scatter(
                x=[naive(item.happened_at) for item in found],
                y=(window.low[at] - room) if is_up else (window.high[at] + room),
                mode="markers",
                marker={
                    "symbol": "triangle-up" if is_up else "triangle-down",
                    "size": 8,
                    "color": style.DIRECTION_COLOURS[direction],
                    "line": {"width": 0.5, "color": "white"},
                },
                text=[
                    f"{item.name.replace('_', ' ')}, confidence {item.confidence:.2f}"
                    f"<br>known at {moment_text(item.confirmed_at)}"
                    for item in found
                ],
                name=f"{word} patterns",
                hovertemplate="%{text}<extra></extra>",
            ),
            row=1,
            col=1,
        )
