"""The request budget that all processes of one address share, kept in PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.core.clock import Clock
from app.core.database import Database
from app.core.database_errors import translated_errors
from app.core.exceptions import DatabaseUnavailable
from app.exchange.budget import BucketTerms, Cooldown, Draw, cooldown_length
from app.models import RateBudget

_MORE_THAN_ANY_BUCKET = 1e9
# One statement, so that a process stopped in the middle holds no lock for long.
# Draws need not outlive a crash of the server: it loses at most 3 x wal_writer_delay
# (0.6 s) of them, less than the 3 s that the bucket's terms leave. Refilling starts at
# the later of both instants: a process whose clock is behind must not earn time twice.
# A replay market whose time is a day earlier was started anew: what was spent, and who
# was banned, in its former life is past.
_DRAW = sa.text("""
SET LOCAL synchronous_commit = off;
WITH locked AS (
    SELECT tokens, refilled_at, cooldown_until, bans,
           coalesce(CAST(:now AS timestamptz), clock_timestamp()) AS now,
           coalesce(refilled_at > CAST(:now AS timestamptz) + interval '1 day', false)
               AS is_new
    FROM rate_budgets
    WHERE exchange = :exchange AND address = :address
    FOR UPDATE
), counted AS (
    SELECT bans, is_new,
           CASE WHEN is_new THEN now ELSE greatest(now, refilled_at) END
               AS refilled_at,
           least(CAST(:capacity AS double precision), tokens + :refill
                 * greatest(0, extract(epoch FROM now - refilled_at))) AS tokens,
           CASE WHEN is_new THEN 0 ELSE greatest(0,
               coalesce(extract(epoch FROM cooldown_until - now), 0)) END AS cooldown
    FROM locked
), granted AS (
    SELECT *, CASE WHEN cooldown > 0 THEN 0 ELSE (
        SELECT count(*) FROM unnest(CAST(:thresholds AS double precision[])) needed
        WHERE needed <= tokens) END AS granted
    FROM counted
), priced AS (
    SELECT *, coalesce((SELECT sum(cost) FROM
        unnest((CAST(:costs AS double precision[]))[1:granted]) cost), 0) AS price
    FROM granted
), drawn AS (
    UPDATE rate_budgets budget
    SET tokens = priced.tokens - price, refilled_at = priced.refilled_at,
        cooldown_until = CASE WHEN is_new THEN NULL ELSE budget.cooldown_until END,
        spent = budget.spent + price, updated_at = clock_timestamp()
    FROM priced
    WHERE (priced.granted > 0 OR is_new)
      AND budget.exchange = :exchange AND budget.address = :address
)
SELECT granted, tokens - price AS tokens, cooldown, bans FROM priced
""")


class DatabaseBudget:
    """The row of one exchange and address: its tokens, its cooldown and its bans.

    Every draw is one short transaction under the row's lock, off the event loop. It
    reads the cooldown afresh, so that nothing is granted once any process has met a
    ban and committed it, also after a restart.

    Runs on `clock`, or on the database's own where None is given: for real exchanges,
    because the clocks of two machines may differ.
    """

    def __init__(
        self,
        database: Database,
        exchange: str,
        address: str,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._key = {"exchange": exchange, "address": address}

    async def draw(
        self, costs: Sequence[float], terms: BucketTerms, reserve_share: float = 0.0
    ) -> Draw:
        return await asyncio.to_thread(self._draw, costs, terms, reserve_share)

    async def cool_down(self, seconds: float | None, banned: bool) -> Cooldown:
        return await asyncio.to_thread(
            self._database.run_in_transaction,
            lambda session: self._cool_down(session, seconds, banned),
        )

    async def forgive(self) -> None:
        await asyncio.to_thread(self._database.run_in_transaction, self._forgive)

    def _draw(
        self, costs: Sequence[float], terms: BucketTerms, reserve_share: float
    ) -> Draw:
        parameters = {
            **self._key,
            "now": self._now(),
            "capacity": terms.capacity,
            "refill": terms.refill_per_second,
            "thresholds": terms.thresholds(costs, reserve_share),
            "costs": list(costs),
        }
        try:
            row = self._execute(parameters)
            if row is None:
                self._database.run_in_transaction(self._create)
                row = self._execute(parameters)
        except SQLAlchemyError as error:
            raise DatabaseUnavailable(
                f"{self._database.target}: the rate budget of "
                f"{self._key['exchange']} cannot be asked: {type(error).__name__}"
            ) from error
        if row is None:
            raise DatabaseUnavailable(
                f"{self._database.target}: the rate budget of "
                f"{self._key['exchange']} was removed"
            )
        cooldown = Cooldown(float(row.cooldown), row.bans)
        return Draw(row.granted, row.tokens, cooldown)

    def _execute(
        self, parameters: Mapping[str, object]
    ) -> sa.Row[tuple[object]] | None:
        database = self._database
        with translated_errors(database.target), database.engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            return connection.execute(_DRAW, parameters).one_or_none()

    def _cool_down(
        self, session: Session, seconds: float | None, banned: bool
    ) -> Cooldown:
        # Whatever the server is set to: a ban has to outlive a crash of it.
        session.execute(sa.text("SET LOCAL synchronous_commit = on"))
        self._create(session)
        budget = self._lock(session)
        now = self._now() or _database_now(session)
        cooling_until = budget.cooldown_until or now
        if banned and cooling_until <= now:
            # Requests already under way all meet the same ban: count it once.
            budget.bans += 1
        length = cooldown_length(seconds, banned, budget.bans)
        budget.cooldown_until = max(cooling_until, now + timedelta(seconds=length))
        left = (budget.cooldown_until - now).total_seconds()
        return Cooldown(left, budget.bans)

    def _forgive(self, session: Session) -> None:
        budget = self._lock(session)
        now = self._now() or _database_now(session)
        # An answer to a request sent before a newer ban must not forgive that one.
        if budget.cooldown_until is None or budget.cooldown_until <= now:
            budget.bans = 0

    def _create(self, session: Session) -> None:
        """The row, unless there is one; its first draw finds a full bucket."""
        row = {
            **self._key,
            "tokens": _MORE_THAN_ANY_BUCKET,
            "refilled_at": self._now() or sa.func.clock_timestamp(),
        }
        session.execute(insert(RateBudget).values(row).on_conflict_do_nothing())

    def _lock(self, session: Session) -> RateBudget:
        key = (self._key["exchange"], self._key["address"])
        return session.get_one(RateBudget, key, with_for_update=True)

    def _now(self) -> datetime | None:
        return None if self._clock is None else self._clock.now()


def _database_now(session: Session) -> datetime:
    now: datetime = session.execute(sa.select(sa.func.clock_timestamp())).scalar_one()
    return now
