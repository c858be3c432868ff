"""What must be true of a database, during a run and after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg2.extensions import connection as Connection

from app.domain.timeframe import Timeframe
from app.replay.grid import to_ms
from app.replay.request_log import RequestLog
from tests.chaos.market import ChaosMarket
from tests.chaos.scenario import SYMBOLS

HOUR_MS = 3_600_000
_MOMENT_MS = 3_000
_MOST_UNDER_WAY = 2 * 8 - 1
Key = tuple[int, str, datetime]
Values = tuple[float, float, float, float, float]

_BARS = """
SELECT cryptocurrency_id, timeframe::text, timestamp, open, high, low, close, volume
FROM market_data WHERE timestamp < %s ORDER BY 1, 2, 3
"""
_STORED = """
SELECT cryptocurrency_id, timeframe::text, timestamp, open, high, low, close, volume,
       known_at
FROM market_data
UNION ALL
SELECT cryptocurrency_id, timeframe::text, timestamp, open, high, low, close, volume,
       known_from
FROM market_data_revisions
"""
_UNBALANCED = """
WITH series AS (
    SELECT cryptocurrency_id AS id, timeframe, history_from AS start,
           watermark_at AS until, bars AS counted, revisions AS counted_revisions,
           CASE timeframe WHEN '1m' THEN interval '1 minute'
                WHEN '5m' THEN interval '5 minutes' ELSE interval '1 hour' END AS step
    FROM series_cursors
), account AS (
    SELECT series.*,
        (extract(epoch FROM until - start) / extract(epoch FROM step))::bigint AS slots,
        (SELECT count(*) FROM market_data AS bar
         WHERE bar.cryptocurrency_id = series.id AND bar.timeframe = series.timeframe
           AND bar.timestamp >= start AND bar.timestamp < until) AS bars,
        (SELECT count(*) FROM market_data AS bar
         WHERE bar.cryptocurrency_id = series.id AND bar.timeframe = series.timeframe
        ) AS all_bars,
        (SELECT count(*) FROM market_data_revisions AS old
         WHERE old.cryptocurrency_id = series.id AND old.timeframe = series.timeframe
        ) AS all_revisions,
        (SELECT coalesce(sum(extract(epoch FROM least(gap.ends_at, until)
                 - greatest(gap.starts_at, start)) / extract(epoch FROM step)), 0)
         FROM market_data_gaps AS gap
         WHERE gap.cryptocurrency_id = series.id AND gap.timeframe = series.timeframe
           AND gap.status <> 'filled')::bigint AS gaps,
        (SELECT count(*) FROM market_data_gaps AS gap JOIN market_data AS bar
            ON bar.cryptocurrency_id = gap.cryptocurrency_id
           AND bar.timeframe = gap.timeframe
           AND bar.timestamp >= gap.starts_at AND bar.timestamp < gap.ends_at
         WHERE gap.cryptocurrency_id = series.id AND gap.timeframe = series.timeframe
           AND gap.status <> 'filled') AS doubled
    FROM series
)
SELECT id, timeframe::text, slots, bars, gaps, doubled, counted, all_bars,
       counted_revisions, all_revisions
FROM account
WHERE slots <> bars + gaps OR doubled > 0 OR counted <> all_bars
   OR counted_revisions <> all_revisions
"""
_WRONG_GAPS = """
SELECT cryptocurrency_id, timeframe::text, starts_at, ends_at, slots
FROM market_data_gaps
WHERE slots <> extract(epoch FROM ends_at - starts_at) / CASE timeframe
    WHEN '1m' THEN 60 WHEN '5m' THEN 300 ELSE 3600 END
"""
_AS_OF = """
SELECT count(*), md5(coalesce(string_agg(md5(bar::text), '' ORDER BY
    cryptocurrency_id, timeframe, timestamp), ''))
