"""Stored bars against trades that come in chunks, as from an archive's file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from app.analysis.consistency.trades import TradeColumns
from app.analysis.preparation.grid import floor_times
from app.domain.timeframe import Timeframe
from app.services.cross_checks.findings import CheckCounts
from app.services.cross_checks.trades import check_against_trades


def check_trade_chunks(
    session: Session,
    cryptocurrency_id: int,
    timeframe: Timeframe,
    chunks: Iterable[NDArray[np.void]],
    now: datetime,
    run_id: UUID,
) -> CheckCounts:
    """Compare the bars between the first and the last trade of `chunks` with them.

    Each chunk has the fields `time_us`, `price` and `quantity` (as `TRADE_DTYPE`), in
    the order traded. The first and the last bar are cut by the file's ends and left
    out. No more than a chunk and a bar of trades are held at once.
    """
    counts = CheckCounts()
    rest: NDArray[np.void] | None = None
    covers_from: int | None = None
    for chunk in chunks:
        if not len(chunk):
            continue
        held = chunk if rest is None else np.concatenate([rest, chunk])
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
                )
            )
            covers_from = until
        rest = held[held["time_us"] >= until]
    return counts


def _columns(held: NDArray[np.void], start: int, end: int) -> TradeColumns:
    inside = held[held["time_us"] < end]
    return TradeColumns(
        inside["time_us"].astype(np.int64),
        inside["price"].astype(np.float64),
        inside["quantity"].astype(np.float64),
        start,
        end,
    )
