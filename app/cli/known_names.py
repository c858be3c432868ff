"""Names a user gives that nothing stored goes by: an error, not an empty answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import sqlalchemy as sa
import typer
from sqlalchemy.orm import Session

from app.core.exceptions import UnknownSymbol
from app.models import Cryptocurrency


def require_stored(
    session: Session, configured: str, exchange: str | None, symbol: str | None
) -> None:
    """Refuse an exchange or a market of which nothing is stored; names the nearest.

    `configured` is the exchange of the settings: that it has nothing yet is an answer.
    Raises typer's usage error for an exchange, UnknownSymbol for a market.
    """
    of = Cryptocurrency.exchange
    if exchange is not None:
        exchanges = {configured, *session.scalars(sa.select(of).distinct())}
        if exchange not in exchanges:
            raise typer.BadParameter(
                f"--exchange: nothing of {exchange!r:.60} is stored; there is "
                f"{', '.join(sorted(exchanges))}"
            )
    if symbol is None:
        return
    query = sa.select(Cryptocurrency.symbol).distinct()
    if exchange is not None:
        query = query.where(of == exchange)
    symbols = set(session.scalars(query))
    if symbol not in symbols:
        where = "" if exchange is None else f" of {exchange}"
        raise UnknownSymbol(
            f"no market {symbol!r:.80}{where} is among the {len(symbols)} stored ones"
            f"{_nearest(symbol.upper(), sorted(symbols))}"
        )


def _nearest(name: str, names: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(names), 3, 0.5)
    return f"; nearest: {', '.join(near)}" if near else ""
