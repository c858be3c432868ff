"""`crypto-bot events` and `crypto-bot universe accept`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.bootstrap import load_settings, open_database
from app.cli.known_names import require_stored
from app.cli.market_time import stored_clock
from app.core.exceptions import ExitCode
from app.models import MarketEvent
from app.services.shrink_refusals import accept_refused

_SYMBOLS_SHOWN = 5


def show_events(
    config: Path | None,
    exchange: str | None,
    symbol: str | None,
    limit: int,
    is_json: bool,
) -> None:
    """Print events of the universe, newest first."""
    settings = load_settings(config, is_quiet=True)
    with open_database(settings, "events") as database:
        with database.session_scope() as session:
            require_stored(session, settings.exchange.id, exchange, symbol)
            rows = MarketEvent.get_filtered(session, exchange, symbol, limit)
            if is_json:
                documents = [{"symbol": name, **row.to_dict()} for row, name in rows]
                print(json.dumps(documents, indent=2))
            else:
                Console().print(_table(rows) if rows else "Nothing has happened yet.")


def accept_universe(config: Path | None) -> ExitCode:
    """Confirm that the markets a refused list lost are gone; FAILED if none is."""
    settings = load_settings(config, is_quiet=True)
    exchange = settings.exchange.id
    with open_database(settings, "universe accept") as database:
        with database.session_scope() as session:
            now = stored_clock(session, settings).now()
            shrink = accept_refused(session, exchange, now)
    if shrink is None:
        print(f"No market list of {exchange} is refused: nothing to accept.")
        return ExitCode.FAILED
    print(
        f"Accepted: {_names(shrink.lost)} of {exchange}'s {shrink.trading} trading "
        "markets are gone. The next refresh records it; losing any other asks again."
    )
    return ExitCode.OK


def _table(rows: Sequence[tuple[MarketEvent, str | None]]) -> Table:
    table = Table(title="Events of the universe", title_justify="left")
    for heading in ("known at", "exchange", "market", "event", "detail"):
        table.add_column(heading, no_wrap=heading != "detail")
    for event, symbol in rows:
        table.add_row(
            f"{event.known_at:%Y-%m-%d %H:%M:%S}",
            event.exchange,
            Text(symbol or "-"),
            event.kind.value,
            Text(_detail(event.detail)),
        )
    return table


def _detail(detail: dict[str, Any]) -> str:
    parts = []
    for name, value in detail.items():
        shown = _names(value) if isinstance(value, list) else str(value)
        parts.append(f"{name} {shown}")
    return ", ".join(parts)


def _names(symbols: Sequence[str]) -> str:
    rest = len(symbols) - _SYMBOLS_SHOWN
    more = f" and {rest} more" if rest > 0 else ""
    return " ".join(symbols[:_SYMBOLS_SHOWN]) + more
