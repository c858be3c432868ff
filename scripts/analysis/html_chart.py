"""The interactive chart: one HTML file that needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from scripts.analysis import style
from scripts.analysis.findings import MarketPicture
from scripts.analysis.html_axis import edges, times
from scripts.analysis.html_findings import add_boxes, add_patterns, add_structure
from scripts.analysis.html_price import add_levels, add_price, add_regimes

_HEIGHT = 1000


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
    add_regimes(figure, picture)
    add_boxes(figure, picture)
    add_price(figure, picture)
    add_structure(figure, picture)
    add_levels(figure, picture)
    add_patterns(figure, picture)
    _add_volume(figure, picture)
    for number, panel in enumerate(panels):
        _add_panel(figure, picture, panel, 3 + number)
    _lay_out(figure, picture)
    return figure


def _add_volume(figure: go.Figure, picture: MarketPicture) -> None:
    window = picture.window
    rising = window.close >= window.open
    figure.add_trace(
        go.Bar(
            x=times(picture),
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
                x=times(picture), y=values, marker={"color": colours}, name=name
            )
        else:
            colour = style.LINES[number % len(style.LINES)]
            trace = go.Scatter(
                x=times(picture),
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
    ends = edges(picture)
    figure.update_xaxes(
        type="date",
        gridcolor=style.GRID,
        range=[ends[0], ends[-1]],
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
