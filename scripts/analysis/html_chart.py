"""The interactive chart: one HTML file that needs no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from app.analysis.structure.breaks import BreakKind
from app.analysis.structure.swings import SwingKind
from app.domain.direction import Direction
from scripts.analysis import style
from scripts.analysis.findings import MarketPicture, block_end

_WIDTH, _HEIGHT = 1600, 1000
Box = tuple[Any, Any, float, float, str]


def write_html(picture: MarketPicture, path: Path) -> None:
    """Write the chart with all that it needs inside."""
    figure = html_figure(picture)
    figure.write_html(
        path, include_plotlyjs=True, full_html=True, config={"scrollZoom": True}
    )


def html_figure(picture: MarketPicture) -> go.Figure:
    """Price on top with everything found, volume and a panel an indicator below."""
    panels = list(picture.panels)
    heights = [0.62, 0.10, *[0.28 / max(1, len(panels))] * len(panels)]
    figure = make_subplots(
        rows=len(heights),
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.018,
        row_heights=heights,
    )
    _add_regimes(figure, picture)
    _add_boxes(figure, picture)
    _add_price(figure, picture)
    _add_structure(figure, picture)
    _add_levels(figure, picture)
    _add_patterns(figure, picture)
    _add_volume(figure, picture)
    for number, panel in enumerate(panels):
        _add_panel(figure, picture, panel, 3 + number)
    _lay_out(figure, picture)
    return figure


def _add_price(figure: go.Figure, picture: MarketPicture) -> None:
    window = picture.window
    figure.add_trace(
        go.Candlestick(
            x=_times(picture),
            open=window.open,
            high=window.high,
            low=window.low,
            close=window.close,
            name=window.symbol or "price",
            increasing={"line": {"color": style.UP, "width": 1}, "fillcolor": style.UP},
            decreasing={
                "line": {"color": style.DOWN, "width": 1},
                "fillcolor": style.DOWN,
            },
        ),
        row=1,
        col=1,
    )
    colours = style.line_colours(list(picture.lines))
    named: set[str] = set()
    for name, values in picture.lines.items():
        is_edge = style.is_band(name)
        figure.add_trace(
            go.Scatter(
                x=_times(picture),
                y=values,
                name=style.legend_name(name),
                legendgroup=style.legend_name(name),
                showlegend=style.legend_name(name) not in named,
                mode="lines",
                line={
                    "color": colours[name],
                    "width": 1 if is_edge else 1.6,
                    "dash": "dot" if is_edge else "solid",
                },
                hovertemplate=f"{name} %{{y:.6g}}<extra></extra>",
            ),
            row=1,
            col=1,
        )
        named.add(style.legend_name(name))


def _add_regimes(figure: go.Figure, picture: MarketPicture) -> None:
    times = _edges(picture)
    named = set()
    for run in picture.regimes:
        if run.regime is None:
            continue
        colour = style.REGIME_COLOURS[run.regime]
        figure.add_vrect(
            x0=times[run.first],
            x1=times[run.last + 1],
            fillcolor=colour,
            opacity=style.REGIME_OPACITY[run.regime],
            line_width=0,
            layer="below",
            row=1,
            col=1,
            exclude_empty_subplots=False,  # there is no trace yet
        )
        if run.regime not in named:
            named.add(run.regime)
            figure.add_trace(
                go.Scatter(
                    x=times[:1],
                    y=[None],
                    mode="markers",
                    marker={"symbol": "square", "size": 11, "color": colour},
                    opacity=0.5,
                    name=style.REGIME_NAMES[run.regime],
                    legendgroup="regimes",
                    legendgrouptitle={"text": "Regime (background)"},
                ),
                row=1,
                col=1,
            )


def _add_boxes(figure: go.Figure, picture: MarketPicture) -> None:
    edges = _edges(picture)
    first, last = edges[0], edges[-1]

    def box(
        start: datetime, end: datetime | None, bottom: float, top: float, text: str
    ) -> Box:
        began = max(_naive(start), first)
        return began, last if end is None else _naive(end), bottom, top, text

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
                    f"<br>confirmed {_text(item.confirmed_at)}"
                    f"<br>touched {_text(item.touched_at)}"
                    f"<br>mitigated {_text(item.mitigated_at)}"
                    f"<br>invalidated {_text(item.invalidated_at)}",
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
                        f"<br>confirmed {_text(item.confirmed_at)}"
                        f"<br>touched {_text(item.touched_at)}"
                        f"<br>half filled {_text(item.half_filled_at)}"
                        f"<br>filled {_text(item.filled_at)}",
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
            fillcolor=_rgba(colour, opacity),
            line={"color": _rgba(colour, min(1.0, opacity + 0.25)), "width": 0.6},
            hovertemplate="%{text}<extra></extra>",
            visible=True if is_shown else "legendonly",
        ),
        row=1,
        col=1,
    )


def _add_structure(figure: go.Figure, picture: MarketPicture) -> None:
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
                x += [_naive(item.swing_at), _naive(item.confirmed_at), None]
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
                x=[_naive(item.happened_at) for item in swings],
                y=[item.price for item in swings],
                text=[item.label.value if item.label else "" for item in swings],
                customdata=[_text(item.confirmed_at) for item in swings],
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


def _add_levels(figure: go.Figure, picture: MarketPicture) -> None:
    end = _edges(picture)[-1]
    first = _edges(picture)[0]
    places = style.spread_out([level.price for level in picture.levels], _room(picture))
    for number, level in enumerate(picture.levels):
        figure.add_trace(
            go.Scatter(
                x=[max(first, _naive(level.first_touched_at)), end],
                y=[level.price, level.price],
                mode="lines",
                line={
                    "color": style.LEVEL,
                    "width": 1 + level.strength,
                    "dash": "dash",
                },
                opacity=0.75,
                name="support and resistance",
                legendgroup="levels",
                showlegend=number == 0,
                hovertemplate=f"{level.kind.value} %{{y:.6g}}"
                f"<br>{level.touches} touches, strength {level.strength:.2f}"
                "<extra></extra>",
            ),
            row=1,
            col=1,
        )
        figure.add_annotation(
            x=1.0,
            xref="x domain",
            xanchor="left",
            y=places[number],
            yref="y",
            text=style.price_text(level.price),
            showarrow=False,
            font={"size": 11, "color": style.LEVEL},
        )


def _add_patterns(figure: go.Figure, picture: MarketPicture) -> None:
    window = picture.window
    places = {at: number for number, at in enumerate(_times(picture))}
    room = 0.012 * float(window.high.max() - window.low.min())
    for direction, word in (
        (Direction.BULLISH, "bullish"),
        (Direction.BEARISH, "bearish"),
    ):
        found = [item for item in picture.patterns if item.direction is direction]
        if not found:
            continue
        at = [places[_naive(item.happened_at)] for item in found]
        is_up = direction is Direction.BULLISH
        figure.add_trace(
            go.Scatter(
                x=[_naive(item.happened_at) for item in found],
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
                    f"<br>known at {_text(item.confirmed_at)}"
                    for item in found
                ],
                name=f"{word} patterns",
                hovertemplate="%{text}<extra></extra>",
            ),
            row=1,
            col=1,
        )


def _add_volume(figure: go.Figure, picture: MarketPicture) -> None:
    window = picture.window
    rising = window.close >= window.open
    figure.add_trace(
        go.Bar(
            x=_times(picture),
            y=window.volume,
            marker={
                "color": np.where(rising, style.VOLUME_UP, style.VOLUME_DOWN),
                "line": {"width": 0},
            },
            name="volume",
            showlegend=False,
        ),
        row=2,
        col=1,
    )


def _add_panel(figure: go.Figure, picture: MarketPicture, panel: str, row: int) -> None:
    for number, (name, values) in enumerate(picture.panels[panel].items()):
        if "histogram" in name:
            colours = np.where(values >= 0, style.VOLUME_UP, style.VOLUME_DOWN)
            trace: Any = go.Bar(
                x=_times(picture), y=values, marker={"color": colours}, name=name
            )
        else:
            colour = style.LINES[number % len(style.LINES)]
            trace = go.Scatter(
                x=_times(picture),
                y=values,
                mode="lines",
                line={"width": 1.3, "color": colour},
                name=name,
            )
        trace.showlegend = False
        figure.add_trace(trace, row=row, col=1)
    if panel == "rsi":
        for bound in (30, 70):
            figure.add_hline(
                y=bound,
                line={"color": "#9aa7b4", "width": 1, "dash": "dot"},
                row=row,
                col=1,
            )
        figure.update_yaxes(range=[5, 95], row=row, col=1)


def _lay_out(figure: go.Figure, picture: MarketPicture) -> None:
    window = picture.window
    span = float(window.high.max() - window.low.min()) or float(window.high.max())
    figure.update_layout(
        title={"text": f"<b>{picture.title}</b>", "x": 0.01, "font": {"size": 18}},
        width=None,
        height=_HEIGHT,
        margin={"l": 70, "r": 90, "t": 60, "b": 40},
        paper_bgcolor=style.PAPER,
        plot_bgcolor=style.PAPER,
        font={"family": "Inter, Helvetica, Arial, sans-serif", "color": style.INK},
        hovermode="x",
        legend={"x": 1.055, "y": 1.0, "font": {"size": 11}, "groupclick": "toggleitem"},
        bargap=0.15,
        xaxis_rangeslider_visible=False,
    )
    edges = _edges(picture)
    figure.update_xaxes(
        type="date",
        gridcolor=style.GRID,
        range=[edges[0], edges[-1]],
        showspikes=True,
        spikemode="across",
        spikethickness=1,
        spikecolor="#b8c4ce",
        spikedash="dot",
    )
    figure.update_yaxes(gridcolor=style.GRID, zeroline=False)
    figure.update_yaxes(
        range=[
            float(window.low.min()) - 0.06 * span,
            float(window.high.max()) + 0.06 * span,
        ],
        row=1,
        col=1,
    )
    titles = ["price", "volume", *(panel.replace("_", " ") for panel in picture.panels)]
    for number, title in enumerate(titles, start=1):
        figure.update_yaxes(
            title={"text": title, "font": {"size": 11}}, row=number, col=1
        )


def _times(picture: MarketPicture) -> list[datetime]:
    found: list[datetime] = picture.window.open_at.tolist()
    return found


def _edges(picture: MarketPicture) -> list[datetime]:
    """Open times, and the close of the last bar."""
    return [*_times(picture), _naive(picture.window.last_close_at)]


def _naive(moment: datetime) -> datetime:
    """plotly shows naive times as they are: all of ours are UTC."""
    return moment.replace(tzinfo=None)


def _text(moment: datetime | None) -> str:
    return "not yet" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _room(picture: MarketPicture) -> float:
    """Least distance between two labels beside the chart."""
    return 0.024 * float(picture.window.high.max() - picture.window.low.min())


def _rgba(colour: str, opacity: float) -> str:
    parts: Iterable[int] = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({', '.join(map(str, parts))}, {opacity:.2f})"
