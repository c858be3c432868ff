"""What every strategy is: a window in, a signal or a refusal with its reason out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from typing import ClassVar

from app.analysis.window import CandleWindow
from app.domain.decision import ReasonCode, Refusal, Signal
from app.domain.timeframe import Timeframe

Evidence = Mapping[str, float | None]


class BaseStrategy(ABC):
    """A pure judge of one market on one time frame.

    A subclass names itself, says how many bars it needs and writes `decide`. The
    checks every strategy shares (enough bars, up to date, no hole) are made here, so
    that `decide` always gets exactly `bars_needed` bars without a gap.
    """

    name: ClassVar[str]

    @property
    @abstractmethod
    def timeframe(self) -> Timeframe:
        """Time frame whose closes are judged."""

    @property
    @abstractmethod
    def bars_needed(self) -> int:
        """Closed bars `decide` sees; older ones never change its answer."""

    @property
    def window_bars(self) -> int:
        """Slots of the grid to read; bars before them change no decision.

        At least `bars_needed`. What is beyond it tells a hole at the oldest slots
        needed from a series that begins there.
        """
        return self.bars_needed + 1

    @abstractmethod
    def decide(self, window: CandleWindow) -> Signal | Refusal:
        """Judge the close of the last bar of `bars_needed` gapless bars."""

    def evaluate(
        self, window: CandleWindow, bar_at: datetime | None = None
    ) -> Signal | Refusal:
        """Judge `window` at the close of the bar that opened at `bar_at`.

        `bar_at` defaults to the window's last bar. Only the last `window_bars` slots
        are looked at: the answer does not depend on how much more is handed in. Raises
        ValueError where the window is of another time frame or reaches past `bar_at`:
        that would be look-ahead.
        """
        if window.timeframe is not self.timeframe:
            raise ValueError(
                f"{self.name} judges {self.timeframe} bars, "
                f"the window of {window.symbol} holds {window.timeframe}"
            )
        bar_at = window.last_open_at if bar_at is None else bar_at
        bar_at = bar_at.astimezone(timezone.utc)
        if len(window) and window.last_open_at > bar_at:
            raise ValueError(
                f"window of {window.symbol} ends at {window.last_open_at.isoformat()}, "
                f"after the judged bar {bar_at.isoformat()}"
            )
        window = window.since(self.timeframe.shift(bar_at, 1 - self.window_bars))
        return self._refuse_unusable(window, bar_at) or self.decide(
            window.last(self.bars_needed)
        )

    def evaluate_many(
        self, windows: Iterable[CandleWindow], bar_at: datetime | None = None
    ) -> list[Signal | Refusal]:
        """`evaluate` for each window, in the order given."""
        return [self.evaluate(window, bar_at) for window in windows]

    def refuse(
        self,
        window: CandleWindow,
        reason: ReasonCode,
        evidence: Evidence,
        *,
        bar_at: datetime | None = None,
        confidence: float | None = None,
    ) -> Refusal:
        """A refusal of the window's market at its last bar (or at `bar_at`)."""
        return Refusal(
            symbol=window.symbol,
            strategy=self.name,
            timeframe=self.timeframe,
            bar_at=window.last_open_at if bar_at is None else bar_at,
            reason=reason,
            evidence=evidence,
            confidence=confidence,
        )

    def _refuse_unusable(
        self, window: CandleWindow, bar_at: datetime
    ) -> Refusal | None:
        oldest = self.timeframe.shift(bar_at, 1 - self.bars_needed)
        judged = window.since(oldest)
        bars = {"bars": float(len(judged)), "bars_needed": float(self.bars_needed)}
        if len(window) and window.last_open_at < bar_at:
            late = float(self.timeframe.count_bars(window.last_open_at, bar_at))
            evidence = {**bars, "bars_late": late}
            return self.refuse(window, ReasonCode.STALE_DATA, evidence, bar_at=bar_at)
        missing = self.bars_needed - len(judged)
        if not missing:
            return None
        # A series that reaches back far enough is not short: bars of it are missing.
        if len(window.until(oldest)):
            evidence = {**bars, "missing_bars": float(missing)}
            return self.refuse(
                window, ReasonCode.GAP_IN_WINDOW, evidence, bar_at=bar_at
            )
        return self.refuse(window, ReasonCode.SHORT_HISTORY, bars, bar_at=bar_at)
