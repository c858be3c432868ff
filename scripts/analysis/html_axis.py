"""Times, labels and colours as plotly wants them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from scripts.analysis.findings import MarketPicture


def times(picture: MarketPicture) -> list[datetime]:
    """Open times of the bars."""
    found: list[datetime] = picture.window.open_at.tolist()
    return found


def edges(picture: MarketPicture) -> list[datetime]:
    """Open times, and the close of the last bar."""
    return [*times(picture), naive(picture.window.last_close_at)]


def naive(moment: datetime) -> datetime:
    """plotly shows naive times as they are: all of ours are UTC."""
    return moment.replace(tzinfo=None)


def moment_text(moment: datetime | None) -> str:
    """A moment to the minute, or that it has not come."""
    return "not yet" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def label_room(picture: MarketPicture) -> float:
    """Least distance between two labels beside the chart."""
    return 0.024 * float(picture.window.high.max() - picture.window.low.min())


def rgba(colour: str, opacity: float) -> str:
    """A colour such as #2f6fde with an opacity in [0, 1]."""
    parts: Iterable[int] = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({', '.join(map(str, parts))}, {opacity:.2f})"
