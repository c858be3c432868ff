"""Price, regimes and levels of the interactive chart."""

from __future__ import annotations

import plotly.graph_objects as go

from scripts.analysis import style
from scripts.analysis.findings import MarketPicture
from scripts.analysis.html_axis import edges, label_room, naive, times


def add_price(figure: go.Figure, picture: MarketPicture) -> None:
    """Candles, and the lines drawn over them."""
    window = picture.window
    figure.add_trace(
        go.Candlestick(
            x=times(picture),
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
                x=times(picture),
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


def add_regimes(figure: go.Figure, picture: MarketPicture) -> None:
    """The background of each run of a regime."""
    marks = edges(picture)
    named = set()
    for run in picture.regimes:
        if run.regime is None:
            continue
        colour = style.REGIME_COLOURS[run.regime]
        figure.add_vrect(
            x0=marks[run.first],
            x1=marks[run.last + 1],
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
                    x=marks[:1],
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


def add_levels(figure: go.Figure, picture: MarketPicture) -> None:
    """Support and resistance, with their prices beside the chart."""
    end = edges(picture)[-1]
    first = edges(picture)[0]
    places = style.spread_out(
        [level.price for level in picture.levels], label_room(picture)
    )
    for number, level in enumerate(picture.levels):
        figure.add_trace(
            go.Scatter(
                x=[max(first, naive(level.first_touched_at)), end],
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
