"""Names and columns of recorded series: `SYMBOL-TIMEFRAME.csv`, one series a file."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.domain.timeframe import Timeframe

_NAME = re.compile(
    r"^(?P<symbol>[A-Z0-9]{2,30})-(?P<timeframe>[0-9]+[mhdwM])"
    r"\.(?P<kind>csv|csv\.gz|parquet)$"
)
REQUIRED_COLUMNS = ("open_time", "open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class RecordedName:
    """What the name of a file says; `kind` is `csv`, `csv.gz` or `parquet`."""

    symbol: str
    timeframe: Timeframe
    kind: str


def find_recorded_name(name: str) -> RecordedName | None:
    """The parts of `name`, or None where it is not the name of a recorded series."""
    match = _NAME.match(name)
    if match is None:
        return None
    try:
        timeframe = Timeframe(match["timeframe"])
    except ValueError:
        return None
    return RecordedName(match["symbol"], timeframe, match["kind"])
