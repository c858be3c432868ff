"""Regimes, zones, levels, structure and patterns of the still picture."""

from __future__ import annotations

from datetime import datetime, timezone

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from app.analysis.structure.breaks import BreakKind
from app.analysis.structure.swings import SwingKind
from app.domain.direction import Direction
from scripts.analysis import style
from scripts.analysis.findings import MarketPicture, block_end


def draw_regimes(ax: Axes, picture: MarketPicture) -> None:
    """The background of each run of a regime."""
    for run in picture.regimes:
        if run.regime is not None:
            ax.axvspan(
                run.first - 0.5,
                run.last + 0.5,
                color=style.REGIME_COLOURS[run.regime],
                alpha=style.REGIME_OPACITY[run.regime],
                linewidth=0,
                zorder=0,
            )


def draw_boxes(ax: Axes, picture: MarketPicture) -> None:
    """Order blocks and gaps that still count."""
    last = len(picture.window)
    for block in picture.order_blocks:
        if block_end(block) is not None:
            continue
        colour = style.DIRECTION_COLOURS[block.direction]
        start = _place(picture, block.happened_at)
        ax.add_patch(
            Rectangle(
                (start, block.bottom),
                last - start,
                block.top - block.bottom,
                facecolor=(colour, 0.14),
                edgecolor=(colour, 0.6),
                linewidth=0.8,
                zorder=1,
            )
        )
    for gap in picture.gaps:
        if gap.filled_at is not None:
            continue
        colour = "#2f6fde" if gap.direction is Direction.BULLISH else "#c2185b"
        start = _place(picture, gap.happened_at)
        ax.add_patch(
            Rectangle(
                (start, gap.bottom),
                last - start,
                gap.top - gap.bottom,
                facecolor=(colour, 0.08),
                edgecolor=(colour, 0.35),
                hatch="////",
                linewidth=0,
                zorder=1,
            )
        )


def draw_levels(ax: Axes, picture: MarketPicture) -> None:
    """Support and resistance, with price and touches beside the chart."""
    last = len(picture.window)
    span = float(picture.window.high.max() - picture.window.low.min())
    places = style.spread_out([level.price for level in picture.levels], 0.024 * span)
    for level, place in zip(picture.levels, places, strict=True):
        start = _place(picture, level.first_touched_at)
        ax.plot(
            [start, last],
            [level.price, level.price],
            color=style.LEVEL,
            linewidth=0.8 + level.strength,
            linestyle=(0, (6, 4)),
            alpha=0.7,
            zorder=2,
        )
        ax.annotate(
            f"{style.price_text(level.price)} ×{level.touches}",
            (1.0, place),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=style.LEVEL,
        )


def draw_structure(ax: Axes, picture: MarketPicture) -> None:
    """Breaks from their swing to their bar, and the labels of swings."""
    for item in picture.breaks:
        colour = style.DIRECTION_COLOURS[item.direction]
        start, end = _place(picture, item.swing_at), _place(picture, item.confirmed_at)
        is_bos = item.kind is BreakKind.BOS
        ax.plot(
            [start, end],
            [item.level, item.level],
            color=colour,
            linewidth=1.2,
            linestyle="-" if is_bos else (0, (3, 2)),
            zorder=6,
        )
        is_up = item.direction is Direction.BULLISH
        ax.annotate(
            "BOS" if is_bos else "CHoCH",
            ((start + end) / 2, item.level),
            xytext=(0, 2 if is_up else -2),
            textcoords="offset points",
            ha="center",
            va="bottom" if is_up else "top",
            fontsize=7,
            fontweight="bold",
            color=colour,
            zorder=8,
        )
    for swing in picture.swings:
        is_high = swing.kind is SwingKind.HIGH
        ax.annotate(
            swing.label.value if swing.label else "",
            (_place(picture, swing.happened_at), swing.price),
            xytext=(0, 7 if is_high else -7),
            textcoords="offset points",
            ha="center",
            va="bottom" if is_high else "top",
            fontsize=6.5,
            color="#5d6d7e",
            zorder=7,
        )


def draw_patterns(ax: Axes, picture: MarketPicture) -> None:
    """A triangle at each bar of patterns."""
    window = picture.window
    room = 0.010 * float(window.high.max() - window.low.min())
    for direction, marker in ((Direction.BULLISH, "^"), (Direction.BEARISH, "v")):
        at = sorted(
            {
                round(_place(picture, item.happened_at))
                for item in picture.patterns
                if item.direction is direction
            }
        )
        is_up = direction is Direction.BULLISH
        y = window.low[at] - room if is_up else window.high[at] + room
        ax.scatter(
            at,
            y,
            marker=marker,
            s=20,
            color=style.DIRECTION_COLOURS[direction],
            edgecolors="white",
            linewidths=0.4,
            zorder=7,
        )


def _place(picture: MarketPicture, moment: datetime) -> float:
    """Number of the bar that opened then; the left edge for one before the first."""
    naive = moment.astimezone(timezone.utc).replace(tzinfo=None)
    found = int(np.searchsorted(picture.window.open_at, np.datetime64(naive)))
    return float(found) if naive >= picture.window.open_at[0].item() else -0.8
