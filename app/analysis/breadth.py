"""How many markets take part in a move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.analysis.indicators.trend import Ema
from app.analysis.window import CandleWindow


@dataclass(frozen=True, slots=True)
class BreadthReading:
    """Counts over the markets whose last bar is the newest of all.

    `stale` markets end earlier (halted, delisted, not collected yet) and count nowhere
    else. `above_ema` of `judged_by_ema` markets close above their EMA; `new_highs` and
    `new_lows` of `judged_by_range` close beyond all bars of the range before. Shares
    are None where no market could be judged.
    """

    markets: int
    stale: int
    advancing: int
    declining: int
    unchanged: int
    judged_by_ema: int
    above_ema: int
    judged_by_range: int
    new_highs: int
    new_lows: int

    @property
    def above_ema_share(self) -> float | None:
        """Part of the judged markets that close above their EMA, in [0, 1]."""
        if not self.judged_by_ema:
            return None
        return self.above_ema / self.judged_by_ema

    @property
    def advance_decline(self) -> float | None:
        """(Advancing - declining) / markets that moved or stood, in [-1, 1]."""
        judged = self.advancing + self.declining + self.unchanged
        return (self.advancing - self.declining) / judged if judged else None

    @property
    def score(self) -> float | None:
        """Mean of what is known of both, as a lean in [-1, 1]; None without any."""
        share, advance = self.above_ema_share, self.advance_decline
        parts = [2 * share - 1] if share is not None else []
        parts += [advance] if advance is not None else []
        return sum(parts) / len(parts) if parts else None


def market_breadth(
    windows: Mapping[str, CandleWindow], ema_period: int = 50, range_bars: int = 100
) -> BreadthReading:
    """Breadth at the newest last bar of the windows, which share one time frame.

    A market advances where it closes above the bar before. Raises ValueError for
    windows of several time frames.
    """
    frames = {window.timeframe for window in windows.values()}
    if len(frames) > 1:
        named = sorted(frame.value for frame in frames)
        raise ValueError(f"breadth needs one time frame, got {named}")
    filled = [window for window in windows.values() if len(window)]
    newest = max((window.open_at[-1] for window in filled), default=None)
    current = [window for window in filled if window.open_at[-1] == newest]
    ema = Ema(ema_period)
    moves = [float(w.close[-1] - w.close[-2]) for w in current if len(w) > 1]
    by_ema = [
        _is_above(window, ema) for window in current if len(window) >= ema.bars_needed
    ]
    ranges = [window.last(range_bars + 1) for window in current]
    ranges = [window for window in ranges if len(window) > range_bars]
    return BreadthReading(
        markets=len(current),
        stale=len(windows) - len(current),
        advancing=sum(move > 0 for move in moves),
        declining=sum(move < 0 for move in moves),
        unchanged=sum(move == 0 for move in moves),
        judged_by_ema=len(by_ema),
        above_ema=sum(by_ema),
        judged_by_range=len(ranges),
        new_highs=sum(bool(w.close[-1] > w.high[:-1].max()) for w in ranges),
        new_lows=sum(bool(w.close[-1] < w.low[:-1].min()) for w in ranges),
    )


def _is_above(window: CandleWindow, ema: Ema) -> bool:
    level = float(ema.series(window.last(ema.bars_needed))[0][-1])
    # The average of a price that stands still may be a rounding error below it.
    return float(window.close[-1]) > level * (1 + 1e-9)
