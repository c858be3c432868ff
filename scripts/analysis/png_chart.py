"""The still picture: one PNG of 1600 by 1000 points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.collections import LineCollection, PolyCollection  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.lines import Line2D  # noqa: E402
from matplotlib.patches import Patch  # noqa: E402

from scripts.analysis import style  # noqa: E402
from scripts.analysis.findings import MarketPicture  # noqa: E402
from scripts.analysis.png_findings import (  # noqa: E402
    draw_boxes,
    draw_levels,
    draw_patterns,
    draw_regimes,
    draw_structure,
)

_SIZE, _DOTS = (16.0, 10.0), 100
_TICKS = 9
_MOST_PANELS = 4


def write_png(picture: MarketPicture, path: Path) -> None:
    """Write the picture."""
    png_figure(picture).savefig(path, dpi=_DOTS)


def png_figure(picture: MarketPicture) -> Figure:
    """Price on top with what still counts, volume and panels below.

    Unlike the interactive chart, blocks and gaps that are used up are left out, and
    there are four panels at most.
    """
    panels = list(picture.panels)[:_MOST_PANELS]
    figure = Figure(figsize=_SIZE, dpi=_DOTS, facecolor=style.PAPER)
    grid = figure.add_gridspec(
        2 + len(panels),
        1,
        height_ratios=[6.2, 0.9, *[1.1] * len(panels)],
        left=0.05,
        right=0.93,
        top=0.905,
        bottom=0.05,
        hspace=0.06,
    )
    price = figure.add_subplot(grid[0])
    axes = [price]
    for row in range(1, 2 + len(panels)):
        axes.append(figure.add_subplot(grid[row], sharex=price))
    for ax in axes:
        _dress(ax)
    draw_regimes(price, picture)
    draw_boxes(price, picture)
    draw_levels(price, picture)
    _draw_candles(price, picture)
    _draw_lines(price, picture)
    draw_structure(price, picture)
    draw_patterns(price, picture)
    _draw_volume(axes[1], picture)
    for ax, panel in zip(axes[2:], panels, strict=True):
        _draw_panel(ax, picture, panel)
    _draw_legend(price, picture)
    _scale(axes, picture)
    figure.text(
        0.05, 0.965, picture.title, fontsize=15, fontweight="bold", color=style.INK
    )
    return figure


def _dress(ax: Axes) -> None:
    ax.set_facecolor(style.PAPER)
    ax.grid(color=style.GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(colors="#5d6d7e", labelsize=8.5, length=0)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#cfd8df")


def _draw_candles(ax: Axes, picture: MarketPicture) -> None:
    window = picture.window
    x = np.arange(len(window))
    rising = window.close >= window.open
    for is_up, colour in ((True, style.UP), (False, style.DOWN)):
        at = np.flatnonzero(rising == is_up)
        wicks = [((i, window.low[i]), (i, window.high[i])) for i in at]
        ax.add_collection(
            LineCollection(wicks, colors=colour, linewidths=0.8, zorder=3)
        )
        bodies = [
            _body(float(x[i]), float(window.open[i]), float(window.close[i]))
            for i in at
        ]
        ax.add_collection(
            PolyCollection(
                bodies, facecolors=colour, edgecolors=colour, linewidths=0.5, zorder=4
            )
        )


def _body(x: float, opened: float, closed: float) -> list[tuple[float, float]]:
    left, right = x - 0.34, x + 0.34
    return [(left, opened), (right, opened), (right, closed), (left, closed)]


def _draw_lines(ax: Axes, picture: MarketPicture) -> None:
    x = np.arange(len(picture.window))
    colours = style.line_colours(list(picture.lines))
    for name, values in picture.lines.items():
        is_edge = style.is_band(name)
        ax.plot(
            x,
            values,
            color=colours[name],
            linewidth=0.8 if is_edge else 1.3,
            alpha=0.8,
            zorder=5,
            label=name,
        )
    for band in ("bb", "keltner", "donchian"):
        upper = [v for n, v in picture.lines.items() if n.startswith(f"{band}_upper")]
        lower = [v for n, v in picture.lines.items() if n.startswith(f"{band}_lower")]
        for high, low in zip(upper, lower, strict=True):
            ax.fill_between(x, low, high, color="#8796a5", alpha=0.06, linewidth=0)


def _draw_volume(ax: Axes, picture: MarketPicture) -> None:
    window = picture.window
    colours = np.where(window.close >= window.open, style.VOLUME_UP, style.VOLUME_DOWN)
    ax.bar(np.arange(len(window)), window.volume, color=colours.tolist(), width=0.8)
    ax.set_ylabel("volume", fontsize=8.5, color="#5d6d7e")


def _draw_panel(ax: Axes, picture: MarketPicture, panel: str) -> None:
    x = np.arange(len(picture.window))
    for number, (name, values) in enumerate(picture.panels[panel].items()):
        if "histogram" in name:
            colours = np.where(values >= 0, style.VOLUME_UP, style.VOLUME_DOWN)
            ax.bar(x, values, color=colours.tolist(), width=0.8)
            continue
        ax.plot(x, values, color=style.LINES[number], linewidth=1.1)
    if panel == "rsi":
        ax.set_ylim(5, 95)
        ax.set_yticks([30, 50, 70])
        for bound in (30, 70):
            ax.axhline(bound, color="#9aa7b4", linewidth=0.8, linestyle=":")
    ax.set_ylabel(panel.replace("_", " "), fontsize=8.5, color="#5d6d7e")


def _draw_legend(ax: Axes, picture: MarketPicture) -> None:
    colours = style.line_colours(list(picture.lines))
    shown: dict[str, Any] = {}
    for name in picture.lines:
        label = style.legend_name(name)
        shown.setdefault(label, Line2D([], [], color=colours[name], label=label))
    handles: list[Any] = list(shown.values())
    for regime in dict.fromkeys(run.regime for run in picture.regimes):
        if regime is not None:
            handles.append(
                Patch(
                    color=style.REGIME_COLOURS[regime],
                    alpha=0.3,
                    label=style.REGIME_NAMES[regime],
                )
            )
    handles += [
        Patch(color=style.UP, alpha=0.3, label="order block up / down (red)"),
        Patch(
            facecolor=("#2f6fde", 0.08),
            edgecolor=("#2f6fde", 0.35),
            hatch="////",
            label="fair value gap up / down (pink)",
        ),
        Line2D([], [], color=style.LEVEL, linestyle="--", label="level × touches"),
        Line2D([], [], color=style.UP, marker="^", linestyle="", label="patterns"),
    ]
    ax.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(-0.005, 1.0),
        ncols=7,
        fontsize=8,
        frameon=False,
        columnspacing=1.2,
        handlelength=1.4,
    )


def _scale(axes: list[Axes], picture: MarketPicture) -> None:
    window = picture.window
    low, high = float(window.low.min()), float(window.high.max())
    room = 0.06 * (high - low) or high * 0.01
    axes[0].set_ylim(low - room, high + room)
    axes[0].set_xlim(-0.8, len(window) + 0.5)
    axes[0].yaxis.set_major_formatter(lambda value, _: style.price_text(value))
    places = np.linspace(0, len(window) - 1, _TICKS).round().astype(int)
    days = window.timeframe.duration.days >= 1
    form = "%Y-%m-%d" if days else "%b %d %H:%M"
    for ax in axes:
        ax.set_xticks(places.tolist())
        ax.tick_params(labelbottom=ax is axes[-1])
    moments = window.open_at[places].tolist()
    axes[-1].set_xticklabels([f"{moment:{form}}" for moment in moments])
