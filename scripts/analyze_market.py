#!/usr/bin/env python
"""Analyse one market: regimes, structure, levels, patterns, mood; with charts.

Of the database, or with --csv of a file without any database. --html writes an
interactive chart that needs no network, --png a picture. Exit codes: 0 done; 2 wrong
argument or unknown symbol; 1 unusable bars; 69 database unavailable; 78
configuration, unknown indicator or missing migration.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rich.console import Console  # noqa: E402

from app.analysis.service import IndicatorService  # noqa: E402
from app.core.exceptions import AppError, ExitCode  # noqa: E402
from scripts.analysis.bars import (  # noqa: E402
    add_bar_options,
    indicator_service,
    read_bars,
)
from scripts.analysis.findings import MarketPicture, picture_of  # noqa: E402
from scripts.analysis.report import analyse, as_json, print_report  # noqa: E402

# What a chart shows unless asked otherwise: more would hide the candles.
_CHART_INDICATORS = {
    "ema": [{"period": 20}, {"period": 50}],
    "bollinger_bands": None,
    "rsi": None,
    "macd": None,
}
# Bars before the shown ones: indicators warm up, structure begins, and three higher
# time frames have a regime.
_HISTORY = 6_000
_notes = Console(stderr=True, highlight=False)


def main(argv: list[str] | None = None) -> int:
    """Read, analyse, show, draw; the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add_bar_options(parser, bars=240)
    parser.add_argument("--html", type=Path, help="write the interactive chart here")
    parser.add_argument("--png", type=Path, help="write the picture here")
    arguments = parser.parse_args(argv)
    refusal = _refuse_targets(arguments)
    if refusal is not None:
        print(f"analyze_market: {refusal}", file=sys.stderr)
        return int(ExitCode.USAGE)
    try:
        service = (
            indicator_service(arguments)
            if arguments.indicators is not None
            else IndicatorService.from_config(_CHART_INDICATORS)
        )
        window = read_bars(arguments, _HISTORY)
        report = analyse(window)
        if arguments.json:
            print(json.dumps(as_json(report)))
        else:
            print_report(report, Console())
        if arguments.html or arguments.png:
            # Structure of the picture is read from twice the bars it shows.
            history = window.last(2 * arguments.bars + 1_000)
            picture = picture_of(history, service, arguments.bars)
            _draw(arguments, picture)
    except AppError as error:
        print(f"analyze_market: {error}", file=sys.stderr)
        return int(error.exit_code)
    except OSError as error:
        reason = error.strerror or error
        print(f"analyze_market: {error.filename}: {reason}", file=sys.stderr)
        return int(ExitCode.USAGE)
    return ExitCode.OK


def _refuse_targets(arguments: argparse.Namespace) -> str | None:
    """Why a chart could not be written, told before any work is done for it."""
    for option, suffix in (("html", ".html"), ("png", ".png")):
        target: Path | None = getattr(arguments, option)
        if target is None:
            continue
        if target.suffix.lower() != suffix:
            return f"--{option} {target}: the name must end with {suffix}"
        if target.is_dir():
            return f"--{option} {target}: is a folder, not a file"
        if not target.parent.is_dir():
            return f"--{option} {target}: there is no folder {target.parent}"
    return None


def _draw(arguments: argparse.Namespace, picture: MarketPicture) -> None:
    # plotly and matplotlib take a second to import: only where they are needed.

    if arguments.html:
        from scripts.analysis.html_chart import write_html

        write_html(picture, arguments.html)
        _notes.print(f"wrote {arguments.html}", soft_wrap=True)
    if arguments.png:
        from scripts.analysis.png_chart import write_png

        write_png(picture, arguments.png)
        _notes.print(f"wrote {arguments.png}", soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
