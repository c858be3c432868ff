#!/usr/bin/env python
"""Calculate the indicators of one market's newest closed bar, and say what they need.

Of the database, or with --csv of a file without any database. Exit codes: 0 done; 2
wrong argument or unknown symbol; 1 unusable bars; 69 database unavailable; 78
configuration, unknown indicator or missing migration.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from app.analysis.indicator_value import IndicatorValue, ValueStatus  # noqa: E402
from app.analysis.window import CandleWindow  # noqa: E402
from app.core.exceptions import AppError, ExitCode  # noqa: E402
from scripts.analysis.bars import (  # noqa: E402
    add_bar_options,
    indicator_service,
    read_bars,
)

_UTC = timezone.utc
_notes = Console(stderr=True, highlight=False)


def main(argv: list[str] | None = None) -> int:
    """Read, calculate, show; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_bar_options(parser, bars=1)
    arguments = parser.parse_args(argv)
    try:
        service = indicator_service(arguments)
        window = read_bars(arguments, service.bars_needed)
        answers = [
            (cut, service.readings(cut)) for cut in _last_bars(window, arguments.bars)
        ]
    except AppError as error:
        print(f"calculate_indicators: {error}", file=sys.stderr)
        return int(error.exit_code)
    if arguments.json:
        print(json.dumps([_plain(cut, readings) for cut, readings in answers]))
    elif arguments.bars > 1:
        _print_history(window, answers)
    else:
        _print_readings(*answers[-1])
    return ExitCode.OK


def _last_bars(window: CandleWindow, bars: int) -> Sequence[CandleWindow]:
    """The window as it was at each of its last bars, oldest first."""
    times = window.last(bars).open_at.tolist()
    return [window.until(at.replace(tzinfo=_UTC)) for at in times]


def _plain(window: CandleWindow, readings: Sequence[IndicatorValue]) -> object:
    return {
        "symbol": window.symbol,
        "timeframe": window.timeframe.value,
        "bar_at": window.last_open_at.isoformat(),
        "close": float(window.close[-1]),
        "indicators": {
            reading.output: {
                "value": reading.value,
                "status": reading.status.value,
                "bars_have": reading.bars_have,
                "bars_needed": reading.bars_needed,
                "missing_bars": reading.missing_bars,
                "anchor": reading.anchor,
                "reason": reading.reason,
            }
            for reading in readings
        },
    }


def _print_readings(window: CandleWindow, readings: Sequence[IndicatorValue]) -> None:
    table = Table(
        title=f"{window.symbol} {window.timeframe} at the bar of "
        f"{window.last_open_at:%Y-%m-%d %H:%M} UTC, close {window.close[-1]:.8g}",
        title_justify="left",
    )
    for heading in ("indicator", "value", "needs", "gaps", "note"):
        is_number = heading in ("value", "needs", "gaps")
        table.add_column(
            heading, justify="right" if is_number else "left", no_wrap=heading != "note"
        )
    for reading in readings:
        style = {
            ValueStatus.OK: "",
            ValueStatus.WARMING_UP: "yellow",
            ValueStatus.UNDEFINED: "dim",
        }[reading.status]
        table.add_row(
            reading.output,
            "-" if reading.value is None else f"{reading.value:.8g}",
            str(reading.bars_needed),
            str(reading.missing_bars) if reading.missing_bars else "",
            _note(reading),
            style=style,
        )
    Console().print(table)
    cold = sum(reading.status is ValueStatus.WARMING_UP for reading in readings)
    if cold:
        _notes.print(f"[dim]{cold} of {len(readings)} values are warming up[/]")


def _note(reading: IndicatorValue) -> str:
    if reading.status is ValueStatus.OK:
        return f"from the {reading.anchor}" if reading.anchor else ""
    return f"{str(reading.status).replace('_', ' ')}: {reading.reason}"


def _print_history(
    window: CandleWindow,
    answers: Sequence[tuple[CandleWindow, Sequence[IndicatorValue]]],
) -> None:
    table = Table(
        title=f"{window.symbol} {window.timeframe}: {len(answers):,} closed bars",
        title_justify="left",
    )
    table.add_column("open time (UTC)", no_wrap=True)
    table.add_column("close", justify="right", no_wrap=True)
    names = [reading.output for reading in answers[-1][1]]
    for name in names:
        table.add_column(name, justify="right")
    for cut, readings in answers:
        values = [
            "-" if reading.value is None else f"{reading.value:.6g}"
            for reading in readings
        ]
        table.add_row(
            f"{cut.last_open_at:%Y-%m-%d %H:%M}", f"{cut.close[-1]:.8g}", *values
        )
    Console().print(table)


if __name__ == "__main__":
    sys.exit(main())
