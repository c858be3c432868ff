"""How long the last bar of every market takes: indicators, structure and patterns.

What happens at each close of one time frame, for 500 markets on one core, with the time
each part takes. Exits 1 if the whole is not done within a second.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from rich.table import Table

from app.analysis.patterns.recognition import PATTERN_BARS, patterns_at_last_bar
from app.analysis.service import IndicatorService
from app.analysis.structure.state import STRUCTURE_BARS, structure_state
from app.analysis.window import CandleWindow
from benchmarks.indicators import MARKETS, latest_of_markets, least_seconds, markets
from benchmarks.support import Aim, console, judge

WITHIN_SECONDS = 1.0


def evaluate_last_bar(service: IndicatorService, window: CandleWindow) -> None:
    """All that a snapshot holds of one market's bars."""
    service.latest(window)
    structure_state(window)
    patterns_at_last_bar(window)


def evaluate_last_bars(
    service: IndicatorService, windows: Sequence[CandleWindow]
) -> None:
    """The same for every market."""
    for window in windows:
        evaluate_last_bar(service, window)


def measure(count: int, rounds: int) -> float:
    """Seconds for the last bar of so many markets; printed by part."""
    service = IndicatorService()
    bars = max(service.bars_needed, STRUCTURE_BARS, PATTERN_BARS)
    windows = markets(bars, count)
    seconds = least_seconds(
        {
            f"indicators, {service.bars_needed} bars": lambda: latest_of_markets(
                service, windows
            ),
            f"structure, {STRUCTURE_BARS} bars": lambda: [
                structure_state(window) for window in windows
            ],
            f"patterns, {PATTERN_BARS} bars": lambda: [
                patterns_at_last_bar(window) for window in windows
            ],
            "all": lambda: evaluate_last_bars(service, windows),
        },
        rounds,
    )
    table = Table(title=f"Last bar of {count} markets", title_justify="left")
    for heading in ("", "seconds", "ms a market", "share"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, taken in seconds.items():
        share = taken / seconds["all"]
        table.add_row(
            name, f"{taken:.3f}", f"{taken / count * 1e3:.3f}", f"{share:.0%}"
        )
    console.print(table)
    return seconds["all"]


def main() -> int:
    """Measure, print, and compare with the aim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--markets", type=int, default=MARKETS)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    taken = measure(options.markets, options.rounds)
    aim = WITHIN_SECONDS * options.markets / MARKETS
    return judge(
        [Aim("Seconds for the last bar of all markets", taken, aim, at_least=False)]
    )


if __name__ == "__main__":
    sys.exit(main())