FROM market_data_as_of(%s) AS bar
"""
_CONFIRMED = """
SELECT cryptocurrency_id, timeframe::text, starts_at, ends_at, resolved_at
FROM market_data_gaps WHERE status = 'confirmed_absent'
"""


@dataclass
class Witness:
    """What was seen in the course of a run, to be compared with the end."""

    problems: list[str] = field(default_factory=list)
    horizons: list[datetime] = field(default_factory=list)
    settled: dict[datetime, tuple[int, str]] = field(default_factory=dict)

    def look(self, connection: Connection, horizon: datetime | None) -> None:
        """The database between two passes: balanced, and the horizon further on."""
        self._note("the ledger does not cover", _rows(connection, _UNBALANCED))
        self._note("gaps of another length", _rows(connection, _WRONG_GAPS))
        if horizon is None:
            return
        if self.horizons and horizon < self.horizons[-1]:
            self.problems.append(f"the horizon fell to {horizon}")
        self.horizons.append(horizon)
        if horizon not in self.settled:
            self.settled[horizon] = _rows(connection, _AS_OF, horizon)[0]

    def look_back(self, connection: Connection) -> None:
        """What was known at each settled instant must be what it was."""
        for moment, then in self.settled.items():
            now = _rows(connection, _AS_OF, moment)[0]
            if now != then:
                self.problems.append(
                    f"known at {moment}: {then[0]} bars then, {now[0]} now, or others"
                )

    def _note(self, what: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self.problems.append(f"{what}: {rows[:3]}")


def stored_bars(connection: Connection, until: datetime) -> dict[Key, Values]:
    """Every bar that opens before `until`."""
    return {row[:3]: row[3:] for row in _rows(connection, _BARS, until)}


def history_starts(connection: Connection) -> dict[tuple[int, str], datetime]:
    """Where the history of each series begins."""
    query = (
        "SELECT cryptocurrency_id, timeframe::text, history_from FROM series_cursors"
    )
    return {(key, frame): at for key, frame, at in _rows(connection, query)}


def differences(
    found: dict[Key, Values],
    expected: dict[Key, Values],
    starts: dict[tuple[int, str], datetime],
    gone: int | None = None,
) -> list[str]:
    """How the bars differ from the undisturbed run's, where both reach.

    Corrections of the market that is `gone` later may not have been seen in time.
    """
    known = {key for key in expected if key[:2] in starts}
    missing = [k for k in known - set(found) if k[2] >= starts[k[:2]]]
    extra = sorted(set(found) - set(expected))
    first = {key[:2]: key[2] for key in reversed(sorted(expected))}
    extra = [key for key in extra if key[2] >= first.get(key[:2], key[2])]
    other = sorted(
        k for k in known & set(found) if found[k] != expected[k] and k[0] != gone
    )
    problems = []
    for what, keys in (("lost", missing), ("added", extra), ("other", other)):
        if keys:
            shown = ", ".join(
                f"{k[0]} {k[1]} {k[2]:%d %H:%M}" for k in sorted(keys)[:4]
            )
            problems.append(f"{len(keys)} bars {what}: {shown}")
    return problems


def never_served(
    connection: Connection, market: ChaosMarket, skew: timedelta
) -> list[str]:
    """Stored values, superseded ones too, that were never sent as closed bars.

    A bar is closed by the exchange's time, which may be ahead of ours by `skew`.
    """
    cache: dict[tuple[int, str], Any] = {}
    problems = []
    for number, frame, at, *values, known_at in _rows(connection, _STORED):
        key = (number, frame)
        if key not in cache:
            cache[key] = market.served.values(SYMBOLS[number - 1], frame)
        sent = cache[key].get(to_ms(at), [])
        if (*values, True) not in sent:
            state = "only unfinished" if (*values, False) in sent else "never"
            problems.append(f"{number} {frame} {at} was {state} served as {values}")
        if known_at + skew < Timeframe(frame).close_of(at):
            problems.append(f"{number} {frame} {at} was known before its close")
    return problems[:5]


def hasty_confirmations(connection: Connection, market: ChaosMarket) -> list[str]:
    """Absences confirmed without three answers, an hour apart, that had bars around."""
    problems = []
    for number, frame, starts, ends, resolved in _rows(connection, _CONFIRMED):
        answers = [
            answer.sent_ms
            for answer in market.served.answers(SYMBOLS[number - 1], frame)
            if answer.last_ms >= to_ms(ends)
            and min(answer.asked_from_ms or answer.first_ms, answer.first_ms)
            <= to_ms(starts)
            and answer.sent_ms <= to_ms(resolved)
        ]
        independent, last = 0, -HOUR_MS
        for at in sorted(answers):
            if at - last >= HOUR_MS:
                independent, last = independent + 1, at
        if independent < 3:
            problems.append(
                f"{number} {frame} {starts} to {ends} was confirmed absent at "
                f"{resolved} after {independent} answers"
            )
    return problems[:5]


def impolite(log: RequestLog) -> list[str]:
    """Requests inside a ban window, those that were under way already left out.

    Nobody can call back a request that was sent before the ban was heard of: as many
    as two collectors have under way at once may follow within a moment.
    """
    until = started = tolerated = 0
    inside = []
    for entry in log.recent:
        if entry.virtual_ms < until:
            if entry.virtual_ms - started < _MOMENT_MS and tolerated:
                tolerated -= 1
            else:
                inside.append(f"{entry.virtual_ms} {entry.path} {entry.symbol}")
        if entry.status in (418, 429) and entry.wait_seconds:
            ends = entry.virtual_ms + round(entry.wait_seconds * 1000)
            if entry.virtual_ms >= until:
                started, tolerated = entry.virtual_ms, _MOST_UNDER_WAY
            until = max(until, ends)
    if not inside:
        return []
    return [f"{len(inside)} requests inside a ban window: {inside[:3]}"]


def unexplained(connection: Connection, spoilt: bool, corrected: bool) -> list[str]:
    """Refused rows and findings for which no fault is a reason.

    A reply may be refused where replies are `spoilt`, and time frames may disagree
    where bars are `corrected` in one of them.
    """
    wanted = {
        "quarantine": "what <> 'reply'" if spoilt else "true",
        "market_data_findings": "rule NOT LIKE 'aggregate%%'" if corrected else "true",
    }
    found = []
    for table, condition in wanted.items():
        query = f"SELECT * FROM {table} WHERE {condition} LIMIT 2"
        found += [f"{table}: {str(row)[:300]}" for row in _rows(connection, query)]
    return found


def not_caught_up(connection: Connection, end: datetime) -> list[str]:
    """Series whose watermark has not reached `end`."""
    query = """
        SELECT cryptocurrency_id, timeframe::text, watermark_at FROM series_cursors
        WHERE watermark_at < %s AND closed_at IS NULL"""
    late = [
        row
        for row in _rows(connection, query, end - timedelta(hours=1))
        if row[2] < Timeframe(row[1]).floor(end)
    ]
    return [f"not caught up: {late[:3]}"] if late else []


def _rows(connection: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()
