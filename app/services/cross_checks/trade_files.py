"""Stored bars against trades that come in chunks, as from an archive's file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.analysis.consistency.trades import TradeColumns
from app.analysis.preparation.grid import floor_times
from app.domain.timeframe import Timeframe
from app.exchange.archives.trades import TradeChunk
from app.services.cross_checks.findings import CheckCounts
from app.services.cross_checks.trades import check_against_trades


def check_trade_chunks(
    session: Session,
    cryptocurrency_id: int,
    timeframe: Timeframe,
    chunks: Iterable[TradeChunk],
    now: datetime,
    run_id: UUID,
) -> CheckCounts:
    """Compare the bars between the first and the last trade of `chunks` with them.

    Trades are in the order traded. The first and the last bar are cut by the file's
    ends and left out, as are those in which a refused trade may lie. No more than a
    chunk and a bar of trades are held at once.
    """
    counts = CheckCounts()
    rest: NDArray[np.void] | None = None
    covers_from: int | None = None
    refused_before: list[int] = []
    for chunk in chunks:
        known = 0 if rest is None else len(rest)
        refused_before += [known + at for at in chunk.refused_before]
        held = chunk.trades if rest is None else np.concatenate([rest, chunk.trades])
        rest = held
        if not len(held):
            continue
        if covers_from is None:
            covers_from = int(held["time_us"][0])
        last = held["time_us"][-1:].astype(np.int64).view("datetime64[us]")
        until = int(floor_times(last, timeframe).astype(np.int64)[0])
        if until > covers_from:
            counts.add(
                check_against_trades(
                    session,
                    cryptocurrency_id,
                    timeframe,
                    _columns(held, covers_from, until),
                    now,
                    run_id,
                    _doubtful(held, covers_from, refused_before),
                )
            )
            covers_from = until
        is_left = held["time_us"] >= until
        cut = len(held) - int(is_left.sum())
        rest = held[is_left]
        refused_before = [at - cut for at in refused_before if at >= cut]
    return counts


def _doubtful(
    held: NDArray[np.void], covers_from: int, refused_before: Sequence[int]
) -> list[tuple[int, int]]:
    """Spans between the trades that stand around the refused ones."""
    times = [covers_from, *held["time_us"].tolist()] if refused_before else []
    after = [*times[1:], np.iinfo(np.int64).max]
    return [(times[at], after[at]) for at in refused_before]


def _columns(held: NDArray[np.void], start: int, end: int) -> TradeColumns:
    inside = held[held["time_us"] < end]
    return TradeColumns(
        inside["time_us"].astype(np.int64),
        inside["price"].astype(np.float64),
        inside["quantity"].astype(np.float64),
        start,
        end,
    )
