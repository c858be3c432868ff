"""What a user sees of a back-fill: a bar on a terminal, lines elsewhere, or JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from app.cli.counted import counted
from app.domain.timeframe import Timeframe
from app.services.backfill.report import SeriesReport


class Screen:
    """Shows progress on standard error, results on standard output."""

    def __init__(self, is_json: bool) -> None:
        self._is_json = is_json
        self._notes = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("slots"),
            TimeRemainingColumn(),
            console=self._notes,
            transient=True,
            disable=not self._notes.is_terminal,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    @contextmanager
    def series(
        self, symbol: str, timeframe: Timeframe, slots: int
    ) -> Iterator[Callable[[int], None]]:
        """The progress of one series; `slots` of 0: nobody knows how many."""
        name = f"{symbol} {timeframe}"
        task = self._progress.add_task(escape(name), total=slots or None)
        if not self._notes.is_terminal:
            what = counted(slots, "slot") if slots else "a file"
            self._notes.print(f"{name}: {what}", markup=False)
        yield lambda done: self._progress.advance(task, done)

    def show(self, reports: Sequence[SeriesReport]) -> None:
        """Print what became of each series."""
        if self._is_json:
            documents = [dataclasses.asdict(report) for report in reports]
            print(json.dumps(documents, default=_plain, indent=2))
            return
        console = Console(highlight=False, soft_wrap=True)
        for report in reports:
            # Symbols and files' text may hold what rich takes for mark-up.
            console.print(_line(report), markup=False)
            if report.trade_files_read:
                console.print(
                    f"  {counted(report.bars_compared, 'bar')} compared with the "
                    f"trades of {counted(report.trade_files_read, 'file')}: "
                    f"{counted(report.findings, 'finding')}"
                )
            name = f"{report.symbol} {report.timeframe}"
            for refused in report.refused_files:
                head = (f"{name}: refused:", "yellow")
                self._notes.print(Text.assemble(head, f" {refused}"))
            if report.error:
                head = (f"{name}:", "red")
                self._notes.print(Text.assemble(head, f" {report.error}"))


def _line(report: SeriesReport) -> str:
    return (
        f"{report.symbol} {report.timeframe}: {report.inserted:,} new, "
        f"{report.revised:,} corrected, {report.unchanged:,} unchanged, "
        f"{report.quarantined:,} refused ({counted(report.files_read, 'file')}, "
        f"{counted(report.pages_fetched, 'page')}); "
        f"{counted(report.bars, 'bar')} stored, "
        f"{counted(report.slots_missing, 'slot')} missing; accounted for: "
        f"{_span(report.history_from, report.watermark_at)}"
    )


def _span(start: datetime | None, end: datetime | None) -> str:
    if start is None or end is None:
        return "nothing"
    return f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M}"


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
