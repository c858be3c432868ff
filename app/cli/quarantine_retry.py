"""`crypto-bot quarantine retry`."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.bootstrap import (
    Runtime,
    begin_run,
    build_clock,
    build_exchange,
    load_settings,
    open_database,
    require_exchange,
)
from app.cli.quarantine import get_item
from app.cli.replay import market_for_script
from app.core.exceptions import ExitCode
from app.services.collection.ledger import Ledger
from app.services.quarantine.replies import opened_for_run
from app.services.quarantine.retrying import (
    MOST_ITEMS_A_RUN,
    RetryCase,
    RetryOutcome,
    RetryVerdict,
    ask_again,
    plan_retries,
    record_retries,
)
from app.services.runs import end_run

_CASES_PER_TRANSACTION = 20


def retry_items(
    config: Path | None, ids: Sequence[str] | None, is_json: bool
) -> ExitCode:
    """Judge the items of `ids` (all, if None) again; the command's exit code."""
    settings = load_settings(config, is_quiet=True)
    require_exchange(settings)
    with market_for_script(settings, config):
        with open_database(settings, "quarantine") as database:
            clock = build_clock(settings)
            run_id = begin_run(settings, database, clock, "quarantine")
            runtime = Runtime(settings, database, clock, run_id)
            try:
                verdicts = asyncio.run(_retry(runtime, ids))
            finally:
                with database.session_scope() as session:
                    end_run(session, run_id, clock.now())
    _show(verdicts, is_json)
    failed = [one for one in verdicts if one.outcome is RetryOutcome.EXCHANGE_FAILED]
    return ExitCode.EXCHANGE_UNAVAILABLE if failed else ExitCode.OK


async def _retry(runtime: Runtime, ids: Sequence[str] | None) -> list[RetryVerdict]:
    database, settings = runtime.database, runtime.settings
    with database.session_scope() as session:
        keys: list[UUID] | None = None
        if ids is not None:
            keys = [get_item(session, id).id for id in ids]
        cases = plan_retries(session, settings.exchange.id, keys)
    ledger = Ledger(
        runtime.run_id, tail_grace_seconds=settings.collector.tail_grace_seconds
    )
    verdicts: list[RetryVerdict] = []
    async with opened_for_run(
        build_exchange(runtime), database, runtime.clock, runtime.run_id
    ) as exchange:
        for first in range(0, len(cases), _CASES_PER_TRANSACTION):
            part: list[RetryCase] = cases[first : first + _CASES_PER_TRANSACTION]
            asked = await asyncio.gather(*(ask_again(exchange, case) for case in part))
            with database.session_scope() as session:
                now = runtime.clock.now()
                verdicts += record_retries(session, asked, ledger, now, runtime.run_id)
    return verdicts


def _show(verdicts: Sequence[RetryVerdict], is_json: bool) -> None:
    counts = Counter(verdict.outcome.value for verdict in verdicts)
    if is_json:
        items = [
            {
                "id": str(verdict.case.id),
                "symbol": verdict.case.symbol,
                "outcome": verdict.outcome.value,
                "explanation": verdict.explanation,
            }
            for verdict in verdicts
        ]
        print(json.dumps({"outcomes": dict(counts), "items": items}, indent=2))
        return
    if not verdicts:
        print("Nothing to judge again: no item of this exchange is unsettled.")
        return
    table = Table(title="Judged again", title_justify="left")
    for name in ("id", "market", "kind", "rule", "outcome", "why"):
        table.add_column(name, no_wrap=name == "id")
    for verdict in verdicts:
        case = verdict.case
        table.add_row(
            str(case.id)[:8],
            Text(case.symbol),
            Text(case.what),
            case.rule,
            verdict.outcome.value,
            Text(verdict.explanation),
        )
    Console().print(table)
    print(", ".join(f"{count} {name}" for name, count in sorted(counts.items())))
    if len(verdicts) == MOST_ITEMS_A_RUN:
        print(f"At most {MOST_ITEMS_A_RUN:,} at a time: run it again for others.")
