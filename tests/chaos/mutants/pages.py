"""Bugs in reading a page: what the exchange said is taken for something else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np

from app.exchange import service
from app.exchange.candles import build_page
from app.exchange.replies import CandlePage, CandleRequest
from app.exchange.strict_replies import RawRows

Reader = Callable[[CandleRequest, list[Any], datetime], CandlePage]


def last_bar_dropped_by_position() -> None:
    """The last row is taken for the unfinished bar, wherever that stands."""

    def read(request: CandleRequest, rows: list[Any], now: datetime) -> CandlePage:
        fewer = RawRows(rows[:-1])
        fewer.raw = (rows.raw if isinstance(rows, RawRows) else rows)[:-1]
        return _judged_later(request, fewer, now)

    _use(read)


def open_bar_stored() -> None:
    """The bar that is still open counts as closed."""
    _use(_judged_later)


def forward_fill() -> None:
    """A bar that is missing between two others is made up from the one before."""

    def read(request: CandleRequest, rows: list[Any], now: datetime) -> CandlePage:
        page = build_page(request, rows, now)
        if len(page) < 2 or page.timeframe.is_month:
            return page
        step = round(page.timeframe.duration.total_seconds() * 1000)
        opens = np.arange(page.open_ms[0], page.open_ms[-1] + 1, step)
        before = np.searchsorted(page.open_ms, opens, side="right") - 1
        values = page.values[before]
        made_up = page.open_ms[before] != opens
        values[made_up, :4] = values[made_up, 3:4]
        values[made_up, 4] = 0.0
        return replace(page, open_ms=opens, values=values)

    _use(read)


def _judged_later(request: CandleRequest, rows: list[Any], now: datetime) -> CandlePage:
    later = build_page(request, rows, now + request.timeframe.duration)
    return replace(later, server_now=now)


def _use(reader: Reader) -> None:
    def build(
        request: CandleRequest, rows: list[Any], sent_at: datetime, _: datetime | None
    ) -> CandlePage:
        return reader(request, rows, sent_at)

    service.build_page = build  # type: ignore[attr-defined, assignment]
